package sim

import (
	"errors"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// A schedule in which a task is held behind the scheduler's back must be recognized as stuck, and say where.
func TestAStuckScheduleIsRecognized(t *testing.T) {
	g := engine.NewGraph("stuck")
	in := engine.SliceSource(g, "in", make([]engine.Record[uint64], 500))
	op := engine.Keyed(g, "op", in, func(v *uint64) uint64 { return *v }, func(*engine.Decl) engine.Handler[uint64] {
		return func(*engine.Ctx, *uint64) {}
	})
	_ = op
	pool := slab.New(slab.Config{})
	w, err := newWorld(g.Untyped(), Config{Seed: 1, Pool: pool, NoCrash: true}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	held := w.nodes[len(w.nodes)-1]
	held.t.Hold(wire.At(0, 0, 100))
	err = w.run()
	var stuck *StuckError
	if !errors.As(err, &stuck) {
		t.Fatalf("got %v, want it to be stuck", err)
	}
	for _, want := range []string{held.String() + " at " + wire.At(0, 0, 100).String(), "log of", "frontier"} {
		if !strings.Contains(stuck.Picture, want) {
			t.Errorf("the picture does not show %q:\n%s", want, stuck.Picture)
		}
	}
	if err := errors.Join(w.close(), pool.Close()); err != nil {
		t.Error(err)
	}
}
