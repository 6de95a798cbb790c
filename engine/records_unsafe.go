package engine

import (
	"unsafe"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// emitRecords is a source's task.Instance.Emit.
func (o OutputPort[T]) emitRecords(c *Ctx, r *task.Records) (n int) {
	if o.variable != nil || len(o.out.Edges) != 1 || o.out.Edges[0].Into != nil {
		return o.emitEach(c, r)
	}
	e, hashes := &o.out.Edges[0], r.Hashes(c, o.out)
	if l := e.Only(); l != nil {
		n = appendRecords[T](c, l, r, hashes)
	} else {
		n = routeRecords[T](c, e, r, hashes)
	}
	o.out.Count += uint64(n)
	return n
}

// emitEach emits one record after another. With one consumer, to which nothing is fused, emitRecords comes to the same without
// a call for each record but that of its key function.
func (o OutputPort[T]) emitEach(c *Ctx, r *task.Records) int {
	for i := range r.Times {
		r.Begin(c, i)
		o.Emit(c, (*T)(r.Value(i)))
		if c.Stopped() {
			return i + 1
		}
	}
	return len(r.Times)
}

// appendRecords writes records to a log, until it is full.
func appendRecords[T any](c *Ctx, l *buffers.Log, r *task.Records, hashes []uint64) (done int) {
	for done < len(r.Times) && !c.Full() {
		r.Begin(c, done)
		p, n := c.AppendRun(l, r.Times[done:])
		off := uintptr(0)
		for i := done; i < done+n; i++ {
			t := unsafe.Add(p, off)
			wire.PutTuple(t, r.Times[i], hashes[i])
			v := (*T)(wire.FixedAt(t))
			*v = *(*T)(r.Value(i))
			off += wire.TupleHeader + unsafe.Sizeof(*v)
		}
		done += n
	}
	return done
}

// routeRecords writes records to the logs that their hashes lead to, until one of them is full.
func routeRecords[T any](c *Ctx, e *task.Edge, r *task.Records, hashes []uint64) int {
	for i, h := range hashes {
		v := (*T)(r.Value(i))
		if l := e.Log(h); l != nil {
			p := l.AppendOpen(r.Times[i], h)
			if p == nil {
				r.Begin(c, i)
				p = c.AppendFixed(l, h)
			}
			*(*T)(p) = *v
			if c.Filled(l) {
				return i + 1
			}
			continue
		}
		r.Begin(c, i)
		for _, j := range e.Set(h) {
			*(*T)(c.AppendFixed(e.At(j), h)) = *v
		}
		if c.Full() {
			return i + 1
		}
	}
	return len(hashes)
}

// hashUint64 gives the hashes of integer keys.
func hashUint64[T any](key func(*T) uint64) *task.KeyHash {
	return &task.KeyHash{
		Of:      func(p task.Ptr) uint64 { return partition.HashUint64(key((*T)(p))) },
		Records: func(c *Ctx, r *task.Records, hashes []uint64) { hashesUint64(c, r, hashes, key) },
	}
}

// hashesUint64 is a function of its own, since nothing is inlined into a loop within a closure.
func hashesUint64[T any](c *Ctx, r *task.Records, hashes []uint64, key func(*T) uint64) {
	for i := range hashes {
		r.At(c, i)
		hashes[i] = partition.HashUint64(key((*T)(r.Value(i))))
	}
}

// hashFixedBytes gives the hashes of keys that are byte strings.
func hashFixedBytes[T any](key func(*T) []byte) *task.KeyHash {
	return &task.KeyHash{
		Of: func(p task.Ptr) uint64 { return hashBytes(key((*T)(p))) },
		Records: func(c *Ctx, r *task.Records, hashes []uint64) {
			for i := range hashes {
				r.At(c, i)
				hashes[i] = hashBytes(key((*T)(r.Value(i))))
			}
		},
	}
}
