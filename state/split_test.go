package state

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fullspate/spate/partition"
)

// parts cuts a model in as many as there are cuts and one.
func (md *model) parts(cuts []uint64) []*model {
	md.t.Helper()
	maps, err := md.m.Split(cuts...)
	if err != nil {
		md.t.Fatal(err)
	}
	var out []*model
	for i, m := range maps {
		p := &model{t: md.t, r: rand.New(rand.NewPCG(9, uint64(i))), m: m, content: map[string]rec{},
			keys: md.keys, subs: md.subs, weak: md.weak, large: md.large}
		for id, c := range md.content {
			if m.rng.Contains(c.key.H1) {
				p.content[id] = c
			}
		}
		out = append(out, p)
	}
	return out
}

// runInside does random operations on keys in the map's range.
func (md *model) runInside(n int) {
	for range n {
		k := md.randomKey()
		if !md.m.rng.Contains(k.H1) {
			continue
		}
		if md.r.IntN(4) == 0 {
			md.delete(k)
		} else {
			md.set(k)
		}
	}
}

// TestSplitMerge splits at random cuts, goes on with each part on a goroutine of
// its own, and merges again; deltas go on across all of it.
func TestSplitMerge(t *testing.T) {
	forKinds(t, func(t *testing.T, s Schema) {
		md := newModel(t, s, 5, 150, 10, 0)
		md.run(2000, 5)
		base, _ := md.snapshotOf(Base, 1, S2, 0)
		for round := range 4 {
			if testing.Short() && round == 1 {
				continue
			}
			md.run(300, 30)
			var cuts []uint64
			for range round + 1 {
				cuts = append(cuts, md.r.Uint64())
			}
			if round == 2 { // cuts at keys, and an empty part
				h := md.randomKey().H1
				cuts = []uint64{h, h + 1}
			}
			slices.Sort(cuts)
			parts := md.parts(cuts)
			var wg sync.WaitGroup
			images := make([][]byte, len(parts))
			for i, p := range parts {
				wg.Go(func() {
					p.runInside(500)
					images[i], _ = p.snapshotOf(Delta, 2, S2, 0)
					p.runInside(200)
				})
			}
			wg.Wait()
			for i, p := range parts {
				p.check()
				info, err := Inspect(images[i])
				if err != nil || info.Kind != Delta || info.Parent != 1 || info.Range != p.m.rng {
					t.Fatalf("image of part %d: %+v, %v", i, info, err)
				}
				piece, err := SplitImage(base, []partition.Range{p.m.rng})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Fold(&bytes.Buffer{}, Zstd, piece[0], images[i]); err != nil {
					t.Fatal(err)
				}
			}
			var maps []*Map
			for _, p := range parts {
				maps = append(maps, p.m)
			}
			m, err := Merge(maps...)
			if err != nil {
				t.Fatal(err)
			}
			md.m, md.content = m, map[string]rec{}
			for _, p := range parts {
				for id, c := range p.content {
					md.content[id] = c
				}
			}
			md.check()
			if _, info := md.snapshotOf(Delta, 3, Raw, 0); info.Kind != Delta {
				t.Fatal("after merging parts with snapshots at one position a delta must follow")
			}
			base, _ = md.snapshotOf(Base, 1, S2, 0)
		}
	})
}

func TestSplitImage(t *testing.T) {
	forKinds(t, func(t *testing.T, s Schema) {
		md := newModel(t, s, 6, 500, 20, 0)
		md.run(4000, 5)
		base, _ := md.snapshotOf(Base, 1, S2, 0)
		md.run(500, 50)
		delta, _ := md.snapshotOf(Delta, 2, S2, 0)
		ranges, err := partition.Full().Cut(1<<61, 1<<61+5, 1<<63+12345)
		if err != nil {
			t.Fatal(err)
		}
		bases, err := SplitImage(base, ranges)
		if err != nil {
			t.Fatal(err)
		}
		deltas, err := SplitImage(delta, ranges)
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for i, r := range ranges {
			for _, image := range [][]byte{bases[i], deltas[i]} {
				if _, err := Verify(image); err != nil {
					t.Fatal(err)
				}
			}
			m, err := Restore(Config{Schema: md.m.schema, Range: r, Pool: md.m.mem.pool}, bases[i], deltas[i])
			if err != nil {
				t.Fatal(err)
			}
			whole, err := Restore(Config{Schema: md.m.schema, Range: r, Pool: md.m.mem.pool}, base, delta)
			if err != nil {
				t.Fatal(err)
			}
			if a, b, c := m.Checksum(r), whole.Checksum(r), md.m.Checksum(r); a != b || a != c {
				t.Fatalf("part %v: checksums %x %x %x", r, a, b, c)
			}
			checkMap(t, m)
			total += m.Len()
			m.Close()
			whole.Close()
		}
		if total != md.m.Len() {
			t.Fatalf("%d records in all parts, want %d", total, md.m.Len())
		}
	})
}

func TestSplitRefuses(t *testing.T) {
	md := newModel(t, kinds[0], 7, 100, 1, 0)
	md.run(100, 0)
	if _, err := md.m.Split(5, 3); err == nil {
		t.Error("cuts that descend")
	}
	s, err := md.m.Freeze(Base, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := md.m.Split(1 << 63); err == nil {
		t.Error("a split during a snapshot")
	}
	if _, err := Merge(md.m); err == nil {
		t.Error("a merge during a snapshot")
	}
	s.Abort()
	other := newModel(t, kinds[0], 7, 100, 1, 0)
	if _, err := Merge(md.m, other.m); err == nil {
		t.Error("a merge of ranges that overlap, in two pools")
	}
	if _, err := Merge(); err == nil {
		t.Error("a merge of nothing")
	}
	parts := md.parts([]uint64{1 << 62})
	if _, err := md.m.Split(1 << 63); err == nil {
		t.Error("a second split")
	}
	m, err := Merge(parts[0].m, parts[1].m)
	if err != nil {
		t.Fatal(err)
	}
	md.m = m
	md.check()
}
