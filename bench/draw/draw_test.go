package draw

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSeedsDiffer(t *testing.T) {
	seen := map[Source][]uint64{}
	for _, parts := range [][]uint64{{}, {0}, {0, 0}, {0, 0, 0}, {1}, {0, 1}, {1, 0}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}, {2}, {1, 1}} {
		s := Seed(parts...)
		if other, ok := seen[s]; ok {
			t.Errorf("seeds %v and %v give the same source", parts, other)
		}
		seen[s] = parts
	}
}

// TestGolden pins the sequences: results of benchmarks are compared over versions.
func TestGolden(t *testing.T) {
	s := Seed(1, 2, 3)
	z := NewZipf(1000)
	got := [6]uint64{s.Next(), s.Next(), s.Below(1000), s.Below(1000), uint64(z.Rank(&s)), uint64(z.Rank(&s))}
	want := [6]uint64{0xf98045570fca95a0, 0xf807dbc749efa120, 0x2e1, 0x5, 0x7, 0x9}
	if got != want {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

func TestBelow(t *testing.T) {
	s := Seed(7)
	for _, n := range []uint64{1, 2, 3, 1000, math.MaxUint64} {
		for range 1000 {
			if got := s.Below(n); got >= n {
				t.Fatalf("%d is not below %d", got, n)
			}
		}
	}
}

func TestNextLooksRandom(t *testing.T) {
	const draws = 10_000
	for bit := range 64 {
		ones := 0
		for i := range draws {
			s := Seed(42, uint64(i)) // neighbouring seeds, as generators have them
			ones += int(s.Next() >> bit & 1)
		}
		if math.Abs(float64(ones)-draws/2) > 5*math.Sqrt(draws)/2 {
			t.Errorf("bit %d is one in %d of %d draws", bit, ones, draws)
		}
	}
}

func TestRankFindsEveryWeight(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 100, 4096, 5000, 100_000} {
		z := NewZipf(n)
		total := z.upTo[n-1]
		check := func(w uint64, want int) {
			t.Helper()
			g := int(w >> z.shift)
			to := n
			if g+1 < len(z.guide) {
				to = z.guide[g+1] + 1
			}
			if got := z.search(w, z.guide[g], to); got != want {
				t.Fatalf("n %d: weight %d of %d belongs to rank %d, want %d", n, w, total, got, want)
			}
		}
		before := uint64(0)
		for r, upTo := range z.upTo {
			check(before, r)
			check(upTo-1, r)
			check(before+rand.Uint64N(upTo-before), r)
			before = upTo
		}
	}
}

func TestRankFollowsZipf(t *testing.T) {
	const n, draws = 100, 200_000
	z, s := NewZipf(n), Seed(5)
	if z.Ranks() != n {
		t.Fatalf("%d ranks, want %d", z.Ranks(), n)
	}
	var counts [n]int
	for range draws {
		counts[z.Rank(&s)]++
	}
	harmonic := 0.0
	for r := range n {
		harmonic += 1 / float64(r+1)
	}
	for r, got := range counts {
		p := 1 / float64(r+1) / harmonic
		if want := draws * p; math.Abs(float64(got)-want) > 5*math.Sqrt(want) {
			t.Errorf("rank %d was drawn %d times, want about %.0f", r, got, want)
		}
	}
}

func TestZipfRefusesSizes(t *testing.T) {
	for _, n := range []int{-1, 0, ZipfMax + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a distribution over %d ranks was made", n)
				}
			}()
			NewZipf(n)
		}()
	}
}

func BenchmarkRank(b *testing.B) {
	z, s := NewZipf(10_000), Seed(1)
	sum := 0
	for b.Loop() {
		sum += z.Rank(&s)
	}
	if sum == 0 {
		b.Error("only rank 0 was drawn")
	}
}
