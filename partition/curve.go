package partition

import (
	"fmt"
	"math"
	"math/bits"
	"sort"
)

// Weight is a measured load over a range of hashes: records, bytes or tuples,
// whatever a plan is to even out. Within its range it counts as spread evenly;
// a range of one hash is a single key, which cannot be cut.
type Weight struct {
	Range  Range
	Weight uint64
}

// curve is the running sum of weights over a range: a function from a cut to
// the weight before it, non-decreasing, in whole numbers so that plans are the
// same on every machine. The weights are scaled up by a power of two, so that
// small ones can be cut finely too.
type curve struct {
	whole   Range
	weights []Weight // scaled, ascending, not overlapping, none zero
	sums    []uint64 // before each weight, and in all
	shift   int
}

// newCurve checks the weights: ascending, not overlapping, within whole, and
// below 2^63 in sum. Without any weight at all the curve is a straight line.
func newCurve(whole Range, weights []Weight) (*curve, error) {
	if !whole.Valid() {
		return nil, fmt.Errorf("range %v ends before it begins", whole)
	}
	total := uint64(0)
	for i, w := range weights {
		switch {
		case !w.Range.Valid():
			return nil, fmt.Errorf("weight %d: range %v ends before it begins", i, w.Range)
		case !whole.Covers(w.Range):
			return nil, fmt.Errorf("weight %d: range %v is not within %v", i, w.Range, whole)
		case i > 0 && weights[i-1].Range.Last >= w.Range.First:
			return nil, fmt.Errorf("weight %d: range %v does not come after range %v", i, w.Range, weights[i-1].Range)
		case w.Weight > math.MaxInt64-total:
			return nil, fmt.Errorf("weight %d: the sum exceeds %d", i, int64(math.MaxInt64))
		}
		total += w.Weight
	}
	c := &curve{whole: whole, sums: []uint64{0}, shift: bits.LeadingZeros64(total) - 1}
	if total == 0 {
		c.shift = 63 // weights shifted back are all zero
		c.add(Weight{whole, math.MaxInt64})
		return c, nil
	}
	for _, w := range weights {
		w.Weight <<= c.shift
		if w.Weight > 0 {
			c.add(w)
		}
	}
	return c, nil
}

func (c *curve) add(w Weight) {
	c.weights = append(c.weights, w)
	c.sums = append(c.sums, c.total()+w.Weight)
}

// unmeasured reports whether there was no weight at all.
func (c *curve) unmeasured() bool { return c.shift == 63 }

func (c *curve) total() uint64 { return c.sums[len(c.sums)-1] }

// before returns the scaled weight of the hashes of the range below x.
func (c *curve) before(x uint64) uint64 {
	i := sort.Search(len(c.weights), func(i int) bool { return c.weights[i].Range.First > x }) - 1
	if i < 0 {
		return 0
	}
	w := c.weights[i]
	if x > w.Range.Last {
		return c.sums[i+1]
	}
	hi, lo := bits.Mul64(w.Weight, x-w.Range.First)
	if width := w.Range.Last - w.Range.First + 1; width != 0 {
		hi, _ = bits.Div64(hi, lo, width)
	} // else the width is 2^64 and the quotient is hi
	return c.sums[i] + hi
}

// floor returns the largest x of the range with at most sum before it.
func (c *curve) floor(sum uint64) uint64 {
	if sum >= c.total() {
		return c.whole.Last
	}
	i := sort.Search(len(c.weights), func(i int) bool { return c.sums[i+1] > sum })
	w := c.weights[i]
	// The largest d with weight×d/width, rounded down, at most k-1 is
	// (k×width - 1) / weight, rounded down.
	k, width := sum-c.sums[i]+1, w.Range.Last-w.Range.First+1
	hi, lo := bits.Mul64(k, width)
	if width == 0 {
		hi, lo = k, 0
	}
	lo, borrow := bits.Sub64(lo, 1, 0)
	d, _ := bits.Div64(hi-borrow, lo, w.Weight)
	return w.Range.First + d
}

// ceil returns the smallest x of the range with at least sum before it, and the
// last x where there is none.
func (c *curve) ceil(sum uint64) uint64 {
	if sum == 0 {
		return c.whole.First
	}
	if x := c.floor(sum - 1); x < c.whole.Last {
		return x + 1
	}
	return c.whole.Last
}

// near returns the x whose weight before it is nearest to sum.
func (c *curve) near(sum uint64) uint64 {
	lo, hi := c.floor(sum), c.ceil(sum)
	if a, b := c.before(lo), c.before(hi); b >= sum && b-sum < sum-a {
		return hi
	}
	return lo
}

// parts returns the ranges between the cuts with their weights scaled back, and
// the heaviest of them with its weight as it is.
func (c *curve) parts(cuts []uint64) (parts []Weight, heaviest Weight) {
	parts = make([]Weight, 0, len(cuts)+1)
	first, sum := c.whole.First, uint64(0)
	part := func(last, next uint64) {
		r := Range{first, last}
		if len(parts) == 0 || next-sum > heaviest.Weight {
			heaviest = Weight{r, next - sum}
		}
		parts = append(parts, Weight{r, next>>c.shift - sum>>c.shift})
		first, sum = last+1, next
	}
	for _, x := range cuts {
		part(x-1, c.before(x))
	}
	part(c.whole.Last, c.total())
	return parts, heaviest
}
