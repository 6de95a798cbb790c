package traffic

import (
	"bytes"
	"errors"
	"hash/crc32"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
)

// plan returns traffic or fails the test.
func newTraffic(t testing.TB, cfg Config) *Traffic {
	t.Helper()
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// drain returns all tuples of an expressway from where it stands.
func drain(w *Xway) (all []format.Tuple) {
	for !w.Done() {
		all = w.Second(all)
	}
	return all
}

func TestCarSize(t *testing.T) {
	if n := unsafe.Sizeof(car{}); n != 16 {
		t.Errorf("a car has %d bytes", n)
	}
}

func TestValidate(t *testing.T) {
	for _, good := range []Config{{Xways: 1}, {Xways: 4096, To: 10800}, {Xways: 1, From: 10799}, {Xways: 1, From: 5, To: 6}} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	err := Config{Xways: 4097, From: -1, To: 10801}.Validate()
	for _, want := range []string{"4097 expressways", "first second -1", "last second 10801"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
	if _, err := New(Config{Xways: 1, From: 60, To: 60}); err == nil || !strings.Contains(err.Error(), "from 60 to 60 is empty") {
		t.Error(err)
	}
}

func TestSlicesAreEqual(t *testing.T) {
	for _, hostile := range []bool{false, true} {
		whole := drain(newTraffic(t, Config{Seed: 5, Xways: 2, To: 2500, Hostile: hostile}).Xway(1))
		for _, from := range []int{1, 29, 30, 31, 1200, 2399} {
			to := from + 95
			got := drain(newTraffic(t, Config{Seed: 5, Xways: 7, From: from, To: to, Hostile: hostile}).Xway(1))
			first, _ := slices.BinarySearchFunc(whole, from, func(a format.Tuple, s int) int { return int(a.Time) - s })
			last, _ := slices.BinarySearchFunc(whole, to, func(a format.Tuple, s int) int { return int(a.Time) - s })
			if len(got) == 0 || !slices.Equal(got, whole[first:last]) {
				t.Fatalf("hostile %v, from %d: %d tuples, want %d, or they differ", hostile, from, len(got), last-first)
			}
		}
	}
}

func TestSeekBackAndForth(t *testing.T) {
	tr := newTraffic(t, Config{Seed: 9, Xways: 1, To: 2000})
	w := tr.Xway(0)
	for w.Time() < 1500 {
		w.Second(nil)
	}
	want := w.Second(nil)
	w.Seek(3)
	w.Second(nil)
	w.Seek(1500)
	if got := w.Second(nil); !slices.Equal(got, want) {
		t.Error("second 1500 is another after seeking")
	}
	w.Seek(2000)
	if got := w.Second(nil); len(got) != 0 || !w.Done() {
		t.Errorf("%d tuples after the end", len(got))
	}
}

func TestSeedsAndXwaysDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	seed := maphash.MakeSeed()
	for s := range uint64(3) {
		tr := newTraffic(t, Config{Seed: s, Xways: 2, To: 100})
		for x := range 2 {
			again := newTraffic(t, Config{Seed: s, Xways: 2, To: 100})
			all := drain(tr.Xway(x))
			if !slices.Equal(all, drain(again.Xway(x))) {
				t.Fatal("the same configuration gives other traffic")
			}
			h := uint64(0)
			for _, a := range all {
				a.VID, a.Xway = a.VID&(1<<VIDShift-1), 0
				h = h*31 + maphash.Comparable(seed, a)
			}
			seen[h] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d kinds of traffic from 3 seeds and 2 expressways", len(seen))
	}
}

func TestParallelIsSerial(t *testing.T) {
	tr := newTraffic(t, Config{Seed: 2, Xways: 4, From: 3000, To: 3040, Hostile: true})
	got := make([][]format.Tuple, 4)
	var all sync.WaitGroup
	for x := range got {
		all.Go(func() { got[x] = drain(tr.Xway(x)) })
	}
	all.Wait()
	for x := range got {
		if !slices.Equal(got[x], drain(tr.Xway(x))) {
			t.Errorf("expressway %d", x)
		}
	}
}

func TestDoesNotAllocate(t *testing.T) {
	w := newTraffic(t, Config{Seed: 1, Xways: 1, From: 5000, Hostile: true}).Xway(0)
	dst := make([]format.Tuple, 0, MaxPerSecond)
	if n := testing.AllocsPerRun(5000, func() { dst = w.Second(dst[:0]) }); n != 0 {
		t.Errorf("%v allocations per second", n)
	}
	if len(dst) == 0 {
		t.Error("no tuples")
	}
}

func TestReplicate(t *testing.T) {
	tr := newTraffic(t, Config{Seed: 1, Xways: 3, From: 4000, To: 4100, Replicate: true})
	first, third := drain(tr.Xway(0)), drain(tr.Xway(2))
	if len(first) == 0 || len(first) != len(third) {
		t.Fatalf("%d and %d tuples", len(first), len(third))
	}
	qids := map[uint32]bool{}
	for i, a := range first {
		b := third[i]
		if a.VID>>VIDShift != 0 || b.VID>>VIDShift != 2 {
			t.Fatalf("vids %d and %d", a.VID, b.VID)
		}
		if a.Type != format.Position {
			if qids[a.QID] || qids[b.QID] || a.QID == b.QID {
				t.Fatalf("qids %d and %d come twice", a.QID, b.QID)
			}
			qids[a.QID], qids[b.QID] = true, true
		}
		if a.Type == format.Position && (a.Xway != 0 || b.Xway != 2) {
			t.Fatalf("expressways %d and %d", a.Xway, b.Xway)
		}
		b.VID, b.QID, b.Xway = a.VID, a.QID, a.Xway
		if a != b {
			t.Fatalf("%v replayed as %v", &a, &b)
		}
	}
	back := tr.Xway(1)
	back.Seek(4050)
	if got := back.Second(nil); len(got) == 0 || got[0].Time != 4050 {
		t.Errorf("seek in a tape gives %v", got)
	}
}

// TestGolden pins the traffic, so that results of different builds and machines are of the same input.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		cfg   Config
		lines int64
		crc   uint32
	}{
		{Config{Seed: 1, Xways: 2, To: 240}, 20727, 0x604709fd},
		{Config{Seed: 1, Xways: 1, From: 6000, To: 6010}, 13234, 0x9f7ed1dc},
		{Config{Seed: 2, Xways: 1, From: 100, To: 200, Hostile: true}, 5616, 0x2ed13abf},
	} {
		sum := crc32.NewIEEE()
		lines, err := newTraffic(t, c.cfg).WriteCSV(sum, nil)
		if err != nil || lines != c.lines || sum.Sum32() != c.crc {
			t.Errorf("%+v: %d lines, %#x, %v, want %d, %#x", c.cfg, lines, sum.Sum32(), err, c.lines, c.crc)
		}
	}
}

