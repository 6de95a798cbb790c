package ft

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// A savepoint is a directory with a consistent cut of a job: the checkpoints of all its tasks at one time.
//
//	PATH/savepoint.json            what it is of: see SavepointInfo
//	PATH/OPERATOR-FIRST-LAST.spck  an encoded checkpoint, complete and without logs: who consumes a task is cut there too
//	PATH.new/…                     one that is being written, or was when its writer died
//
// It is written under the other name, synced, and renamed: there is never half of one under its own.
const (
	savepointName   = "savepoint.json"
	savepointFormat = 1
	savepointMax    = 64 << 20 // bytes of the manifest; it has some 200 a task
)

// SavepointInfo is what a savepoint says about itself.
type SavepointInfo struct {
	Format   int             `json:"format"`
	Created  time.Time       `json:"created"`
	Job      JobInfo         `json:"job"`
	Key      Hex             `json:"key"`      // tells jobs of one graph apart that compute different things
	Position wire.Time       `json:"position"` // every effect of everything below is in it, and of nothing else
	At       string          `json:"at"`       // Position, for people
	Tasks    []SavepointTask `json:"tasks"`    // by operator, in the order of the graph, and range
	Bytes    int64           `json:"bytes"`    // of all tasks
}

// SavepointTask is a task in a savepoint.
type SavepointTask struct {
	Operator string `json:"operator"`
	First    Hex    `json:"first"` // hash of its range
	Last     Hex    `json:"last"`
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Sum      uint32 `json:"crc32c"`    // of the file
	Records  int64  `json:"records"`   // of all tables
	RawBytes int64  `json:"raw_bytes"` // of all tables, decompressed
	Splits   int    `json:"splits,omitempty"`
}

// ID names the task.
func (t *SavepointTask) ID() TaskID {
	return TaskID{t.Operator, partition.Range{First: uint64(t.First), Last: uint64(t.Last)}}
}

// Parallelism is how many tasks of an operator there are: 0 of one that was fused into another.
func (i *SavepointInfo) Parallelism(operator string) (n int) {
	for _, t := range i.Tasks {
		if t.Operator == operator {
			n++
		}
	}
	return n
}

// SavepointWriter writes a savepoint.
type SavepointWriter struct {
	fs         FS
	path, temp string
	lock       io.Closer

	mu   sync.Mutex
	info SavepointInfo // guarded by mu
}

// CreateSavepoint begins a savepoint at a path where there is nothing yet. Of info, Created, Job and Key are wanted. What an
// earlier writer that died has left of it is removed. The error is fs.ErrExist if there is something at the path,
// flock.ErrLocked if another writes a savepoint there, or the system's. fsys may be nil, for System.
func CreateSavepoint(fsys FS, path string, info SavepointInfo) (w *SavepointWriter, err error) {
	if fsys == nil {
		fsys = System
	}
	if path == "" {
		return nil, errors.New("no path of a directory for a savepoint")
	}
	path = filepath.Clean(path)
	info.Format, info.Tasks, info.Bytes = savepointFormat, nil, 0
	w = &SavepointWriter{fs: fsys, path: path, temp: path + tempSuffix, info: info}
	switch _, err := fsys.ReadDir(path); {
	case err == nil:
		return nil, fmt.Errorf("savepoint %s: %w: want a path where there is nothing", path, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("savepoint %s: %w", path, err)
	}
	if err := fsys.MkdirAll(w.temp); err != nil {
		return nil, fmt.Errorf("savepoint %s: %w", path, err)
	}
	if w.lock, err = fsys.Lock(filepath.Join(w.temp, lockName)); err != nil {
		return nil, fmt.Errorf("savepoint %s: %w", path, err)
	}
	if err := w.clear(savepointName, lockName); err != nil {
		return nil, fmt.Errorf("savepoint %s: %w", path, errors.Join(err, w.lock.Close()))
	}
	return w, nil
}

// clear removes the files of the directory that is being written: first one, and all others but another.
func (w *SavepointWriter) clear(first, but string) error {
	names, err := w.fs.ReadDir(w.temp)
	if err != nil {
		return err
	}
	errs := []error{ignoreMissing(w.fs.Remove(filepath.Join(w.temp, first)))}
	for _, n := range names {
		if n != first && n != but {
			errs = append(errs, w.fs.Remove(filepath.Join(w.temp, n)))
		}
	}
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Put writes the checkpoint of a task, which must be a base without logs. Any goroutine may call it, several at a time.
func (w *SavepointWriter) Put(c *Checkpoint) error {
	if err := c.checkMergeable(); err != nil || len(c.Logs) > 0 {
		return fmt.Errorf("savepoint %s: checkpoint of %v, with %d logs, of which none are wanted: %w", w.path, c.Task(), len(c.Logs), err)
	}
	encoded := c.Append(nil)
	info, err := DecodeInfo(encoded)
	if err != nil {
		return err
	}
	t := SavepointTask{
		Operator: c.Operator, First: Hex(c.Range.First), Last: Hex(c.Range.Last), File: savepointFile(c.Task()), Bytes: info.Bytes,
		Sum: crc32.Checksum(encoded, castagnoli), Splits: info.Splits,
	}
	for _, table := range info.Tables {
		t.Records, t.RawBytes = t.Records+table.Records, t.RawBytes+table.RawBytes
	}
	if err := writeFile(w.fs, filepath.Join(w.temp, t.File), encoded); err != nil {
		return fmt.Errorf("savepoint %s: %v: writing %d bytes: %w", w.path, c.Task(), len(encoded), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Tasks = append(w.info.Tasks, t)
	w.info.Bytes += t.Bytes
	return nil
}

func savepointFile(id TaskID) string {
	return fmt.Sprintf("%s-%016x-%016x%s", url.PathEscape(id.Operator), id.Range.First, id.Range.Last, fileSuffix)
}

// Commit makes the savepoint durable under its name, at the position of all that was put. After an error there is nothing under
// that name, unless it is that of a crash; the writer is of no use any more in any case.
func (w *SavepointWriter) Commit(position wire.Time) (SavepointInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Position, w.info.At = position, position.String()
	w.info.sort()
	err := w.info.check()
	if err == nil {
		err = w.rename()
	}
	if err != nil {
		return SavepointInfo{}, fmt.Errorf("savepoint %s: %w", w.path, errors.Join(err, w.abort()))
	}
	return w.info, nil
}

func (w *SavepointWriter) rename() error {
	data, err := json.MarshalIndent(&w.info, "", "  ")
	if err != nil {
		return err
	}
	parent := filepath.Dir(w.path)
	steps := []func() error{
		func() error { return writeFile(w.fs, filepath.Join(w.temp, savepointName), append(data, '\n')) },
		func() error { return w.fs.Remove(filepath.Join(w.temp, lockName)) },
		func() error { return w.fs.SyncDir(w.temp) },
		func() error { return w.fs.Rename(w.temp, w.path) },
		func() error { return w.fs.SyncDir(parent) },
		func() error { return syncAncestors(w.fs, parent) },
		w.lock.Close,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Abort removes what was written.
func (w *SavepointWriter) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.abort()
}

func (w *SavepointWriter) abort() error {
	err := w.clear(savepointName, "")
	if err == nil {
		err = w.fs.Remove(w.temp)
	}
	return errors.Join(ignoreMissing(err), w.lock.Close())
}
