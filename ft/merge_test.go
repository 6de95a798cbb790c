package ft_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// randomRanges cuts all hashes in a random number of ranges.
func randomRanges(t *testing.T, r *rand.Rand) []partition.Range {
	t.Helper()
	cuts := make([]uint64, r.IntN(6))
	for i := range cuts {
		cuts[i] = 1 + r.Uint64N(1<<63)<<1
	}
	slices.Sort(cuts)
	ranges, err := partition.Full().Cut(slices.Compact(cuts)...)
	if err != nil {
		t.Fatal(err)
	}
	return ranges
}

// TestRepartition re-partitions a task's state at random, again and again: for every range it is what the whole has there, and
// nothing else of the checkpoints changes.
func TestRepartition(t *testing.T) {
	w := newWorker(t, task("count"), 8)
	w.work(2000)
	whole := w.checkpoint(state.Base)
	whole.Logs = []ft.LogImage{{Trim: whole.Position, Frontier: whole.Position}}
	whole.Splits = []ft.SplitState{{Ordinal: 1, Last: 5}, {Ordinal: 7, Ended: true}}
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []*ft.Checkpoint{whole}
	for range 30 {
		ranges := randomRanges(t, r)
		next, err := ft.Repartition(pieces, ranges)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range next {
			if sum := w.tables[0].Checksum(ranges[i]); sumOf(t, p) != sum || p.Range != ranges[i] {
				t.Fatalf("%v has the sum %x, want %x", p.Range, sumOf(t, p), sum)
			}
			if p.Position != whole.Position || p.Operator != whole.Operator || !reflect.DeepEqual(p.Logs, whole.Logs) {
				t.Fatalf("%v: %+v", p.Range, p)
			}
			if _, err := ft.Decode(p.Append(nil)); err != nil {
				t.Fatal(err)
			}
			if want := map[bool][]ft.SplitState{true: whole.Splits}[i == 0]; !reflect.DeepEqual(p.Splits, want) {
				t.Fatalf("piece %d has the splits %v, want %v", i, p.Splits, want)
			}
		}
		pieces = next
	}
	merged, err := ft.Merge(pieces, partition.Full())
	if err != nil {
		t.Fatal(err)
	}
	info, err := state.Verify(merged.Tables[0])
	if err != nil || info.Checksum != w.sum() {
		t.Fatalf("merged: %+v, %v", info, err)
	}
}

// TestMergeLogs merges the output of tasks at one position: what is at or beyond all trim points, in order of τ, and there of
// the pieces, whose own order stays.
func TestMergeLogs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pool := slab.New(slab.Config{})
	for round := range 200 {
		n := 1 + r.IntN(4)
		ranges := partition.Even(n)
		name := ft.LogName{Edge: 2, Task: 3, Range: partition.Range{First: 1, Last: 2}}
		pieces, trim := make([]*ft.Checkpoint, n), wire.Time(0)
		type tuple struct {
			at wire.Time
			n  byte
		}
		var want []tuple
		count := byte(0)
		for i := range pieces {
			l, err := buffers.New(buffers.Config{Stream: 4, FrameBytes: 256, Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			at, own := wire.Time(1), wire.Time(r.IntN(20))
			if err := l.Load(own, own, nil); err != nil {
				t.Fatal(err)
			}
			for at = own + 1; r.IntN(30) > 0; at += wire.Time(r.IntN(3)) {
				l.Append(at, 0, 1)[0] = count
				want = append(want, tuple{at, count})
				count++
			}
			l.Seal(1000)
			image := ft.LogImage{LogName: name, Trim: own, Frontier: 1000}
			for f, err := range l.Frames(own) {
				if err != nil {
					t.Fatal(err)
				}
				image.Frames = append(image.Frames, f.Data...)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			trim = max(trim, own)
			pieces[i] = &ft.Checkpoint{Operator: "o", Range: ranges[i], Position: 1000, Logs: []ft.LogImage{image}}
		}
		slices.SortStableFunc(want, func(a, b tuple) int { return int(a.at) - int(b.at) })
		want = slices.DeleteFunc(want, func(x tuple) bool { return x.at < trim })
		merged, err := ft.Merge(pieces, partition.Full())
		if err != nil {
			t.Fatal(err)
		}
		l := merged.Logs[0]
		if l.LogName != name || l.Trim != trim || l.Frontier != 1000 {
			t.Fatalf("round %d: log %+v", round, l)
		}
		var got []tuple
		for rest := l.Frames; len(rest) > 0; rest = rest[wire.HeaderOf(rest).FrameSize():] {
			for v := wire.View(rest[:wire.HeaderOf(rest).FrameSize()]); v.Valid(); v.Advance() {
				if v.Time() >= trim { // frames are left out as a whole
					got = append(got, tuple{v.Time(), v.Bytes()[0]})
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("round %d of %d logs:\ngot  %v\nwant %v", round, n, got, want)
		}
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

func TestMerge(t *testing.T) {
	two := partition.Even(2)
	piece := func(i int) *ft.Checkpoint {
		return &ft.Checkpoint{Operator: "sink", Range: two[i], Generation: uint64(3 + i), Position: 9, Ending: true, EndOf: wire.Time(4 + i)}
	}
	a, b := piece(0), piece(1)
	a.Splits, b.Splits = []ft.SplitState{{Ordinal: 1}}, []ft.SplitState{{Ordinal: 2}}
	b.Mark = []byte("mark")
	got, err := ft.Merge([]*ft.Checkpoint{a, b}, partition.Full())
	want := &ft.Checkpoint{
		Operator: "sink", Range: partition.Full(), Generation: 4, Position: 9, Ending: true, EndOf: 5, Mark: b.Mark,
		Splits: []ft.SplitState{{Ordinal: 1}, {Ordinal: 2}}, Tables: [][]byte{}, Logs: []ft.LogImage{},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	if b.Ending = false; err == nil {
		if got, err = ft.Merge([]*ft.Checkpoint{a, b}, partition.Full()); err != nil || got.Ending || got.EndOf != 0 {
			t.Errorf("%+v, %v: the end of the input is not known to all", got, err)
		}
	}
	for want, spoil := range map[string]func(a, b *ft.Checkpoint){
		"of operator":      func(a, _ *ft.Checkpoint) { a.Operator = "other" },
		"must be at":       func(_, b *ft.Checkpoint) { b.Position = 8 },
		"it has 1 tables":  func(_, b *ft.Checkpoint) { b.Tables = [][]byte{nil} },
		"committed":        func(a, _ *ft.Checkpoint) { a.Mark = []byte("mark") },
		"must be folded":   func(_, b *ft.Checkpoint) { b.Kind, b.Follows = state.Delta, 1 },
		"must begin right": func(_, b *ft.Checkpoint) { b.Range.First++ },
	} {
		x, y := *piece(0), *piece(1)
		y.Mark = []byte("mark")
		spoil(&x, &y)
		if _, err := ft.Merge([]*ft.Checkpoint{&x, &y}, partition.Full()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := ft.Merge(nil, partition.Full()); err == nil {
		t.Error("nothing was merged")
	}
	if _, err := ft.Repartition([]*ft.Checkpoint{b}, []partition.Range{two[0]}); err == nil {
		t.Error("other hashes than those that there are")
	}
	whole := *b
	whole.Range = partition.Full()
	if _, err := ft.Repartition([]*ft.Checkpoint{&whole}, two); err == nil || !strings.Contains(err.Error(), "cannot be cut") {
		t.Errorf("a mark was cut: %v", err)
	}
}
