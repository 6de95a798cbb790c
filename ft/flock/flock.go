package flock

import (
	"errors"
	"os"
)

// ErrLocked is why a file cannot be locked that another has locked.
var ErrLocked = errors.New("locked by another process")

// Open opens a file, which is made if need be, and locks it. The error is ErrLocked or the system's.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
