package state

import (
	"bytes"
	"cmp"
)

// under says whether the record at p has the key of k, sub-keys aside.
func (m *Map) under(s *segment, p pointer, k *Key) bool {
	if h1At(p) != k.H1 {
		return false
	}
	if !m.lay.keyBytes {
		return true
	}
	return bytes.Equal(parseBlob(s.heap.bytes(refAt(p, m.lay.ref))).key, k.Key)
}

// gather puts the records of s that are under k, or all if k is nil, in order.
// The refs are m.order's until the next call.
func (m *Map) gather(s *segment, k *Key) []ref {
	refs := m.order.refs[:0]
	if k != nil && m.narrow(s) {
		m.eachNarrow(s, k, func(i uint64, p pointer) {
			b := m.boundAt(p)
			refs = append(refs, ref{b.h1, b.h2, uint32(i)})
		})
	} else {
		refs = m.scan(s, k, refs)
	}
	m.order.refs = refs
	var tie func(a, b ref) int
	if m.lay.keyBytes || m.lay.subBytes {
		tie = func(a, b ref) int {
			ka, kb := m.keyAt(s, m.slot(s, uint64(a.slot))), m.keyAt(s, m.slot(s, uint64(b.slot)))
			return compareKeys(&ka, &kb)
		}
	}
	m.order.sort(refs, tie)
	return refs
}

// scan appends the records of s that are under k, or all if k is nil.
func (m *Map) scan(s *segment, k *Key, refs []ref) []ref {
	for i := range uint64(s.total) {
		p := m.slot(s, i)
		h := h1At(p)
		if h == s.empty || k != nil && (h != k.H1 || m.lay.keyBytes && !m.under(s, p, k)) {
			continue
		}
		b := m.boundAt(p)
		refs = append(refs, ref{b.h1, b.h2, uint32(i)})
	}
	return refs
}

// compareKeys orders identities: by both hashes, which bound segments, then by
// the bytes.
func compareKeys(a, b *Key) int {
	if c := cmp.Compare(a.H1, b.H1); c != 0 {
		return c
	}
	if c := cmp.Compare(a.H2, b.H2); c != 0 {
		return c
	}
	if c := bytes.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return bytes.Compare(a.Sub, b.Sub)
}

// walk calls fn with the records between two hashes, under k unless it is nil,
// in order of identities, until it says false.
func (m *Map) walk(from, to bound, k *Key, fn func(s *segment, p pointer) bool) {
	if first := (bound{m.dir.first, 0}); from.less(first) {
		from = first
	}
	for s := m.dir.locate(from); s != nil && !to.less(s.lo); s = s.next {
		refs := m.gather(s, k)
		m.order.refs = nil // fn may walk too
		for _, r := range refs {
			if !fn(s, m.slot(s, uint64(r.slot))) {
				m.order.refs = refs
				return
			}
		}
		m.order.refs = refs
	}
}

// countUnder counts the records under k.
func (m *Map) countUnder(k *Key) int {
	n := 0
	end := bound{k.H1, hashMax}
	for s := m.dir.locate(bound{k.H1, 0}); s != nil && !end.less(s.lo); s = s.next {
		if m.narrow(s) {
			m.eachNarrow(s, k, func(uint64, pointer) { n++ })
			continue
		}
		m.each(s, func(_ uint64, p pointer) {
			if m.under(s, p, k) {
				n++
			}
		})
	}
	return n
}

// sweep deletes the records under k for which fn says true, or all if fn is
// nil. A deletion only moves records up from behind it, so every record is
// seen once.
func (m *Map) sweep(k *Key, fn func(s *segment, p pointer) bool) int {
	n := 0
	end := bound{k.H1, hashMax}
	for from := (bound{k.H1, 0}); ; {
		s := m.dir.locate(from)
		if m.narrow(s) {
			n += m.sweepNarrow(s, k, fn)
		} else {
			n += m.sweepAll(s, k, fn)
		}
		hi := s.hi()
		m.shrink(s)
		if !hi.less(end) {
			return n
		}
		from = hi.next()
	}
}

// sweepAll is sweep for one segment.
func (m *Map) sweepAll(s *segment, k *Key, fn func(s *segment, p pointer) bool) int {
	n := 0
	for i := uint64(0); i < uint64(s.total); {
		p := m.slot(s, i)
		if h1At(p) != s.empty && m.under(s, p, k) && (fn == nil || fn(s, p)) {
			m.deleteSlot(s, i)
			n++
			continue
		}
		i++
	}
	return n
}
