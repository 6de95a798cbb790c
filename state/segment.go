package state

import (
	"fmt"
	"math/bits"

	"github.com/fullspate/spate/wire/slab"
)

// Sizes of segments. Iteration, growth and copies work on one segment at a
// time, so its size bounds every pause; 128 KiB are copied in 10-20 µs. Smaller
// ones make the directory and the segments' heads fall out of the cache.
const (
	slotsBytesMin = slab.SizeMin
	slotsBytesMax = 128 << 10

	// A segment grows when more than 13/16 of its home slots would be taken,
	// and is made with less than 11/16 of them taken: between them lies one
	// step of the size classes (ratio 1.25 at most).
	fullNum, roomyNum, loadDen = 13, 11, 16
)

// segment is an open-addressing table in one slab, for the identities from lo
// to hi. The first 64 bytes are what a look-up needs.
type segment struct {
	slots pointer // the first slot
	dirty pointer // words of track.dirty
	homes uint64  // slots that can be homes; a tail of slots for overflow follows
	empty uint64  // h1 of an empty slot: a hash outside of the segment's range
	hi1   uint64  // upper bound, inclusive
	hi2   uint64
	shift uint64 // h2 >> shift takes part in placing: see spread.go
	mark  uint32 // equals Map.epoch when writes need no preparation
	count uint32 // records

	lo    bound
	prev  *segment
	next  *segment
	look  uint32     // records from which the spread is worth another look
	slab  *slab.Slab // nil when there is no record
	total uint32     // slots, the last of which is always empty
	limit uint32     // records that it takes before it grows
	track tracking
	heap  blobHeap
}

func (s *segment) hi() bound { return bound{s.hi1, s.hi2} }

func (s *segment) setHi(b bound) { s.hi1, s.hi2 = b.h1, b.h2 }

// Multipliers that place records: odd, with well-mixed bits.
const (
	mix1 = 0x9e3779b97f4a7c15
	mix2 = 0xd6e8feb86659fd93
)

// home is the slot at which a look-up for (h1, h2) begins. Hashes in a segment
// share their leading bits, so it is taken from a product, whose leading bits
// depend on all others.
func home1(h1, homes uint64) uint64 {
	i, _ := bits.Mul64(h1*mix1, homes)
	return i
}

func (s *segment) home2(h1, h2 uint64) uint64 {
	i, _ := bits.Mul64(h1*mix1+h2>>(s.shift&63)*mix2, s.homes)
	return i
}

// tailOf is how many slots behind the homes take overflow, so that no look-up
// wraps around; the very last one stays empty and ends every look-up.
func tailOf(total uint64) uint64 { return min(total/2, 8+total/64) }

// newSegment makes an empty segment without a slab.
func (m *Map) newSegment(lo, hi bound) *segment {
	s := m.spare.takeSegment()
	s.lo, s.shift = lo, spreadFirst
	s.setHi(hi)
	m.vacate(s)
	s.mark, s.track.rolled = m.epoch, m.epoch
	return s
}

// vacate leaves s without slots; its slab must have been put back.
func (m *Map) vacate(s *segment) {
	s.empty = emptyMark(s.lo, s.hi())
	void := m.void0
	if s.empty != 0 {
		void = m.void1
	}
	s.slots, s.dirty = void, m.voidDirty
	s.slab, s.homes, s.total, s.limit, s.count = nil, 1, 1, 0, 0
	m.spare.giveWords(s.track.words)
	s.track.dirty, s.track.fresh, s.track.pend, s.track.words = nil, nil, nil, nil
}

// emptyMark is a hash that no record from lo to hi has.
func emptyMark(lo, hi bound) uint64 {
	switch {
	case lo.h1 > 0:
		return 0
	case hi.h1 < hashMax:
		return hashMax
	}
	panic("BUG: a segment must not span all hashes")
}

// slotsBytesFor is the size class in which records have room.
func (m *Map) slotsBytesFor(records int) int {
	slots := uint64(records)*loadDen/roomyNum + 1
	slots += tailOf(slots) + 1
	return max(slab.ClassSize(int(slots*m.lay.stride)), slotsBytesMin)
}

// equip gives s a slab of at least size bytes and trackers, all slots empty.
func (m *Map) equip(s *segment, size int) {
	s.slab = m.get(size)
	total := uint64(s.slab.Size()) / m.lay.stride
	s.slots = s.slab.Ptr()
	s.homes, s.total, s.count = total-tailOf(total), uint32(total), 0
	s.limit = uint32(s.homes * fullNum / loadDen)
	s.empty = emptyMark(s.lo, s.hi())
	fillEmpty(s.slots, total, m.lay.stride, s.empty)
	s.track.make(total, &m.spare)
	s.dirty = s.track.first()
}

