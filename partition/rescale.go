package partition

import (
	"fmt"
	"slices"
)

// PlanRescale cuts and joins parts, which must adjoin each other in ascending
// order, until there are n, and changes no more of them than it must. For more
// parts it halves the heaviest, by width, again and again; for fewer it joins
// the two neighbours that weigh least together. A half counts as half the
// weight. Without any weight, widths are what counts; they decide between parts
// that weigh the same, too, and then the one that comes first.
//
// It is an error for n to be below 1 or more than the hashes that there are,
// and for parts not to adjoin.
func PlanRescale(parts []Weight, n int) ([]Range, error) {
	if err := checkAdjoining(parts); err != nil {
		return nil, fmt.Errorf("plan a rescale: %w", err)
	}
	if n < 1 {
		return nil, fmt.Errorf("plan a rescale to %d parts: want at least 1", n)
	}
	parts = slices.Clone(parts)
	for len(parts) > n {
		i := lightestPair(parts)
		a, b := parts[i], parts[i+1]
		parts[i] = Weight{Range{a.Range.First, b.Range.Last}, a.Weight + b.Weight}
		parts = slices.Delete(parts, i+1, i+2)
	}
	for len(parts) < n {
		i := heaviestWide(parts)
		if i < 0 {
			return nil, fmt.Errorf("plan a rescale to %d parts: each of %d has one hash only", n, len(parts))
		}
		r, w := parts[i].Range, parts[i].Weight
		middle := r.First + (r.Last-r.First)/2 // the last hash of the first half
		parts[i] = Weight{Range{r.First, middle}, w - w/2}
		parts = slices.Insert(parts, i+1, Weight{Range{middle + 1, r.Last}, w / 2})
	}
	ranges := make([]Range, n)
	for i, p := range parts {
		ranges[i] = p.Range
	}
	return ranges, nil
}

func checkAdjoining(parts []Weight) error {
	ranges := make([]Range, len(parts))
	for i, p := range parts {
		ranges[i] = p.Range
	}
	if len(parts) == 0 {
		return fmt.Errorf("no parts")
	}
	return CheckTiling(Range{parts[0].Range.First, parts[len(parts)-1].Range.Last}, ranges)
}

// lightestPair returns the first of the two neighbours that weigh least together.
func lightestPair(parts []Weight) int {
	best := 0
	for i := range len(parts) - 1 {
		sum := func(i int) (weight, width uint64) {
			return parts[i].Weight + parts[i+1].Weight, parts[i+1].Range.Last - parts[i].Range.First
		}
		weight, width := sum(i)
		if w, d := sum(best); weight < w || weight == w && width < d {
			best = i
		}
	}
	return best
}

// heaviestWide returns the heaviest part with more than one hash, -1 if there is none.
func heaviestWide(parts []Weight) int {
	best := -1
	for i, p := range parts {
		width := func(p Weight) uint64 { return p.Range.Last - p.Range.First }
		if width(p) > 0 && (best < 0 || p.Weight > parts[best].Weight ||
			p.Weight == parts[best].Weight && width(p) > width(parts[best])) {
			best = i
		}
	}
	return best
}

// Change is what differs between two tilings of the same range.
type Change struct {
	Old []int   // which ranges of the first are not in the second, ascending
	New []Range // those of the second that are not in the first, ascending
	// Joins says that one of New has hashes of more than one of Old.
	Joins bool
}

// Compare finds what differs between two tilings. It is an error for them not to
// be tilings of the same range.
func Compare(before, after []Range) (Change, error) {
	if len(before) == 0 {
		return Change{}, fmt.Errorf("no ranges before")
	}
	whole := Range{before[0].First, before[len(before)-1].Last}
	for _, tiling := range [][]Range{before, after} {
		if err := CheckTiling(whole, tiling); err != nil {
			return Change{}, err
		}
	}
	var c Change
	for i, r := range before {
		if !slices.Contains(after, r) {
			c.Old = append(c.Old, i)
		}
	}
	for _, r := range after {
		if slices.Contains(before, r) {
			continue
		}
		c.New = append(c.New, r)
		if !slices.ContainsFunc(c.Old, func(i int) bool { return before[i].Covers(r) }) {
			c.Joins = true
		}
	}
	return c, nil
}
