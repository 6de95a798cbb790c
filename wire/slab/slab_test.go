package slab

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newPool returns a pool that is closed at the end of the test, when no slab
// may be outstanding.
func newPool(t testing.TB, cfg Config) *Pool {
	p := New(cfg)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

func get(t testing.TB, p *Pool, size int, owner OwnerID) *Slab {
	t.Helper()
	s, err := p.Get(size, owner)
	if err != nil {
		t.Fatalf("get %d bytes: %v", size, err)
	}
	return s
}

func TestClassSize(t *testing.T) {
	for _, c := range []struct{ n, want int }{
		{-1, 0}, {0, 0}, {1, 4096}, {4096, 4096}, {4097, 5120}, {5120, 5120}, {5121, 6144},
		{7168, 7168}, {7169, 8192}, {8192, 8192}, {8193, 10240}, {64 << 10, 64 << 10}, {64<<10 + 1, 80 << 10},
		{1<<20 + 1, 1280 << 10}, {1792<<10 + 1, 2 << 20}, {2 << 20, 2 << 20}, {2<<20 + 1, 4 << 20}, {7 << 20, 8 << 20},
	} {
		if got := ClassSize(c.n); got != c.want {
			t.Errorf("ClassSize(%d) = %d, want %d", c.n, got, c.want)
		}
	}
	for n := 1; n <= RegionSize; n += 509 {
		c := ClassSize(n)
		if c < n || ClassSize(c) != c || c%unit != 0 || n >= SizeMin && c*4 > n*5+4 {
			t.Fatalf("ClassSize(%d) = %d", n, c)
		}
	}
}

// TestBins checks what the carver relies on: bins grow with length, and a run
// of an exact class's bin holds the class.
func TestBins(t *testing.T) {
	last := 0
	for n := 1; n <= chunkRegionsMin<<chunkDoublings*regionUnits; n++ {
		b := binOf(n)
		if b < last || b > last+1 || b > 63 {
			t.Fatalf("bin of %d is %d after %d", n, b, last)
		}
		if b > last && n >= 4 && n <= regionUnits && ClassSize(n*unit) != n*unit {
			t.Fatalf("bin %d begins at %d units, which is no class", b, n)
		}
		last = b
	}
}

func TestGetPut(t *testing.T) {
	p := newPool(t, Config{HugePages: true})
	a := p.Owner("a")
	if p.Owner("b") == a || p.Owner("a") != a {
		t.Fatal("owner ids are not by name")
	}
	for _, size := range []int{1, 5000, 70000, RegionSize, RegionSize + 1, 9 << 20} {
		s := get(t, p, size, a)
		if s.Size() != ClassSize(size) || len(s.Bytes()) != s.Size() || uintptr(s.Ptr())%1024 != 0 || s.Owner() != a {
			t.Fatalf("slab of %d: size %d, %d bytes at %p", size, s.Size(), len(s.Bytes()), s.Ptr())
		}
		b := s.Bytes()
		b[0], b[len(b)-1] = 1, 2
		if st := p.Stats(); st.InUse != int64(s.Size()) || st.Slabs != 1 || st.Owners[a].InUse != st.InUse || st.Free() < 0 {
			t.Fatalf("stats with a slab of %d: %+v", s.Size(), st)
		}
		p.Put(s)
	}
	if st := p.Stats(); st.InUse != 0 || st.Slabs != 0 || st.Owners[a].Peak != 10<<20 || st.Peak != 10<<20 {
		t.Fatalf("stats at the end: %+v", st)
	}
}

func TestGetZeroed(t *testing.T) {
	p := newPool(t, Config{})
	o := p.Owner("t")
	rng := rand.New(rand.NewPCG(1, 2))
	var live []*Slab
	for range 400 {
		if len(live) > 20 || len(live) > 0 && rng.IntN(3) == 0 {
			i := rng.IntN(len(live))
			p.Put(live[i])
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		s, err := p.GetZeroed(1+rng.IntN(3<<20), o)
		if err != nil {
			t.Fatal(err)
		}
		b := s.Bytes()
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("byte %d of %d is %#x", i, len(b), b[i])
			}
			b[i] = 0xff
		}
		live = append(live, s)
	}
	for _, s := range live {
		p.Put(s)
	}
}

