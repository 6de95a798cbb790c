package state

import (
	"math/bits"

	"github.com/fullspate/spate/wire/slab"
)

// The records of one key are found without looking at its whole segment as long
// as they have few homes: only the leading bits of h2, h2 >> shift, take part in
// placing. A segment begins with 2^2 homes for each key, which suits keys with a
// handful of sub-keys. When an insertion ends far from its home, the sub-keys
// are counted, and if they are many the segment is rebuilt with more homes.
const (
	spreadFirst = 64 - 2

	// crowdedAfter is how far from its home an insertion ends before the spread
	// is in doubt. At the highest load that happens by chance now and then, so
	// spreadLook records more must have come before it is looked at again.
	crowdedAfter = 32

	// spreadBits is from where on all bits of h2 take part.
	spreadBits = 10

	// narrowCost is what finding one home costs, in slots looked at in order.
	narrowCost = 16
)

// crowded says whether a new record of (h1, h2) in slot i may mean that keys
// have too few homes.
func (s *segment) crowded(i, h1, h2 uint64) bool {
	return i-s.home2(h1, h2) > crowdedAfter && s.shift > 0 && s.count >= s.look
}

// widen gives the keys of s more homes, if one has more sub-keys than homes.
func (m *Map) widen(s *segment) bool {
	s.look = s.count + s.count/8 + crowdedAfter
	refs := m.scan(s, nil, m.order.refs[:0])
	m.order.refs = refs
	m.order.sort(refs, nil)
	most, n := 0, 0
	for i := range refs {
		if i > 0 && refs[i].h1 != refs[i-1].h1 {
			n = 0
		}
		n++
		most = max(most, n)
	}
	want := bits.Len(uint(most)) + 1
	if want <= int(64-s.shift) {
		return false
	}
	s.shift = uint64(64 - want)
	if want >= spreadBits {
		s.shift = 0
	}
	m.capture(s)
	m.resize(s, max(s.slab.Size(), slab.SizeMin))
	return true
}

// narrow says whether a key's records in s are found faster by its homes than by
// looking at every slot.
func (m *Map) narrow(s *segment) bool {
	return m.lay.hasSub && s.shift > 0 && narrowCost<<(64-s.shift) < uint64(s.total)
}

// eachNarrow calls fn with the records of s that are under k.
func (m *Map) eachNarrow(s *segment, k *Key, fn func(i uint64, p pointer)) {
	for c := range uint64(1) << (64 - s.shift) {
		for i := s.home2(k.H1, c<<s.shift); ; i++ {
			p := m.slot(s, i)
			if h1At(p) == s.empty {
				break
			}
			if h1At(p) == k.H1 && h2At(p)>>s.shift == c && m.under(s, p, k) {
				fn(i, p)
			}
		}
	}
}

// sweepNarrow is sweepAll by homes.
func (m *Map) sweepNarrow(s *segment, k *Key, fn func(s *segment, p pointer) bool) int {
	n := 0
	for c := range uint64(1) << (64 - s.shift) {
		for i := s.home2(k.H1, c<<s.shift); ; {
			p := m.slot(s, i)
			if h1At(p) == s.empty {
				break
			}
			if h1At(p) == k.H1 && h2At(p)>>s.shift == c && m.under(s, p, k) && (fn == nil || fn(s, p)) {
				m.deleteSlot(s, i)
				n++
				continue
			}
			i++
		}
	}
	return n
}
