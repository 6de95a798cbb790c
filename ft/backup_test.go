package ft_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
)

// put encodes a checkpoint into a backup.
func put(t *testing.T, b *ft.Backup, c *ft.Checkpoint) {
	t.Helper()
	if err := b.Put(c.Generation, c.Follows, c.Append(nil)); err != nil {
		t.Fatal(err)
	}
}

// refused requires a *ChainError.
func refused(t *testing.T, err error, newest uint64) {
	t.Helper()
	var chain *ft.ChainError
	if !errors.As(err, &chain) || chain.Newest != newest || chain.Reason == "" {
		t.Fatalf("%v, want a ChainError with %d as the newest", err, newest)
	}
}

func TestBackupFoldsDeltas(t *testing.T) {
	w := newWorker(t, task("count"), 2)
	b := ft.NewBackup(w.id, 1)
	if _, _, err := b.Newest(); !errors.Is(err, ft.ErrNotFound) {
		t.Fatalf("newest of nothing: %v, want ErrNotFound", err)
	}
	if err := b.Fold(); err != nil {
		t.Fatalf("folding nothing: %v", err)
	}
	for n := range 20 {
		w.work(30)
		kind := state.Delta
		if n == 12 {
			kind = state.Base
		}
		c := w.checkpoint(kind)
		put(t, b, c)
		got, gen, err := b.Newest()
		if err != nil {
			t.Fatal(err)
		}
		if sum := sumOf(t, got); sum != w.sum() || gen != w.gen || got.Position != w.position {
			t.Fatalf("generation %d at %v with sum %x, want %d at %v with %x", gen, got.Position, sum, w.gen, w.position, w.sum())
		}
		if len(got.Logs) != 2 || !bytes.Equal(got.Logs[0].Frames, c.Logs[0].Frames) {
			t.Fatalf("the logs are not the last ones: %v", got.Logs)
		}
		if n%5 == 4 {
			before := b.Bytes()
			if err := b.Fold(); err != nil {
				t.Fatal(err)
			}
			if got, _, err = b.Newest(); err != nil || sumOf(t, got) != w.sum() {
				t.Fatalf("after folding: %v", err)
			}
			if n != 14 && b.Bytes() >= before || b.FoldDue() {
				t.Errorf("folding left %d bytes of %d, due %v", b.Bytes(), before, b.FoldDue())
			}
		}
	}
	if i := b.Generations(); len(i) != 1 || i[0].Follows != 0 || i[0].Bytes != b.Bytes() {
		t.Errorf("after the last fold: %+v in %d bytes", i, b.Bytes())
	}
}

// TestATableMayBeABaseInADelta gives a delta whose second table is complete.
func TestATableMayBeABaseInADelta(t *testing.T) {
	w := newWorker(t, task("count"), 2)
	b := ft.NewBackup(w.id, 1)
	w.work(30)
	put(t, b, w.checkpoint(state.Base))
	w.work(30)
	twin := newWorker(t, w.id, 2)
	twin.work(30)
	twin.checkpoint(state.Base)
	twin.work(30)
	c := w.checkpoint(state.Delta)
	c.Tables[0] = twin.checkpoint(state.Base).Tables[0]
	put(t, b, c)
	got, _, err := b.Newest()
	if err != nil || sumOf(t, got) != w.sum() {
		t.Fatalf("%v, or another sum than %x", err, w.sum())
	}
}

