package state

import "unsafe"

// A segment's first 64 bytes are one cache line of what look-ups need.
const _ = uint(unsafe.Offsetof(segment{}.lo)-64) + uint(64-unsafe.Offsetof(segment{}.lo))

// segmentBytes is what a segment takes on the heap, its bits aside.
const segmentBytes = int64(unsafe.Sizeof(segment{}))

// cellBytes is what a cell of the directory takes.
const cellBytes = int64(unsafe.Sizeof(cell{}))

// pointer is an address in a slab, or in what stands for one.
type pointer = unsafe.Pointer

func advance(p pointer, n uint64) pointer { return unsafe.Add(p, n) }

// Slots are 8-byte aligned since slabs are and strides are multiples of 8.

func h1At(p unsafe.Pointer) uint64 { return *(*uint64)(p) }

func h2At(p unsafe.Pointer) uint64 { return *(*uint64)(unsafe.Add(p, 8)) }

func setH1(p unsafe.Pointer, h uint64) { *(*uint64)(p) = h }

func setH2(p unsafe.Pointer, h uint64) { *(*uint64)(unsafe.Add(p, 8)) = h }

func refAt(p unsafe.Pointer, at uint64) blobRef { return *(*blobRef)(unsafe.Add(p, at)) }

func setRef(p unsafe.Pointer, at uint64, r blobRef) { *(*blobRef)(unsafe.Add(p, at)) = r }

// slotBytes are the n bytes at p.
func slotBytes(p unsafe.Pointer, n uint64) []byte { return unsafe.Slice((*byte)(p), n) }

// copySlot copies n bytes, a multiple of 8. Most slots are a few words.
func copySlot(dst, src unsafe.Pointer, n uint64) {
	if n > 64 {
		copy(slotBytes(dst, n), slotBytes(src, n))
		return
	}
	for at := uint64(0); at < n; at += 8 {
		*(*uint64)(unsafe.Add(dst, at)) = *(*uint64)(unsafe.Add(src, at))
	}
}

func zero(p unsafe.Pointer, n uint64) { clear(slotBytes(p, n)) }

// fillEmpty makes total slots empty.
func fillEmpty(slots unsafe.Pointer, total, stride, empty uint64) {
	if empty == 0 {
		zero(slots, total*stride)
		return
	}
	for i := range total {
		setH1(unsafe.Add(slots, i*stride), empty)
	}
}

// find1 looks for h1 in s: its slot and true, or the empty slot where a record
// would go and false.
func find1(s *segment, h1, stride uint64) (i uint64, p unsafe.Pointer, ok bool) {
	i = home1(h1, s.homes)
	p = unsafe.Add(s.slots, i*stride)
	for {
		k := h1At(p)
		if k == h1 {
			return i, p, true
		}
		if k == s.empty {
			return i, p, false
		}
		i++
		p = unsafe.Add(p, stride)
	}
}

// find2 is find1 for (h1, h2), whose home is i.
func find2(s *segment, i, h1, h2, stride uint64) (uint64, unsafe.Pointer, bool) {
	p := unsafe.Add(s.slots, i*stride)
	for {
		k := h1At(p)
		if k == h1 && h2At(p) == h2 {
			return i, p, true
		}
		if k == s.empty {
			return i, p, false
		}
		i++
		p = unsafe.Add(p, stride)
	}
}

// findKey is find1 for any identity.
func (m *Map) findKey(s *segment, k *Key) (i uint64, p unsafe.Pointer, ok bool) {
	if m.lay.hasSub {
		i = s.home2(k.H1, k.H2)
	} else {
		i = home1(k.H1, s.homes)
	}
	for ; ; i++ {
		p = unsafe.Add(s.slots, i*m.lay.stride)
		h := h1At(p)
		if h == k.H1 && (!m.lay.hasSub || h2At(p) == k.H2) && m.sameBytes(s, p, k) {
			return i, p, true
		}
		if h == s.empty {
			return i, p, false
		}
	}
}

// sameBytes says whether the record at p, whose hashes are k's, has k's bytes.
func (m *Map) sameBytes(s *segment, p unsafe.Pointer, k *Key) bool {
	if !m.lay.keyBytes && !m.lay.subBytes {
		return true
	}
	b := parseBlob(s.heap.bytes(refAt(p, m.lay.ref)))
	return string(b.key) == string(k.Key) && string(b.sub) == string(k.Sub)
}

// mark1 marks slot i of s, whose writes need no preparation, as changed.
func (s *segment) mark1(i uint64) {
	*(*uint64)(unsafe.Add(s.dirty, i>>6<<3)) |= 1 << (i & 63)
}

// touch asks for slot i of s and those behind it, and for its mark, which lies elsewhere. A cache line of marks is for 512
// slots only: where slots are far from the cache, marks are as well.
func (s *segment) touch(i, stride uint64) {
	prefetch(unsafe.Add(s.slots, i*stride), unsafe.Add(s.dirty, i>>6<<3))
}

// firstWord is where the words begin.
func firstWord(w []uint64) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(w)) }

// bytesPtr is where b begins.
func bytesPtr(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// wordsOf is zeroed memory of n bytes, aligned like a slab's slots.
func wordsOf(n uint64) unsafe.Pointer { return firstWord(make([]uint64, (n+7)/8)) }
