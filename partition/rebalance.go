package partition

import (
	"fmt"
	"slices"
)

// RebalancePlan says where to move the cuts between neighbouring parts.
type RebalancePlan struct {
	SplitPlan
	Moved uint64 // the weight that changes from one part to another
}

// PlanRebalance moves the cuts between the current ranges, which must adjoin
// each other in ascending order, so that no part is heavier than the fair one by
// more than the tolerance (0.1 = ten percent), or than single keys force it to
// be. Of all ways to do that it chooses one where the cuts travel over the least
// weight in sum; a cut that need not move stays where it is.
//
// Errors are those of PlanSplit, and a negative tolerance.
func PlanRebalance(current []Range, weights []Weight, tolerance float64) (RebalancePlan, error) {
	if len(current) == 0 {
		return RebalancePlan{}, fmt.Errorf("plan a rebalance: no ranges")
	}
	n := len(current)
	whole := Range{current[0].First, current[n-1].Last}
	if err := CheckTiling(whole, current); err != nil {
		return RebalancePlan{}, fmt.Errorf("plan a rebalance: %w", err)
	}
	if !(tolerance >= 0) {
		return RebalancePlan{}, fmt.Errorf("plan a rebalance: tolerance %v, want 0 or more", tolerance)
	}
	c, err := newCurve(whole, weights)
	if err != nil {
		return RebalancePlan{}, fmt.Errorf("plan a rebalance of %v: %w", whole, err)
	}
	bound := c.total()
	if allowed := float64(c.total()) / float64(n) * (1 + tolerance); allowed < float64(bound) {
		bound = max(uint64(allowed), c.lightestBound(n))
	}
	old := make([]uint64, n-1)
	sums := make([]int64, n-1)
	for i := range old {
		old[i] = current[i+1].First
		sums[i] = int64(c.before(old[i]))
	}
	targets := nearestSums(sums, int64(bound), int64(c.total()))
	cuts := c.place(n, bound, func(i int, _ uint64) uint64 {
		if targets[i-1] == sums[i-1] {
			return old[i-1]
		}
		return c.near(uint64(targets[i-1]))
	})
	p := RebalancePlan{SplitPlan: c.plan(cuts, "it is within the tolerance or next to heavy keys")}
	p.Moved = c.moved(current, p.Parts)
	return p, nil
}

// moved returns the weight that is not in the same part before and after.
func (c *curve) moved(before []Range, after []Weight) uint64 {
	moved := c.total()
	for i, r := range before {
		x, ok := r.Intersect(after[i].Range)
		if !ok {
			continue
		}
		end := c.total()
		if x.Last != c.whole.Last {
			end = c.before(x.Last + 1)
		}
		moved -= end - c.before(x.First)
	}
	return moved >> c.shift
}

// nearestSums returns the x that minimise the sum of |x[i] - old[i]|, where x
// does not descend, begins after 0, ends before total, and steps by at most
// bound everywhere. A solution must exist.
//
// Let f_i(y) be the least sum for the first i cuts with the last of them at y:
// a convex, piecewise linear function, kept as the places where its slope
// changes by one, those left and those right of its minimum. Allowing a step of
// up to bound shifts the right ones by bound; adding |y - old[i]| adds two.
// Walking back from the end, each x is the best one within reach of the next.
func nearestSums(old []int64, bound, total int64) []int64 {
	n := len(old)
	// f_0 is 0 at 0 and steep enough elsewhere that no other y is worth it.
	left, right := make([]int64, n+1, 3*n+3), make([]int64, n+1, 3*n+3)
	best := make([][2]int64, n) // where f_i is least
	for i, o := range old {
		for j, v := range right {
			right[j] = v + min(bound, total-v) // nothing lies beyond total
		}
		switch l, r := left[len(left)-1], right[0]; {
		case o < l:
			left = insertSorted(insertSorted(left[:len(left)-1], o), o)
			right = insertSorted(right, l)
		case o > r:
			right = insertSorted(insertSorted(right[1:], o), o)
			left = insertSorted(left, r)
		default:
			left, right = insertSorted(left, o), insertSorted(right, o)
		}
		best[i] = [2]int64{left[len(left)-1], right[0]}
	}
	x, next := make([]int64, n), total
	for i := n - 1; i >= 0; i-- {
		x[i] = min(max(old[i], best[i][0]), best[i][1])
		x[i] = min(max(x[i], next-bound), next)
		next = x[i]
	}
	return x
}

func insertSorted(s []int64, v int64) []int64 {
	i, _ := slices.BinarySearch(s, v)
	return slices.Insert(s, i, v)
}