func TestBackupRefusals(t *testing.T) {
	w := newWorker(t, task("count"), 3)
	b := ft.NewBackup(w.id, 2)
	w.work(10)
	first := w.checkpoint(state.Base)
	w.work(10)
	second := w.checkpoint(state.Delta)
	w.work(10)
	third := w.checkpoint(state.Delta)

	refused(t, b.Put(2, 1, second.Append(nil)), 0)
	put(t, b, first)
	refused(t, b.Put(3, 2, third.Append(nil)), 1)
	skipping := *third
	skipping.Follows = 1
	refused(t, b.Put(3, 1, skipping.Append(nil)), 1) // the state at 2 is missing in between
	fewer := *second
	fewer.Tables = fewer.Tables[:1]
	refused(t, b.Put(2, 1, fewer.Append(nil)), 1)
	swapped := *second
	swapped.Tables = []([]byte){second.Tables[1], second.Tables[0]}
	refused(t, b.Put(2, 1, swapped.Append(nil)), 1)
	put(t, b, second)
	put(t, b, third)

	before := b.Bytes()
	put(t, b, third) // again
	if b.Bytes() != before {
		t.Errorf("the same again made %d bytes of %d", b.Bytes(), before)
	}
	other := newWorker(t, w.id, 4)
	other.work(1)
	other.gen = 2
	refused(t, b.Put(3, 0, other.checkpoint(state.Base).Append(nil)), 3)
	other.gen = 0
	old := other.checkpoint(state.Base)
	other.gen = 5
	put(t, b, other.checkpoint(state.Base))
	other.gen = 6
	put(t, b, other.checkpoint(state.Base))
	refused(t, b.Put(1, 0, old.Append(nil)), 7)

	if err := b.Put(9, 0, first.Append(nil)); err == nil {
		t.Error("a checkpoint under another generation than its own was taken")
	}
	var format *ft.FormatError
	if err := b.Put(8, 0, []byte("nonsense")); !errors.As(err, &format) {
		t.Errorf("nonsense: %v, want a FormatError", err)
	}
	if got := generations(b.Generations()); !slices.Equal(got, []uint64{7, 6}) {
		t.Errorf("generations %v, want 7 and 6", got)
	}
}

// TestBackupKeeps looks at what is kept while deltas follow a base, and once there is another base.
func TestBackupKeeps(t *testing.T) {
	w := newWorker(t, task("count"), 5)
	b := ft.NewBackup(w.id, 2)
	steps := []struct {
		kind state.Kind
		want []uint64
	}{
		{state.Base, []uint64{1}},
		{state.Delta, []uint64{2, 1}},
		{state.Delta, []uint64{3, 2, 1}},
		{state.Base, []uint64{4, 3, 2, 1}}, // of the others, 3 can be restored
		{state.Delta, []uint64{5, 4}},
	}
	sums := map[uint64]uint64{}
	for _, s := range steps {
		w.work(10)
		put(t, b, w.checkpoint(s.kind))
		sums[w.gen] = w.sum()
		if got := generations(b.Generations()); !slices.Equal(got, s.want) {
			t.Fatalf("after %d: generations %v, want %v", w.gen, got, s.want)
		}
		for _, gen := range s.want {
			c, err := b.Get(gen)
			if err != nil || sumOf(t, c) != sums[gen] {
				t.Fatalf("generation %d after %d: %v, or another sum", gen, w.gen, err)
			}
		}
	}
	if _, err := b.Get(3); !errors.Is(err, ft.ErrNotFound) {
		t.Errorf("a forgotten generation: %v, want ErrNotFound", err)
	}
}

// TestBackupBranches goes back to generation 1 and on from there, beside the 2 that is there.
func TestBackupBranches(t *testing.T) {
	w := newWorker(t, task("count"), 6)
	b := ft.NewBackup(w.id, 3)
	w.work(10)
	put(t, b, w.checkpoint(state.Base))
	twin := newWorker(t, w.id, 6)
	twin.work(10)
	twin.checkpoint(state.Base)
	w.work(10)
	put(t, b, w.checkpoint(state.Delta))
	twin.gen = 2
	twin.work(5)
	put(t, b, twin.checkpoint(state.Delta)) // 3, which follows 1
	for gen, want := range map[uint64]uint64{2: w.sum(), 3: twin.sum()} {
		c, err := b.Get(gen)
		if err != nil || sumOf(t, c) != want {
			t.Errorf("generation %d: %v, or another sum than %x", gen, err, want)
		}
	}
}

func TestFoldDue(t *testing.T) {
	w := newWorker(t, task("count"), 7)
	b := ft.NewBackup(w.id, 1)
	w.work(2000)
	put(t, b, w.checkpoint(state.Base))
	deltas := 0
	for !b.FoldDue() {
		w.work(1)
		put(t, b, w.checkpoint(state.Delta))
		deltas++
	}
	if deltas != 8 {
		t.Errorf("due after %d small deltas, want 8", deltas)
	}
	if err := b.Fold(); err != nil {
		t.Fatal(err)
	}
	w.work(1000)
	put(t, b, w.checkpoint(state.Delta))
	if !b.FoldDue() {
		t.Error("not due after a delta of everything")
	}
}
