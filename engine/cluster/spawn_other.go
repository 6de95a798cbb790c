//go:build !linux

package cluster

import "syscall"

// dieWithParent can do nothing here: a child whose parent is killed sees the end of its standard input.
func dieWithParent() *syscall.SysProcAttr { return nil }

func lockThread() {}
