package fttest

import (
	"io"
	"syscall"
)

// file is an open file.
type file struct {
	disk *Disk
	node *node
	path string
}

// Write implements io.Writer. What a crash or a full disk cuts off is written in part.
func (f *file) Write(b []byte) (int, error) {
	err := f.disk.begin("Write", f.path)
	if err != nil && err != ErrCrashed {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	n := len(b)
	switch room := f.disk.room(); {
	case err == ErrCrashed && f.disk.ops != f.disk.crashAt:
		n = 0
	case err == ErrCrashed:
		n = f.disk.rand.IntN(len(b) + 1)
	case int64(n) > room:
		n, err = int(room), failed("write", f.path, syscall.ENOSPC)
	}
	f.node.now = append(f.node.now[:len(f.node.now):len(f.node.now)], b[:n]...)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(b []byte, at int64) (int, error) {
	if err := f.disk.begin("ReadAt", f.path); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	if at > int64(len(f.node.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.now[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Sync implements ft.File.
func (f *file) Sync() error {
	if err := f.disk.begin("Sync", f.path); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	f.node.synced = f.node.now
	return nil
}

// Size implements ft.File.
func (f *file) Size() (int64, error) {
	if err := f.disk.begin("Size", f.path); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	return int64(len(f.node.now)), nil
}

// Close implements io.Closer.
func (f *file) Close() error {
	if err := f.disk.begin("Close", f.path); err != nil {
		return err
	}
	f.disk.mu.Unlock()
	return nil
}
