package state

import (
	"encoding/binary"
	"math/bits"
)

// tracking is what a segment remembers about changes. There is one bit per slot
// in each set; bits move with their records, except those of pend.
//
// A snapshot begins for the map in an instant, and for a segment when it is
// first written or captured after that: then the sets are rolled, which makes
// pend of dirty and clears the others. While a slot is in pend, its content
// belongs to the snapshot and is put aside before it is overwritten.
type tracking struct {
	dirty []uint64 // written since the last snapshot
	fresh []uint64 // of them: did not exist then
	pend  []uint64 // to be copied for the running snapshot
	words []uint64 // where the three lie

	rolled  uint32 // epoch for which the sets were rolled
	pending bool   // a snapshot runs and has not captured the segment
	undo    undoRef

	deleted []byte // identities that existed at the last snapshot and were deleted, as in images
	frozen  []byte // those of the running snapshot
}

// make sets up empty sets for total slots, in words that are taken from spare if there are any.
func (t *tracking) make(total uint64, spare *spares) {
	n := (total + 63) / 64
	t.words = spare.takeWords(3 * n)
	t.dirty, t.fresh, t.pend = t.words[:n:n], t.words[n:2*n:2*n], t.words[2*n:]
}

// first is where dirty begins.
func (t *tracking) first() pointer { return firstWord(t.dirty) }

// inherit takes the marks of slot i of from for slot at.
func (t *tracking) inherit(at uint64, from *tracking, i uint64) {
	put(t.dirty, at, has(from.dirty, i))
	put(t.fresh, at, has(from.fresh, i))
}

// add is inherit for a slot without marks.
func (t *tracking) add(at uint64, from *tracking, i uint64) {
	w, b := i>>6, i&63
	if from.dirty[w]>>b&1 != 0 {
		t.dirty[at>>6] |= 1 << (at & 63)
		if from.fresh[w]>>b&1 != 0 {
			t.fresh[at>>6] |= 1 << (at & 63)
		}
	}
}

func has(set []uint64, i uint64) bool { return set[i>>6]>>(i&63)&1 != 0 }

func put(set []uint64, i uint64, on bool) {
	set[i>>6] &^= 1 << (i & 63)
	if on {
		set[i>>6] |= 1 << (i & 63)
	}
}

// countBits is how many bits are set.
func countBits(set []uint64) int {
	n := 0
	for _, w := range set {
		n += bits.OnesCount64(w)
	}
	return n
}

// own prepares a write to slot i of s, whatever it holds.
func (m *Map) own(s *segment, i uint64) {
	if s.mark == m.epoch {
		return
	}
	m.roll(s)
	if s.track.pending && has(s.track.pend, i) {
		m.saveSlot(s, i)
		put(s.track.pend, i, false)
	}
}

// changed prepares a write to the record in slot i and marks it.
func (m *Map) changed(s *segment, i uint64) {
	m.own(s, i)
	s.mark1(i)
}

// roll makes s take part in the snapshot that was begun last, or forget about
// one that was aborted.
func (m *Map) roll(s *segment) {
	t := &s.track
	if t.rolled != m.epoch {
		t.rolled, t.undo = m.epoch, undoRef{}
		t.pending = m.snap != nil
		if t.pending {
			m.snap.selectSlots(t)
			t.frozen, t.deleted = t.deleted, t.frozen[:0]
		}
		t.deleted = t.deleted[:0]
		clear(t.dirty)
		clear(t.fresh)
	}
	if m.snap == nil {
		t.pending = false
	}
	if !t.pending {
		s.mark = m.epoch
	}
}

// capture copies what the running snapshot still needs of s, so that s may be
// rebuilt.
func (m *Map) capture(s *segment) {
	if s.mark == m.epoch {
		return
	}
	m.roll(s)
	if s.track.pending {
		m.snap.copySegment(s)
		s.track.pending = false
		s.mark = m.epoch
	}
}

// noteDeleted remembers the deletion of the record at p.
func (m *Map) noteDeleted(s *segment, i uint64, p pointer) {
	if m.tracks && !has(s.track.fresh, i) {
		s.track.deleted = m.appendIdentity(s.track.deleted, m.keyAt(s, p))
	}
}

// appendIdentity writes an identity as it stands in images:
//
//	h1 (8) | h2 (8, with sub-keys) | key bytes (4) | sub-key bytes (4) | key | sub-key
//
// the lengths and the bytes being there for Bytes kinds only.
func (m *Map) appendIdentity(dst []byte, k Key) []byte {
	l := &m.lay
	dst = binary.LittleEndian.AppendUint64(dst, k.H1)
	if l.hasSub {
		dst = binary.LittleEndian.AppendUint64(dst, k.H2)
	}
	if l.keyBytes {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(k.Key)))
	}
	if l.subBytes {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(k.Sub)))
	}
	dst = append(dst, k.Key...)
	return append(dst, k.Sub...)
}

// cutDeleted parts identities at cut.
func (m *Map) cutDeleted(all []byte, cut bound) (left, right []byte) {
	for len(all) > 0 {
		k, n, _ := m.lay.parseIdentity(all)
		if (bound{k.H1, k.H2}).less(cut) {
			left = append(left, all[:n]...)
		} else {
			right = append(right, all[:n]...)
		}
		all = all[n:]
	}
	return left, right
}
