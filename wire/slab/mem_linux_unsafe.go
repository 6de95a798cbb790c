//go:build linux && !slabheap

package slab

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapMemory reserves size bytes of zeroed memory, a multiple of RegionSize and
// aligned to it. Nothing is touched, so that nothing is used yet. Huge pages
// are a wish: a kernel without them gives ordinary ones.
func mapMemory(size int, huge bool) (mapping, error) {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
	raw, err := unix.MmapPtr(-1, 0, nil, uintptr(size+RegionSize), prot, flags)
	if err != nil {
		return mapping{}, fmt.Errorf("map %d bytes: %w", size, err)
	}
	head := int(-uintptr(raw) % RegionSize)
	m := mapping{ptr: unsafe.Add(raw, head), size: size}
	if head > 0 {
		err = unix.MunmapPtr(raw, uintptr(head))
	}
	if tail := RegionSize - head; err == nil && tail > 0 {
		err = unix.MunmapPtr(unsafe.Add(m.ptr, size), uintptr(tail))
	}
	if err != nil {
		return mapping{}, fmt.Errorf("align a map of %d bytes: %w", size, err)
	}
	if huge {
		_ = unix.Madvise(m.bytes(), unix.MADV_HUGEPAGE)
	}
	return m, nil
}

func unmapMemory(m mapping) error {
	if err := unix.MunmapPtr(m.ptr, uintptr(m.size)); err != nil {
		return fmt.Errorf("unmap %d bytes: %w", m.size, err)
	}
	return nil
}

// warmMemory faults b in without changing its contents, even while others write
// to it. The system call does not hold up the collector, as faults in Go code
// do; kernels before 5.14 do not have it.
func warmMemory(b []byte) {
	if unix.Madvise(b, unix.MADV_POPULATE_WRITE) == nil {
		return
	}
	const page = 4096
	for i := 0; i < len(b); i += page {
		atomic.AddUint32((*uint32)(unsafe.Pointer(&b[i])), 0)
	}
}

// coolMemory gives b back to the system. It reads as zero afterwards.
func coolMemory(b []byte) error {
	if err := unix.Madvise(b, unix.MADV_DONTNEED); err != nil {
		return fmt.Errorf("give back %d bytes: %w", len(b), err)
	}
	return nil
}
