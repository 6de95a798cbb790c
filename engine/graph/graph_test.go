package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/state"
)

// chain declares operators that each consume the one before: "src", then the given ids, all stateless, then "sink".
func chain(ids ...string) *Graph {
	g := &Graph{Name: "chain"}
	last := g.Add(&Operator{Spec: task.Spec{ID: "src", Kind: task.Source, Reading: &task.SourceSpec{Splits: []task.Split{{Ordinal: 0}, {Ordinal: 1}}}}})
	out(last, "out")
	for _, id := range ids {
		op := g.Add(&Operator{Spec: task.Spec{ID: id}})
		in(op, last, 0)
		out(op, "out")
		last = op
	}
	in(g.Add(&Operator{Spec: task.Spec{ID: "sink", Kind: task.Sink}, Parallelism: 1}), last, 0)
	return g
}

func in(op, from *Operator, o int) {
	op.Inputs = append(op.Inputs, Input{From: from, Out: o})
	op.Ports = append(op.Ports, task.Port{PayloadSize: 8})
}

func out(op *Operator, name string) {
	op.Outs = append(op.Outs, task.Out{Name: name, PayloadSize: 8, Fingerprint: 1})
}

// shape is a plan in one line: units with their members and tasks.
func shape(p *Plan) string {
	var units []string
	for _, u := range p.Units {
		var ids []string
		for _, m := range u.Members {
			ids = append(ids, m.Op.ID)
		}
		units = append(units, fmt.Sprintf("%s×%d", strings.Join(ids, "+"), u.Tasks))
	}
	return strings.Join(units, " ")
}

func TestPlans(t *testing.T) {
	diamond := func() *Graph {
		g := chain("a")
		b := g.Add(&Operator{Spec: task.Spec{ID: "b"}})
		in(b, g.Operators[0], 0)
		out(b, "out")
		in(g.Operators[2], b, 0) // the sink consumes both
		return g
	}
	keyed := func() *Graph {
		g := chain("a", "k", "b")
		g.Operators[2].Key = task.KeyUint64
		return g
	}
	for _, test := range []struct {
		name string
		g    *Graph
		cfg  PlanConfig
		want string
	}{
		{"all stateless operators are fused", chain("a", "b"), PlanConfig{Default: 2}, "src+a+b×2 sink×1"},
		{"none is", chain("a", "b"), PlanConfig{Default: 2, NoFuse: true}, "src×2 a×2 b×2 sink×1"},
		{"a source has at most a task per split", chain(), PlanConfig{Default: 5}, "src×2 sink×1"},
		{"one of its own parallelism is not fused", chain("a", "b"), PlanConfig{Default: 2, Parallelism: map[string]int{"a": 3}}, "src×2 a+b×3 sink×1"},
		{"nor one with state", keyed(), PlanConfig{Default: 3}, "src+a×2 k+b×3 sink×1"},
		{"nor those that share a stream", diamond(), PlanConfig{Default: 1}, "src×1 a×1 sink×1 b×1"},
		{"a sink may be given more tasks", chain(), PlanConfig{Parallelism: map[string]int{"sink": 4}}, "src×1 sink×4"},
	} {
		p, err := NewPlan(test.g, test.cfg)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := shape(p); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		for i, u := range p.Units {
			for k, m := range u.Members {
				if unit, member := p.Where(m.Op); unit != i || member != k {
					t.Errorf("%s: %s is said to be at %d/%d, but is at %d/%d", test.name, m.Op.ID, unit, member, i, k)
				}
			}
		}
	}
	for _, cfg := range []PlanConfig{{Parallelism: map[string]int{"nobody": 1}}, {Parallelism: map[string]int{"a": 0}}} {
		if _, err := NewPlan(chain("a"), cfg); err == nil {
			t.Errorf("%v was accepted", cfg)
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	if err := chain("a").Validate(); err != nil {
		t.Errorf("a good graph: %v", err)
	}
	g := chain("a", "a", "Bad")
	g.Operators[0].Reading.Splits[1].Ordinal = 0
	g.Operators[1].Tables = []state.Schema{state.BytesSchema("t", state.Uint64, state.None), state.BytesSchema("t", state.Uint64, state.None)}
	g.Operators[1].Timers = []task.TimerDecl{{Name: "t"}, {Name: "t"}}
	out(g.Operators[1], "out")
	g.Add(&Operator{Spec: task.Spec{ID: "lonely"}})
	g.Add(&Operator{Spec: task.Spec{ID: "empty", Kind: task.Source, Reading: &task.SourceSpec{}}})
	other := chain()
	in(g.Add(&Operator{Spec: task.Spec{ID: "thief"}}), other.Operators[0], 0)
	g.Fail("found while building")
	err := g.Validate()
	for _, want := range []string{"found while building", `"a" is used twice`, `operator id "Bad"`, `has the ordinal 0, as has`, `two tables named "t"`,
		`two timers named "t"`, "not keyed", `two outputs named "out"`, `"lonely" has no input`, `"empty" has no splits`, "another graph"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no mention of %q in:\n%v", want, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	base := chain("a").Fingerprint()
	if chain("a").Fingerprint() != base {
		t.Error("equal graphs differ")
	}
	seen := map[uint64]string{base: "the graph"}
	for name, change := range map[string]func(*Graph){
		"an id":     func(g *Graph) { g.Operators[1].ID = "b" },
		"an output": func(g *Graph) { g.Operators[1].Outs[0].Fingerprint++ },
		"a timer":   func(g *Graph) { g.Operators[1].Timers = []task.TimerDecl{{Name: "t"}} },
		"a table": func(g *Graph) {
			g.Operators[1].Tables = []state.Schema{state.BytesSchema("t", state.Uint64, state.None)}
		},
		"another sub": func(g *Graph) {
			g.Operators[1].Tables = []state.Schema{state.BytesSchema("t", state.Uint64, state.Bytes)}
		},
		"the keying":   func(g *Graph) { g.Operators[1].Key = task.KeyBytes },
		"the way in":   func(g *Graph) { g.Operators[2].Inputs[0].From = g.Operators[0] },
		"one operator": func(g *Graph) { g.Operators = g.Operators[:2] },
	} {
		g := chain("a")
		change(g)
		f := g.Fingerprint()
		if other, ok := seen[f]; ok {
			t.Errorf("a change of %s goes unnoticed: as %s", name, other)
		}
		seen[f] = name
	}
}

func TestSpread(t *testing.T) {
	splits := []task.Split{{Ordinal: 0, Weight: 1}, {Ordinal: 1, Weight: 5}, {Ordinal: 2}, {Ordinal: 3, Weight: 3}, {Ordinal: 4, Weight: 2}}
	for n := 1; n <= 5; n++ {
		parts := Spread(splits, n)
		seen, most := map[uint16]bool{}, 0.0
		for _, p := range parts {
			load := 0.0
			for _, s := range p {
				seen[s.Ordinal] = true
				load += weight(s)
			}
			if len(p) == 0 {
				t.Errorf("%d tasks: one has no split", n)
			}
			most = max(most, load)
		}
		if len(seen) != len(splits) || most > 12/float64(n)+5 {
			t.Errorf("%d tasks: %v", n, parts)
		}
	}
}
