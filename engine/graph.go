package engine

import (
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Ctx is what a handler knows of the step it works in. It is borrowed until the handler returns.
type Ctx = task.Ctx

// Handler handles one tuple. v is borrowed: it lies in a frame and must not be changed or kept.
type Handler[T any] func(c *Ctx, v *T)

// Graph is a query under construction. It is not safe for concurrent use until it is complete.
type Graph struct{ g graph.Graph }

// NewGraph begins a query.
func NewGraph(name string) *Graph { return &Graph{g: graph.Graph{Name: name}} }

// Validate reports every problem of the graph at once, nil for none.
func (g *Graph) Validate() error { return g.g.Validate() }

// Fingerprint identifies the query: see graph.Graph.
func (g *Graph) Fingerprint() uint64 { return g.g.Fingerprint() }

// Untyped is the graph as the runtime packages see it.
func (g *Graph) Untyped() *graph.Graph { return &g.g }

// Op is a declared operator.
type Op struct{ op *graph.Operator }

// ID is the operator's id.
func (o *Op) ID() string { return o.op.ID }

// Stream is what an operator emits through one output. The zero Stream belongs to nobody.
type Stream[T any] struct {
	from  *graph.Operator
	out   int
	codec wire.Codec[T]
}

// Op is the operator that emits the stream, such as a source.
func (s Stream[T]) Op() *Op { return &Op{s.from} }

// From is the typed stream of an operator's named output. A wrong name or type is reported by Validate.
func From[T any](op *Op, output string) Stream[T] {
	g := op.op.Graph
	for i, o := range op.op.Outs {
		if o.Name != output {
			continue
		}
		s, ok := op.op.Decls[i].(Stream[T])
		if !ok {
			g.Fail("output %q of operator %q is taken for a %T, but it was declared as a %T", output, op.op.ID, Stream[T]{}, op.op.Decls[i])
		}
		return s
	}
	g.Fail("operator %q has no output %q", op.op.ID, output)
	return Stream[T]{}
}

// Stateless declares an operator with one input and no state. It is fused into its producer where it is the only
// consumer.
func Stateless[T any](g *Graph, id string, in Stream[T], decl func(d *Decl) Handler[T]) *Op {
	return Operator(g, id, func(d *Decl) { declareInput(d, in, keying[T]{}, decl) })
}

// Keyed declares an operator with one input, keyed by an integer.
func Keyed[T any](g *Graph, id string, in Stream[T], key func(*T) uint64, decl func(d *Decl) Handler[T]) *Op {
	return Operator(g, id, func(d *Decl) { declareInput(d, in, keying[T]{u64: key}, decl) })
}

// KeyedBytes declares an operator with one input, keyed by a byte string.
func KeyedBytes[T any](g *Graph, id string, in Stream[T], key func(*T) []byte, decl func(d *Decl) Handler[T]) *Op {
	return Operator(g, id, func(d *Decl) { declareInput(d, in, keying[T]{bytes: key}, decl) })
}

// Operator declares an operator with any number of inputs: decl calls Input, KeyedInput or KeyedBytesInput for each.
func Operator(g *Graph, id string, decl func(d *Decl)) *Op {
	op := g.g.Add(&graph.Operator{Spec: task.Spec{ID: id, Kind: task.Process}})
	declare(op, decl)
	return &Op{op}
}

// declare runs a declaration once to learn what it declares, and sees to it that it is run again for every task.
func declare(op *graph.Operator, decl func(d *Decl)) {
	d := &Decl{op: op}
	decl(d)
	d.finish()
	op.Bind = func(in *task.Instance) {
		b := &Decl{op: op, in: in}
		decl(b)
		b.check()
	}
}

// SetParallelism says how many tasks the operator has where the configuration does not.
func (o *Op) SetParallelism(n int) *Op {
	o.op.Parallelism = n
	return o
}

// SetWeights says how much work parts of the operator's key space are: the key ranges of its tasks are cut accordingly.
// Weights are in any unit, and in order of range.
func (o *Op) SetWeights(weights []partition.Weight) *Op {
	o.op.Weights = weights
	return o
}

// SetGroup names a group of operators that are to be placed alike: with as many tasks each, task i of one runs on the same
// loop as task i of the other.
func (o *Op) SetGroup(name string) *Op {
	o.op.Group = name
	return o
}
