package state

import (
	"math/bits"
	"testing"

	"github.com/fullspate/spate/partition"
)

func TestSimplest(t *testing.T) {
	for _, c := range []struct{ a, b, want bound }{
		{bound{0, 0}, bound{hashMax, 0}, bound{1 << 63, 0}},
		{bound{4, 9}, bound{7, 1}, bound{6, 0}},
		{bound{6, 9}, bound{7, 1}, bound{7, 0}},
		{bound{6, 0}, bound{6, 1}, bound{6, 1}},
		{bound{6, 0x1234}, bound{6, 0x12ff}, bound{6, 0x1280}},
		{bound{6, 0x1234}, bound{6, 0x1300}, bound{6, 0x1300}},
	} {
		if got := simplest(c.a, c.b); got != c.want {
			t.Errorf("simplest(%x, %x) = %x, want %x", c.a, c.b, got, c.want)
		}
		if got := simplest(c.a, c.b); !c.a.less(got) || c.b.less(got) {
			t.Errorf("simplest(%x, %x) = %x lies outside", c.a, c.b, got)
		}
	}
}

// The segments of a key with many sub-keys are about as many as they must be, are cut at bounds of few bits, and are found
// at the first attempt nearly always.
func TestKeyOfManySegments(t *testing.T) {
	m := benchMap[[2]uint64](t, Uint64, Uint64, 0)
	f, err := NewFixedSub[[2]uint64](m)
	if err != nil {
		t.Fatal(err)
	}
	const subs = 60_000
	h1 := partition.HashUint64(7)
	for _, key := range []uint64{h1, h1 + 1, h1 - 1<<40} { // neighbours, of which the second shares a cell
		n := uint64(subs)
		if key != h1 {
			n = 10
		}
		for i := range n {
			v, _ := f.Upsert(key, partition.HashUint64(i))
			v[0] = i
		}
	}
	inside := 0
	for s := m.dir.head; s != nil; s = s.next {
		if s.lo.h1 != h1 {
			continue
		}
		inside++
		if used := 64 - bits.TrailingZeros64(s.lo.h2); used > 8 {
			t.Errorf("a segment begins at %016x, which takes %d bits, want at most 8", s.lo.h2, used)
		}
	}
	if inside < subs*32/slotsBytesMax || inside > 4*subs*32/slotsBytesMax {
		t.Errorf("%d sub-keys lie in %d segments", subs, inside)
	}
	direct := 0
	for i := range uint64(subs) {
		h2 := partition.HashUint64(i)
		if v := f.Get(h1, h2); v == nil || v[0] != i {
			t.Fatalf("sub-key %d is lost", i)
		}
		r := m.dir.cells[m.dir.cellOf(h1)].run
		if r == nil || r.h1 != h1 {
			t.Fatalf("the segments of the key have no run: %+v", r)
		}
		if r.starts[h2>>r.shift] == m.dir.find2(h1, h2) {
			direct++
		}
	}
	if direct < subs*9/10 {
		t.Errorf("%d of %d look-ups begin in their segment, want nine of ten", direct, subs)
	}
	for _, key := range []uint64{h1 + 1, h1 - 1<<40} {
		if v := f.Get(key, partition.HashUint64(3)); v == nil || v[0] != 3 {
			t.Errorf("sub-key 3 of key %016x is lost", key)
		}
	}
}
