package engine

import (
	"fmt"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Decl is what a declaration declares its operator with. It is used in two ways that the declaration does not see: once
// to record what is declared, and for every task to bind handlers and handles to the task's tables and outputs.
type Decl struct {
	op *graph.Operator
	in *task.Instance // nil while recording

	ports, outs, tables, timers int
}

func (d *Decl) recording() bool { return d.in == nil }

// finish completes the record: tables are keyed as the inputs are, which may have been declared after them.
func (d *Decl) finish() {
	for i := range d.op.Tables {
		d.op.Tables[i].Key = state.Uint64
		if d.op.Key == task.KeyBytes {
			d.op.Tables[i].Key = state.Bytes
		}
	}
}

// check finds out a declaration that does not declare the same thing every time.
func (d *Decl) check() {
	s := &d.op.Spec
	if d.ports != len(s.Ports) || d.outs != len(s.Outs) || d.tables != len(s.Tables) || d.timers != len(s.Timers) {
		panic(fmt.Sprintf("operator %q declares %d inputs, %d outputs, %d tables, %d timers, but at first declared %d, %d, %d, %d: a declaration must not depend on anything that changes",
			s.ID, d.ports, d.outs, d.tables, d.timers, len(s.Ports), len(s.Outs), len(s.Tables), len(s.Timers)))
	}
}

// keying says how an input is keyed: by neither, by an integer or by bytes.
type keying[T any] struct {
	u64   func(*T) uint64
	bytes func(*T) []byte
}

func (k keying[T]) kind() task.KeyKind {
	switch {
	case k.u64 != nil:
		return task.KeyUint64
	case k.bytes != nil:
		return task.KeyBytes
	}
	return task.Unkeyed
}

// Input declares an input whose tuples keep the hash of the step that emitted them.
func Input[T any](d *Decl, in Stream[T], h Handler[T]) {
	declareInput(d, in, keying[T]{}, func(*Decl) Handler[T] { return h })
}

// KeyedInput declares an input keyed by an integer. key must be a pure function of the payload.
func KeyedInput[T any](d *Decl, in Stream[T], key func(*T) uint64, h Handler[T]) {
	declareInput(d, in, keying[T]{u64: key}, func(*Decl) Handler[T] { return h })
}

// KeyedBytesInput declares an input keyed by a byte string, which may borrow the payload.
func KeyedBytesInput[T any](d *Decl, in Stream[T], key func(*T) []byte, h Handler[T]) {
	declareInput(d, in, keying[T]{bytes: key}, func(*Decl) Handler[T] { return h })
}

func declareInput[T any](d *Decl, in Stream[T], k keying[T], decl func(*Decl) Handler[T]) {
	port := d.ports
	d.ports++
	if d.recording() {
		recordInput(d, in, k)
	}
	h := decl(d)
	if d.recording() {
		if h == nil {
			d.op.Graph.Fail("operator %q: input %d has no handler", d.op.ID, port)
		}
		return
	}
	d.in.Handlers[port] = mergeAhead(d.in.Handlers[port], bindHandler(in.codec, k, h))
}

// mergeAhead keeps an Ahead callback that was declared before the handler was bound.
func mergeAhead(old, h task.Handler) task.Handler {
	h.Ahead = old.Ahead
	return h
}

func recordInput[T any](d *Decl, in Stream[T], k keying[T]) {
	op, g := d.op, d.op.Graph
	if in.from == nil {
		g.Fail("operator %q: input %d is the zero Stream: want one made by Source or From", op.ID, len(op.Ports))
		in.from = op
	}
	if len(op.Ports) > 0 && op.Key != k.kind() {
		g.Fail("operator %q: its inputs are keyed in different ways; all must be keyed by integers, all by bytes, or none", op.ID)
	}
	op.Key = k.kind()
	port := task.Port{PayloadSize: in.codec.Size()}
	if in.out < len(in.from.Outs) {
		o := in.from.Outs[in.out]
		port.From, port.Stream = in.from.ID+"."+o.Name, o.Stream
	}
	op.Ports = append(op.Ports, port)
	op.Inputs = append(op.Inputs, hashing(graph.Input{From: in.from, Out: in.out}, in.codec, k))
}

// Output declares a named output for payloads that are pointer-free structs.
func Output[T any](d *Decl, name string) OutputPort[T] {
	if !d.recording() {
		return OutputOf(d, name, wire.Codec[T]{})
	}
	codec, err := wire.Fixed[T]()
	if err != nil {
		d.op.Graph.Fail("operator %q, output %q: %w", d.op.ID, name, err)
	}
	return OutputOf(d, name, codec)
}

// OutputOf declares a named output with a codec of one's own.
func OutputOf[T any](d *Decl, name string, codec wire.Codec[T]) OutputPort[T] {
	i := d.outs
	d.outs++
	if d.recording() {
		g := d.op.Graph
		id := g.NewStream()
		d.op.Outs = append(d.op.Outs, task.Out{Name: name, Stream: id, PayloadSize: codec.Size(), Fingerprint: codec.LayoutFingerprint()})
		d.op.Decls = append(d.op.Decls, Stream[T]{from: d.op, out: i, codec: codec})
		return OutputPort[T]{}
	}
	p := OutputPort[T]{out: d.in.Outs[i]}
	if d.op.Outs[i].PayloadSize == 0 {
		p.variable = &encoder[T]{codec: codec}
	}
	return p
}

// Timer declares a named timer: one pending due time per key.
func Timer(d *Decl, name string, fire func(c *Ctx)) TimerState {
	i := d.timers
	d.timers++
	if d.recording() {
		d.op.Timers = append(d.op.Timers, task.TimerDecl{Name: name})
		for j := range i {
			if d.op.Timers[j].Name > name {
				d.op.Graph.Fail("operator %q: timer %q is declared after %q; timers fire in order of name and are declared in it", d.op.ID, name, d.op.Timers[j].Name)
			}
		}
	} else {
		d.in.OnTimer(i, fire)
	}
	return TimerState{i}
}

// Value declares a named table with one value per key. V is a pointer-free struct without implicit padding.
func Value[V any](d *Decl, name string) ValueState[V] {
	m := table[V](d, name, state.None)
	if m == nil {
		return ValueState[V]{}
	}
	if d.op.Key == task.KeyBytes {
		return ValueState[V]{keyed: must(state.NewFixedKeyed[V](m)), bytes: true}
	}
	return ValueState[V]{u64: must(state.NewFixed[V](m))}
}

// Table declares a named table of integer sub-keys under each key. V is as for Value.
func Table[V any](d *Decl, name string) TableState[V] {
	m := table[V](d, name, state.Uint64)
	if m == nil {
		return TableState[V]{}
	}
	if d.op.Key == task.KeyBytes {
		return TableState[V]{keyed: must(state.NewFixedKeyed[V](m)), bytes: true}
	}
	return TableState[V]{u64: must(state.NewFixedSub[V](m))}
}

// Bytes declares a named table with one byte string per key.
func Bytes(d *Decl, name string) BytesState {
	m := addTable(d, state.BytesSchema(name, state.Uint64, state.None))
	if m == nil {
		return BytesState{}
	}
	return BytesState{v: must(state.NewVar(m))}
}

// BytesTable declares a named table of byte-string sub-keys under each key, with a byte string for each.
func BytesTable(d *Decl, name string) BytesTableState {
	m := addTable(d, state.BytesSchema(name, state.Uint64, state.Bytes))
	if m == nil {
		return BytesTableState{}
	}
	return BytesTableState{v: must(state.NewVar(m))}
}

func table[V any](d *Decl, name string, sub state.KeyKind) *state.Map {
	var schema state.Schema
	if d.recording() {
		var err error
		if schema, err = state.SchemaOf[V](name, state.Uint64, sub); err != nil {
			d.op.Graph.Fail("operator %q, table %q: %w", d.op.ID, name, err)
		}
	}
	return addTable(d, schema)
}

// addTable records a table, or finds the task's own.
func addTable(d *Decl, schema state.Schema) *state.Map {
	i := d.tables
	d.tables++
	if d.recording() {
		d.op.Tables = append(d.op.Tables, schema)
		return nil
	}
	return d.in.Table(i)
}

func must[H any](h H, err error) H {
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return h
}

// hashBytes is the hash of a byte-string key.
func hashBytes(key []byte) uint64 { return partition.HashBytes(key) }
