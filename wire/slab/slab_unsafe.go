package slab

import (
	"fmt"
	"unsafe"
)

// Slab is a piece of memory outside the Go heap, aligned to 1 KiB. It belongs
// to whoever got it until it is put back to its pool. No Go pointer may be
// stored in it: the collector does not look there.
type Slab struct {
	ptr   unsafe.Pointer
	size  int
	owner OwnerID
	live  bool
	pool  *Pool
	chunk *chunk // nil: a mapping of its own
	mem   mapping
}

// Bytes returns the slab's memory, all of its class.
func (s *Slab) Bytes() []byte { return unsafe.Slice((*byte)(s.ptr), s.size) }

// Ptr returns where the slab's memory starts.
func (s *Slab) Ptr() unsafe.Pointer { return s.ptr }

// Size returns the slab's size in bytes: ClassSize of what was asked for.
func (s *Slab) Size() int { return s.size }

// Owner returns who the slab is accounted to.
func (s *Slab) Owner() OwnerID { return s.owner }

// mapping is memory as the operating system gave it, aligned to RegionSize.
type mapping struct {
	ptr  unsafe.Pointer
	size int
}

func (m mapping) bytes() []byte { return unsafe.Slice((*byte)(m.ptr), m.size) }

// region returns the bytes of regions [i, i+n).
func (m mapping) region(i, n int) []byte { return m.bytes()[i*RegionSize : (i+n)*RegionSize] }

// at returns the address of a unit of the chunk.
func (c *chunk) at(off int) unsafe.Pointer { return unsafe.Add(c.mem.ptr, off*unit) }

// offset returns the unit at which a slab of the chunk starts.
func (s *Slab) offset() int { return int(uintptr(s.ptr)-uintptr(s.chunk.mem.ptr)) / unit }

const poisonWord = 0xcccccccccccccccc

// poison fills a released slab, so that whoever still reads it notices.
func (s *Slab) poison() {
	words := unsafe.Slice((*uint64)(s.ptr), s.size/8)
	for i := range words {
		words[i] = poisonWord
	}
}

// checkPoison panics when memory about to be handed out was written to after
// its release: free memory is poisoned, or zero where it never was used.
func (s *Slab) checkPoison() {
	for i, w := range unsafe.Slice((*uint64)(s.ptr), s.size/8) {
		if w != poisonWord && w != 0 {
			panic(fmt.Sprintf("BUG: free slab memory written to: %#016x at byte %d of a slab of %d", w, i*8, s.size))
		}
	}
}
