package ft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Dir is a Store in a directory. What Put has returned nil for is there after any crash.
//
//	DIR/lock                       held by the process that uses DIR
//	DIR/job.json                   format, fingerprint of the graph, and when DIR was made
//	DIR/TASK/                      operator-first-last: what is special in an operator is escaped as in a URL
//	DIR/TASK/GENERATION.spck       an encoded checkpoint; the generation has 20 digits
//	DIR/…/*.new                    a file that is being written; of no meaning before it is renamed
//
// A file is written under another name, synced, and renamed, and then its directory is synced; only after that is removed what
// it makes needless. After an error a checkpoint may nevertheless be there when the directory is opened again.
type Dir struct {
	cfg     DirConfig
	lock    io.Closer
	created time.Time
	view    bool // nothing is changed: see ViewDir

	mu     sync.Mutex // of everything below but io
	tasks  map[TaskID]*dirTask
	closed bool
}

// dirTask is what there is of a task.
type dirTask struct {
	io      sync.Mutex // who has it changes the task's files; taken before Dir.mu
	index   index
	made    bool            // the folder is there and durable
	doomed  map[string]bool // files that are not needed any more
	readers int             // that may need what is doomed
	folding bool
}

// DirConfig says where a Dir is and what it is for.
type DirConfig struct {
	Path   string           // of the directory, which is made if need be
	Graph  uint64           // fingerprint of the job's graph
	Job    *JobInfo         // put into the manifest for those who look into the directory; may be nil
	Keep   int              // newest checkpoints of each task that can be restored; 0: 2, so that one may turn out damaged
	FS     FS               // nil: System
	Logger *slog.Logger     // for what is damaged; nil: silent
	Now    func() time.Time // for the date in the manifest; nil: time.Now
}

// Validate reports every problem of the configuration.
func (c DirConfig) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("no path of a directory for checkpoints"))
	}
	if c.Keep < 0 {
		errs = append(errs, fmt.Errorf("%d checkpoints of each task to keep: want at least 1, or 0 for 2", c.Keep))
	}
	return errors.Join(errs...)
}

func (c DirConfig) withDefaults() DirConfig {
	c.Path = filepath.Clean(c.Path)
	c.Keep = cmp.Or(c.Keep, 2)
	if c.FS == nil {
		c.FS = System
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

var _ Store = (*Dir)(nil)

// Created is when the directory was made.
func (d *Dir) Created() time.Time { return d.created }

// Put implements Store.
func (d *Dir) Put(ctx context.Context, id TaskID, gen, follows uint64, encoded []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := parse(id, gen, follows, encoded)
	if err != nil {
		return err
	}
	t := d.task(id)
	t.io.Lock()
	defer t.io.Unlock()
	if here, err := d.admit(t, info); err != nil || here {
		return err
	}
	return d.write(t, info, encoded)
}

func (d *Dir) admit(t *dirTask, info Info) (here bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false, d.errClosed()
	}
	return t.index.admit(info)
}

func (d *Dir) errClosed() error {
	return fmt.Errorf("checkpoint directory %s: %w", d.cfg.Path, fs.ErrClosed)
}

// task is the task of that name, which is made if need be. It is never taken out again, so that who waits for it need not look
// whether it is still the one.
func (d *Dir) task(id TaskID) *dirTask {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tasks[id]
	if t == nil {
		t = &dirTask{index: index{task: id, keep: d.cfg.Keep}, doomed: make(map[string]bool)}
		d.tasks[id] = t
	}
	return t
}

// write makes a checkpoint durable and removes what is not needed any more. The caller has t.io.
func (d *Dir) write(t *dirTask, info Info, encoded []byte) error {
	dir, name := d.folder(info.Task), d.file(info.Task, info.Generation)
	err := d.makeFolder(t, dir)
	if err == nil {
		err = replaceFile(d.cfg.FS, dir, name, encoded)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %d of %v: writing %d bytes to %s, where all is as it was: %w", info.Generation, info.Task, len(encoded), name, err)
	}
	d.mu.Lock()
	delete(t.doomed, name)
	for _, i := range t.index.add(info) {
		t.doomed[d.file(i.Task, i.Generation)] = true
	}
	d.mu.Unlock()
	d.sweep(t)
	return nil
}

func (d *Dir) makeFolder(t *dirTask, dir string) error {
	if t.made {
		return nil
	}
	if err := errors.Join(d.cfg.FS.MkdirAll(dir), d.cfg.FS.SyncDir(d.cfg.Path)); err != nil {
		return err
	}
	t.made = true
	return nil
}

// sweep removes what is doomed, unless somebody reads. What cannot be removed now is tried again next time. The caller has
// t.io.
func (d *Dir) sweep(t *dirTask) {
	d.mu.Lock()
	var names []string
	if t.readers == 0 {
		for name := range t.doomed {
			names = append(names, name)
		}
		clear(t.doomed)
	}
	d.mu.Unlock()
	for _, name := range names {
		if err := d.cfg.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.cfg.Logger.Warn("a checkpoint that is not needed any more cannot be removed", "file", name, "error", err)
			d.mu.Lock()
			t.doomed[name] = true
			d.mu.Unlock()
		}
	}
}

// Drop implements Store. The newest goes first, so that what a crash on the way leaves can be restored.
func (d *Dir) Drop(ctx context.Context, id TaskID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := d.task(id)
	t.io.Lock()
	defer t.io.Unlock()
	if err := d.forget(t); err != nil {
		return err
	}
	t.made = false
	if err := d.removeFolder(d.folder(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the checkpoints of %v: %w", id, err)
	}
	return nil
}

func (d *Dir) forget(t *dirTask) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.errClosed()
	}
	t.index.gens = nil
	clear(t.doomed)
	return nil
}

func (d *Dir) removeFolder(dir string) error {
	names, err := d.cfg.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(names) {
		if err := d.cfg.FS.Remove(filepath.Join(dir, n)); err != nil {
			return err
		}
	}
	return errors.Join(d.cfg.FS.Remove(dir), d.cfg.FS.SyncDir(d.cfg.Path))
}

// Close lets others use the directory. It waits for nobody: call it when no other call is under way.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return d.lock.Close()
}
