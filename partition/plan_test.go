package partition

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawWeights draws weights within a small range, so that brute force is
// possible: some keys, some wider, some gaps.
func drawWeights(t *rapid.T, whole Range, heaviest uint64) []Weight {
	var weights []Weight
	for at, end := uint64(0), whole.Last-whole.First; ; { // counted from whole.First
		at += rapid.Uint64Range(0, 3).Draw(t, "gap")
		last := at + rapid.Uint64Range(0, 4).Draw(t, "width")
		if last > end {
			return weights
		}
		weights = append(weights, Weight{Range{whole.First + at, whole.First + last},
			rapid.Uint64Range(0, heaviest).Draw(t, "weight")})
		at = last + 1
	}
}

// bestSplit is the lightest heaviest part, by trying all cuts. It uses the
// curve's own sums: what interpolation means is tested by itself.
func bestSplit(c *curve, n int, from uint64, start uint64) uint64 {
	if n == 1 {
		return c.total() - start
	}
	best := uint64(math.MaxUint64)
	for left := c.whole.Last - from; left > uint64(n-2); left-- {
		x := from + (c.whole.Last - from - left) + 1
		sum := c.before(x)
		best = min(best, max(sum-start, bestSplit(c, n-1, x, sum)))
	}
	return best
}

func checkPlan(t *rapid.T, whole Range, weights []Weight, n int, p SplitPlan) {
	parts, err := whole.Cut(p.Cuts...)
	if err != nil || len(parts) != n || len(p.Parts) != n {
		t.Fatalf("%d cuts and %d parts for n=%d: %v", len(p.Cuts), len(p.Parts), n, err)
	}
	total, sum := uint64(0), uint64(0)
	for _, w := range weights {
		total += w.Weight
	}
	for i, part := range p.Parts {
		if part.Range != parts[i] {
			t.Fatalf("part %d is %v, the cuts say %v", i, part.Range, parts[i])
		}
		sum += part.Weight
	}
	if sum != total {
		t.Fatalf("the parts weigh %d, the weights %d", sum, total)
	}
	if p.Imbalance < 0.999 || p.Imbalance > float64(n)*1.001 {
		t.Fatalf("imbalance %v with %d parts", p.Imbalance, n)
	}
}

func TestCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := drawRange(t, "whole")
		var weights []Weight
		rest := whole
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			a := rapid.Uint64Range(rest.First, rest.Last).Draw(t, "first")
			b := rapid.Uint64Range(a, rest.Last).Draw(t, "last")
			weights = append(weights, Weight{Range{a, b}, rapid.Uint64Range(0, math.MaxInt64/6).Draw(t, "weight")})
			if b == rest.Last {
				break
			}
			rest.First = b + 1
		}
		c, err := newCurve(whole, weights)
		if err != nil {
			t.Fatal(err)
		}
		x := rapid.Uint64Range(whole.First, whole.Last).Draw(t, "x")
		sum := rapid.Uint64Range(0, c.total()).Draw(t, "sum")
		if x < whole.Last && c.before(x) > c.before(x+1) {
			t.Fatalf("the curve falls after %#x", x)
		}
		lo, hi := c.floor(sum), c.ceil(sum)
		if !whole.Contains(lo) || c.before(lo) > sum || lo < whole.Last && c.before(lo+1) <= sum {
			t.Fatalf("floor(%d) = %#x with %d before it", sum, lo, c.before(lo))
		}
		if !whole.Contains(hi) || c.before(hi) < sum && hi != whole.Last || hi > whole.First && c.before(hi-1) >= sum {
			t.Fatalf("ceil(%d) = %#x with %d before it", sum, hi, c.before(hi))
		}
	})
}

func TestPlanSplitIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.SampledFrom([]uint64{0, 1 << 40, math.MaxUint64 - 29}).Draw(t, "first")
		whole := Range{first, first + 29}
		weights := drawWeights(t, whole, rapid.SampledFrom([]uint64{1, 10, 1000}).Draw(t, "heaviest"))
		n := rapid.IntRange(1, 4).Draw(t, "n")
		p, err := PlanSplit(whole, weights, n)
		if err != nil {
			t.Fatal(err)
		}
		checkPlan(t, whole, weights, n, p)
		c, _ := newCurve(whole, weights)
		if c.unmeasured() {
			return
		}
		_, heaviest := c.parts(p.Cuts)
		if want := bestSplit(c, n, whole.First, 0); heaviest.Weight != want {
			t.Fatalf("the heaviest of %v has %d, %d is possible", p.Parts, heaviest.Weight, want)
		}
	})
}

func TestPlanSplitLarge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := drawRange(t, "whole")
		n := rapid.IntRange(1, 50).Draw(t, "n")
		if whole.Last-whole.First < 1<<20 {
			t.Skip("narrow")
		}
		var weights []Weight
		for _, r := range drawTiling(t, "ranges") {
			if x, ok := r.Intersect(whole); ok {
				weights = append(weights, Weight{x, rapid.Uint64Range(0, 1<<50).Draw(t, "weight")})
			}
		}
		p, err := PlanSplit(whole, weights, n)
		if err != nil {
			t.Fatal(err)
		}
		checkPlan(t, whole, weights, n, p)
	})
}

func TestPlanSplitStories(t *testing.T) {
	keys := func(weights ...uint64) (all []Weight) {
		for i, w := range weights {
			x := uint64(i+1) << 32
			all = append(all, Weight{Range{x, x}, w})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		weights []Weight
		n       int
		want    []uint64 // weights of the parts
		reason  string   // part of it
	}{
		{"even", []Weight{{Full(), 1000}}, 4, []uint64{250, 250, 250, 250}, ""},
		{"nothing measured", nil, 2, []uint64{0, 0}, "no weight was measured"},
		{"less weight than parts", []Weight{{Full(), 2}}, 4, []uint64{0, 1, 0, 1}, ""},
		{"all on the left", []Weight{{Range{0, 999}, 1000}}, 4, []uint64{250, 250, 250, 250}, ""},
		{"hot key last", append([]Weight{{Range{0, 1<<32 - 1}, 500}}, keys(500)...), 3, []uint64{250, 250, 500},
			"hash 0x0000000100000000 alone has 50.0 % of the weight, a fair part 33.3 %"},
		{"hot key in the middle", []Weight{{Range{0, 99}, 300}, {Range{100, 100}, 700}, {Range{101, 200}, 300}}, 3,
			[]uint64{300, 700, 300}, "a single key cannot be cut"},
		{"two hot keys", []Weight{{Range{0, 99}, 200}, {Range{100, 100}, 700}, {Range{101, 101}, 600}, {Range{102, 201}, 400}}, 5,
			[]uint64{200, 700, 600, 200, 200}, "alone has"},
		{"one key only", keys(9), 1, []uint64{9}, ""},
		{"three keys in two", keys(4, 4, 4), 2, []uint64{4, 8}, "alone has 33.3 %"},
	} {
		p, err := PlanSplit(Full(), c.weights, c.n)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []uint64
		for _, part := range p.Parts {
			got = append(got, part.Weight)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: parts weigh %v, want %v", c.name, got, c.want)
		}
		if !strings.Contains(p.Reason, c.reason) || c.reason == "" && p.Reason != "" {
			t.Errorf("%s: reason %q, want %q", c.name, p.Reason, c.reason)
		}
	}
}

func TestPlanSplitRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		whole   Range
		weights []Weight
		n       int
	}{
		"no parts":       {Full(), nil, 0},
		"too many parts": {Range{5, 6}, nil, 3},
		"invalid range":  {Range{6, 5}, nil, 1},
		"invalid weight": {Full(), []Weight{{Range{6, 5}, 1}}, 1},
		"outside":        {Range{0, 9}, []Weight{{Range{5, 10}, 1}}, 1},
		"overlap":        {Full(), []Weight{{Range{0, 5}, 1}, {Range{5, 9}, 1}}, 1},
		"order":          {Full(), []Weight{{Range{6, 9}, 1}, {Range{0, 5}, 1}}, 1},
		"overflow":       {Full(), []Weight{{Range{0, 5}, 1 << 62}, {Range{6, 9}, 1 << 62}}, 1},
	} {
		if _, err := PlanSplit(c.whole, c.weights, c.n); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if p, err := PlanSplit(Range{5, 6}, nil, 2); err != nil || !slices.Equal(p.Cuts, []uint64{6}) {
		t.Errorf("two hashes in two parts: %v, %v", p, err)
	}
}

func TestPlanMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 9).Draw(t, "m")
		var parts []Weight
		for _, r := range Even(m) {
			parts = append(parts, Weight{r, rapid.Uint64Range(0, 9).Draw(t, "weight")})
		}
		n := rapid.IntRange(1, m).Draw(t, "n")
		p, err := PlanMerge(parts, n)
		if err != nil {
			t.Fatal(err)
		}
		var ranges []Range
		heaviest, moved, from := uint64(0), uint64(0), 0
		for _, g := range p.Groups {
			if g.From != from || g.To <= g.From {
				t.Fatalf("groups %v do not follow each other", p.Groups)
			}
			from = g.To
			sum, most := groupSum(parts[g.From:g.To])
			if sum != g.Weight {
				t.Fatalf("group %v weighs %d", g, sum)
			}
			ranges, heaviest, moved = append(ranges, g.Range), max(heaviest, sum), moved+sum-most
		}
		if err := CheckTiling(Full(), ranges); err != nil || len(ranges) != n || from != m {
			t.Fatalf("groups %v: %v", p.Groups, err)
		}
		wantHeaviest, wantMoved := bestMerge(parts, n)
		if heaviest != wantHeaviest || moved != wantMoved || p.Moved != moved {
			t.Fatalf("%v in %d: heaviest %d, moved %d (plan says %d), possible are %d and %d",
				parts, n, heaviest, moved, p.Moved, wantHeaviest, wantMoved)
		}
	})
}

func groupSum(parts []Weight) (sum, most uint64) {
	for _, p := range parts {
		sum, most = sum+p.Weight, max(most, p.Weight)
	}
	return sum, most
}

// bestMerge tries all ways to make n groups.
func bestMerge(parts []Weight, n int) (heaviest, moved uint64) {
	heaviest, moved = math.MaxUint64, math.MaxUint64
	var try func(from, n int, h, m uint64)
	try = func(from, n int, h, m uint64) {
		if n == 0 {
			if from == len(parts) && (h < heaviest || h == heaviest && m < moved) {
				heaviest, moved = h, m
			}
			return
		}
		for to := from + 1; to <= len(parts); to++ {
			sum, most := groupSum(parts[from:to])
			try(to, n-1, max(h, sum), m+sum-most)
		}
	}
	try(0, n, 0, 0)
	return heaviest, moved
}

