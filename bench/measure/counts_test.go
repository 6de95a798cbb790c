package measure

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// noter is a writer with a mark and a sync of its own.
type noter struct {
	Volatile
	mark, restored []byte
	err            error
}

func (n *noter) Write(*engine.Ctx, *int)             {}
func (n *noter) Commit(wire.Time) ([]byte, error)    { return n.mark, n.err }
func (n *noter) Restore(mark []byte) error           { n.restored = mark; return n.err }
func (n *noter) Sync() error                         { return n.err }
func countsOf(n int) *counted                        { return &counted{Count: int64(n), Response: someTimes(n)} }
func countingOf(n *noter, c *counted) *counting[int] { return Counting(n, c).(*counting[int]) }

func someTimes(n int) *Responses {
	r := NewResponses()
	for i := range n {
		r.Record(time.Duration(i*i) * time.Microsecond)
	}
	return r
}

func TestCounting(t *testing.T) {
	for _, inner := range [][]byte{nil, []byte("12345678"), make([]byte, 300)} {
		mark, err := countingOf(&noter{mark: inner}, countsOf(1000)).Commit(5)
		if err != nil {
			t.Fatal(err)
		}
		n, got := new(noter), countsOf(3)
		if err := countingOf(n, got).Restore(mark); err != nil {
			t.Fatal(err)
		}
		want := countsOf(1000)
		if string(n.restored) != string(inner) || got.Count != want.Count || !slices.Equal(got.Response.h.Export().Counts, want.Response.h.Export().Counts) {
			t.Errorf("restored %d bytes and %d, want %d and %d with the same response times", len(n.restored), got.Count, len(inner), want.Count)
		}
		for cut := range mark {
			if err := countingOf(new(noter), countsOf(3)).Restore(mark[:cut]); err == nil {
				t.Errorf("a mark of %d bytes of %d was taken", cut, len(mark))
			}
		}
	}
}

func TestCountingPassesOnFaults(t *testing.T) {
	fault := errors.New("no space")
	w := countingOf(&noter{err: fault}, countsOf(1))
	mark, err := countingOf(new(noter), countsOf(1)).Commit(0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Commit(0)
	for _, err := range []error{err, w.Sync(), w.Restore(mark)} {
		if !errors.Is(err, fault) {
			t.Errorf("%v, want that of the writer", err)
		}
	}
}

func TestKeptAnswersAreNotRestored(t *testing.T) {
	c := &collector[int]{keep: true}
	mark, err := Counting(c, &c.counted).Commit(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := Counting(c, &c.counted).Restore(mark); err == nil {
		t.Error("a sink goes on without the answers that were to be checked")
	}
}

func BenchmarkCountingCommit(b *testing.B) {
	w := countingOf(new(noter), countsOf(100_000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Commit(0); err != nil {
			b.Fatal(err)
		}
	}
}
