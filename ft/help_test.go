package ft_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// account is what the tests' tables hold.
type account struct{ Balance, Changes uint64 }

// worker is a task as far as its checkpoints go: it changes a table at random.
type worker struct {
	t        testing.TB
	id       ft.TaskID
	rand     *rand.Rand
	tables   []*state.Map
	gen      uint64 // of the last checkpoint
	follows  uint64 // generation that the next delta builds upon
	position wire.Time
}

// newWorker makes a task with two tables, of which the second seldom changes.
func newWorker(t testing.TB, id ft.TaskID, seed uint64) *worker {
	t.Helper()
	w := &worker{t: t, id: id, rand: rand.New(rand.NewPCG(seed, 7))}
	pool := slab.New(slab.Config{Budget: 64 << 20})
	for _, name := range []string{"accounts", "timers"} {
		schema, err := state.SchemaOf[account](name, state.Uint64, state.None)
		if err != nil {
			t.Fatal(err)
		}
		m, err := state.New(state.Config{Schema: schema, Range: id.Range, Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		w.tables = append(w.tables, m)
	}
	t.Cleanup(func() {
		for _, m := range w.tables {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// work changes n records out of a few hundred, and goes on in time.
func (w *worker) work(n int) {
	accounts, err := state.NewFixed[account](w.tables[0])
	if err != nil {
		w.t.Fatal(err)
	}
	width := w.id.Range.Last - w.id.Range.First
	for range n {
		h := w.id.Range.First + width/500*w.rand.Uint64N(500)
		if w.rand.IntN(4) == 0 {
			accounts.Delete(h)
			continue
		}
		v, _ := accounts.Upsert(h)
		v.Balance += w.rand.Uint64N(1000)
		v.Changes++
	}
	w.position += wire.At(1, 0, 0)
}

// checkpoint takes the next checkpoint, with output of a few bytes that is of no meaning.
func (w *worker) checkpoint(kind state.Kind) *ft.Checkpoint {
	w.t.Helper()
	w.gen++
	c := &ft.Checkpoint{
		Operator: w.id.Operator, Range: w.id.Range, Generation: w.gen, Position: w.position, Kind: state.Base,
		Logs: []ft.LogImage{{Trim: w.position / 2, Frontier: w.position, Frames: bytes.Repeat([]byte{byte(w.gen)}, w.rand.IntN(20)+1)}, {Frontier: w.position}},
	}
	if kind == state.Delta && w.follows != 0 {
		c.Kind, c.Follows = state.Delta, w.follows
	}
	for _, m := range w.tables {
		s, err := m.Freeze(kind, w.position)
		if err != nil {
			w.t.Fatal(err)
		}
		s.Step(0, nil)
		var b bytes.Buffer
		if _, err := s.Encode(&b, state.Raw); err != nil {
			w.t.Fatal(err)
		}
		c.Tables = append(c.Tables, b.Bytes())
	}
	w.follows = w.gen
	return c
}

// sum is the checksum of the task's first table now.
func (w *worker) sum() uint64 { return w.tables[0].Checksum(w.id.Range) }

// sumOf is the checksum of the first table in a checkpoint, which must be a base, read through.
func sumOf(t testing.TB, c *ft.Checkpoint) uint64 {
	t.Helper()
	if c.Kind != state.Base || c.Follows != 0 {
		t.Fatalf("checkpoint %d is a %v that follows %d, want a base", c.Generation, c.Kind, c.Follows)
	}
	info, err := state.Verify(c.Tables[0])
	if err != nil {
		t.Fatal(err)
	}
	return info.Checksum
}

func task(operator string) ft.TaskID { return ft.TaskID{Operator: operator, Range: partition.Full()} }

// generations are the numbers in infos.
func generations(infos []ft.Info) []uint64 {
	gens := []uint64{}
	for _, i := range infos {
		gens = append(gens, i.Generation)
	}
	return gens
}
