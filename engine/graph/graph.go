package graph

import (
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"

	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Graph is a query. Errors holds what went wrong while it was built; Validate reports it with everything else.
type Graph struct {
	Name      string
	Operators []*Operator // in the order of declaration, which is a topological order
	Errors    []error
	streams   int
}

// Operator is a declared operator: what its tasks must know, and where its inputs come from.
type Operator struct {
	task.Spec
	Graph  *Graph
	Inputs []Input // by port
	Decls  []any   // by output: the typed stream, for those who built it
	// Parallelism is how many tasks the operator has unless the configuration says otherwise; 0 for one per loop.
	Parallelism int
	// Weights say how much work parts of the key space are, in any unit and in order of range: the tasks' key ranges are
	// cut accordingly. Without them ranges are even.
	Weights []partition.Weight
	// Group names operators whose tasks are to be placed alike: see Plan.Place.
	Group string
}

// Input is where one port's tuples come from, and how they are keyed.
type Input struct {
	From      *Operator
	Out       int
	HashFixed *task.KeyHash // hash of a payload's key; nil, like HashBytes, where tuples keep their hash
	HashBytes func([]byte) uint64
}

// Add appends an operator.
func (g *Graph) Add(op *Operator) *Operator {
	op.Graph = g
	g.Operators = append(g.Operators, op)
	return op
}

// NewStream gives a declared output its number.
func (g *Graph) NewStream() wire.StreamID {
	g.streams++
	return wire.StreamID(g.streams)
}

// Fail notes a fault found while the graph is built.
func (g *Graph) Fail(format string, args ...any) {
	g.Errors = append(g.Errors, fmt.Errorf(format, args...))
}

// Stateless says whether an operator keeps nothing between steps.
func (op *Operator) Stateless() bool {
	return op.Kind == task.Process && op.Key == task.Unkeyed && len(op.Tables) == 0 && len(op.Timers) == 0
}

// Consumer is an input port that an output leads to.
type Consumer struct {
	Op   *Operator
	Port int
}

// Consumers are the input ports fed by output out of op, in order of declaration.
func (g *Graph) Consumers(op *Operator, out int) []Consumer {
	var list []Consumer
	for _, c := range g.Operators {
		for port, in := range c.Inputs {
			if in.From == op && in.Out == out {
				list = append(list, Consumer{c, port})
			}
		}
	}
	return list
}

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// Validate reports every problem of the graph at once.
func (g *Graph) Validate() error {
	errs := append([]error(nil), g.Errors...)
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(g.Operators) == 0 {
		fail("the graph has no operators: want at least a source and what consumes it")
	}
	seen := map[string]bool{}
	ordinals := map[uint16]string{}
	for _, op := range g.Operators {
		if !idPattern.MatchString(op.ID) {
			fail("operator id %q: want 1 to 63 characters out of a–z, 0–9, '_', '.', '-', beginning with a letter or digit", op.ID)
		}
		if seen[op.ID] {
			fail("operator id %q is used twice: ids name state and must be unique", op.ID)
		}
		seen[op.ID] = true
		g.validateOperator(op, fail)
		if op.Kind == task.Source {
			validateSplits(op, ordinals, fail)
		}
	}
	return errors.Join(errs...)
}

func (g *Graph) validateOperator(op *Operator, fail func(string, ...any)) {
	if op.Kind != task.Source && len(op.Ports) == 0 {
		fail("operator %q has no input", op.ID)
	}
	if op.Key == task.Unkeyed && len(op.Tables)+len(op.Timers) > 0 {
		fail("operator %q declares tables or timers but is not keyed: state belongs to a key", op.ID)
	}
	names := map[string]bool{}
	for i, o := range op.Outs {
		if names[o.Name] {
			fail("operator %q has two outputs named %q", op.ID, o.Name)
		}
		names[o.Name] = true
		if len(g.Consumers(op, i)) == 0 {
			fail("output %q of operator %q is consumed by nobody: connect it or do not declare it", o.Name, op.ID)
		}
	}
	names = map[string]bool{}
	for _, t := range op.Tables {
		if names[t.Name] {
			fail("operator %q has two tables named %q", op.ID, t.Name)
		}
		names[t.Name] = true
		if err := t.Validate(); err != nil {
			fail("operator %q, table %q: %w", op.ID, t.Name, err)
		}
	}
	names = map[string]bool{}
	for _, t := range op.Timers {
		if names[t.Name] {
			fail("operator %q has two timers named %q", op.ID, t.Name)
		}
		names[t.Name] = true
	}
	for _, in := range op.Inputs {
		if in.From != nil && in.From.Graph != g {
			fail("operator %q consumes a stream of operator %q, which belongs to another graph", op.ID, in.From.ID)
		}
	}
}

func validateSplits(op *Operator, ordinals map[uint16]string, fail func(string, ...any)) {
	if len(op.Reading.Splits) == 0 {
		fail("source %q has no splits: want at least one", op.ID)
	}
	for _, s := range op.Reading.Splits {
		if s.Ordinal > wire.SplitMax {
			fail("source %q: split %q has the ordinal %d, want at most %d", op.ID, s.Name, s.Ordinal, wire.SplitMax)
		}
		if other, ok := ordinals[s.Ordinal]; ok {
			fail("source %q: split %q has the ordinal %d, as has %s: ordinals are part of every time and must be unique in the job", op.ID, s.Name, s.Ordinal, other)
		}
		ordinals[s.Ordinal] = fmt.Sprintf("split %q of %q", s.Name, op.ID)
	}
}

// Fingerprint identifies the query: operators, streams, payload layouts, tables and timers. Two processes may work on one
// job, and a savepoint may be restored, only if it agrees.
func (g *Graph) Fingerprint() uint64 {
	h := fnv.New64a()
	for _, op := range g.Operators {
		fmt.Fprintf(h, "op %q %v %d;", op.ID, op.Kind, op.Key)
		for i, in := range op.Inputs {
			fmt.Fprintf(h, "in %q %d %d;", in.From.ID, in.Out, op.Ports[i].PayloadSize)
		}
		for _, o := range op.Outs {
			fmt.Fprintf(h, "out %q %d %x;", o.Name, o.PayloadSize, o.Fingerprint)
		}
		for _, t := range op.Tables {
			fmt.Fprintf(h, "table %q %x;", t.Name, t.Fingerprint())
		}
		for _, t := range op.Timers {
			fmt.Fprintf(h, "timer %q;", t.Name)
		}
	}
	return h.Sum64()
}
