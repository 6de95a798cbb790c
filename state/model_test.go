package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// val16 is a small value.
type val16 struct {
	A uint64
	B uint32
	C uint32
}

// testPool checks at the end that no slab is outstanding.
func testPool(t testing.TB, budget int64) *slab.Pool {
	t.Helper()
	pool := slab.New(slab.Config{Budget: budget})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// kinds are the shapes of maps that tests go through.
var kinds = []Schema{
	{Name: "u64", Key: Uint64, ValueSize: 16},
	{Name: "u64-u64", Key: Uint64, Sub: Uint64, ValueSize: 16},
	{Name: "bytes", Key: Bytes, ValueSize: 16},
	{Name: "bytes-u64", Key: Bytes, Sub: Uint64, ValueSize: 16},
	{Name: "u64-bytes", Key: Uint64, Sub: Bytes, ValueSize: 16},
	{Name: "bytes-bytes", Key: Bytes, Sub: Bytes, ValueSize: 16},
	{Name: "u64-var", Key: Uint64},
	{Name: "bytes-var", Key: Bytes},
	{Name: "bytes-bytes-var", Key: Bytes, Sub: Bytes},
	{Name: "u64-u64-var", Key: Uint64, Sub: Uint64},
}

// model is a plain map beside a Map.
type model struct {
	t       testing.TB
	r       *rand.Rand
	m       *Map
	content map[string]rec
	keys    int // distinct keys
	subs    int // distinct sub-keys under each
	weak    uint64
	large   int // bytes of variable values at most
}

type rec struct {
	key   Key
	value string
}

func newModel(t testing.TB, s Schema, seed uint64, keys, subs int, weak uint64) *model {
	t.Helper()
	if s.ValueSize > 0 {
		full, err := SchemaOf[val16](s.Name, s.Key, s.Sub)
		if err != nil {
			t.Fatal(err)
		}
		s = full
	}
	m, err := New(Config{Schema: s, Range: partition.Full(), Pool: testPool(t, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if seed%4 > 0 { // small segments, so that there are many
		m.mem.slotsMax, m.mem.heapMax = 8<<10, 16<<10
	}
	md := &model{t: t, r: rand.New(rand.NewPCG(seed, 1)), m: m, content: map[string]rec{}, keys: keys, subs: subs, weak: weak, large: 40}
	t.Cleanup(func() { md.m.Close() })
	return md
}

// key makes the identity with these numbers.
func (md *model) key(i, j int) Key {
	var k Key
	if md.m.schema.Key == Uint64 {
		k.H1 = partition.HashUint64(uint64(i))
	} else {
		k.Key = fmt.Appendf(nil, "key-%d", i)
		k.H1 = partition.HashBytes(k.Key)
		if md.weak > 0 {
			k.H1 = k.H1 % md.weak * (hashMax / md.weak)
		}
	}
	switch md.m.schema.Sub {
	case Uint64:
		k.H2 = partition.HashUint64(uint64(j))
	case Bytes:
		k.Sub = fmt.Appendf(nil, "s%d", j)
		k.H2 = partition.HashBytes(k.Sub)
		if md.weak > 0 {
			k.H2 = k.H2 % md.weak * (hashMax / md.weak)
		}
	}
	return k
}

func (md *model) randomKey() Key {
	if md.m.schema.Sub == None {
		return md.key(md.r.IntN(md.keys*md.subs), 0)
	}
	return md.key(md.r.IntN(md.keys), md.r.IntN(md.subs))
}

func idOf(k Key) string {
	return fmt.Sprintf("%016x %016x %q %q", k.H1, k.H2, k.Key, k.Sub)
}

// get reads a record as a string.
func (md *model) get(k Key) (string, bool) {
	if md.m.lay.variable {
		v, _ := NewVar(md.m)
		b, ok := v.Get(k)
		return string(b), ok
	}
	f, err := NewFixedKeyed[val16](md.m)
	if err != nil {
		md.t.Fatal(err)
	}
	if v := f.Get(k); v != nil {
		return fmt.Sprint(*v), true
	}
	return "", false
}

// set writes a random value.
func (md *model) set(k Key) {
	_, had := md.content[idOf(k)]
	var s string
	var existed bool
	if md.m.lay.variable {
		b := make([]byte, md.r.IntN(md.large+1))
		for i := range b {
			b[i] = byte(md.r.Uint32())
		}
		v, _ := NewVar(md.m)
		existed = v.Set(k, b)
		s = string(b)
	} else {
		val := val16{md.r.Uint64(), md.r.Uint32(), 7}
		f, _ := NewFixedKeyed[val16](md.m)
		var p *val16
		if had && md.r.IntN(2) == 0 {
			p, existed = f.Mut(k), true
		} else {
			p, existed = f.Upsert(k)
		}
		if !existed && *p != (val16{}) {
			md.t.Fatal("a new value is not zero")
		}
		*p = val
		s = fmt.Sprint(val)
	}
	if existed != had {
		md.t.Fatalf("%s existed: %v, want %v", idOf(k), existed, had)
	}
	md.content[idOf(k)] = rec{k, s}
}

func (md *model) delete(k Key) {
	_, had := md.content[idOf(k)]
	if got := md.m.remove(&k); got != had {
		md.t.Fatalf("deleting %s: %v, want %v", idOf(k), got, had)
	}
	delete(md.content, idOf(k))
}

// deleteSome deletes a part of what is under a key.
func (md *model) deleteSome(k Key) {
	modulus, rest := uint64(md.r.IntN(3)+1), uint64(0)
	seen := map[string]bool{}
	want := 0
	for id, c := range md.content {
		if c.key.H1 == k.H1 && bytes.Equal(c.key.Key, k.Key) {
			if c.key.H2%modulus == rest {
				delete(md.content, id)
				want++
			}
		}
	}
	got := md.m.sweep(&k, func(s *segment, p pointer) bool {
		id := idOf(md.m.keyAt(s, p))
		if seen[id] {
			md.t.Fatalf("%s is seen twice", id)
		}
		seen[id] = true
		return md.m.keyAt(s, p).H2%modulus == rest
	})
	if got != want {
		md.t.Fatalf("swept %d, want %d", got, want)
	}
}

// run does n random operations.
func (md *model) run(n, deletesIn100 int) {
	for range n {
		k := md.randomKey()
		switch c := md.r.IntN(100); {
		case c < deletesIn100:
			md.delete(k)
		case c == 99 && md.r.IntN(20) == 0:
			md.deleteSome(k)
		case c < 90:
			md.set(k)
		default:
			got, ok := md.get(k)
			want, had := md.content[idOf(k)]
			if ok != had || got != want.value {
				md.t.Fatalf("get %s: %q %v, want %q %v", idOf(k), got, ok, want.value, had)
			}
		}
	}
}

// sorted are the records in order of identities.
func (md *model) sorted() []rec {
	var all []rec
	for _, c := range md.content {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return compareKeys(&all[i].key, &all[j].key) < 0 })
	return all
}

// check compares everything.
func (md *model) check() {
	md.t.Helper()
	checkMap(md.t, md.m)
	all := md.sorted()
	if int(md.m.Len()) != len(all) {
		md.t.Fatalf("%d records, want %d", md.m.Len(), len(all))
	}
	i := 0
	md.m.walk(bound{}, bound{hashMax, hashMax}, nil, func(s *segment, p pointer) bool {
		if i >= len(all) || idOf(md.m.keyAt(s, p)) != idOf(all[i].key) {
			md.t.Fatalf("record %d is %s, want %s", i, idOf(md.m.keyAt(s, p)), idOf(all[i].key))
		}
		i++
		return true
	})
	if i != len(all) {
		md.t.Fatalf("walked over %d records of %d", i, len(all))
	}
	for _, c := range all {
		if got, ok := md.get(c.key); !ok || got != c.value {
			md.t.Fatalf("get %s: %q %v, want %q", idOf(c.key), got, ok, c.value)
		}
	}
}

// checkMap checks a map's structure.
func checkMap(t testing.TB, m *Map) {
	t.Helper()
	expect := bound{m.rng.First, 0}
	var prev *segment
	n, size, held := 0, int64(0), int64(0)
	for s := m.dir.head; s != nil; s = s.next {
		if s.lo != expect || s.prev != prev || s.hi().less(s.lo) {
			t.Fatalf("segment %d begins at %x, want %x", n, s.lo, expect)
		}
		if m.dir.locate(s.lo) != s || m.dir.locate(s.hi()) != s {
			t.Fatalf("segment %d is not found", n)
		}
		count := 0
		m.each(s, func(i uint64, p pointer) {
			b := m.boundAt(p)
			if b.less(s.lo) || s.hi().less(b) || m.homeOf(s, p) > i {
				t.Fatalf("record %x is in a wrong place", b)
			}
			count++
		})
		if count != int(s.count) || s.total > 0 && h1At(m.slot(s, uint64(s.total)-1)) != s.empty {
			t.Fatalf("segment %d counts %d records of %d, or is full", n, s.count, count)
		}
		if s.slab != nil {
			held += int64(s.slab.Size())
		}
		if s.heap.slab != nil {
			held += int64(s.heap.slab.Size())
		}
		size += int64(count)
		prev = s
		n++
		if s.next == nil && s.hi() != (bound{m.rng.Last, hashMax}) {
			t.Fatalf("the last segment ends at %x", s.hi())
		}
		if s.next != nil {
			expect = s.hi().next()
		}
	}
	if n != m.dir.segments || size != m.size || held != m.mem.held {
		t.Fatalf("%d segments, %d records, %d bytes; the map says %d, %d, %d", n, size, held, m.dir.segments, m.size, m.mem.held)
	}
}

func forKinds(t *testing.T, fn func(t *testing.T, s Schema)) {
	for _, s := range kinds {
		t.Run(s.Name, func(t *testing.T) { fn(t, s) })
	}
}

func TestRandomOperations(t *testing.T) {
	forKinds(t, func(t *testing.T, s Schema) {
		for i, shape := range []struct{ keys, subs int }{{1, 2500}, {25, 100}, {900, 3}, {1, 9000}} {
			if testing.Short() && i > 1 {
				break
			}
			md := newModel(t, s, uint64(i+1), shape.keys, shape.subs, 0)
			for j, deletes := range []int{5, 40, 5, 75, 89} {
				if testing.Short() && j == 2 {
					continue
				}
				md.run(shape.keys*shape.subs, deletes)
				md.check()
			}
		}
	})
}

// TestCollisions gives byte strings few different hashes.
func TestCollisions(t *testing.T) {
	forKinds(t, func(t *testing.T, s Schema) {
		md := newModel(t, s, 2, 40, 40, 7)
		for range 3 {
			md.run(2000, 30)
			md.check()
		}
	})
}

// TestLargeValues lets heaps grow, split and be compacted.
func TestLargeValues(t *testing.T) {
	for _, s := range kinds[6:] {
		t.Run(s.Name, func(t *testing.T) {
			md := newModel(t, s, 3, 30, 10, 0)
			md.large = 60_000
			if testing.Short() {
				md.large = 20_000
			}
			for range 2 {
				md.run(800, 20)
				md.check()
			}
			md.run(800, 85)
			md.check()
		})
	}
}

// snapshotOf takes a snapshot, with operations between its slices.
func (md *model) snapshotOf(kind Kind, position wire.Time, codec Codec, between int) ([]byte, Info) {
	md.t.Helper()
	s, err := md.m.Freeze(kind, position)
	if err != nil {
		md.t.Fatal(err)
	}
	if between > 0 {
		md.run(between, 30)
	}
	clock := time.Unix(0, 0)
	for !s.Step(1, func() time.Time { clock = clock.Add(1); return clock }) {
		if between > 0 {
			md.run(between, 30)
		}
	}
	var w bytes.Buffer
	info, err := s.Encode(&w, codec)
	if err != nil {
		md.t.Fatal(err)
	}
	seen, err := Verify(w.Bytes())
	if err != nil {
		md.t.Fatal(err)
	}
	if seen.Checksum != info.Checksum || seen.Records != info.Records || seen.Kind != s.Kind() {
		md.t.Fatalf("the image says %+v, Encode said %+v", seen, info)
	}
	return w.Bytes(), info
}

// twin is a map with the same content, made in another order.
func (md *model) twin() *Map {
	md.t.Helper()
	m, err := New(Config{Schema: md.m.schema, Range: partition.Full(), Pool: md.m.mem.pool, Expect: 1000})
	if err != nil {
		md.t.Fatal(err)
	}
	other := &model{t: md.t, r: md.r, m: m, content: map[string]rec{}}
	for _, c := range md.content {
		other.put(c)
	}
	return m
}

// put writes a given record.
func (md *model) put(c rec) {
	if md.m.lay.variable {
		v, _ := NewVar(md.m)
		v.Set(c.key, []byte(c.value))
	} else {
		f, _ := NewFixedKeyed[val16](md.m)
		p, _ := f.Upsert(c.key)
		if _, err := fmt.Sscanf(c.value, "{%d %d %d}", &p.A, &p.B, &p.C); err != nil {
			md.t.Fatal(err)
		}
	}
	md.content[idOf(c.key)] = c
}

// imageOf is a base of m, which is closed.
func imageOf(t testing.TB, m *Map, position wire.Time, codec Codec) []byte {
	t.Helper()
	s, err := m.Freeze(Base, position)
	if err != nil {
		t.Fatal(err)
	}
	s.Step(0, nil)
	var w bytes.Buffer
	if _, err := s.Encode(&w, codec); err != nil {
		t.Fatal(err)
	}
	m.Close()
	return w.Bytes()
}

func TestSnapshots(t *testing.T) {
	forKinds(t, func(t *testing.T, s Schema) {
		for seed := range uint64(3) {
			if testing.Short() && seed == 1 {
				continue
			}
			weak := []uint64{0, 0, 5}[seed]
			md := newModel(t, s, 10+seed, 40, 25, weak)
			md.run(1200, 10)
			codec := Codec(seed)
			between := int(seed) * 7
			want := imageOf(t, md.twin(), 100, codec)
			base, _ := md.snapshotOf(Base, 100, codec, between)
			if !bytes.Equal(base, want) {
				t.Fatalf("seed %d: the base depends on history", seed)
			}
			var deltas [][]byte
			for i := range 4 {
				md.run(200*i, []int{10, 50, 80, 5}[i])
				at := wire.Time(200 + i)
				sum := md.m.Checksum(partition.Full())
				want := imageOf(t, md.twin(), at, codec)
				kept := md.sorted()
				delta, info := md.snapshotOf(Delta, at, codec, between)
				if info.Kind != Delta {
					t.Fatal("not a delta")
				}
				deltas = append(deltas, delta)
				var w bytes.Buffer
				folded, err := Fold(&w, codec, base, deltas...)
				if err != nil {
					t.Fatal(err)
				}
				if folded.Checksum != sum {
					t.Fatalf("delta %d: checksum of the fold is %x, want %x", i, folded.Checksum, sum)
				}
				if !bytes.Equal(w.Bytes(), want) {
					t.Fatalf("delta %d: the fold differs from the base of the same content", i)
				}
				m, err := Restore(Config{Schema: md.m.schema, Range: partition.Full(), Pool: md.m.mem.pool}, base, deltas...)
				if err != nil {
					t.Fatal(err)
				}
				restored := &model{t: t, r: md.r, m: m, content: map[string]rec{}, keys: md.keys, subs: md.subs, weak: weak, large: 40}
				for _, c := range kept {
					restored.content[idOf(c.key)] = c
				}
				restored.check()
				if i == 2 { // goes on from the restored map
					md.m.Close()
					md.m, md.content = m, restored.content
				} else {
					m.Close()
				}
			}
			md.check()
		}
	})
}
