package engine

import (
	"time"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
)

// ValueState is a declared table with one value per key. Pointers into it are valid until the next insert into or delete
// from the same table.
type ValueState[V any] struct {
	u64   state.Fixed[V]
	keyed state.FixedKeyed[V]
	bytes bool
}

func keyOf(c *Ctx) state.Key { return state.Key{H1: c.Hash(), Key: c.KeyBytes()} }

// Get is the current key's value, nil for none. It must not be written to.
func (s ValueState[V]) Get(c *Ctx) *V {
	if s.bytes {
		return s.keyed.Get(keyOf(c))
	}
	return s.u64.Get(c.Hash())
}

// Mut is the current key's value to be changed in place, nil for none.
func (s ValueState[V]) Mut(c *Ctx) *V {
	if s.bytes {
		return s.keyed.Mut(keyOf(c))
	}
	return s.u64.Mut(c.Hash())
}

// Upsert is the current key's value to be changed in place; a new one is zero.
func (s ValueState[V]) Upsert(c *Ctx) (v *V, existed bool) {
	if s.bytes {
		return s.keyed.Upsert(keyOf(c))
	}
	return s.u64.Upsert(c.Hash())
}

// Delete forgets the current key's value and says whether there was one.
func (s ValueState[V]) Delete(c *Ctx) bool {
	if s.bytes {
		return s.keyed.Delete(keyOf(c))
	}
	return s.u64.Delete(c.Hash())
}

// Touch loads what Get of a key with this hash will need; for Ahead.
func (s ValueState[V]) Touch(hash uint64) {
	if s.bytes {
		s.keyed.Touch(state.Key{H1: hash})
		return
	}
	s.u64.Touch(hash)
}

// TableState is a declared table of sub-keys under each key. Pointers into it are valid until the next insert into or
// delete from the same table.
type TableState[V any] struct {
	u64   state.FixedSub[V]
	keyed state.FixedKeyed[V]
	bytes bool
}

func subKeyOf(c *Ctx, sub uint64) state.Key {
	return state.Key{H1: c.Hash(), H2: partition.HashUint64(sub), Key: c.KeyBytes()}
}

// Get is the value of a sub-key of the current key, nil for none. It must not be written to.
func (s TableState[V]) Get(c *Ctx, sub uint64) *V {
	if s.bytes {
		return s.keyed.Get(subKeyOf(c, sub))
	}
	return s.u64.Get(c.Hash(), partition.HashUint64(sub))
}

// Mut is the value of a sub-key of the current key to be changed in place, nil for none.
func (s TableState[V]) Mut(c *Ctx, sub uint64) *V {
	if s.bytes {
		return s.keyed.Mut(subKeyOf(c, sub))
	}
	return s.u64.Mut(c.Hash(), partition.HashUint64(sub))
}

// Upsert is the value of a sub-key of the current key to be changed in place; a new one is zero.
func (s TableState[V]) Upsert(c *Ctx, sub uint64) (v *V, existed bool) {
	if s.bytes {
		return s.keyed.Upsert(subKeyOf(c, sub))
	}
	return s.u64.Upsert(c.Hash(), partition.HashUint64(sub))
}

// Delete forgets a sub-key of the current key and says whether there was one.
func (s TableState[V]) Delete(c *Ctx, sub uint64) bool {
	if s.bytes {
		return s.keyed.Delete(subKeyOf(c, sub))
	}
	return s.u64.Delete(c.Hash(), partition.HashUint64(sub))
}

// Each calls fn for the sub-keys of the current key in order of their hash, until it returns false. The table must not be
// changed meanwhile.
func (s TableState[V]) Each(c *Ctx, fn func(sub uint64, v *V) bool) {
	if s.bytes {
		s.keyed.Each(keyOf(c), func(k state.Key, v *V) bool { return fn(partition.UnhashUint64(k.H2), v) })
		return
	}
	s.u64.Each(c.Hash(), func(h2 uint64, v *V) bool { return fn(partition.UnhashUint64(h2), v) })
}

// DeleteIf forgets the sub-keys of the current key for which fn says so, and returns how many. fn is called once for each
// in an order that may differ between runs, and so must look at nothing but what it is given.
func (s TableState[V]) DeleteIf(c *Ctx, fn func(sub uint64, v *V) bool) int {
	if s.bytes {
		return s.keyed.DeleteIf(keyOf(c), func(k state.Key, v *V) bool { return fn(partition.UnhashUint64(k.H2), v) })
	}
	return s.u64.DeleteIf(c.Hash(), func(h2 uint64, v *V) bool { return fn(partition.UnhashUint64(h2), v) })
}

// Touch loads what Get of a sub-key will need; hash is the key's. For Ahead.
func (s TableState[V]) Touch(hash, sub uint64) {
	if s.bytes {
		s.keyed.Touch(state.Key{H1: hash, H2: partition.HashUint64(sub)})
		return
	}
	s.u64.Touch(hash, partition.HashUint64(sub))
}

// BytesState is a declared table with one byte string per key.
type BytesState struct{ v state.Var }

// Get is the current key's value, borrowed until the table is changed, and whether there is one.
func (s BytesState) Get(c *Ctx) ([]byte, bool) { return s.v.Get(keyOf(c)) }

// Set stores a copy of val for the current key.
func (s BytesState) Set(c *Ctx, val []byte) { s.v.Set(keyOf(c), val) }

// Delete forgets the current key's value and says whether there was one.
func (s BytesState) Delete(c *Ctx) bool { return s.v.Delete(keyOf(c)) }

// BytesTableState is a declared table of byte-string sub-keys under each key.
type BytesTableState struct{ v state.Var }

func bytesKeyOf(c *Ctx, sub []byte) state.Key {
	return state.Key{H1: c.Hash(), H2: partition.HashBytes(sub), Key: c.KeyBytes(), Sub: sub}
}

// Get is the value of a sub-key of the current key, borrowed until the table is changed, and whether there is one.
func (s BytesTableState) Get(c *Ctx, sub []byte) ([]byte, bool) { return s.v.Get(bytesKeyOf(c, sub)) }

// Set stores a copy of val for a sub-key of the current key.
func (s BytesTableState) Set(c *Ctx, sub, val []byte) { s.v.Set(bytesKeyOf(c, sub), val) }

// Delete forgets a sub-key of the current key and says whether there was one.
func (s BytesTableState) Delete(c *Ctx, sub []byte) bool { return s.v.Delete(bytesKeyOf(c, sub)) }

// Each calls fn for the sub-keys of the current key in order of their hash, then bytes, until it returns false. The table
// must not be changed meanwhile.
func (s BytesTableState) Each(c *Ctx, fn func(sub, val []byte) bool) {
	s.v.Each(keyOf(c), func(k state.Key, val []byte) bool { return fn(k.Sub, val) })
}

// TimerState is a declared timer: one pending due time per key.
type TimerState struct{ i int }

// Set makes the timer fire for the current key at due, a time since the job's epoch in whole milliseconds that lies beyond
// the current step. A timer that is pending for the key is moved. In the end phase (see Ctx.Ending) nothing is set.
func (t TimerState) Set(c *Ctx, due time.Duration) { c.SetTimer(t.i, due) }

// Cancel forgets the current key's pending timer.
func (t TimerState) Cancel(c *Ctx) { c.CancelTimer(t.i) }

// Due is when the current key's timer will fire, and whether it is pending.
func (t TimerState) Due(c *Ctx) (due time.Duration, ok bool) { return c.TimerDue(t.i) }
