package network

import (
	"io"
	"testing"

	"github.com/fullspate/spate/engine"
)

// read reads a split from a number on, in blocks of a size.
func read(t *testing.T, s *split, from int64, block int) (all []engine.Record[Tuple]) {
	t.Helper()
	r := &reader{split: s, next: from}
	for {
		peeked, ok := r.Peek()
		dst := make([]engine.Record[Tuple], block)
		n, err := r.Read(dst)
		if err == io.EOF {
			if ok || n != 0 {
				t.Errorf("the end at %d comes with %d records, foreseen: %v", r.next, n, !ok)
			}
			return all
		}
		if err != nil || n == 0 || !ok || peeked != dst[0].Millis {
			t.Fatalf("%d records, %v; the first at %d ms, want %d", n, err, dst[0].Millis, peeked)
		}
		if all = append(all, dst[:n]...); r.Offset().Place != from+int64(len(all)) {
			t.Fatalf("offset %+v after %d records from %d on", r.Offset(), len(all), from)
		}
	}
}

// TestReader reads splits in blocks of any size, and from anywhere: every record is the same each time.
func TestReader(t *testing.T) {
	in := Input{Seed: 9, Rate: 2503, Seconds: 2, Keys: 101}
	for _, k := range kinds {
		for i, s := range in.splits(k, 1) {
			all := read(t, &s, 0, 512)
			if int64(len(all)) != s.end {
				t.Fatalf("%s, split %d: %d records, want %d", k, i, len(all), s.end)
			}
			for number, r := range all {
				v, n := r.Value, int64(number)
				wantTold := k == Keyed && (n >= s.drawn || i == 0 && n == s.rate)
				if !v.sound() || v.Number&^tell != uint64(n) || v.Key != s.key(n) || (v.Number&tell != 0) != wantTold || r.Millis != n*1000/s.rate {
					t.Fatalf("%s, split %d, record %d is %+v", k, i, number, r)
				}
			}
			for _, block := range []int{1, 3, 5000} {
				for _, from := range []int64{0, 1, s.rate, s.end - 1} {
					for j, r := range read(t, &s, from, block) {
						if r != all[from+int64(j)] {
							t.Fatalf("%s, split %d, record %d is %+v in blocks of %d from %d on, %+v before", k, i, j, r, block, from, all[from+int64(j)])
						}
					}
				}
			}
		}
	}
}

// TestSplits looks at rates, and at the last time that a key comes up.
func TestSplits(t *testing.T) {
	in := Input{Seed: 9, Rate: 10_000, Seconds: 3, Keys: 1000}
	for k, want := range map[Kind]int64{Hop: 30_000, Keyed: 31_000, Hops: 30_000} {
		splits := in.splits(k, 1)
		if n := from(splits, 0); n != want || from(splits, 1) != want-10_000 {
			t.Errorf("%s: %d tuples, want %d; %d after a second", k, n, want, from(splits, 1))
		}
		if k != Hop && (splits[0].rate != 4*splits[1].rate || splits[0].seed == splits[1].seed) {
			t.Errorf("%s: %+v", k, splits)
		}
	}
	splits := in.splits(Keyed, 1)
	counts, farewells := make([]int, in.Keys), make([]int, in.Keys)
	for i := range splits {
		for _, r := range read(t, &splits[i], 0, 100) {
			counts[r.Value.Key]++
			if r.Millis >= 3000 {
				farewells[r.Value.Key]++
			}
			if r.Millis > last(splits) {
				t.Fatalf("a record at %d ms, the last should be at %d", r.Millis, last(splits))
			}
		}
	}
	for key := range counts {
		if counts[key] < 25 || counts[key] > 40 || farewells[key] != 1 {
			t.Errorf("key %d comes up %d times, %d times after the others", key, counts[key], farewells[key])
		}
	}
}
