package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire/slab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestMap[V any](t testing.TB, key, sub KeyKind, budget, expect int64) *Map {
	t.Helper()
	schema, err := SchemaOf[V]("test", key, sub)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Config{Schema: schema, Range: partition.Full(), Pool: testPool(t, budget), Expect: expect})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestFixed(t *testing.T) {
	m := newTestMap[val16](t, Uint64, None, 0, 1000)
	f, err := NewFixed[val16](m)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]uint64{}
	r := rand.New(rand.NewPCG(1, 1))
	for range 50_000 {
		h := partition.HashUint64(r.Uint64N(9000))
		f.Touch(h)
		switch r.IntN(5) {
		case 0:
			_, had := want[h]
			if f.Delete(h) != had {
				t.Fatal("Delete")
			}
			delete(want, h)
		case 1:
			v := f.Mut(h)
			if _, had := want[h]; had != (v != nil) {
				t.Fatal("Mut")
			}
			if v != nil {
				v.A++
				want[h]++
			}
		default:
			v, existed := f.Upsert(h)
			if _, had := want[h]; had != existed || v.A != want[h] {
				t.Fatal("Upsert")
			}
			v.A++
			want[h]++
		}
		if v := f.Get(h); (v == nil) != (want[h] == 0) || v != nil && v.A != want[h] {
			t.Fatal("Get")
		}
	}
	// The ends of the space, where empty slots' marks are.
	for _, h := range []uint64{0, hashMax, 1, hashMax - 1, 1 << 63, 1<<63 - 1} {
		if f.Get(h) != nil {
			t.Fatalf("%x is there", h)
		}
		f.Upsert(h)
		want[h] = 0
	}
	checkMap(t, m)
	last, n := uint64(0), 0
	f.All(func(h uint64, v *val16) bool {
		if w, ok := want[h]; !ok || w != v.A || n > 0 && h <= last {
			t.Fatal("All")
		}
		last = h
		n++
		return true
	})
	if n != len(want) || int(m.Len()) != n {
		t.Fatalf("%d records, want %d", n, len(want))
	}
	f.All(func(uint64, *val16) bool { n--; return false })
	if n != len(want)-1 {
		t.Fatal("All goes on after false")
	}
}

func TestFixedSub(t *testing.T) {
	for _, shape := range []struct{ keys, subs uint64 }{{3, 4000}, {200, 40}, {4000, 3}} {
		m := newTestMap[val16](t, Uint64, Uint64, 0, 0)
		f, err := NewFixedSub[val16](m)
		if err != nil {
			t.Fatal(err)
		}
		want := map[uint64]map[uint64]uint64{}
		r := rand.New(rand.NewPCG(2, 2))
		for i := range uint64(40_000) {
			h1, h2 := partition.HashUint64(r.Uint64N(shape.keys)), partition.HashUint64(r.Uint64N(shape.subs))
			f.Touch(h1, h2)
			if want[h1] == nil {
				want[h1] = map[uint64]uint64{}
			}
			if r.IntN(5) == 0 {
				_, had := want[h1][h2]
				if f.Delete(h1, h2) != had {
					t.Fatal("Delete")
				}
				delete(want[h1], h2)
				continue
			}
			v, existed := f.Upsert(h1, h2)
			if _, had := want[h1][h2]; had != existed {
				t.Fatal("Upsert")
			}
			v.A, want[h1][h2] = i, i
			if f.Get(h1, h2).A != i || f.Mut(h1, h2).A != i {
				t.Fatal("Get")
			}
		}
		for h1, subs := range want {
			if f.Count(h1) != len(subs) {
				t.Fatalf("Count: %d, want %d", f.Count(h1), len(subs))
			}
			var order []uint64
			f.Each(h1, func(h2 uint64, v *val16) bool {
				if v.A != subs[h2] {
					t.Fatal("Each")
				}
				order = append(order, h2)
				return true
			})
			if len(order) != len(subs) || !slices.IsSorted(order) {
				t.Fatalf("Each: %d of %d, or not in order", len(order), len(subs))
			}
			n := f.DeleteIf(h1, func(h2 uint64, v *val16) bool { return v.A%2 == 0 })
			f.Each(h1, func(h2 uint64, v *val16) bool {
				if v.A%2 == 0 {
					t.Fatal("DeleteIf left one")
				}
				n++
				return true
			})
			if n != len(subs) {
				t.Fatalf("DeleteIf: %d, want %d", n, len(subs))
			}
			f.Clear(h1)
			if f.Count(h1) != 0 {
				t.Fatal("Clear left some")
			}
		}
		if m.Len() != 0 || m.SlabBytes() > 4*slotsBytesMin {
			t.Fatalf("an empty map has %d records in %d bytes", m.Len(), m.SlabBytes())
		}
		checkMap(t, m)
		if m.Segments() > 4 {
			t.Errorf("an empty map has %d segments", m.Segments())
		}
	}
}