func TestWriteCSV(t *testing.T) {
	tr := newTraffic(t, Config{Seed: 1, Xways: 3, From: 300, To: 330, Hostile: true})
	var file bytes.Buffer
	seconds := 0
	n, err := tr.WriteCSV(&file, func(second int) { seconds = second })
	if err != nil || seconds != 330 {
		t.Fatal(err, seconds)
	}
	ways := []*Xway{tr.Xway(0), tr.Xway(1), tr.Xway(2)}
	r := format.NewReader(&file, format.ReaderConfig{})
	for s := 300; s < 330; s++ {
		got, err := r.ReadSecond(nil)
		if err != nil {
			t.Fatal(err)
		}
		n -= int64(len(got))
		var want []format.Tuple
		for _, w := range ways {
			want = w.Second(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("second %d differs", s)
		}
	}
	if _, err := r.ReadSecond(nil); err != io.EOF || n != 0 {
		t.Errorf("%v, %d lines too many", err, n)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteCSVFails(t *testing.T) {
	if _, err := newTraffic(t, Config{Xways: 1, To: 5}).WriteCSV(full{}, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// TestVIDs checks that every vehicle of the traffic is named once, whether the last expressway has one beside it or not.
func TestVIDs(t *testing.T) {
	for _, cfg := range []Config{{Seed: 1, Xways: 3, From: 5000, To: 5060, Hostile: true}, {Seed: 1, Xways: 2, From: 5000, To: 5060, Replicate: true}} {
		tr := newTraffic(t, cfg)
		named := map[uint32]bool{}
		for x := range cfg.Xways {
			for vid := range tr.VIDs(x) {
				if named[vid] {
					t.Fatalf("vid %d comes twice", vid)
				}
				named[vid] = true
			}
		}
		if least := cfg.Xways * 143100; len(named) < least || len(named) > least+20000*cfg.Xways {
			t.Errorf("%d vids", len(named))
		}
		for x := range cfg.Xways {
			for _, a := range drain(tr.Xway(x)) {
				if !named[a.VID] {
					t.Fatalf("vid of %v is not among them", &a)
				}
			}
		}
	}
}

func TestRequests(t *testing.T) {
	var kinds [5]int
	hits, qids := 0, map[uint32]bool{}
	for _, a := range drain(newTraffic(t, Config{Seed: 3, Xways: 2, From: 5000, To: 5600}).Xway(1)) {
		kinds[a.Type]++
		if a.Type != format.Position {
			if qids[a.QID] {
				t.Fatalf("qid %d comes twice", a.QID)
			}
			qids[a.QID] = true
		}
		if a.Type == format.Expenditure && history.Toll(3, a.VID, a.Day, a.Xway) > 0 {
			hits++
		}
		line := format.AppendTuple(nil, &a)
		if b, err := format.ParseTuple(line); err != nil || b != a {
			t.Fatalf("%s: %v", line, err)
		}
	}
	n := float64(kinds[0])
	for _, c := range []struct {
		name       string
		got, share float64
	}{
		{"balance", float64(kinds[2]), n * 0.005}, {"expenditure", float64(kinds[3]), n * 0.001},
		{"travel time", float64(kinds[4]), n * 0.004}, {"hits", float64(hits), n * 0.00093},
	} {
		if c.got < c.share*0.85 || c.got > c.share*1.15 {
			t.Errorf("%s: %v of %v reports, want about %v", c.name, c.got, n, c.share)
		}
	}
}

func BenchmarkSecond(b *testing.B) {
	for _, from := range []int{1800, 9000} {
		name := map[int]string{1800: "light", 9000: "peak"}[from]
		b.Run(name, func(b *testing.B) {
			tr := newTraffic(b, Config{Seed: 1, Xways: 10, From: from})
			ways := make([]*Xway, 10)
			for x := range ways {
				ways[x] = tr.Xway(x)
			}
			dst := make([]format.Tuple, 0, MaxPerSecond)
			tuples := 0
			for b.Loop() {
				if ways[0].Done() {
					for _, w := range ways {
						w.Seek(from)
					}
				}
				for _, w := range ways {
					dst = w.Second(dst[:0])
					tuples += len(dst)
				}
			}
			b.ReportMetric(float64(tuples)/b.Elapsed().Seconds(), "tuples/s")
		})
	}
}

func BenchmarkSeek(b *testing.B) {
	w := newTraffic(b, Config{Seed: 1, Xways: 1}).Xway(0)
	for b.Loop() {
		w.Seek(10000)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newTraffic(b, Config{Seed: 1, Xways: 1})
	}
}
