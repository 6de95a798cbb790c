package state

import (
	"bytes"
	"testing"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire/slab"
)

// putAside freezes m, has change write to it before anything is copied, and
// says which image that gives and how much the contents put aside took.
func putAside(t *testing.T, m *Map, change func()) (image []byte, log undoLog) {
	t.Helper()
	s, err := m.Freeze(Base, 1)
	if err != nil {
		t.Fatal(err)
	}
	change()
	log = s.undo
	s.Step(0, nil)
	var w bytes.Buffer
	if _, err := s.Encode(&w, Raw); err != nil {
		t.Fatal(err)
	}
	return w.Bytes(), log
}

// TestPutAsideFixed overwrites every record of a few segments, so that each has
// many blocks of contents put aside.
func TestPutAsideFixed(t *testing.T) {
	const n = 20_000
	m, twin := newTestMap[val32](t, Uint64, None, 0, n), newTestMap[val32](t, Uint64, None, 0, 0)
	f, _ := NewFixed[val32](m)
	g, _ := NewFixed[val32](twin)
	for i := range uint64(n) {
		v, _ := f.Upsert(partition.HashUint64(i))
		w, _ := g.Upsert(partition.HashUint64(i))
		v.A, w.A = i, i
	}
	image, log := putAside(t, m, func() {
		for range 2 { // once more saves nothing
			for i := range uint64(n) {
				f.Mut(partition.HashUint64(i)).A++
			}
		}
	})
	if want := imageOf(t, twin, 1, Raw); !bytes.Equal(image, want) {
		t.Fatal("the image is not of the moment of Freeze")
	}
	perBlock := (undoBlock - undoHeader) / 40
	blocks := n/perBlock + m.Segments() // one in each is not full
	if got, most := len(log.chunks), blocks*undoBlock/undoChunk+1; got > most {
		t.Errorf("%d records of 40 bytes took %d chunks, want at most %d", n, got, most)
	}
}

// TestPutAsideBlobs does so with values shorter and longer than a block, and
// one that is longer than a chunk.
func TestPutAsideBlobs(t *testing.T) {
	schema := Schema{Name: "test", Key: Uint64}
	make1 := func() (*Map, Var) {
		m, err := New(Config{Schema: schema, Range: partition.Full(), Pool: testPool(t, 0)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		v, err := NewVar(m)
		if err != nil {
			t.Fatal(err)
		}
		return m, v
	}
	m, v := make1()
	twin, w := make1()
	key := func(i int) Key { return Key{H1: partition.HashUint64(uint64(i))} }
	lengths := []int{0, 1, 7, 200, undoBlock - undoHeader - 24, undoBlock, 3 * undoBlock, 0}
	const n = 800
	for i := range n {
		val := bytes.Repeat([]byte{byte(i)}, lengths[i%len(lengths)])
		v.Set(key(i), val)
		w.Set(key(i), val)
	}
	long := bytes.Repeat([]byte("long"), (undoChunk+slab.SizeMin)/4)
	v.Set(key(n), long)
	w.Set(key(n), long)
	image, _ := putAside(t, m, func() {
		for i := range n + 1 {
			if i%3 == 0 {
				v.Delete(key(i))
			} else {
				v.Set(key(i), []byte("after"))
			}
		}
	})
	if want := imageOf(t, twin, 1, Raw); !bytes.Equal(image, want) {
		t.Fatal("the image is not of the moment of Freeze")
	}
}
