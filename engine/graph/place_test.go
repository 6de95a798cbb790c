package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/graph"
)

// placed is the plan of a source, a keyed operator and two sinks in a group.
func placed(t *testing.T, parallelism map[string]int) *graph.Plan {
	t.Helper()
	type number struct{ N uint64 }
	g := engine.NewGraph("placed")
	in := engine.SliceSource(g, "in", []engine.Record[number]{{}}, []engine.Record[number]{{}}, []engine.Record[number]{{}}, []engine.Record[number]{{}})
	op := engine.Keyed(g, "count", in, func(v *number) uint64 { return v.N }, func(d *engine.Decl) engine.Handler[number] {
		out := engine.Output[number](d, "out")
		return func(c *engine.Ctx, v *number) { out.Emit(c, v) }
	})
	for _, id := range []string{"a", "b"} {
		engine.SinkFunc(g, id, engine.From[number](op, "out"), func(*engine.Ctx, *number) {}).SetGroup("sinks")
	}
	p, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: 4, Parallelism: parallelism})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		parallelism map[string]int
		slots       []int
		pins        map[string]int
		want        string
	}{
		{nil, []int{0}, nil, "[[0 0 0 0] [0 0 0 0] [0] [0]]"},
		{nil, []int{0, 0, 1, 1}, nil, "[[0 1 2 3] [0 1 2 3] [2] [2]]"},
		{map[string]int{"count": 2}, []int{0, 1, 2, 3}, nil, "[[0 1 2 3] [1 2] [2] [2]]"},
		{map[string]int{"count": 8}, []int{0, 1}, nil, "[[0 0 1 1] [0 0 0 0 1 1 1 1] [0] [0]]"},
		{map[string]int{"in": 2, "count": 2}, []int{0, 1}, map[string]int{"in": 0, "count": 1, "a": 0}, "[[0 0] [1 1] [0] [0]]"},
		{nil, []int{0, 0, 1, 1}, map[string]int{"in": 1, "b": 0}, "[[2 2 3 3] [0 1 2 3] [2] [0]]"},
	} {
		got, err := placed(t, c.parallelism).Place(c.slots, c.pins)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%v over %v with %v: %v, %v, want %s", c.parallelism, c.slots, c.pins, got, err, c.want)
		}
	}
}

func TestPlaceRefuses(t *testing.T) {
	for want, pins := range map[string]map[string]int{
		`operator "nobody" is pinned`: {"nobody": 0},
		"pinned to worker 7":          {"in": 7},
	} {
		if _, err := placed(t, nil).Place([]int{0, 1}, pins); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
