package ft_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// output is a tuple of a log, as a plain slice has it.
type output struct {
	at   wire.Time
	hash uint64
	n    uint64
}

// imageOf makes the image of a log that has the tuples.
func imageOf(t *testing.T, name ft.LogName, trim, frontier wire.Time, payload int, tuples []output) ft.LogImage {
	t.Helper()
	pool := slab.New(slab.Config{})
	l, err := buffers.New(buffers.Config{Stream: wire.StreamID(name.Edge), PayloadSize: payload, FrameBytes: 256, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range tuples {
		binary.LittleEndian.PutUint64(l.Append(o.at, o.hash, 8), o.n)
	}
	l.Seal(frontier)
	image := ft.LogImage{LogName: name, Trim: trim, Frontier: frontier}
	for f, err := range l.Frames(0) {
		if err != nil {
			t.Fatal(err)
		}
		image.Frames = append(image.Frames, f.Data...)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	return image
}

// outputsOf reads an image as a task would that comes back: from its trim point on.
func outputsOf(t *testing.T, l ft.LogImage, payload int) (all []output) {
	t.Helper()
	pool := slab.New(slab.Config{})
	log, err := buffers.New(buffers.Config{Stream: wire.StreamID(l.Edge), PayloadSize: payload, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Load(l.Trim, l.Frontier, l.Frames); err != nil {
		t.Fatal(err)
	}
	for f, err := range log.Frames(l.Trim) {
		if err != nil {
			t.Fatal(err)
		}
		for v := f.View(); v.Valid(); v.Advance() {
			if v.Time() >= l.Trim {
				all = append(all, output{v.Time(), v.Hash(), binary.LittleEndian.Uint64(v.Bytes())})
			}
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// plain is a checkpoint whose logs are slices.
type plain struct {
	whole partition.Range
	logs  [][]output
	trims []wire.Time
}

// recut does to slices what Repartition does to checkpoints: all output of a task goes to the first of its parts.
func recut(pieces []plain, ranges []partition.Range) (next []plain) {
	for _, r := range ranges {
		out := plain{whole: r, logs: make([][]output, len(pieces[0].logs)), trims: make([]wire.Time, len(pieces[0].logs))}
		for _, p := range pieces {
			if !p.whole.Overlaps(r) {
				continue
			}
			for i, log := range p.logs {
				if out.trims[i] = max(out.trims[i], p.trims[i]); r.Contains(p.whole.First) {
					out.logs[i] = append(out.logs[i], log...)
				}
			}
		}
		for i, log := range out.logs {
			slices.SortStableFunc(log, func(a, b output) int { return int(a.at) - int(b.at) })
			out.logs[i] = slices.DeleteFunc(log, func(o output) bool { return o.at < out.trims[i] })
		}
		next = append(next, out)
	}
	return next
}

// TestRepartitionLogs re-partitions tasks with output at random, again and again, and compares with plain slices.
func TestRepartitionLogs(t *testing.T) {
	const end = 1000
	for _, payload := range []int{0, 8} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, uint64(payload)))
			names := []ft.LogName{{Edge: 1, Task: 5, Range: partition.Range{First: 0, Last: 9}}, {Edge: 1, Task: 2, Range: partition.Range{First: 10, Last: 99}}, {Edge: 3}}
			var pieces []*ft.Checkpoint
			var want []plain
			for _, rng := range randomRanges(t, r) {
				c, p := &ft.Checkpoint{Operator: "o", Range: rng, Position: end}, plain{whole: rng}
				for _, name := range names {
					var tuples []output
					trim := wire.Time(r.IntN(50))
					for at := wire.Time(r.IntN(100)); at < end; at += wire.Time(r.IntN(8)) * wire.Time(r.IntN(2)) {
						if r.IntN(60) == 0 {
							break
						}
						tuples = append(tuples, output{at, r.Uint64(), r.Uint64()})
					}
					c.Logs = append(c.Logs, imageOf(t, name, trim, end, payload, tuples))
					p.logs = append(p.logs, slices.DeleteFunc(tuples, func(o output) bool { return o.at < trim }))
					p.trims = append(p.trims, trim)
				}
				pieces, want = append(pieces, c), append(want, p)
			}
			for round := range 6 {
				ranges := randomRanges(t, r)
				var err error
				if pieces, err = ft.Repartition(pieces, ranges); err != nil {
					t.Fatal(err)
				}
				want = recut(want, ranges)
				for i, c := range pieces {
					if c, err = ft.Decode(c.Append(nil)); err != nil {
						t.Fatal(err)
					}
					for n, l := range c.Logs {
						if l.LogName != names[n] || l.Trim != want[i].trims[n] || l.Frontier != end {
							t.Fatalf("seed %d, round %d, piece %d: log %+v of trim %v, want %+v of %v", seed, round, i, l.LogName, l.Trim, names[n], want[i].trims[n])
						}
						if got := outputsOf(t, l, payload); !slices.Equal(got, want[i].logs[n]) {
							t.Fatalf("seed %d, round %d, piece %d, log %d:\ngot  %v\nwant %v", seed, round, i, n, got, want[i].logs[n])
						}
					}
				}
			}
		}
	}
}

// TestMergeBadLogs has output that does not go together, or is damaged. The pieces stay as they are.
func TestMergeBadLogs(t *testing.T) {
	two := partition.Even(2)
	name := ft.LogName{Edge: 1, Task: 2, Range: partition.Full()}
	tuples := []output{{at: 5}, {at: 6}}
	for want, spoil := range map[string]func(*ft.LogImage){
		"stream":   func(l *ft.LogImage) { *l = imageOf(t, ft.LogName{Edge: 2}, 1, 9, 8, tuples); l.LogName = name },
		"payload":  func(l *ft.LogImage) { *l = imageOf(t, name, 1, 9, 0, tuples) },
		"checksum": func(l *ft.LogImage) { l.Frames[len(l.Frames)-1] ^= 1 },
		"bytes":    func(l *ft.LogImage) { l.Frames = l.Frames[:len(l.Frames)-8] },
	} {
		for at := range 2 {
			logs := []ft.LogImage{imageOf(t, name, 1, 9, 8, tuples), imageOf(t, name, 1, 9, 8, tuples)}
			spoil(&logs[at])
			var pieces []*ft.Checkpoint
			for i, l := range logs {
				pieces = append(pieces, &ft.Checkpoint{Operator: "o", Range: two[i], Position: 9, Logs: []ft.LogImage{l}})
			}
			before := fmt.Sprintf("%x", pieces[at].Append(nil))
			if _, err := ft.Merge(pieces, partition.Full()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("piece %d: %v, want %q", at, err, want)
			}
			if after := fmt.Sprintf("%x", pieces[at].Append(nil)); before != after {
				t.Errorf("piece %d was changed", at)
			}
		}
	}
}

// TestMergeOneFullLog has output in one of the pieces alone: nothing of it is copied.
func TestMergeOneFullLog(t *testing.T) {
	two := partition.Even(2)
	name := ft.LogName{Edge: 1, Task: 2, Range: partition.Full()}
	full := imageOf(t, name, 1, 9, 8, []output{{at: 5}, {at: 6}})
	for at := range 2 {
		logs := []ft.LogImage{{LogName: name, Trim: 2, Frontier: 8}, {LogName: name, Trim: 2, Frontier: 8}}
		logs[at] = full
		var pieces []*ft.Checkpoint
		for i, l := range logs {
			pieces = append(pieces, &ft.Checkpoint{Operator: "o", Range: two[i], Position: 9, Logs: []ft.LogImage{l}})
		}
		merged, err := ft.Merge(pieces, partition.Full())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := merged.Logs[0], (ft.LogImage{LogName: name, Trim: 2, Frontier: 8, Frames: full.Frames}); !reflect.DeepEqual(got, want) || &got.Frames[0] != &full.Frames[0] {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestMergeLogsOfSome has pieces that were taken before and after consumers came and went: the result has the logs of all, and one
// that a piece does not have begins at its position.
func TestMergeLogsOfSome(t *testing.T) {
	two := partition.Even(2)
	both, gone, come := ft.LogName{Task: 1, Range: two[0]}, ft.LogName{Task: 2, Range: two[1]}, ft.LogName{Task: 3, Range: two[1]}
	image := func(name ft.LogName, tuples ...output) ft.LogImage { return imageOf(t, name, 1, 9, 8, tuples) }
	pieces := []*ft.Checkpoint{
		{Operator: "o", Range: two[0], Position: 9, Logs: []ft.LogImage{image(both, output{at: 5}), image(gone, output{at: 6})}},
		{Operator: "o", Range: two[1], Position: 9, Logs: []ft.LogImage{image(both, output{at: 7}), image(come, output{at: 8})}},
	}
	merged, err := ft.Merge(pieces, partition.Full())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name ft.LogName
		trim wire.Time
	}{{both, 1}, {gone, 9}, {come, 9}} {
		if i >= len(merged.Logs) {
			t.Fatalf("%d logs, want 3", len(merged.Logs))
		}
		l := merged.Logs[i]
		if l.LogName != want.name || l.Trim != want.trim {
			t.Errorf("log %d: %+v of trim %v, want %+v of %v", i, l.LogName, l.Trim, want.name, want.trim)
		}
	}
	if got := outputsOf(t, merged.Logs[0], 8); len(got) != 2 {
		t.Errorf("the log that both have has %v", got)
	}
	if len(pieces[0].Logs) != 2 || len(pieces[1].Logs) != 2 {
		t.Error("the pieces were changed")
	}
}
