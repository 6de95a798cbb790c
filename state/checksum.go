package state

import (
	"github.com/fullspate/spate/partition"
)

// Checksum is the sum of the hashes of all records whose h1 is in r, modulo
// 2^64. It does not depend on their order, and adds up over disjoint ranges.
func (m *Map) Checksum(r partition.Range) uint64 {
	r, ok := r.Intersect(m.rng)
	if !ok {
		return 0
	}
	sum := uint64(0)
	end := bound{r.Last, hashMax}
	var raw []byte
	for s := m.dir.locate(bound{r.First, 0}); s != nil && !end.less(s.lo); s = s.next {
		m.each(s, func(_ uint64, p pointer) {
			if r.Contains(h1At(p)) {
				e := m.lay.entryAt(slotBytes(p, m.lay.stride), func(b blobRef) []byte { return s.heap.bytes(b) })
				raw = m.lay.appendRecord(raw[:0], &e)
				sum += sumOf(raw)
			}
		})
	}
	return sum
}

// entryAt is the record in slot, whose blob is looked up with blob.
func (l *layout) entryAt(slot []byte, blob func(blobRef) []byte) entry {
	p := bytesPtr(slot)
	e := entry{key: Key{H1: h1At(p)}, fixed: slot[l.value:]}
	if l.hasSub {
		e.key.H2 = h2At(p)
	}
	if l.ref > 0 {
		b := parseBlob(blob(refAt(p, l.ref)))
		if l.keyBytes {
			e.key.Key = b.key
		}
		if l.subBytes {
			e.key.Sub = b.sub
		}
		e.value = b.value
	}
	return e
}
