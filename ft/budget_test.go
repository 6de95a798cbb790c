package ft_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
)

func TestBudget(t *testing.T) {
	b := ft.NewBudget(100)
	var at sync.WaitGroup
	for range 8 {
		at.Go(func() {
			for range 1000 {
				if b.Take(30) {
					if used := b.Used(); used > 100 {
						t.Errorf("%d bytes of 100 are taken", used)
					}
					b.Take(-30)
				}
			}
		})
	}
	at.Wait()
	if b.Used() != 0 || b.Take(101) || !b.Take(100) || b.Take(1) || b.Most() != 100 {
		t.Errorf("%d bytes are taken", b.Used())
	}
	if free := ft.NewBudget(0); !free.Take(1<<62) || free.Most() != 0 {
		t.Error("a budget without bound has one")
	}
}

func TestMemorySharesBudget(t *testing.T) {
	w := newWorker(t, task("count"), 1)
	w.work(100)
	c := w.checkpoint(state.Base)
	size := int64(len(c.Append(nil)))
	shared := ft.NewBudget(size + size/2)
	one, two := memory(t, ft.MemoryConfig{Shared: shared}), memory(t, ft.MemoryConfig{Shared: shared})
	store(t, one, c)
	var budget *ft.BudgetError
	if err := two.Put(t.Context(), w.id, 1, 0, c.Append(nil)); !errors.As(err, &budget) || budget.Used != size || budget.Budget != size+size/2 {
		t.Fatalf("%v, want a BudgetError", err)
	}
	if err := one.Drop(t.Context(), w.id); err != nil || shared.Used() != 0 {
		t.Fatalf("%d bytes are used by nothing, %v", shared.Used(), err)
	}
	store(t, two, c)
	if one.Bytes() != 0 || two.Bytes() != size || shared.Used() != size {
		t.Errorf("%d and %d bytes, together %d, want 0 and %d", one.Bytes(), two.Bytes(), shared.Used(), size)
	}
	if _, err := ft.NewMemory(ft.MemoryConfig{Shared: shared, Budget: 1}); err == nil {
		t.Error("two budgets were taken")
	}
}

func TestMemoryEncoded(t *testing.T) {
	w := newWorker(t, task("count"), 1)
	w.work(100)
	m := memory(t, ft.MemoryConfig{})
	base := w.checkpoint(state.Base)
	store(t, m, base)
	if got, err := m.Encoded(t.Context(), w.id, 1); err != nil || !bytes.Equal(got, base.Append(nil)) {
		t.Fatalf("a base is not as it was put: %v", err)
	}
	w.work(10)
	store(t, m, w.checkpoint(state.Delta))
	got, err := m.Encoded(t.Context(), w.id, 2)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ft.Decode(got); err != nil || sumOf(t, c) != w.sum() {
		t.Errorf("folded: another sum, or %v", err)
	}
	if _, err := m.Encoded(t.Context(), w.id, 3); !errors.Is(err, ft.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}
