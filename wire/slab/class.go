package slab

import "math/bits"

const (
	// unit is the granule of carving: a quarter of the smallest class, so
	// that every class is a whole number of units.
	unit = 1 << 10
	// SizeMin is the smallest class in bytes.
	SizeMin = 4 << 10
	// RegionSize is the size and alignment of the pieces of memory that are
	// faulted in and given back as a whole: a huge page of amd64 and arm64.
	// It is also the largest class; larger slabs are whole regions.
	RegionSize = 2 << 20

	regionUnits = RegionSize / unit
)

// ClassSize returns the bytes of the slab that Get(n) returns: the smallest
// class that holds n. Classes are 1, 1.25, 1.5 and 1.75 times a power of two,
// from SizeMin to RegionSize, so that at most a fifth of a slab is asked for in
// vain; beyond, they are multiples of RegionSize. It returns 0 for n < 1.
func ClassSize(n int) int {
	switch {
	case n < 1:
		return 0
	case n <= SizeMin:
		return SizeMin
	case n > RegionSize:
		return (n + RegionSize - 1) &^ (RegionSize - 1)
	}
	step := 1 << (bits.Len(uint(n-1)) - 3) // a quarter of the power of two below n
	return (n + step - 1) &^ (step - 1)
}

// binOf returns the index of the largest class that a run of n ≥ 1 units can
// hold, in quarter steps from one unit on. Every run of a bin holds every
// request whose own bin it is, because requests are exact classes. For the
// largest chunk it is below 64.
func binOf(n int) int {
	if n < 4 {
		return n
	}
	k := bits.Len(uint(n)) - 3
	return 4*k + n>>k
}
