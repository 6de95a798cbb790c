package partition

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestHashGolden pins the hashes: they are part of the format.
func TestHashGolden(t *testing.T) {
	for k, want := range map[uint64]uint64{
		0:              0xe220a8397b1dcdaf,
		1:              0x910a2dec89025cc1,
		42:             0xbdd732262feb6e95,
		math.MaxUint64: 0xe4d971771b652c20,
	} {
		if got := HashUint64(k); got != want {
			t.Errorf("HashUint64(%d) = %#016x, want %#016x", k, got, want)
		}
	}
	for s, want := range map[string]uint64{
		"":  0x2d06800538d394c2,
		"a": 0xe6c632b61e964e1f,
		"the quick brown fox jumps over the lazy dog": 0xe4541a9cacf545aa,
		strings.Repeat("0123456789abcdef", 20):        0x40c383cc89d2f624,
	} {
		if got := HashBytes([]byte(s)); got != want {
			t.Errorf("HashBytes(%q) = %#016x, want %#016x", s, got, want)
		}
		if HashString(s) != HashBytes([]byte(s)) {
			t.Errorf("HashString(%q) differs from HashBytes", s)
		}
	}
}

func TestHashInverts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.Uint64().Draw(t, "k")
		if got := UnhashUint64(HashUint64(k)); got != k {
			t.Fatalf("%#x comes back as %#x", k, got)
		}
		if got := HashUint64(UnhashUint64(k)); got != k {
			t.Fatalf("hash %#x comes back as %#x", k, got)
		}
	})
}

// TestHashSpreads checks that keys that differ in few bits are spread evenly
// over the top bits, by which ranges are cut.
func TestHashSpreads(t *testing.T) {
	const n, buckets = 1 << 16, 256
	for _, step := range []uint64{1, 8, 1 << 20, 1 << 48} {
		var counts [buckets]int
		for i := range uint64(n) {
			counts[HashUint64(i*step)>>56]++
		}
		chi := 0.0
		for _, c := range counts {
			d := float64(c) - n/buckets
			chi += d * d / (n / buckets)
		}
		if chi > 400 { // 255 degrees of freedom: one in 10^8
			t.Errorf("keys %d apart: chi square %.0f over %d buckets", step, chi, buckets)
		}
	}
}

func drawRange(t *rapid.T, label string) Range {
	a, b := rapid.Uint64().Draw(t, label), rapid.Uint64().Draw(t, label)
	return Range{min(a, b), max(a, b)}
}

func TestRangeSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := drawRange(t, "r"), drawRange(t, "s")
		h := rapid.SampledFrom([]uint64{r.First, r.Last, s.First, s.Last, r.First - 1, r.Last + 1, rapid.Uint64().Draw(t, "h")}).Draw(t, "which")
		if got, want := r.Contains(h), r.First <= h && h <= r.Last; got != want {
			t.Fatalf("%v contains %#x: %v", r, h, got)
		}
		x, ok := r.Intersect(s)
		if ok != r.Overlaps(s) || ok != s.Overlaps(r) {
			t.Fatalf("%v and %v: intersect %v, overlap %v", r, s, ok, r.Overlaps(s))
		}
		if ok && x.Contains(h) != (r.Contains(h) && s.Contains(h)) {
			t.Fatalf("%v and %v have %v in common, and %#x?", r, s, x, h)
		}
		if ok && !(r.Covers(x) && s.Covers(x)) {
			t.Fatalf("%v of %v and %v lies outside", x, r, s)
		}
		if r.Precedes(s) != (r.Last != math.MaxUint64 && s.First == r.Last+1) {
			t.Fatalf("%v precedes %v: %v", r, s, r.Precedes(s))
		}
	})
}

func TestRangeFull(t *testing.T) {
	f := Full()
	if !f.Valid() || !f.IsFull() || !f.Contains(0) || !f.Contains(math.MaxUint64) || f.Fraction() != 1 || f.Precedes(f) {
		t.Errorf("the full range %v is not", f)
	}
	if f.String() != "[0000000000000000,ffffffffffffffff]" {
		t.Errorf("the full range prints as %v", f)
	}
	if (Range{2, 1}).Valid() {
		t.Error("a range that ends before it begins is valid")
	}
}

