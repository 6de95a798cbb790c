package wire

import "unsafe"

// Place says where a tuple of one of two walks is: its offset in its frame and,
// in bit 0, which offsets leave free, being multiples of 8, whose it is.
type Place uint32

// Walk returns 0 for a tuple of the first walk and 1 for one of the second.
func (p Place) Walk() int { return int(p & 1) }

// Offset returns the tuple's offset in its frame, as Tuples.PtrAt takes it.
func (p Place) Offset() int { return int(p &^ 1) }

// Interleave merges two walks: it writes to dst where their next tuples are, in
// order of time, those of a before those of b at the same time, and moves both
// behind them. It stops when dst is full, or when one of the walks is at its
// end, since what comes before the other's next tuple is not known then. It
// returns how many places it wrote.
//
//	walks := [2]wire.Tuples{a, b}
//	for n := wire.Interleave(dst, &a, &b); n > 0; n = wire.Interleave(dst, &a, &b) {
//		for _, p := range dst[:n] {
//			use(walks[p.Walk()].PtrAt(p.Offset()))
//		}
//	}
//
// Which of two channels has the next tuple is as good as random, and a branch on
// it is mispredicted every other time. In fixed streams there is none here, and
// none is left to the caller, whose work on one tuple can begin before that on
// the last is done. A dst of some hundred places stays in the first-level cache.
func Interleave(dst []Place, a, b *Tuples) (n int) {
	if a.stride != 0 && b.stride != 0 {
		return interleaveFixed(dst, a, b)
	}
	for ; n < len(dst) && a.Valid() && b.Valid(); n++ {
		next, walk := a, Place(0)
		if b.Time() < a.Time() {
			next, walk = b, 1
		}
		dst[n] = Place(next.off) | walk
		next.Advance()
	}
	return n
}

// interleaveFixed is Interleave for two walks over fixed streams. The only jumps
// are those out of the loop: the comparison becomes a mask, which chooses the
// offset and which of the walks goes on.
func interleaveFixed(dst []Place, a, b *Tuples) (n int) {
	offA, offB := a.off, b.off
	baseA, baseB := a.base, b.base
	for n < len(dst) && offA < a.end && offB < b.end {
		var walk uint32
		if TimeAt(unsafe.Add(baseB, offB)) < TimeAt(unsafe.Add(baseA, offA)) {
			walk = 1
		}
		dst[n] = Place(offA ^ (offA^offB)&-walk | walk)
		offA += a.stride & (walk - 1)
		offB += b.stride & -walk
		n++
	}
	a.off, b.off = offA, offB
	return n
}
