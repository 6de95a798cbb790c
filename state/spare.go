package state

// spares keeps what segments leave behind when they grow, split and join, for those that follow: a map whose records come
// and go allocates nothing on the Go heap.
type spares struct {
	words    [][]uint64
	segments []*segment
}

// sparesMax bounds how many of each kind are kept.
const sparesMax = 32

// takeWords returns n words of zeros.
func (sp *spares) takeWords(n uint64) []uint64 {
	for i, w := range sp.words {
		if uint64(cap(w)) >= n && uint64(cap(w)) <= 4*n+16 {
			last := len(sp.words) - 1
			sp.words[i], sp.words[last] = sp.words[last], nil
			sp.words = sp.words[:last]
			w = w[:n]
			clear(w)
			return w
		}
	}
	return make([]uint64, n)
}

// giveWords takes words that nobody uses any more.
func (sp *spares) giveWords(w []uint64) {
	if w != nil && len(sp.words) < sparesMax {
		sp.words = append(sp.words, w)
	}
}

func (sp *spares) takeSegment() *segment {
	n := len(sp.segments)
	if n == 0 {
		return new(segment)
	}
	s := sp.segments[n-1]
	sp.segments[n-1] = nil
	sp.segments = sp.segments[:n-1]
	return s
}

// giveSegment takes a segment that nothing refers to any more.
func (sp *spares) giveSegment(s *segment) {
	if len(sp.segments) < sparesMax {
		*s = segment{}
		sp.segments = append(sp.segments, s)
	}
}
