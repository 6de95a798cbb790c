package ft_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

func memory(t *testing.T, cfg ft.MemoryConfig) *ft.Memory {
	t.Helper()
	m, err := ft.NewMemory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// store puts a checkpoint of a task.
func store(t *testing.T, s ft.Store, c *ft.Checkpoint) {
	t.Helper()
	if err := s.Put(t.Context(), c.Task(), c.Generation, c.Follows, c.Append(nil)); err != nil {
		t.Fatal(err)
	}
}

// newest restores the newest checkpoint of a task.
func newest(t *testing.T, s ft.Store, id ft.TaskID) *ft.Checkpoint {
	t.Helper()
	infos, err := s.Generations(t.Context(), id)
	if err != nil || len(infos) == 0 {
		t.Fatalf("generations of %v: %v, %v", id, infos, err)
	}
	c, err := s.Get(t.Context(), id, infos[0].Generation)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStores does the same with every store.
func TestStores(t *testing.T) {
	stores := map[string]func(t *testing.T) ft.Store{
		"memory": func(t *testing.T) ft.Store { return memory(t, ft.MemoryConfig{Keep: 2}) },
		"dir":    func(t *testing.T) ft.Store { return openDir(t, ft.DirConfig{Path: t.TempDir()}) },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { testStore(t, open(t)) })
	}
}

func testStore(t *testing.T, s ft.Store) {
	halves := partition.Even(2)
	w := newWorker(t, ft.TaskID{Operator: "a/b", Range: halves[1]}, 1)
	other := newWorker(t, ft.TaskID{Operator: "a/b", Range: halves[0]}, 2)
	if infos, err := s.Generations(t.Context(), w.id); err != nil || len(infos) != 0 {
		t.Fatalf("generations of nothing: %v, %v", infos, err)
	}
	if _, err := s.Get(t.Context(), w.id, 1); !errors.Is(err, ft.ErrNotFound) {
		t.Fatalf("a checkpoint of nothing: %v, want ErrNotFound", err)
	}
	if err := errors.Join(s.Drop(t.Context(), w.id), s.Fold(t.Context(), w.id)); err != nil {
		t.Fatalf("dropping and folding nothing: %v", err)
	}
	for range 12 {
		w.work(30)
		store(t, s, w.checkpoint(state.Delta))
		if err := s.Fold(t.Context(), w.id); err != nil {
			t.Fatal(err)
		}
		if c := newest(t, s, w.id); sumOf(t, c) != w.sum() || c.Position != w.position {
			t.Fatalf("generation %d is not what was put", w.gen)
		}
	}
	other.work(1)
	store(t, s, other.checkpoint(state.Base))
	refused(t, s.Put(t.Context(), other.id, 9, 8, missing(t, other.id)), 1)
	tasks, err := s.Tasks(t.Context())
	if err != nil || !slices.Equal(tasks, []ft.TaskID{other.id, w.id}) {
		t.Fatalf("tasks %v, %v", tasks, err)
	}
	if err := s.Drop(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
	if tasks, _ = s.Tasks(t.Context()); !slices.Equal(tasks, []ft.TaskID{other.id}) {
		t.Fatalf("tasks %v after one was dropped", tasks)
	}
	w.gen, w.follows = 0, 0
	store(t, s, w.checkpoint(state.Base)) // it may come back
	if c := newest(t, s, w.id); sumOf(t, c) != w.sum() {
		t.Error("after coming back: another sum")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, w.id, 2, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("put with a context that is cancelled: %v", err)
	}
}

// missing is checkpoint 9 of a task, which follows 8.
func missing(t *testing.T, id ft.TaskID) []byte {
	w := newWorker(t, id, 3)
	w.gen = 7
	w.checkpoint(state.Base)
	w.work(1)
	return w.checkpoint(state.Delta).Append(nil)
}

func TestMemoryBudget(t *testing.T) {
	w := newWorker(t, task("count"), 1)
	w.work(100)
	c := w.checkpoint(state.Base)
	size := int64(len(c.Append(nil)))
	m := memory(t, ft.MemoryConfig{Budget: size + size/2})
	store(t, m, c)
	other := *c
	other.Operator = "other"
	err := m.Put(t.Context(), other.Task(), 1, 0, other.Append(nil))
	var budget *ft.BudgetError
	if !errors.As(err, &budget) || budget.Used != size || budget.Task != other.Task() || m.Bytes() != size {
		t.Fatalf("%v, want a BudgetError; %d bytes are used", err, m.Bytes())
	}
	if tasks, _ := m.Tasks(t.Context()); len(tasks) != 1 {
		t.Errorf("tasks %v, want the one that fit", tasks)
	}
	w.work(1)
	store(t, m, w.checkpoint(state.Base)) // in the place of the first
	if err := m.Drop(t.Context(), w.id); err != nil || m.Bytes() != 0 {
		t.Errorf("%d bytes are used by nothing, %v", m.Bytes(), err)
	}
	if _, err := ft.NewMemory(ft.MemoryConfig{Budget: -1}); err == nil {
		t.Error("a budget below 0 was taken")
	}
}

// TestStoresAtOnce is for the race detector: several tasks, and folding beside.
func TestStoresAtOnce(t *testing.T) {
	for _, s := range []ft.Store{memory(t, ft.MemoryConfig{}), openDir(t, ft.DirConfig{Path: t.TempDir()})} {
		var wg sync.WaitGroup
		for n := range 3 {
			w := newWorker(t, task(fmt.Sprintf("count%d", n)), uint64(n))
			put := make(chan struct{}, 30)
			wg.Go(func() {
				defer close(put)
				for range cap(put) {
					w.work(10)
					c := w.checkpoint(state.Delta)
					if err := s.Put(t.Context(), w.id, c.Generation, c.Follows, c.Append(nil)); err != nil {
						t.Error(err)
					}
					put <- struct{}{}
				}
			})
			wg.Go(func() {
				for range put {
					if err := s.Fold(t.Context(), w.id); err != nil {
						t.Error(err)
					}
				}
				infos, err := s.Generations(t.Context(), w.id)
				if err != nil || len(infos) == 0 || infos[0].Generation != 30 {
					t.Errorf("generations %v, %v", generations(infos), err)
					return
				}
				if _, err := s.Get(t.Context(), w.id, 30); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
