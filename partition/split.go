package partition

import (
	"fmt"
	"slices"
)

// SplitPlan says where to cut a range.
type SplitPlan struct {
	Cuts  []uint64 // first hashes of all parts but the first, ascending
	Parts []Weight // the parts and the weight that each gets
	// Imbalance is the heaviest part over the fair one: 1 is even. It is 1
	// where there is no weight.
	Imbalance float64
	// Reason says why the plan is not even, or not by weight; empty if it is.
	Reason string
}

// imbalanceToExplain is the imbalance from which a plan gives a reason. Below,
// the measurements themselves are not better.
const imbalanceToExplain = 1.05

// PlanSplit cuts whole into n parts so that the heaviest part is as light as
// can be, and the others as even as that allows. Weights are in ascending order
// and do not overlap; hashes outside all of them weigh nothing. Cuts fall
// anywhere, by linear interpolation inside a weight's range. A key that is
// heavier than a fair part gets a part of its own as far as possible, and the
// plan names it. Without any weight the parts are of even width.
//
// It is an error for n to be below 1 or above the hashes of whole, and for
// weights to be out of order, outside whole, or 2^63 or more in sum.
func PlanSplit(whole Range, weights []Weight, n int) (SplitPlan, error) {
	c, err := newCurve(whole, weights)
	if err != nil {
		return SplitPlan{}, fmt.Errorf("plan a split of %v: %w", whole, err)
	}
	if n < 1 || uint64(n-1) > whole.Last-whole.First {
		return SplitPlan{}, fmt.Errorf("plan a split of %v into %d parts: want at least 1 and at most one for each hash", whole, n)
	}
	heavy := c.keysByWeight()
	cuts := c.place(n, c.lightestBound(n), func(i int, from uint64) uint64 {
		return c.near(c.fairEnd(from, n-i+1, heavy))
	})
	return c.plan(cuts, "heavy keys lie close together, and single keys cannot be cut"), nil
}

// keysByWeight returns the weights of single keys, heaviest first.
func (c *curve) keysByWeight() []Weight {
	var keys []Weight
	for _, w := range c.weights {
		if w.Range.First == w.Range.Last {
			keys = append(keys, w)
		}
	}
	slices.SortStableFunc(keys, func(a, b Weight) int {
		if a.Weight > b.Weight {
			return -1
		}
		return 1
	})
	return keys
}

// fairEnd returns up to which sum the first of k parts that begin at from
// should go. Keys heavier than a fair part are set aside with a part each, so
// that the others share what is really left.
func (c *curve) fairEnd(from uint64, k int, heavy []Weight) uint64 {
	start := c.before(from)
	left, parts := c.total()-start, uint64(k)
	for _, key := range heavy {
		if key.Range.First < from {
			continue
		}
		if parts == 1 || key.Weight <= left/parts {
			break
		}
		left, parts = left-key.Weight, parts-1
	}
	return start + (left+parts-1)/parts
}

// lightestBound returns the smallest bound on the weight of a part with which n
// parts suffice.
func (c *curve) lightestBound(n int) uint64 {
	lo, hi := (c.total()-1)/uint64(n)+1, c.total()
	for lo < hi {
		mid := lo + (hi-lo)/2
		if c.fits(n, mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// fits reports whether n parts of at most bound hold everything.
func (c *curve) fits(n int, bound uint64) bool {
	sum := uint64(0)
	for range n - 1 {
		sum = c.before(c.floor(sum + bound)) // both below 2^63
	}
	return c.total()-sum <= bound
}

// place chooses n-1 cuts so that no part weighs more than bound, which must be
// one that n parts fit, and none is empty of hashes. Cut i, from 1 on, comes as
// near as that allows to where want(i, the cut before it) would have it.
func (c *curve) place(n int, bound uint64, want func(i int, from uint64) uint64) []uint64 {
	// lowest[i] is how far left cut i may be for the parts after it to fit.
	lowest := make([]uint64, n)
	sum := c.total()
	for i := n - 1; i > 0; i-- {
		x := c.ceil(sum - min(bound, sum))
		lowest[i] = min(x, c.whole.Last-uint64(n-1-i))
		sum = c.before(lowest[i])
	}
	cuts := make([]uint64, 0, n-1)
	from := c.whole.First
	for i := 1; i < n; i++ {
		highest := min(c.floor(c.before(from)+bound), c.whole.Last-uint64(n-1-i))
		x := min(max(want(i, from), lowest[i], from+1), highest)
		cuts = append(cuts, x)
		from = x
	}
	return cuts
}

// plan describes the parts that the cuts make. Otherwise is the reason for their
// not being even where no single key is.
func (c *curve) plan(cuts []uint64, otherwise string) SplitPlan {
	parts, heaviest := c.parts(cuts)
	p := SplitPlan{Cuts: cuts, Parts: parts, Imbalance: 1}
	if c.unmeasured() {
		p.Reason = "no weight was measured"
		return p
	}
	fair := float64(c.total()) / float64(len(parts))
	p.Imbalance = float64(heaviest.Weight) / fair
	if p.Imbalance < imbalanceToExplain {
		return p
	}
	p.Reason = fmt.Sprintf("range %v has %s of the weight, a fair part %s: %s",
		heaviest.Range, c.percent(heaviest.Weight), c.percent(uint64(fair)), otherwise)
	for _, key := range c.keysByWeight() {
		if heaviest.Range.Covers(key.Range) && float64(key.Weight) > fair/2 {
			p.Reason = fmt.Sprintf("hash %#016x alone has %s of the weight, a fair part %s: a single key cannot be cut",
				key.Range.First, c.percent(key.Weight), c.percent(uint64(fair)))
			break
		}
	}
	return p
}

func (c *curve) percent(weight uint64) string {
	return fmt.Sprintf("%.1f %%", 100*float64(weight)/float64(c.total()))
}
