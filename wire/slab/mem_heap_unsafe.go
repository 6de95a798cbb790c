//go:build !linux || slabheap

package slab

import "unsafe"

// mapMemory takes zeroed memory from the Go heap, aligned to RegionSize, where
// nothing better is known to be there. The collector sees it but finds no
// pointers in it.
func mapMemory(size int, _ bool) (mapping, error) {
	raw := make([]byte, size+RegionSize)
	head := int(-uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % RegionSize)
	return mapping{ptr: unsafe.Pointer(&raw[head]), size: size}, nil
}

func unmapMemory(mapping) error { return nil }

// warmMemory does nothing: there is no way to touch memory that others may be
// writing to, and the allocator has zeroed it.
func warmMemory([]byte) {}

// coolMemory zeroes b, as a system that took it back would.
func coolMemory(b []byte) error {
	clear(b)
	return nil
}
