package background

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// nice is low enough to give way to everything else, and high enough not to starve beside it.
const nice = 10

// Run runs fn and waits for it, on a thread of low priority, which ends with it: without privileges a thread cannot be given back
// the priority that it had. Where the system does not let us lower it, fn runs as everything else. It panics if fn does.
func Run(fn func()) {
	var fault any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { fault = recover() }()
		runtime.LockOSThread() // and never unlocked
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice)
		fn()
	}()
	<-done
	if fault != nil {
		panic(fault)
	}
}
