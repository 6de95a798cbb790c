package cluster

import (
	"runtime"
	"syscall"
)

// dieWithParent has a child killed when the thread ends that has started it.
func dieWithParent() *syscall.SysProcAttr {
	// A group of its own keeps an interrupt at the terminal from it: it is for the parent to end it in good order.
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// lockThread keeps the goroutine on its thread, which ends with it.
func lockThread() { runtime.LockOSThread() }
