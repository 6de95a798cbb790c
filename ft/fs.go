package ft

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/fullspate/spate/ft/flock"
)

// FS is what a Dir needs of a file system: fttest has one that fails and forgets. Names are paths. What was done to a directory
// survives a crash once SyncDir has returned nil, what was written to a file once its Sync has.
type FS interface {
	MkdirAll(dir string) error
	ReadDir(dir string) (names []string, err error) // ascending
	Open(name string) (File, error)                 // for reading
	Create(name string) (File, error)               // for writing; what was there is cut off
	Rename(from, to string) error                   // at once, in the place of what is there
	Remove(name string) error                       // a file or an empty directory
	SyncDir(dir string) error
	Lock(name string) (io.Closer, error) // flock.ErrLocked if another has it
}

// File is an open file of an FS.
type File interface {
	io.ReaderAt
	io.Writer
	io.Closer
	Sync() error
	Size() (int64, error)
}

// System is the FS of the operating system.
var System FS = system{}

type system struct{}

type systemFile struct{ *os.File }

func (f systemFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (system) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func (system) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func (system) Open(name string) (File, error) { return systemOpen(name, os.O_RDONLY) }

func (system) Create(name string) (File, error) {
	return systemOpen(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
}

func systemOpen(name string, flags int) (File, error) {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) Remove(name string) error { return os.Remove(name) }

func (system) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Modified is when a file was written last.
func (system) Modified(name string) (time.Time, error) {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func (system) Lock(name string) (io.Closer, error) {
	f, err := flock.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// replaceFile puts data into a file, such that after a crash at any moment the file is what it was before or has all of data,
// and has it when the error is nil. After an error it is one of both.
func replaceFile(fs FS, dir, name string, data []byte) error {
	temp := name + tempSuffix
	err := writeFile(fs, temp, data)
	if err == nil {
		err = fs.Rename(temp, name)
	}
	if err != nil {
		_ = fs.Remove(temp) // if it cannot be removed now, it is when the directory is opened next
		return err
	}
	return fs.SyncDir(dir)
}

// tempSuffix marks a file that is of no meaning before it is renamed.
const tempSuffix = ".new"

func writeFile(fs FS, name string, data []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	n, err := f.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readFile reads a whole file, of at most limit bytes.
func readFile(fs FS, name string, limit int64) (data []byte, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, formatErrorf(limit, "%d bytes, at most %d are expected", size, limit)
	}
	data = make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}
