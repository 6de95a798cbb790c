package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fullspate/spate/ft/flock"
)

// ErrLocked is why a journal cannot be opened that another process, or another Journal of this one, has open.
var ErrLocked = errors.New("the directory is used by another coordinator")

// Journal is an open journal.
type Journal struct {
	dir    string
	lock   *os.File
	file   *os.File
	size   int64
	synced bool
	err    error // what made it unusable
}

// Open locks a directory, which is made if need be, and reads the journal in it; a new one has no records. It returns how
// many bytes of an append were cut that a crash had cut off before. Errors are ErrLocked, a *CorruptError, or the system's.
func Open(dir string) (j *Journal, records [][]byte, cut int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, 0, err
	}
	lock, err := flock.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, flock.ErrLocked) {
		err = ErrLocked
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("state directory %s: %w", dir, err)
	}
	j = &Journal{dir: dir, lock: lock}
	if records, cut, err = j.load(); err != nil {
		return nil, nil, 0, errors.Join(err, j.Close())
	}
	return j, records, cut, nil
}

// Path is the journal's file.
func (j *Journal) Path() string { return filepath.Join(j.dir, "journal") }

// load reads the file, cuts what is unfinished at its end, and opens it for what is to come.
func (j *Journal) load() (records [][]byte, cut int64, err error) {
	data, err := os.ReadFile(j.Path())
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, j.Rewrite(nil)
	}
	if err != nil {
		return nil, 0, err
	}
	records, good, damage := scan(data)
	if damage != "" {
		return nil, 0, &CorruptError{j.Path(), int64(good), damage}
	}
	if j.file, err = os.OpenFile(j.Path(), os.O_WRONLY, 0); err != nil {
		return nil, 0, err
	}
	j.size, j.synced = int64(good), true
	if cut = int64(len(data) - good); cut > 0 {
		if err := errors.Join(j.file.Truncate(j.size), j.file.Sync()); err != nil {
			return nil, 0, err
		}
	}
	return records, cut, nil
}

// Append adds a record at the end. It is durable once Sync has returned nil. A record with a newline is a bug.
func (j *Journal) Append(record []byte) error {
	if bytes.IndexByte(record, '\n') >= 0 || int64(len(record)) > recordMax {
		panic(fmt.Sprintf("BUG: a record of %d bytes, want at most %d and no newline: %.100q", len(record), recordMax, record))
	}
	if j.err != nil {
		return j.err
	}
	line := appendLine(nil, record)
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return j.fail(err)
	}
	j.size += int64(len(line))
	j.synced = false
	return nil
}

// Sync makes durable what was appended. Without anything new it costs nothing.
func (j *Journal) Sync() error {
	if j.err != nil || j.synced {
		return j.err
	}
	if err := j.file.Sync(); err != nil {
		return j.fail(err)
	}
	j.synced = true
	return nil
}

// fail makes the journal unusable: after a failed write or sync nobody knows what is on disk.
func (j *Journal) fail(err error) error {
	j.err = fmt.Errorf("journal: %w", err)
	return j.err
}

// Rewrite puts other records in the place of all that there are, at once and durably: after a crash either the old ones are
// there or the new.
func (j *Journal) Rewrite(records [][]byte) error {
	if j.err != nil {
		return j.err
	}
	data := []byte(magic)
	for _, r := range records {
		data = appendLine(data, r)
	}
	file, err := replace(j.Path(), data)
	if err != nil {
		return j.fail(err)
	}
	if j.file != nil {
		err = j.file.Close() // what it held is of no interest any more
	}
	j.file, j.size, j.synced = file, int64(len(data)), true
	if err != nil {
		return j.fail(err)
	}
	return nil
}

// replace writes a file beside path, syncs it, and renames it to path.
func replace(path string, data []byte) (*os.File, error) {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// syncDir makes a renaming durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Size is the length of the file in bytes.
func (j *Journal) Size() int64 { return j.size }

// Close syncs, closes the file, and unlocks the directory.
func (j *Journal) Close() error {
	var errs []error
	if j.file != nil {
		errs = append(errs, j.Sync(), j.file.Close())
	}
	return errors.Join(append(errs, j.lock.Close())...)
}
