//go:build unix

package reactor

import (
	"fmt"
	"syscall"
)

// RaiseFileLimit allows the process as many open files as the system lets it, and says how many that are. Child processes
// inherit it. With an error n is the limit as it was.
func RaiseFileLimit() (n uint64, err error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("limit of open files: getrlimit: %w", err)
	}
	was := l.Cur
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return uint64(was), fmt.Errorf("raise the limit of open files from %d to %d: setrlimit: %w", was, l.Max, err)
	}
	return uint64(l.Cur), nil
}
