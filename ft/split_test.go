package ft_test

import (
	"reflect"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

func TestSplit(t *testing.T) {
	w := newWorker(t, task("count"), 8)
	w.work(300)
	c := w.checkpoint(state.Base)
	c.Generation, c.Ending, c.EndOf = 4, true, 9
	ranges, err := partition.Full().Cut(1<<40, 1<<63)
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := c.Split(ranges)
	if err != nil {
		t.Fatal(err)
	}
	for n, p := range pieces {
		if sum := w.tables[0].Checksum(ranges[n]); sumOf(t, p) != sum {
			t.Errorf("piece %d: sum %x, want %x", n, sumOf(t, p), sum)
		}
		if p.Range != ranges[n] || p.Position != c.Position || p.Generation != 4 || !p.Ending || p.EndOf != 9 || p.Operator != "count" {
			t.Errorf("piece %d: %+v", n, p)
		}
		for l, log := range p.Logs {
			want := c.Logs[l]
			if n > 0 {
				want.Frames = nil
			}
			if !reflect.DeepEqual(log, want) {
				t.Errorf("piece %d: log %d is %+v, want %+v", n, l, log, want)
			}
		}
		if _, err := ft.Decode(p.Append(nil)); err != nil {
			t.Errorf("piece %d cannot be read back: %v", n, err)
		}
	}
	whole, err := c.Split([]partition.Range{partition.Full()})
	if err != nil || sumOf(t, whole[0]) != w.sum() || len(whole[0].Logs[0].Frames) == 0 {
		t.Errorf("one piece: %v", err)
	}
}

func TestSplitRefusals(t *testing.T) {
	w := newWorker(t, task("count"), 8)
	w.work(10)
	c := w.checkpoint(state.Base)
	two := partition.Even(2)
	spoilt := map[string]struct {
		ranges []partition.Range
		spoil  func(c *ft.Checkpoint)
	}{
		"a gap":     {[]partition.Range{two[0]}, func(*ft.Checkpoint) {}},
		"no ranges": {nil, func(*ft.Checkpoint) {}},
		"a delta":   {two, func(c *ft.Checkpoint) { c.Kind, c.Follows = state.Delta, 1 }},
		"splits":    {two, func(c *ft.Checkpoint) { c.Splits = []ft.SplitState{{}} }},
		"a mark":    {two, func(c *ft.Checkpoint) { c.Mark = []byte("mark") }},
		"no image":  {two, func(c *ft.Checkpoint) { c.Tables = [][]byte{[]byte("nonsense")} }},
	}
	for name, tt := range spoilt {
		bad := *c
		tt.spoil(&bad)
		if _, err := bad.Split(tt.ranges); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c.Mark, c.Splits = []byte("mark"), []ft.SplitState{{Ordinal: 1}}
	pieces, err := c.Split([]partition.Range{c.Range})
	if err != nil || string(pieces[0].Mark) != "mark" || len(pieces[0].Splits) != 1 {
		t.Errorf("a mark and a split in one piece: %v", err)
	}
}
