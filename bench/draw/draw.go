package draw

import (
	"fmt"
	"math/bits"
	"sort"
)

// Source is a sequence of random numbers: a counter, mixed on the way out (SplitMix64 of Steele, Lea and Flood, 2014).
type Source uint64

// gamma is the counter's step: 2⁶⁴ divided by the golden ratio, made odd, so that equal bits are rare from step to step.
const gamma = 0x9e3779b97f4a7c15

// Seed returns the source that belongs to these numbers, in this order.
func Seed(parts ...uint64) Source {
	s := Source(mix(uint64(len(parts)) + gamma))
	for _, part := range parts {
		s = Source(mix(uint64(s) ^ mix(part+gamma)))
	}
	return s
}

// Next returns 64 random bits.
func (s *Source) Next() uint64 {
	*s += gamma
	return mix(uint64(*s))
}

// Below returns a random number of 0…n−1; n > 0.
func (s *Source) Below(n uint64) uint64 {
	high, _ := bits.Mul64(s.Next(), n)
	return high
}

// mix maps numbers one to one to numbers that look random.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// ZipfMax is the largest number of ranks. With weights of unitWeight/rank their sum stays far below 2⁶⁴.
const (
	ZipfMax    = 1 << 22
	unitWeight = 1 << 40
	guideBits  = 12 // 4,096 entries leave a handful of ranks to search for the usual thousands
)

// Zipf is the distribution in which rank r of 0…n−1 has a weight of 1/(r+1): words of a text, pages of a site.
type Zipf struct {
	upTo  []uint64 // upTo[r] is the weight of ranks 0…r
	guide []int    // guide[g] is the rank in which the g-th stretch of 2^shift weight begins
	shift int
}

// NewZipf returns the distribution over n ranks, 1…ZipfMax. It panics on any other n: generators check their own
// configuration.
func NewZipf(n int) *Zipf {
	if n < 1 || n > ZipfMax {
		panic(fmt.Sprintf("BUG: Zipf distribution over %d ranks, want 1…%d", n, ZipfMax))
	}
	z := &Zipf{upTo: make([]uint64, n)}
	total := uint64(0)
	for r := range z.upTo {
		total += unitWeight / uint64(r+1)
		z.upTo[r] = total
	}
	z.shift = bits.Len64(total) - guideBits
	for g := uint64(0); g<<z.shift < total; g++ {
		z.guide = append(z.guide, z.search(g<<z.shift, 0, n))
	}
	return z
}

// Ranks returns n.
func (z *Zipf) Ranks() int { return len(z.upTo) }

// Rank draws a rank.
func (z *Zipf) Rank(s *Source) int {
	last := len(z.upTo) - 1
	w := s.Below(z.upTo[last])
	g := int(w >> z.shift)
	to := last
	if g+1 < len(z.guide) {
		to = z.guide[g+1]
	}
	return z.search(w, z.guide[g], to+1)
}

// search returns the rank among from…to−1 whose stretch of weight holds w.
func (z *Zipf) search(w uint64, from, to int) int {
	return from + sort.Search(to-from, func(i int) bool { return w < z.upTo[from+i] })
}
