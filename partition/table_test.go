package partition

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// evenTable routes even ranges to targets 0 to n-1, generation 0, epoch 1.
func evenTable(t testing.TB, n int) *Table {
	var routes []Route
	for i, r := range Even(n) {
		routes = append(routes, Route{Range: r, Target: uint16(i)})
	}
	table, err := NewTable(1, routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// lookupAll is what Lookup must return, by looking at every route.
func lookupAll(routes []Route, hash uint64) []uint16 {
	var all []uint16
	for _, r := range routes {
		if r.Range.First <= hash && hash <= r.Range.Last {
			all = append(all, r.Target)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// drawTiling cuts the space at random points, half of them close together so
// that several fall into one bucket of the radix.
func drawTiling(t *rapid.T, label string) []Range {
	points := rapid.SliceOfN(rapid.OneOf(
		rapid.Uint64Range(1, math.MaxUint64),
		rapid.Uint64Range(1<<63-100, 1<<63+100),
		rapid.Map(rapid.Uint64Range(1, radixSize-1), func(b uint64) uint64 { return b << radixShift }),
	), 0, 40).Draw(t, label)
	slices.Sort(points)
	ranges, err := Full().Cut(slices.Compact(points)...)
	if err != nil {
		t.Fatal(err)
	}
	return ranges
}

func TestTableAgainstRoutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var routes []Route
		var edges []uint64
		for gen := range uint32(rapid.IntRange(1, 3).Draw(t, "generations")) {
			for i, r := range drawTiling(t, "ranges") {
				if gen > 0 && rapid.Bool().Draw(t, "left out") {
					continue
				}
				routes = append(routes, Route{Range: r, Target: uint16(i % 7 * int(1+gen)), Gen: gen})
				edges = append(edges, r.First, r.Last)
			}
		}
		table, err := NewTable(1, rapid.Permutation(routes).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range append(edges, rapid.SliceOfN(rapid.Uint64(), 20, 20).Draw(t, "hashes")...) {
			want := lookupAll(routes, h)
			if got := table.Lookup(h); !slices.Equal(got, want) {
				t.Fatalf("Lookup(%#x) = %v, want %v", h, got, want)
			}
			single := -1
			if len(want) == 1 {
				single = int(want[0])
			}
			if got := table.Direct(h); got != single && got != -1 {
				t.Fatalf("Direct(%#x) = %d, want %d or -1", h, got, single)
			}
		}
	})
}

// TestTableStory is the life of a scale-out: split, feed both, switch.
func TestTableStory(t *testing.T) {
	first := evenTable(t, 2)
	both, err := first.Split(2, 1, 1, []uint64{3 << 62}, []uint16{5, 6})
	if err != nil {
		t.Fatal(err)
	}
	after, err := both.Remove(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		table  *Table
		hash   uint64
		want   []uint16
		single int
	}{
		{first, 1 << 62, []uint16{0}, 0}, {first, 3 << 62, []uint16{1}, 1},
		{both, 1 << 62, []uint16{0}, 0}, {both, 3<<62 - 1, []uint16{1, 5}, -1}, {both, 3 << 62, []uint16{1, 6}, -1},
		{after, 1 << 62, []uint16{0}, 0}, {after, 3<<62 - 1, []uint16{5}, 5}, {after, math.MaxUint64, []uint16{6}, 6},
	} {
		if got := c.table.Lookup(c.hash); !slices.Equal(got, c.want) || c.table.Direct(c.hash) != c.single {
			t.Errorf("epoch %d, hash %#x: %v and %d, want %v and %d",
				c.table.Epoch(), c.hash, got, c.table.Direct(c.hash), c.want, c.single)
		}
	}
	if got := both.Targets(); !slices.Equal(got, []uint16{0, 1, 5, 6}) {
		t.Errorf("targets while both are fed: %v", got)
	}
	if len(first.Routes()) != 2 || first.Epoch() != 1 {
		t.Error("the first table has changed")
	}
	merged, err := after.Replace(4, []uint16{5, 6}, Route{Range: Even(2)[1], Target: 9, Gen: 2})
	if err != nil || !slices.Equal(merged.Targets(), []uint16{0, 9}) || merged.Direct(math.MaxUint64) != 9 {
		t.Errorf("replacing 5 and 6 by 9: %v", err)
	}
}

func TestTableRefuses(t *testing.T) {
	half := Even(2)
	for name, routes := range map[string][]Route{
		"nothing": nil,
		"gap":     {{Range: half[0]}},
		"hole":    {{Range: Range{0, 99}}, {Range: Range{101, math.MaxUint64}}},
		"overlap": {{Range: Full()}, {Range: half[1], Target: 1}},
		"invalid": {{Range: Full()}, {Range: Range{2, 1}, Gen: 1}},
		"target":  {{Range: Full(), Target: math.MaxUint16}},
	} {
		if _, err := NewTable(1, routes); err == nil {
			t.Errorf("%s: %v was accepted", name, routes)
		}
	}
	table := evenTable(t, 2)
	for name, change := range map[string]func() (*Table, error){
		"old epoch":       func() (*Table, error) { return table.Add(1) },
		"unknown target":  func() (*Table, error) { return table.Remove(2, 7) },
		"nobody left":     func() (*Table, error) { return table.Remove(2, 0) },
		"split unknown":   func() (*Table, error) { return table.Split(2, 7, 1, nil, []uint16{3}) },
		"split outside":   func() (*Table, error) { return table.Split(2, 0, 1, []uint64{1 << 63}, []uint16{3, 4}) },
		"split too few":   func() (*Table, error) { return table.Split(2, 0, 1, []uint64{1 << 62}, []uint16{3}) },
		"same generation": func() (*Table, error) { return table.Split(2, 0, 0, []uint64{1 << 62}, []uint16{3, 4}) },
	} {
		if _, err := change(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := evenTable(t, 100)
	if n := testing.AllocsPerRun(100, func() { table.Lookup(12345); table.Direct(1 << 63) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
