package partition

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func weighed(ranges []Range, weights ...uint64) []Weight {
	parts := make([]Weight, len(ranges))
	for i, r := range ranges {
		parts[i].Range = r
		if i < len(weights) {
			parts[i].Weight = weights[i]
		}
	}
	return parts
}

func TestPlanRescale(t *testing.T) {
	cut := func(points ...uint64) []Range {
		ranges, err := Full().Cut(points...)
		if err != nil {
			t.Fatal(err)
		}
		return ranges
	}
	const q = uint64(1) << 62 // a quarter
	tests := []struct {
		name    string
		before  []Range
		weights []uint64
		n       int
		want    []Range
	}{
		{"one into two", cut(), nil, 2, cut(2 * q)},
		{"one into three", cut(), nil, 3, cut(q, 2*q)},
		{"one into four", cut(), nil, 4, cut(q, 2*q, 3*q)},
		{"the same", cut(2 * q), nil, 2, cut(2 * q)},
		{"the widest", cut(q), nil, 3, cut(q, q+3*q/2)},
		{"the heaviest", cut(2 * q), []uint64{10, 30}, 3, cut(2*q, 3*q)},
		{"of two that are alike the wider", cut(q), []uint64{5, 5}, 3, cut(q, q+3*q/2)},
		{"a half of it is heavier still", cut(2 * q), []uint64{10, 30}, 4, cut(2*q, 2*q+q/2, 3*q)},
		{"two into one", cut(2 * q), nil, 1, cut()},
		{"the narrowest pair", cut(2*q, 3*q), nil, 2, cut(2 * q)},
		{"the lightest pair", cut(2*q, 3*q), []uint64{1, 1, 9}, 2, cut(3 * q)},
		{"four into two", cut(q, 2*q, 3*q), nil, 2, cut(2 * q)},
	}
	for _, tt := range tests {
		got, err := PlanRescale(weighed(tt.before, tt.weights...), tt.n)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestPlanRescaleRefuses(t *testing.T) {
	tests := []struct {
		name  string
		parts []Weight
		n     int
		want  string
	}{
		{"none", weighed(Even(2)), 0, "want at least 1"},
		{"of nothing", nil, 1, "no parts"},
		{"a gap", weighed([]Range{{0, 1}, {3, 4}}), 2, "right after"},
		{"single hashes", weighed([]Range{{0, 0}, {1, 1}}), 3, "one hash only"},
	}
	for _, tt := range tests {
		if got, err := PlanRescale(tt.parts, tt.n); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", tt.name, got, err, tt.want)
		}
	}
}

// Whatever there was, the plan tiles the same and has as many parts as were asked for; for more every part that there was is
// there or in pieces, for fewer it is there or in one whole, and what is not concerned stays.
func TestPlanRescaleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := rapid.SliceOfNDistinct(rapid.Uint64Min(1), 0, 20, rapid.ID).Draw(t, "cuts")
		slices.Sort(points)
		before, err := Full().Cut(points...)
		if err != nil {
			t.Fatal(err)
		}
		weights := rapid.SliceOfN(rapid.Uint64Max(1000), 0, len(before)).Draw(t, "weights")
		n := rapid.IntRange(1, 40).Draw(t, "n")
		after, err := PlanRescale(weighed(before, weights...), n)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckTiling(Full(), after); err != nil || len(after) != n {
			t.Fatalf("%d parts, %v", len(after), err)
		}
		c, err := Compare(before, after)
		if err != nil {
			t.Fatal(err)
		}
		if c.Joins != (n < len(before)) {
			t.Fatalf("joins is %v of %d into %d", c.Joins, len(before), n)
		}
		if more, most := n-len(before), max(0, len(before)-n); len(c.Old) > max(more, 2*most) || len(c.New)-len(c.Old) != more {
			t.Fatalf("%d parts give way to %d, of %d into %d", len(c.Old), len(c.New), len(before), n)
		}
		for _, r := range after {
			for _, b := range before {
				if b.Overlaps(r) && !b.Covers(r) && !r.Covers(b) {
					t.Fatalf("%v becomes %v", b, r)
				}
			}
		}
	})
}

func TestCompare(t *testing.T) {
	quarters, halves := Even(4), Even(2)
	tests := []struct {
		name          string
		before, after []Range
		want          Change
	}{
		{"nothing", quarters, quarters, Change{}},
		{"a split", halves, []Range{halves[0], quarters[2], quarters[3]}, Change{Old: []int{1}, New: quarters[2:]}},
		{"a merge", quarters, []Range{halves[0], quarters[2], quarters[3]}, Change{Old: []int{0, 1}, New: halves[:1], Joins: true}},
		{"another cut", halves, []Range{quarters[0], {quarters[1].First, quarters[3].Last}}, Change{
			Old: []int{0, 1}, New: []Range{quarters[0], {quarters[1].First, quarters[3].Last}}, Joins: true,
		}},
	}
	for _, tt := range tests {
		got, err := Compare(tt.before, tt.after)
		if err != nil || !slices.Equal(got.Old, tt.want.Old) || !slices.Equal(got.New, tt.want.New) || got.Joins != tt.want.Joins {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	for _, wrong := range [][2][]Range{{nil, halves}, {halves, nil}, {halves, quarters[:3]}} {
		if c, err := Compare(wrong[0], wrong[1]); err == nil {
			t.Errorf("%v and %v differ by %+v", wrong[0], wrong[1], c)
		}
	}
}
