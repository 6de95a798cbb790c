package partition

import (
	"fmt"
	"math"
)

// MergePlan says which neighbouring parts become one.
type MergePlan struct {
	Groups []Group
	// Moved is the weight that changes hands when each group is gathered
	// where its heaviest part is.
	Moved uint64
	// Imbalance is the heaviest group over the fair one: 1 is even.
	Imbalance float64
}

// Group is a run of neighbouring parts, From up to but without To.
type Group struct {
	From, To int
	Range    Range
	Weight   uint64
}

// PlanMerge joins neighbouring parts into n groups so that the heaviest group
// is as light as can be and, of all ways to do that, the least weight moves.
// The parts must adjoin each other in ascending order.
//
// It is an error for n to be below 1 or above the number of parts, for parts
// not to adjoin, and for their weights to be 2^63 or more in sum.
func PlanMerge(parts []Weight, n int) (MergePlan, error) {
	if n < 1 || n > len(parts) {
		return MergePlan{}, fmt.Errorf("plan a merge of %d parts into %d: want at least 1 and not more than there are", len(parts), n)
	}
	total := uint64(0)
	for i, p := range parts {
		switch {
		case !p.Range.Valid():
			return MergePlan{}, fmt.Errorf("plan a merge: part %d, %v, ends before it begins", i, p.Range)
		case i > 0 && !parts[i-1].Range.Precedes(p.Range):
			return MergePlan{}, fmt.Errorf("plan a merge: part %d, %v, must begin right after part %d, %v", i, p.Range, i-1, parts[i-1].Range)
		case p.Weight > math.MaxInt64-total:
			return MergePlan{}, fmt.Errorf("plan a merge: the weights up to part %d exceed %d", i, int64(math.MaxInt64))
		}
		total += p.Weight
	}
	bound := lightestGroups(parts, n, total)
	plan := leastMoved(parts, n, bound)
	plan.Imbalance = 1
	if total > 0 {
		heaviest := uint64(0)
		for _, g := range plan.Groups {
			heaviest = max(heaviest, g.Weight)
		}
		plan.Imbalance = float64(heaviest) * float64(n) / float64(total)
	}
	return plan, nil
}

// lightestGroups returns the smallest bound on the weight of a group with which
// n groups suffice.
func lightestGroups(parts []Weight, n int, total uint64) uint64 {
	fits := func(bound uint64) bool {
		groups, sum := 1, uint64(0)
		for _, p := range parts {
			if p.Weight > bound {
				return false
			}
			if sum+p.Weight > bound {
				groups, sum = groups+1, 0
			}
			sum += p.Weight
		}
		return groups <= n
	}
	lo, hi := uint64(0), total
	for lo < hi {
		if mid := lo + (hi-lo)/2; fits(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// leastMoved joins the parts into exactly n groups of at most bound each, moving
// as little as possible: moved[k][j] is the least for the first j parts in k
// groups, and from[k][j] where the last of those begins.
func leastMoved(parts []Weight, n int, bound uint64) MergePlan {
	const never = math.MaxUint64
	moved, from := make([][]uint64, n+1), make([][]int, n+1)
	for k := range moved {
		moved[k], from[k] = make([]uint64, len(parts)+1), make([]int, len(parts)+1)
		for j := range moved[k] {
			moved[k][j] = never
		}
	}
	moved[0][0] = 0
	for k := 1; k <= n; k++ {
		for j := k; j <= len(parts)-(n-k); j++ {
			sum, heaviest := uint64(0), uint64(0)
			for i := j - 1; i >= k-1; i-- {
				sum, heaviest = sum+parts[i].Weight, max(heaviest, parts[i].Weight)
				if sum > bound {
					break
				}
				if before := moved[k-1][i]; before != never && before+sum-heaviest < moved[k][j] {
					moved[k][j], from[k][j] = before+sum-heaviest, i
				}
			}
		}
	}
	plan := MergePlan{Groups: make([]Group, n), Moved: moved[n][len(parts)]}
	for k, j := n, len(parts); k > 0; k-- {
		i := from[k][j]
		g := Group{From: i, To: j, Range: Range{parts[i].Range.First, parts[j-1].Range.Last}}
		for _, p := range parts[i:j] {
			g.Weight += p.Weight
		}
		plan.Groups[k-1], j = g, i
	}
	return plan
}
