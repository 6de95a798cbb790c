//go:build linux

package background

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestRun looks at the priority of the thread, which is 20 less nice.
func TestRun(t *testing.T) {
	before, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var within int
		Run(func() { within, err = unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid()) })
		if err != nil || within != min(before, 20-nice) {
			t.Errorf("priority %d, %v, want %d", within, err, 20-nice)
		}
		if after, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid()); err != nil || after != before {
			t.Errorf("priority %d afterwards, %v, want %d", after, err, before)
		}
	}
}
