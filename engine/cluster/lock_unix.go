//go:build unix && !aix && !solaris

package cluster

import (
	"os"
	"syscall"
)

// lock locks a file until it is closed or the process ends, however it ends. It fails if another has done so.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// unlocked says whether nobody has locked a file.
func unlocked(f *os.File) bool { return lock(f) == nil }