func TestBudget(t *testing.T) {
	p := newPool(t, Config{Budget: 100 << 10, Prefault: true})
	o := p.Owner("tolls/vehicles")
	s := get(t, p, 64<<10, o)
	_, err := p.Get(40<<10, o)
	var be *BudgetError
	if !errors.As(err, &be) {
		t.Fatalf("error %v, want a BudgetError", err)
	}
	if want := (BudgetError{Owner: "tolls/vehicles", Want: 40 << 10, InUse: 64 << 10, Budget: 100 << 10}); *be != want {
		t.Fatalf("error %+v, want %+v", *be, want)
	}
	if _, err := p.Get(3<<20, o); !errors.As(err, &be) {
		t.Fatalf("large: error %v, want a BudgetError", err)
	}
	r := get(t, p, 32<<10, o)
	p.Put(s)
	p.Put(r)
	if st := p.Stats(); st.InUse != 0 || st.Slabs != 0 {
		t.Fatalf("a refused slab was accounted: %+v", st)
	}
}

// TestRandom holds the carver against what it must keep: slabs do not overlap,
// free and used memory add up, and all of it joins again in the end.
func TestRandom(t *testing.T) {
	p := newPool(t, Config{Prefault: true})
	o := p.Owner("t")
	rng := rand.New(rand.NewPCG(3, 4))
	var live []*Slab
	stamp := func(s *Slab) { // the slab's own address at both ends and between
		b := s.Bytes()
		for i := 0; i < len(b); i += 1024 {
			*(*uintptr)(unsafe.Pointer(&b[i])) = uintptr(s.Ptr())
		}
	}
	check := func(s *Slab) {
		b := s.Bytes()
		for i := 0; i < len(b); i += 1024 {
			if got := *(*uintptr)(unsafe.Pointer(&b[i])); got != uintptr(s.Ptr()) {
				t.Fatalf("slab at %p holds %#x at %d", s.Ptr(), got, i)
			}
		}
	}
	for i := range 4000 {
		if len(live) > 0 && rng.IntN(100) < 45 {
			i := rng.IntN(len(live))
			check(live[i])
			p.Put(live[i])
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		s := get(t, p, 1+rng.IntN(1<<(12+rng.IntN(10))), o)
		stamp(s)
		live = append(live, s)
		if i%1000 == 999 {
			if _, err := p.Trim(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range live {
		check(s)
		p.Put(s)
	}
	p.mu.Lock()
	p.helper.join()
	defer p.mu.Unlock()
	for _, c := range p.chunks {
		checkJoined(t, p, c)
	}
}

// checkJoined checks that the free memory of a chunk without slabs consists of
// whole regions in runs that do not touch.
func checkJoined(t *testing.T, p *Pool, c *chunk) {
	t.Helper()
	for r, prev := 0, false; r < len(c.tag)/regionUnits; r++ {
		i := c.tag[r*regionUnits]
		if c.cold>>r&1 == 1 {
			if i != 0 {
				t.Fatalf("region %d is cold and free", r)
			}
			prev = false
			continue
		}
		if !prev && (i == 0 || p.warm.runs[i-1].chunk != c || p.warm.runs[i-1].n%regionUnits != 0) {
			t.Fatalf("region %d begins no run", r)
		}
		prev = true
	}
}

// TestGrowthWaste grows tables by steps of a quarter, as state does, and bounds
// what is committed by what is in use.
func TestGrowthWaste(t *testing.T) {
	p := newPool(t, Config{})
	o := p.Owner("t")
	rng := rand.New(rand.NewPCG(5, 6))
	slabs := make([]*Slab, 200)
	for i := range slabs {
		slabs[i] = get(t, p, 16<<10, o)
	}
	worst := 0.0
	for step := range 8000 {
		i := rng.IntN(len(slabs))
		size := slabs[i].Size() + 1
		if size > 1<<20 { // a full segment splits
			s := get(t, p, 640<<10, o)
			slabs = append(slabs, s)
			size = 640 << 10
		}
		s := get(t, p, size, o)
		p.Put(slabs[i])
		slabs[i] = s
		if st := p.Stats(); step > 3000 { // above 50 MiB, where it begins to matter
			worst = max(worst, float64(st.Committed)/float64(st.InUse))
		}
	}
	t.Logf("%d slabs, %d MiB in use, committed at most %.3f times that", len(slabs), p.Stats().InUse>>20, worst)
	if worst > 1.2 {
		t.Errorf("committed memory is %.3f times what is in use, want at most 1.2", worst)
	}
	for _, s := range slabs {
		p.Put(s)
	}
}

func TestLargeIsReusedAndBounded(t *testing.T) {
	p := newPool(t, Config{})
	o := p.Owner("t")
	s := get(t, p, 5<<20, o)
	at := s.Ptr()
	p.Put(s)
	s = get(t, p, 6<<20, o)
	if s.Ptr() != at {
		t.Error("a mapping of the same size was not reused")
	}
	p.Put(s)
	for i := range 30 {
		p.Put(get(t, p, (3+i)<<21, o))
	}
	if st := p.Stats(); st.Mapped > largeCacheMax {
		t.Errorf("%d MiB are kept, want at most %d", st.Mapped>>20, largeCacheMax>>20)
	}
	if _, err := p.Trim(); err != nil {
		t.Fatal(err)
	}
	if st := p.Stats(); st.Committed != 0 {
		t.Errorf("%d bytes are committed after a trim of an empty pool", st.Committed)
	}
}

func TestTrim(t *testing.T) {
	p := newPool(t, Config{HugePages: true})
	o := p.Owner("t")
	var slabs []*Slab
	for range 40 {
		s := get(t, p, 1<<20, o)
		clear(s.Bytes())
		s.Bytes()[7] = 9
		slabs = append(slabs, s)
	}
	keep := slabs[11]
	for _, s := range slabs {
		if s != keep {
			p.Put(s)
		}
	}
	freed, err := p.Trim()
	if err != nil || freed != 38<<20 {
		t.Fatalf("trim gave back %d MiB, error %v, want 38", freed>>20, err)
	}
	if keep.Bytes()[7] != 9 {
		t.Error("trim changed a slab in use")
	}
	if st := p.Stats(); st.Committed != RegionSize {
		t.Errorf("%d bytes are committed, want one region", st.Committed)
	}
	p.Put(keep)
}

func TestWarmAndPrefault(t *testing.T) {
	p := newPool(t, Config{HugePages: true, Prefault: true})
	if err := p.Warm(10 << 20); err != nil {
		t.Fatal(err)
	}
	o := p.Owner("t")
	var slabs []*Slab
	for range 10 {
		slabs = append(slabs, get(t, p, 1<<20, o))
	}
	if st := p.Stats(); st.ColdGets != 0 || st.Prefaulted < 5 {
		t.Errorf("after warming 10 MiB: %+v", st)
	}
	p.mu.Lock() // the helper was woken by the Gets above
	for p.warm.whole*unit < warmAhead*RegionSize {
		p.helper.idle.Wait()
	}
	p.mu.Unlock()
	for _, s := range slabs {
		p.Put(s)
	}
}

func TestCloseOutstanding(t *testing.T) {
	p := New(Config{Prefault: true})
	o := p.Owner("replay logs")
	s := get(t, p, 8192, o)
	var oe *OutstandingError
	if err := p.Close(); !errors.As(err, &oe) || !strings.Contains(err.Error(), "replay logs has 1 slabs of 8192 bytes") {
		t.Fatalf("close with a slab out: %v", err)
	}
	s.Bytes()[0] = 1
	p.Put(s)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if st := p.Stats(); st.Mapped != 0 || st.Committed != 0 {
		t.Errorf("after close: %+v", st)
	}
	if _, err := p.Get(1, o); !errors.Is(err, ErrClosed) {
		t.Errorf("get after close: %v", err)
	}
	if err := p.Warm(1); !errors.Is(err, ErrClosed) {
		t.Errorf("warm after close: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestDoubleReleasePanics(t *testing.T) {
	p := newPool(t, Config{})
	s := get(t, p, 1, p.Owner("t"))
	p.Put(s)
	defer func() {
		if r, _ := recover().(string); !strings.HasPrefix(r, "BUG: ") {
			t.Errorf("second release: %q", r)
		}
	}()
	p.Put(s)
}

func TestForeignReleasePanics(t *testing.T) {
	p, q := newPool(t, Config{}), newPool(t, Config{})
	s := get(t, p, 1, p.Owner("t"))
	defer func() {
		if r, _ := recover().(string); !strings.HasPrefix(r, "BUG: ") {
			t.Errorf("release to another pool: %q", r)
		}
		p.Put(s)
	}()
	q.Put(s)
}

// TestCloseWhileWarming closes a pool under a Warm that would never end.
func TestCloseWhileWarming(t *testing.T) {
	p := New(Config{HugePages: true})
	done := make(chan error)
	go func() { done <- p.Warm(1 << 50) }()
	p.mu.Lock()
	for p.count.prefaulted < 3 {
		p.helper.idle.Wait()
	}
	p.mu.Unlock()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("warm on a pool being closed: %v", err)
	}
}

func TestInvariants(t *testing.T) {
	if !Invariants {
		t.Skip("needs the build tag invariants")
	}
	p := newPool(t, Config{})
	o := p.Owner("t")
	s := get(t, p, 4096, o)
	b := s.Bytes()
	p.Put(s)
	for i, x := range b {
		if x != 0xcc {
			t.Fatalf("byte %d of a released slab is %#x", i, x)
		}
	}
	b[100] = 1
	defer func() {
		if r, _ := recover().(string); !strings.HasPrefix(r, "BUG: free slab memory written to") {
			t.Errorf("get of memory written to after its release: %q", r)
		}
		p.owners.refund(o, 4096) // the failed Get had been charged
	}()
	_, _ = p.Get(4096, o)
}

func TestConcurrent(t *testing.T) {
	p := newPool(t, Config{Prefault: true})
	done := make(chan struct{})
	for g := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			o := p.Owner([]string{"a", "b"}[g%2])
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 500 {
				s, err := p.Get(1+rng.IntN(3<<20), o)
				if err != nil {
					t.Error(err)
					return
				}
				s.Bytes()[0] = byte(g)
				p.Stats()
				if s.Bytes()[0] != byte(g) {
					t.Error("two owners have one slab")
				}
				p.Put(s)
			}
		}()
	}
	for range 4 {
		<-done
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	if Invariants {
		t.Skip("handles are not reused under invariants")
	}
	p := newPool(t, Config{Prefault: true})
	o := p.Owner("t")
	p.Put(get(t, p, 64<<10, o))
	if n := testing.AllocsPerRun(1000, func() {
		s, _ := p.Get(64<<10, o)
		p.Put(s)
	}); n != 0 {
		t.Errorf("get and put allocate %v times", n)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := (Config{Budget: -1}).Validate(); err == nil {
		t.Error("a negative budget was accepted")
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkGetPut(b *testing.B) {
	p := newPool(b, Config{})
	o := p.Owner("b")
	b.ReportAllocs()
	for b.Loop() {
		p.Put(get(b, p, 64<<10, o))
	}
}

func BenchmarkGrow(b *testing.B) {
	if os.Getenv("SLAB_BENCH_COLD") == "" {
		b.Log("warm memory; SLAB_BENCH_COLD=1 measures first touches")
	}
	p := newPool(b, Config{HugePages: true, Prefault: true})
	o := p.Owner("b")
	if os.Getenv("SLAB_BENCH_COLD") == "" {
		if err := p.Warm(64 << 20); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(1 << 20)
	var slabs []*Slab
	for b.Loop() {
		s, err := p.GetZeroed(1<<20, o)
		if err != nil {
			b.Fatal(err)
		}
		if slabs = append(slabs, s); len(slabs) == 48 {
			for _, s := range slabs {
				p.Put(s)
			}
			slabs = slabs[:0]
		}
	}
	for _, s := range slabs {
		p.Put(s)
	}
}