// TestKeyedHandles goes through the operations under a key of FixedKeyed and Var.
func TestKeyedHandles(t *testing.T) {
	pool := testPool(t, 0)
	made := func(s Schema) *Map {
		m, err := New(Config{Schema: s, Range: partition.Full(), Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	fixedSchema, err := SchemaOf[val16]("fixed", Bytes, Bytes)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFixedKeyed[val16](made(fixedSchema))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVar(made(BytesSchema("var", Bytes, Bytes)))
	if err != nil {
		t.Fatal(err)
	}
	key := func(i, j int) Key {
		k := Key{Key: fmt.Append(nil, "key", i), Sub: fmt.Append(nil, "sub", j)}
		k.H1, k.H2 = partition.HashBytes(k.Key)&^0xff, partition.HashBytes(k.Sub)
		return k
	}
	for i := range 20 {
		for j := range 30 {
			k := key(i, j)
			f.Touch(k)
			v.Touch(k)
			p, _ := f.Upsert(k)
			p.A = uint64(j)
			v.Set(k, fmt.Append(nil, j))
		}
	}
	k := key(7, 0)
	if f.Count(k) != 30 || v.Count(k) != 30 {
		t.Fatal("Count")
	}
	odd := func(j uint64) bool { return j%2 == 1 }
	number := func(b []byte) (n uint64) { fmt.Sscan(string(b), &n); return n }
	if f.DeleteIf(k, func(_ Key, v *val16) bool { return odd(v.A) }) != 15 || v.DeleteIf(k, func(_ Key, b []byte) bool { return odd(number(b)) }) != 15 {
		t.Fatal("DeleteIf")
	}
	var a, b []string
	f.Each(k, func(k Key, v *val16) bool { a = append(a, fmt.Sprint(string(k.Key), string(k.Sub), v.A)); return true })
	v.Each(k, func(k Key, v []byte) bool {
		b = append(b, fmt.Sprint(string(k.Key), string(k.Sub), number(v)))
		return true
	})
	if len(a) != 15 || !slices.Equal(a, b) {
		t.Fatalf("Each: %v and %v", a, b)
	}
	if f.Clear(k) != 15 || v.Clear(k) != 15 || f.Get(key(7, 2)) != nil || f.Mut(key(7, 2)) != nil {
		t.Fatal("Clear")
	}
	if !f.Delete(key(8, 1)) || f.Delete(key(8, 1)) || !v.Delete(key(8, 1)) {
		t.Fatal("Delete")
	}
	na, nb := 0, 0
	f.All(func(Key, *val16) bool { na++; return true })
	v.All(func(Key, []byte) bool { nb++; return true })
	if na != 19*30-1 || na != nb {
		t.Fatalf("All: %d and %d", na, nb)
	}
}

func TestNestedIteration(t *testing.T) {
	m := newTestMap[val16](t, Uint64, Uint64, 0, 0)
	f, _ := NewFixedSub[val16](m)
	for i := range uint64(2000) {
		f.Upsert(i%50, partition.HashUint64(i))
	}
	n := 0
	f.Each(3, func(uint64, *val16) bool {
		f.Each(4, func(uint64, *val16) bool { n++; return true })
		return true
	})
	if n != 40*40 {
		t.Fatalf("%d calls, want %d", n, 40*40)
	}
}

func TestHandlesRefuse(t *testing.T) {
	m := newTestMap[val16](t, Uint64, Uint64, 0, 0)
	if _, err := NewFixed[val16](m); err == nil {
		t.Error("a Fixed of a map with sub-keys")
	}
	if _, err := NewFixedSub[val32](m); err == nil {
		t.Error("a FixedSub with another type")
	}
	if _, err := NewFixedSub[[]byte](m); err == nil {
		t.Error("a FixedSub of slices")
	}
	if _, err := NewFixedKeyed[val32](m); err == nil {
		t.Error("a FixedKeyed with another type")
	}
	if _, err := NewVar(m); err == nil {
		t.Error("a Var of fixed values")
	}
	if _, err := New(Config{Schema: Schema{Name: "bad", Key: 9, Sub: 8, ValueSize: 3}, Range: partition.Range{First: 2, Last: 1}, Expect: -1}); err == nil {
		t.Error("a bad configuration")
	}
	v, err := NewVar(newModel(t, kinds[6], 1, 1, 1, 0).m)
	if err != nil {
		t.Fatal(err)
	}
	var limit *LimitError
	func() {
		defer func() { limit, _ = recover().(*LimitError) }()
		v.Set(Key{}, make([]byte, BlobBytesMax))
	}()
	if limit == nil {
		t.Error("a value over the limit")
	}
}

// TestNoAllocation: reading and writing fixed values allocates nothing, nor does
// iterating, once the map has grown.
func TestNoAllocation(t *testing.T) {
	m := newTestMap[val16](t, Uint64, None, 0, 20_000)
	f, _ := NewFixed[val16](m)
	ms := newTestMap[val16](t, Uint64, Uint64, 0, 0)
	fs, _ := NewFixedSub[val16](ms)
	for i := range uint64(10_000) {
		f.Upsert(partition.HashUint64(i))
		fs.Upsert(i%20, partition.HashUint64(i))
	}
	few, _ := NewFixed[val16](newTestMap[val16](t, Uint64, None, 0, 0))
	i, sum := uint64(0), uint64(0)
	one := func() {
		i++
		h := partition.HashUint64(i % 10_000)
		f.Touch(h)
		v, _ := f.Upsert(h)
		v.A++
		sum += f.Get(h).A
		f.Delete(h)
		f.Upsert(h)
		w, _ := fs.Upsert(i%20, partition.HashUint64(i%10_000))
		w.A++
		t, _ := fs.Upsert(77, 1) // comes and goes alone in its map's corner
		t.A = 1
		fs.Delete(77, 1)
		few.Upsert(h)
		few.Delete(h)
		if i%100 == 0 {
			fs.Each(i%20, func(_ uint64, v *val16) bool { sum += v.A; return true })
			fs.DeleteIf(i%20, func(h2 uint64, v *val16) bool { return v.A == hashMax })
		}
	}
	for range 1000 {
		one()
	}
	if n := testing.AllocsPerRun(5000, one); n != 0 {
		t.Errorf("%v allocations per operation", n)
	}
}

// TestSnapshotBesideWrites encodes on one goroutine while the owner writes and
// copies on another.
func TestSnapshotBesideWrites(t *testing.T) {
	md := newModel(t, kinds[1], 40, 50, 100, 0)
	md.run(8000, 5)
	for i := range 6 {
		want := imageOf(t, md.twin(), 1, S2)
		kind := Kind(min(i%3, 1))
		s, err := md.m.Freeze(kind, 1)
		if err != nil {
			t.Fatal(err)
		}
		s.SetBacklog(64 << 10)
		var w bytes.Buffer
		encoded := make(chan error)
		go func() {
			_, err := s.Encode(&w, S2)
			encoded <- err
		}()
		for !s.Step(time.Microsecond, time.Now) {
			md.run(20, 30)
			runtime.Gosched()
		}
		if err := <-encoded; err != nil {
			t.Fatal(err)
		}
		if kind == Base && !bytes.Equal(w.Bytes(), want) {
			t.Fatal("the image is not of the moment of Freeze")
		}
		md.check()
	}
}

// failingWriter fails after n bytes.
type failingWriter struct{ n int }

var errDisk = errors.New("no space left")

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestAbort(t *testing.T) {
	md := newModel(t, kinds[8], 41, 50, 100, 0)
	md.run(8000, 5)
	begin := func(kind Kind) *Snapshot {
		s, err := md.m.Freeze(kind, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := md.m.Freeze(kind, 2); err == nil {
			t.Fatal("two snapshots at once")
		}
		md.run(100, 30)
		clock := time.Unix(0, 0)
		s.Step(1, func() time.Time { clock = clock.Add(1); return clock })
		md.run(100, 30)
		return s
	}
	s := begin(Delta)
	if s.Kind() != Base {
		t.Fatal("the first snapshot is no base")
	}
	s.Abort()
	if !s.Step(0, nil) || !errors.Is(s.Err(), ErrAborted) {
		t.Fatal("an aborted snapshot goes on")
	}
	if _, err := s.Encode(io.Discard, S2); !errors.Is(err, ErrAborted) {
		t.Fatal(err)
	}
	md.check()
	s = begin(Delta)
	if s.Kind() != Base {
		t.Fatal("a delta of an aborted snapshot")
	}
	s.Step(0, nil)
	if _, err := s.Encode(&failingWriter{50_000}, Raw); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	s.Abort() // its image was lost
	md.run(500, 30)
	want := imageOf(t, md.twin(), 5, Raw)
	image, info := md.snapshotOf(Delta, 5, Raw, 10)
	if info.Kind != Base || !bytes.Equal(image, want) {
		t.Fatal("the snapshot after a lost one is wrong")
	}
	// The encoder fails while the owner copies.
	if s, _ = md.m.Freeze(Base, 6); s == nil {
		t.Fatal("no snapshot")
	}
	if _, err := s.Encode(&failingWriter{10}, Raw); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	if !s.Step(0, nil) || !errors.Is(s.Err(), errDisk) {
		t.Fatal("the owner does not learn that the encoder failed")
	}
	if s, _ = md.m.Freeze(Base, 7); s == nil {
		t.Fatal("no snapshot")
	}
	if _, err := s.Encode(io.Discard, 9); err == nil {
		t.Fatal("a codec that does not exist")
	}
	s.Abort()
	md.check()
}

// TestBudget lets the pool run out in inserts, snapshots and restores.
func TestBudget(t *testing.T) {
	m := newTestMap[val32](t, Uint64, None, 1<<20, 0)
	f, _ := NewFixed[val32](m)
	var budget *slab.BudgetError
	n := uint64(0)
	func() {
		defer func() { budget, _ = recover().(*slab.BudgetError) }()
		for ; ; n++ {
			f.Upsert(partition.HashUint64(n))
		}
	}()
	if budget == nil || n < 1000 {
		t.Fatalf("after %d records: %v", n, budget)
	}
	checkMap(t, m)
	for i := range n {
		if f.Get(partition.HashUint64(i)) == nil {
			t.Fatal("lost a record")
		}
	}
	s, err := m.Freeze(Base, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		s.Step(0, nil)
	}
	if !errors.As(s.Err(), &budget) {
		t.Fatalf("a snapshot beyond the budget: %v", s.Err())
	}
	if _, err := s.Encode(io.Discard, S2); !errors.As(err, &budget) {
		t.Fatal(err)
	}
	// What the snapshot cost is given back: writes and deletions go on.
	for i := range n {
		f.Mut(partition.HashUint64(i)).A++
		if i%2 == 0 {
			f.Delete(partition.HashUint64(i))
		}
	}
	checkMap(t, m)
	big := newTestMap[val32](t, Uint64, None, 0, 0)
	g, _ := NewFixed[val32](big)
	for i := range uint64(100_000) {
		g.Upsert(partition.HashUint64(i))
	}
	image := imageOf(t, big, 1, S2)
	if _, err := Restore(Config{Schema: big.schema, Range: partition.Full(), Pool: m.mem.pool}, image); !errors.As(err, &budget) {
		t.Fatalf("a restore beyond the budget: %v", err)
	}
}

func TestWeights(t *testing.T) {
	m := newTestMap[val16](t, Uint64, Uint64, 0, 0)
	f, _ := NewFixedSub[val16](m)
	for i := range uint64(60_000) {
		f.Upsert(partition.HashUint64(i%7), partition.HashUint64(i))
	}
	var ranges []partition.Range
	total := uint64(0)
	for _, w := range m.Weights() {
		ranges = append(ranges, w.Range)
		total += w.Weight
	}
	if err := partition.CheckTiling(m.Range(), ranges); err != nil || total != 60_000 {
		t.Fatalf("%d records in %v: %v", total, ranges, err)
	}
	if m.MemoryBytes() < m.SlabBytes() {
		t.Error("MemoryBytes is less than SlabBytes")
	}
}

func TestSorter(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var o sorter
	for _, spread := range []uint64{1, 3, 100, 1 << 40, 0} {
		for _, n := range []int{0, 1, 25, 1000} {
			refs := make([]ref, n)
			for i := range refs {
				refs[i] = ref{r.Uint64(), r.Uint64(), uint32(i)}
				if spread > 0 {
					refs[i].h1 %= spread
					refs[i].h2 %= spread * 7
				}
			}
			tie := func(a, b ref) int { return int(b.slot) - int(a.slot) }
			o.sort(refs, tie)
			for i := 1; i < n; i++ {
				a, b := refs[i-1], refs[i]
				if b.bound().less(a.bound()) || a.bound() == b.bound() && a.slot <= b.slot {
					t.Fatalf("spread %d, n %d: %v before %v", spread, n, a, b)
				}
			}
		}
	}
}

// TestPartOfSpace has maps for parts of the space, down to one hash.
func TestPartOfSpace(t *testing.T) {
	schema, err := SchemaOf[val16]("part", Uint64, Uint64)
	if err != nil {
		t.Fatal(err)
	}
	for _, rng := range []partition.Range{{First: 0, Last: 0}, {First: hashMax, Last: hashMax}, {First: 5, Last: 7}, {First: 1 << 63, Last: hashMax}, {First: 12345, Last: 1<<62 + 7}} {
		t.Run(fmt.Sprint(rng), func(t *testing.T) {
			m, err := New(Config{Schema: schema, Range: rng, Pool: testPool(t, 0), Expect: 5000})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			f, _ := NewFixedSub[val16](m)
			r := rand.New(rand.NewPCG(5, 5))
			for range 20_000 {
				h1 := rng.First
				if w := rng.Last - rng.First; w > 0 {
					h1 += r.Uint64N(w)
				}
				f.Upsert(h1, r.Uint64())
			}
			checkMap(t, m)
			if m.Len() != 20_000 {
				t.Fatalf("%d records", m.Len())
			}
			sum := m.Checksum(partition.Full())
			mid := rng.First + (rng.Last-rng.First)/2
			if rng.First < rng.Last {
				a := m.Checksum(partition.Range{First: rng.First, Last: mid})
				b := m.Checksum(partition.Range{First: mid + 1, Last: rng.Last})
				if a+b != sum {
					t.Error("checksums do not add up")
				}
			}
		})
	}
}
