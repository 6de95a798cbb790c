package ft

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fullspate/spate/partition"
)

const (
	lockName   = "lock"
	fileSuffix = ".spck"
	genDigits  = 20                            // of any 64-bit number
	rangeBytes = len("-") + 16 + len("-") + 16 // of a folder's name
)

// OpenDir opens a directory, which is made if need be, for the checkpoints of a job with the given graph. It reads every file
// in it through: what is damaged, or lacks what it follows, is not among a task's generations; of the damaged the logger is
// told. What a crash left half written is removed. Errors are flock.ErrLocked if another uses the directory, a *GraphError if
// it has the checkpoints of another graph, or the system's.
func OpenDir(cfg DirConfig) (d *Dir, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d = &Dir{cfg: cfg.withDefaults(), tasks: make(map[TaskID]*dirTask)}
	if err := d.cfg.FS.MkdirAll(d.cfg.Path); err != nil {
		return nil, err
	}
	if d.lock, err = d.cfg.FS.Lock(filepath.Join(d.cfg.Path, lockName)); err != nil {
		return nil, fmt.Errorf("checkpoint directory %s: %w", d.cfg.Path, err)
	}
	if err = d.openManifest(); err == nil {
		err = d.scan()
	}
	if err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// scan finds the tasks.
func (d *Dir) scan() error {
	names, err := d.cfg.FS.ReadDir(d.cfg.Path)
	if err != nil {
		return err
	}
	for _, n := range names {
		path := filepath.Join(d.cfg.Path, n)
		id, ok := parseFolder(n)
		switch {
		case n == lockName || n == manifestName:
		case strings.HasSuffix(n, tempSuffix):
			err = d.removeHalf(path)
		case !ok:
			d.cfg.Logger.Warn("not a folder of checkpoints, left alone", "file", path)
		default:
			err = d.scanTask(id, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeHalf removes what a crash left half written.
func (d *Dir) removeHalf(path string) error {
	if d.view {
		return nil // somebody may be at it
	}
	return d.cfg.FS.Remove(path)
}

// scanTask finds what there is of a task. What is of no use is removed once there is something newer.
func (d *Dir) scanTask(id TaskID, dir string) error {
	names, err := d.cfg.FS.ReadDir(dir)
	if d.view && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t := d.task(id)
	for _, n := range names { // ascending, so what a checkpoint follows comes before
		path := filepath.Join(dir, n)
		gen, ok := parseFile(n)
		switch {
		case strings.HasSuffix(n, tempSuffix):
			err = d.removeHalf(path)
		case !ok:
			d.cfg.Logger.Warn("not a checkpoint, left alone", "file", path)
		default:
			err = d.scanFile(t, gen, path)
		}
		if err != nil {
			return err
		}
	}
	for _, i := range t.index.prune() {
		t.doomed[d.file(i.Task, i.Generation)] = true
	}
	return nil
}

// scanFile takes a checkpoint into the index, if it is sound and what it follows is there.
func (d *Dir) scanFile(t *dirTask, gen uint64, path string) error {
	info, err := checkFile(d.cfg.FS, path)
	if d.view && errors.Is(err, fs.ErrNotExist) {
		return nil // it has become needless
	}
	if err == nil && (info.Task != t.index.task || info.Generation != gen) {
		err = formatErrorf(0, "it is checkpoint %d of %v", info.Generation, info.Task)
	}
	if isDamage(err) {
		d.warnDamage(path, err)
		t.doomed[path] = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if _, err := t.index.admit(info); err != nil {
		t.doomed[path] = true
		return nil
	}
	t.index.gens = append(t.index.gens, info)
	return nil
}

func (d *Dir) folder(id TaskID) string {
	name := fmt.Sprintf("%s-%016x-%016x", url.PathEscape(id.Operator), id.Range.First, id.Range.Last)
	return filepath.Join(d.cfg.Path, name)
}

func parseFolder(name string) (TaskID, bool) {
	at := len(name) - rangeBytes
	if at < 0 || name[at] != '-' || name[at+17] != '-' {
		return TaskID{}, false
	}
	operator, err := url.PathUnescape(name[:at])
	first, ok1 := parseHash(name[at+1:][:16])
	last, ok2 := parseHash(name[at+18:])
	id := TaskID{operator, partition.Range{First: first, Last: last}}
	return id, err == nil && ok1 && ok2 && id.Range.Valid()
}

func parseHash(s string) (uint64, bool) {
	if _, err := hex.DecodeString(s); err != nil {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 16, 64)
	return v, err == nil
}

func (d *Dir) file(id TaskID, gen uint64) string {
	return filepath.Join(d.folder(id), fmt.Sprintf("%0*d%s", genDigits, gen, fileSuffix))
}

func parseFile(name string) (gen uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, fileSuffix)
	if !ok || len(digits) != genDigits {
		return 0, false
	}
	gen, err := strconv.ParseUint(digits, 10, 64)
	return gen, err == nil
}
