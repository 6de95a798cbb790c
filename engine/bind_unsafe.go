package engine

import (
	"fmt"
	"unsafe"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// bindHandler makes the untyped entry of a typed handler.
func bindHandler[T any](codec wire.Codec[T], k keying[T], h Handler[T]) task.Handler {
	if codec.Size() > 0 {
		th := task.Handler{Fixed: func(c *Ctx, p task.Ptr) { h(c, (*T)(p)) }}
		if k.bytes != nil {
			th.KeyOf = func(payload []byte) []byte { return k.bytes((*T)(unsafe.Pointer(unsafe.SliceData(payload)))) }
		}
		return th
	}
	v := new(T) // written over for every tuple
	th := task.Handler{Bytes: func(c *Ctx, payload []byte) {
		if err := codec.Decode(payload, v); err != nil {
			c.Fail(fmt.Errorf("payload: %w", err))
			return
		}
		h(c, v)
	}}
	if k.bytes != nil {
		w := new(T)
		th.KeyOf = func(payload []byte) []byte { return k.bytes(decoded(codec, payload, w)) }
	}
	return th
}

// decoded is a payload that the same process has encoded.
func decoded[T any](codec wire.Codec[T], payload []byte, v *T) *T {
	if err := codec.Decode(payload, v); err != nil {
		panic(fmt.Sprintf("payload cannot be decoded for its key: %v", err))
	}
	return v
}

// hashing says how the sender finds the hash of a payload's key. The functions are called by many goroutines.
func hashing[T any](in graph.Input, codec wire.Codec[T], k keying[T]) graph.Input {
	fixed := codec.Size() > 0
	switch {
	case k.u64 != nil && fixed:
		in.HashFixed = hashUint64(k.u64)
	case k.bytes != nil && fixed:
		in.HashFixed = hashFixedBytes(k.bytes)
	case k.u64 != nil:
		in.HashBytes = func(b []byte) uint64 { return partition.HashUint64(k.u64(decoded(codec, b, new(T)))) }
	case k.bytes != nil:
		in.HashBytes = func(b []byte) uint64 { return hashBytes(k.bytes(decoded(codec, b, new(T)))) }
	}
	return in
}

// OutputPort is a declared output.
type OutputPort[T any] struct {
	out      *task.Output
	variable *encoder[T] // where payloads vary in size
}

type encoder[T any] struct {
	codec wire.Codec[T]
	buf   []byte
}

// Emit sends *v along the output, at the step's τ. v is borrowed.
func (o OutputPort[T]) Emit(c *Ctx, v *T) {
	if o.variable != nil {
		o.variable.emit(c, o.out, v)
		return
	}
	o.out.Count++
	p := task.NoEscape(unsafe.Pointer(v))
	for i := range o.out.Edges {
		e := &o.out.Edges[i]
		if e.Into != nil {
			c.Enter(o.out, e, p)
			continue
		}
		h := c.Hash()
		if e.HashFixed != nil {
			h = o.out.HashFixed(i, e, p)
		}
		if l := e.Log(h); l != nil {
			*(*T)(c.AppendFixed(l, h)) = *v
			continue
		}
		for _, j := range e.Set(h) {
			*(*T)(c.AppendFixed(e.At(j), h)) = *v
		}
	}
}

func (e *encoder[T]) emit(c *Ctx, o *task.Output, v *T) {
	e.buf = e.codec.Append(e.buf[:0], (*T)(task.NoEscape(unsafe.Pointer(v))))
	c.EmitBytes(o, e.buf)
}

// Batch is a run of tuples that are about to be handled.
type Batch[T any] struct {
	base   unsafe.Pointer
	stride uintptr
	n      int
}

// Len is the number of tuples, at most task.AheadMax.
func (b Batch[T]) Len() int { return b.n }

// At is the payload of tuple i, borrowed.
func (b Batch[T]) At(i int) *T {
	return (*T)(unsafe.Add(b.base, uintptr(i)*b.stride+wire.TupleHeader))
}

// Hash is the key hash of tuple i.
func (b Batch[T]) Hash(i int) uint64 {
	return *(*uint64)(unsafe.Add(b.base, uintptr(i)*b.stride+8))
}

// Ahead declares a callback for an input port that sees each tuple shortly before it is handled, up to task.AheadMax of
// them at a time, so that it can touch the state they need: cache misses then overlap with each other and with the
// handling of the tuples before. It must change nothing.
func Ahead[T any](d *Decl, port int, fn func(b Batch[T])) {
	if d.recording() {
		if port < 0 || port >= len(d.op.Ports) {
			d.op.Graph.Fail("operator %q: Ahead for input %d, which is not declared (there are %d so far)", d.op.ID, port, len(d.op.Ports))
		} else if d.op.Ports[port].PayloadSize == 0 {
			d.op.Graph.Fail("operator %q: Ahead for input %d, whose payloads vary in size: want fixed ones", d.op.ID, port)
		}
		return
	}
	d.in.Handlers[port].Ahead = func(base task.Ptr, stride uintptr, n int) { fn(Batch[T]{base, stride, n}) }
}
