package partition

import (
	"fmt"
	"math"
	"math/bits"
)

// Range is a set of consecutive hashes, both ends included, so that the whole
// space can be written. The zero Range holds hash 0 alone.
type Range struct{ First, Last uint64 }

// Full is the whole space of hashes.
func Full() Range { return Range{0, math.MaxUint64} }

// Valid reports whether the range is one: First not above Last.
func (r Range) Valid() bool { return r.First <= r.Last }

// IsFull reports whether r is the whole space.
func (r Range) IsFull() bool { return r == Full() }

// Contains reports whether hash is in r.
func (r Range) Contains(hash uint64) bool { return hash-r.First <= r.Last-r.First }

// Covers reports whether all of s is in r.
func (r Range) Covers(s Range) bool { return r.First <= s.First && s.Last <= r.Last }

// Overlaps reports whether r and s have a hash in common.
func (r Range) Overlaps(s Range) bool { return r.First <= s.Last && s.First <= r.Last }

// Intersect returns the hashes that r and s have in common, and whether there
// are any.
func (r Range) Intersect(s Range) (Range, bool) {
	x := Range{max(r.First, s.First), min(r.Last, s.Last)}
	return x, x.Valid()
}

// Precedes reports whether s begins right after r ends.
func (r Range) Precedes(s Range) bool { return r.Last != math.MaxUint64 && r.Last+1 == s.First }

// Fraction returns the share of the whole space that r takes, above 0 up to 1.
func (r Range) Fraction() float64 {
	return (float64(r.Last-r.First) + 1) / (1 << 64)
}

// Cut cuts r at the given points, in ascending order: each point is the first
// hash of a new range. It is an error for a point not to lie above the one
// before it and within (First, Last].
func (r Range) Cut(points ...uint64) ([]Range, error) {
	parts := make([]Range, 0, len(points)+1)
	rest := r
	for i, p := range points {
		if p <= rest.First || p > rest.Last {
			return nil, fmt.Errorf("cut %v: point %d is %#016x, want one above %#016x and not above %#016x",
				r, i, p, rest.First, rest.Last)
		}
		parts = append(parts, Range{rest.First, p - 1})
		rest.First = p
	}
	return append(parts, rest), nil
}

// String returns the range in the notation of intervals, in hexadecimal.
func (r Range) String() string { return fmt.Sprintf("[%016x,%016x]", r.First, r.Last) }

// Even cuts the whole space into n ranges whose widths differ by at most one.
// It panics when n is below 1.
func Even(n int) []Range {
	if n < 1 {
		panic(fmt.Sprintf("BUG: even cut into %d ranges, want at least 1", n))
	}
	ranges := make([]Range, n)
	last := uint64(math.MaxUint64)
	for i := n - 1; i >= 0; i-- {
		first := uint64(0)
		if i > 0 {
			first, _ = bits.Div64(uint64(i), 0, uint64(n)) // i/n of 2^64, rounded down
		}
		ranges[i] = Range{first, last}
		last = first - 1
	}
	return ranges
}

// CheckTiling returns an error unless the ranges, in this order, cover whole
// exactly: no gap, no overlap, nothing outside.
func CheckTiling(whole Range, ranges []Range) error {
	if len(ranges) == 0 {
		return fmt.Errorf("no ranges, want some that cover %v", whole)
	}
	for i, r := range ranges {
		switch {
		case !r.Valid():
			return fmt.Errorf("range %d, %v, ends before it begins", i, r)
		case i == 0 && r.First != whole.First:
			return fmt.Errorf("range 0, %v, must begin where %v does", r, whole)
		case i > 0 && !ranges[i-1].Precedes(r):
			return fmt.Errorf("range %d, %v, must begin right after range %d, %v", i, r, i-1, ranges[i-1])
		}
	}
	if last := ranges[len(ranges)-1]; last.Last != whole.Last {
		return fmt.Errorf("range %d, %v, must end where %v does", len(ranges)-1, last, whole)
	}
	return nil
}
