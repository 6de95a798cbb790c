//go:build !amd64 && !arm64

package state

// prefetch does nothing where there is no instruction for it.
func prefetch(slot, mark pointer) {}
