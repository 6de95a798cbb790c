// Package flock keeps two processes from using one directory at once, by a lock on a file in it.
//
//	f, err := flock.Open(filepath.Join(dir, "lock"))   // held until f is closed or the process ends, however it ends
//
// A lock belongs to the open file: the same process cannot have it twice either. Where the system has no flock (Supported is
// false), every lock is given. Any goroutine may call anything.
package flock