func TestPlanMergeRefuses(t *testing.T) {
	half := Even(2)
	for name, c := range map[string]struct {
		parts []Weight
		n     int
	}{
		"nothing":  {nil, 0},
		"too many": {[]Weight{{Full(), 1}}, 2},
		"gap":      {[]Weight{{Range{0, 4}, 1}, {half[1], 1}}, 1},
		"invalid":  {[]Weight{{Range{1, 0}, 1}}, 1},
		"overflow": {[]Weight{{half[0], 1 << 62}, {half[1], 1 << 62}}, 1},
	} {
		if _, err := PlanMerge(c.parts, c.n); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestNearestSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(1, 12).Draw(t, "total")
		n := rapid.IntRange(1, 4).Draw(t, "n")
		bound := rapid.Int64Range((total+int64(n)-1)/int64(n), total).Draw(t, "bound")
		old := rapid.SliceOfN(rapid.Int64Range(0, total), n-1, n-1).Draw(t, "old")
		slices.Sort(old)
		got, prev := int64(0), int64(0)
		for i, x := range append(nearestSums(old, bound, total), total) {
			if x < prev || x-prev > bound {
				t.Fatalf("step from %d to %d, bound %d", prev, x, bound)
			}
			if prev = x; i < len(old) {
				got += max(x-old[i], old[i]-x)
			}
		}
		if want := leastTravel(old, bound, total, 0); got != want {
			t.Fatalf("old %v, bound %d, total %d: travels %d, %d is possible", old, bound, total, got, want)
		}
	})
}

func leastTravel(old []int64, bound, total, from int64) int64 {
	if len(old) == 0 {
		if total-from > bound {
			return math.MaxInt32
		}
		return 0
	}
	best := int64(math.MaxInt32)
	for x := from; x <= min(total, from+bound); x++ {
		best = min(best, max(x-old[0], old[0]-x)+leastTravel(old[1:], bound, total, x))
	}
	return best
}

func TestPlanRebalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current := drawTiling(t, "current")
		var weights []Weight
		for _, r := range drawTiling(t, "ranges") {
			weights = append(weights, Weight{r, rapid.Uint64Range(0, 1<<40).Draw(t, "weight")})
		}
		tolerance := rapid.SampledFrom([]float64{0, 0.1, 0.5, 3, 1e9}).Draw(t, "tolerance")
		p, err := PlanRebalance(current, weights, tolerance)
		if err != nil {
			t.Fatal(err)
		}
		checkPlan(t, Full(), weights, len(current), p.SplitPlan)
		best, err := PlanSplit(Full(), weights, len(current))
		if err != nil {
			t.Fatal(err)
		}
		if p.Imbalance > max(1+tolerance, best.Imbalance)+1e-6 {
			t.Fatalf("imbalance %v with tolerance %v, %v is possible", p.Imbalance, tolerance, best.Imbalance)
		}
		// Once balanced, always balanced: planning again moves nothing.
		ranges, _ := Full().Cut(p.Cuts...)
		again, err := PlanRebalance(ranges, weights, tolerance)
		if err != nil || again.Moved != 0 || !slices.Equal(again.Cuts, p.Cuts) {
			t.Fatalf("a second plan moves %d: %v", again.Moved, err)
		}
	})
}

func TestPlanRebalanceStories(t *testing.T) {
	ranges := []Range{{0, 99}, {100, 199}, {200, 299}}
	p, err := PlanRebalance(ranges, []Weight{{Range{0, 99}, 100}, {Range{100, 199}, 160}, {Range{200, 299}, 100}}, 0.1)
	if err != nil || p.Moved != 28 {
		t.Errorf("the middle gives up %d, want 28 (%v, %v)", p.Moved, p.Parts, err)
	}
	p, err = PlanRebalance(ranges, []Weight{{Range{0, 299}, 300}}, 0)
	if err != nil || p.Moved != 0 || !slices.Equal(p.Cuts, []uint64{100, 200}) {
		t.Errorf("even already, yet %d move (%v, %v)", p.Moved, p.Parts, err)
	}
	for name, call := range map[string]func() error{
		"nothing":   func() error { _, err := PlanRebalance(nil, nil, 0); return err },
		"gap":       func() error { _, err := PlanRebalance([]Range{{0, 4}, {6, 9}}, nil, 0); return err },
		"tolerance": func() error { _, err := PlanRebalance(ranges, nil, -1); return err },
		"not one":   func() error { _, err := PlanRebalance(ranges, nil, math.NaN()); return err },
		"outside":   func() error { _, err := PlanRebalance(ranges, []Weight{{Full(), 1}}, 0); return err },
	} {
		if call() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
