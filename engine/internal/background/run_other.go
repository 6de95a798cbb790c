//go:build !linux

package background

// Run runs fn: other systems have no priorities of threads.
func Run(fn func()) { fn() }