// makeRoom is called when s cannot take one more record: its slots are full,
// or its heap has no room for blob bytes. It grows or splits; the caller looks
// up the segment and the slot again.
func (m *Map) makeRoom(s *segment, blob int, slotsFull bool) {
	m.capture(s)
	if !slotsFull {
		if s.heap.live()+blob <= m.mem.heapMax || !m.splitSegment(s) {
			m.resizeHeap(s, blob)
		}
		return
	}
	size := m.slotsBytesFor(int(s.count) + 1)
	if s.slab != nil {
		size = max(size, slab.ClassSize(s.slab.Size()+1))
	}
	if size > m.mem.slotsMax && m.splitSegment(s) {
		return
	}
	m.resize(s, size)
}

// slotsBytesHard bounds a segment that cannot be split since all its records
// have the same hash.
const slotsBytesHard = 16 << 20

// resize moves the records of s to a slab of size bytes.
func (m *Map) resize(s *segment, size int) {
	if size > slotsBytesHard {
		panic(&LimitError{Table: m.schema.Name, Reason: fmt.Sprintf("more than %d records share the hash %016x", s.count, s.lo.h1)})
	}
	old := *s
	defer func() {
		if s.slab == old.slab { // the pool is exhausted
			return
		}
		if s.count < old.count {
			m.put(s.slab)
			*s = old
			return
		}
		m.put(old.slab)
		m.spare.giveWords(old.track.words)
	}()
	m.equip(s, size)
	for i := range uint64(old.total) {
		p := advance(old.slots, i*m.lay.stride)
		if h1At(p) != old.empty {
			m.adopt(s, p, &old, i)
		}
	}
}

// adopt copies the record p in slot i of from into s, with its marks. The blob
// stays where it is. It returns the new slot.
func (m *Map) adopt(s *segment, p pointer, from *segment, i uint64) pointer {
	at := m.freeSlot(s, p)
	q := advance(s.slots, at*m.lay.stride)
	copySlot(q, p, m.lay.stride)
	s.track.add(at, &from.track, i)
	s.count++
	return q
}

// freeSlot is an empty slot for the record at p, which s does not hold. The
// tail makes it all but impossible that none is left behind the home; then s
// grows.
func (m *Map) freeSlot(s *segment, p pointer) uint64 {
	for {
		i := m.homeOf(s, p)
		for h1At(advance(s.slots, i*m.lay.stride)) != s.empty {
			i++
		}
		if i < uint64(s.total)-1 {
			return i
		}
		m.resize(s, slab.ClassSize(s.slab.Size()+1))
	}
}

// homeOf is the home slot in s of the record at p.
func (m *Map) homeOf(s *segment, p pointer) uint64 {
	if m.lay.hasSub {
		return s.home2(h1At(p), h2At(p))
	}
	return home1(h1At(p), s.homes)
}

// each calls fn with every record of s, in the order of slots.
func (m *Map) each(s *segment, fn func(i uint64, p pointer)) {
	for i := range uint64(s.total) {
		if p := advance(s.slots, i*m.lay.stride); h1At(p) != s.empty {
			fn(i, p)
		}
	}
}

// boundAt is the hash of the record at p.
func (m *Map) boundAt(p pointer) bound {
	if m.lay.hasSub {
		return bound{h1At(p), h2At(p)}
	}
	return bound{h1At(p), 0}
}

// splitSegment splits s in two, if not all its records have the same hash.
func (m *Map) splitSegment(s *segment) bool {
	cut, ok := m.chooseCut(s)
	if ok {
		m.splitAt(s, cut)
	}
	return ok
}

// chooseCut prefers the middle of the range at a power of two, so that cells of
// the directory keep lying in one segment; where that leaves less than a
// quarter of the records on one side, it takes the simplest bound that does not.
func (m *Map) chooseCut(s *segment) (bound, bool) {
	first := m.dir.first
	if x := (s.lo.h1 - first) ^ (s.hi1 - first); x != 0 {
		bit := bits.Len64(x) - 1
		cut := bound{first + (s.hi1-first)>>bit<<bit, 0}
		left := 0
		m.each(s, func(_ uint64, p pointer) {
			if h1At(p) < cut.h1 {
				left++
			}
		})
		if n := int(s.count); left >= n/4 && left <= n-n/4 && left > 0 && left < n {
			return cut, true
		}
	}
	refs := m.order.refs[:0]
	m.each(s, func(i uint64, p pointer) {
		b := m.boundAt(p)
		refs = append(refs, ref{h1: b.h1, h2: b.h2, slot: uint32(i)})
	})
	m.order.refs = refs
	m.order.sort(refs, nil)
	n := len(refs)
	if n == 0 {
		return bound{}, false
	}
	if a, b := refs[n/4].bound(), refs[n-1-n/4].bound(); a.less(b) {
		return simplest(a, b), true
	}
	for _, r := range refs[n/2:] {
		if b := r.bound(); refs[0].bound().less(b) {
			return b, true
		}
	}
	return bound{}, false
}