func TestEven(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 7, 64, 1000, 4096} {
		ranges := Even(n)
		if err := CheckTiling(Full(), ranges); err != nil {
			t.Fatalf("n=%d: %v", n, err)
		}
		lo, hi := uint64(math.MaxUint64), uint64(0)
		for _, r := range ranges {
			lo, hi = min(lo, r.Last-r.First), max(hi, r.Last-r.First)
		}
		if len(ranges) != n || hi-lo > 1 {
			t.Fatalf("n=%d: %d ranges, widths %d to %d", n, len(ranges), lo, hi)
		}
	}
	if got := Even(2)[1].First; got != 1<<63 {
		t.Errorf("the second half begins at %#x", got)
	}
}

func TestCut(t *testing.T) {
	r := Range{10, 20}
	parts, err := r.Cut(11, 20)
	if err != nil || len(parts) != 3 || parts[0] != (Range{10, 10}) || parts[2] != (Range{20, 20}) {
		t.Errorf("cut gives %v, %v", parts, err)
	}
	for _, points := range [][]uint64{{10}, {21}, {12, 12}, {13, 12}, {0}} {
		if _, err := r.Cut(points...); err == nil {
			t.Errorf("cut at %v was accepted", points)
		}
	}
	if parts, err := r.Cut(); err != nil || len(parts) != 1 || parts[0] != r {
		t.Errorf("no cut gives %v, %v", parts, err)
	}
}

func TestCheckTiling(t *testing.T) {
	for name, ranges := range map[string][]Range{
		"empty":   {},
		"gap":     {{0, 4}, {6, 9}},
		"overlap": {{0, 5}, {5, 9}},
		"begin":   {{1, 9}},
		"end":     {{0, 8}},
		"beyond":  {{0, 10}},
		"invalid": {{0, 4}, {5, 3}},
		"order":   {{5, 9}, {0, 4}},
	} {
		if CheckTiling(Range{0, 9}, ranges) == nil {
			t.Errorf("%s: %v passes for a tiling of 0 to 9", name, ranges)
		}
	}
}

func BenchmarkHashUint64(b *testing.B) {
	h := uint64(0)
	for b.Loop() {
		h = HashUint64(h)
	}
	if h == 0 {
		b.Fatal("unexpected hash")
	}
}

func BenchmarkHashBytes(b *testing.B) {
	key := []byte("/wiki/Spate_(disambiguation)")
	h := uint64(0)
	for b.Loop() {
		h += HashBytes(key)
	}
	if h == 0 {
		b.Fatal("unexpected hash")
	}
}

func benchmarkDirect(b *testing.B, t *Table) {
	rng := rand.New(rand.NewPCG(1, 2))
	var hashes [4096]uint64
	for i := range hashes {
		hashes[i] = rng.Uint64()
	}
	n, sum := 0, 0
	for b.Loop() {
		for _, h := range hashes {
			sum += t.Direct(h)
		}
		n += len(hashes)
	}
	if sum < 0 {
		b.Fatal("no targets")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/lookup")
}

func BenchmarkDirect8(b *testing.B)   { benchmarkDirect(b, evenTable(b, 8)) }
func BenchmarkDirect100(b *testing.B) { benchmarkDirect(b, evenTable(b, 100)) }

func BenchmarkLookupSplit(b *testing.B) {
	t, err := evenTable(b, 2).Split(2, 1, 1, []uint64{3 << 62}, []uint16{5, 6})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var hashes [4096]uint64
	for i := range hashes {
		hashes[i] = rng.Uint64()
	}
	n, sum := 0, 0
	for b.Loop() {
		for _, h := range hashes {
			if v := t.Direct(h); v >= 0 {
				sum += v
			} else {
				sum += len(t.Lookup(h))
			}
		}
		n += len(hashes)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/lookup")
	if sum == 0 {
		b.Fatal("no targets")
	}
}