// simplest is the bound above a and not above b that ends in the most zeros.
func simplest(a, b bound) bound {
	if a.h1 != b.h1 {
		return bound{leading(a.h1, b.h1), 0}
	}
	return bound{a.h1, leading(a.h2, b.h2)}
}

// leading is b, which is above a, with no more of its bits than tell it from a.
func leading(a, b uint64) uint64 {
	bit := bits.Len64(a^b) - 1
	return b >> bit << bit
}

// splitAt moves the records from cut on to a new segment. s must have been
// captured. If the pool is exhausted, it panics before anything has changed.
func (m *Map) splitAt(s *segment, cut bound) {
	left := 0
	m.each(s, func(_ uint64, p pointer) {
		if m.boundAt(p).less(cut) {
			left++
		}
	})
	a := m.rebuild(s.lo, cut.prev(), s.shift, left, s)
	done := false
	defer func() {
		if !done {
			m.discard(a)
		}
	}()
	r := m.rebuild(cut, s.hi(), s.shift, int(s.count)-left, s)
	done = true
	a.track.deleted, r.track.deleted = m.cutDeleted(s.track.deleted, cut)
	m.replace(s, a)
	m.dir.insertAfter(s, r)
}

// rebuild makes a segment of the records from lo to hi, of which there are n,
// in other segments, which stay as they are.
func (m *Map) rebuild(lo, hi bound, shift uint64, n int, from ...*segment) *segment {
	s := m.newSegment(lo, hi)
	s.shift = shift
	if n == 0 {
		return s
	}
	defer func() {
		if int(s.count) < n { // the pool is exhausted
			m.discard(s)
		}
	}()
	m.equip(s, m.slotsBytesFor(n))
	for _, f := range from {
		m.each(f, func(i uint64, p pointer) {
			if b := m.boundAt(p); !b.less(lo) && !hi.less(b) {
				m.moveRecord(s, p, f, i)
			}
		})
	}
	return s
}

// discard gives the slabs of s back.
func (m *Map) discard(s *segment) {
	m.put(s.slab)
	m.put(s.heap.slab)
	s.slab, s.heap.slab = nil, nil
}

// replace makes s what n is, in the place of s.
func (m *Map) replace(s, n *segment) {
	m.discard(s)
	m.spare.giveWords(s.track.words)
	n.prev, n.next, n.look = s.prev, s.next, s.look
	*s = *n
	m.spare.giveSegment(n)
}

// moveRecord copies a record with its blob to another segment.
func (m *Map) moveRecord(to *segment, p pointer, from *segment, i uint64) {
	if !m.lay.blobs() {
		m.adopt(to, p, from, i)
		return
	}
	blob := from.heap.bytes(refAt(p, m.lay.ref))
	if !to.heap.fits(len(blob)) {
		m.resizeHeap(to, max(len(blob), from.heap.live()*5/8-to.heap.top))
	}
	setRef(m.adopt(to, p, from, i), m.lay.ref, to.heap.add(blob))
}

// shrink gives memory back after deletions: it makes the slab of s smaller, and
// joins s with a neighbour if both together are small. If the pool is exhausted
// it stays as it is.
func (m *Map) shrink(s *segment) {
	if s.slab == nil || s.count >= s.limit/4 {
		return
	}
	small := s.slab.Size() <= slotsBytesMin
	if s.count > 0 && small {
		return
	}
	var exhausted error
	defer catch(&exhausted)
	switch {
	case s.count > 0:
		m.capture(s)
		m.resize(s, m.slotsBytesFor(int(s.count)))
		if s.heap.slab != nil {
			m.resizeHeap(s, 0)
		}
	case small:
		// Its slab stays, for records that come and go; its blobs are gone.
		s.heap.top, s.heap.dead = 0, 0
	default:
		m.capture(s)
		m.discard(s)
		s.heap = blobHeap{}
		m.vacate(s)
	}
	if !m.join(s, s.next) {
		m.join(s.prev, s)
	}
}

// join makes one segment of two neighbours that are small.
func (m *Map) join(a, b *segment) bool {
	if a == nil || b == nil || a.lo.h1 == 0 && b.hi1 == hashMax {
		return false
	}
	n := int(a.count + b.count)
	if m.slotsBytesFor(n) > m.mem.slotsMax/2 || a.heap.live()+b.heap.live() > m.mem.heapMax/2 {
		return false
	}
	m.capture(a)
	m.capture(b)
	both := m.rebuild(a.lo, b.hi(), min(a.shift, b.shift), n, a, b)
	both.track.deleted = append(a.track.deleted, b.track.deleted...)
	m.discard(b)
	m.dir.remove(b, a)
	m.replace(a, both)
	return true
}
