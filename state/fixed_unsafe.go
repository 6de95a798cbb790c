package state

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/fullspate/spate/wire"
)

// valueFits checks that V is what the map's values are, and of the given kinds.
func valueFits[V any](m *Map, key, sub KeyKind) error {
	size, layout, err := wire.CheckLayout(reflect.TypeFor[V]())
	if err != nil {
		return fmt.Errorf("table %q: value type: %w", m.schema.Name, err)
	}
	s := m.schema
	if size != s.ValueSize || layout != s.Layout {
		return fmt.Errorf("table %q: values are not of type %v: %d bytes with layout %016x, not %d with %016x",
			s.Name, reflect.TypeFor[V](), s.ValueSize, s.Layout, size, layout)
	}
	if key != None && (key != s.Key || sub != s.Sub) {
		return fmt.Errorf("table %q: keys are %v and sub-keys %v, this handle is for %v and %v", s.Name, s.Key, s.Sub, key, sub)
	}
	return nil
}

// Fixed is the handle of a map from uint64 keys to values V. It is a pointer in
// disguise: copy it freely. Keys are given as their hash.
//
// Pointers to values stay valid until the next insertion into or deletion from
// the map.
type Fixed[V any] struct{ m *Map }

// NewFixed checks that m has uint64 keys, no sub-keys, and values V.
func NewFixed[V any](m *Map) (Fixed[V], error) {
	return Fixed[V]{m}, valueFits[V](m, Uint64, None)
}

// fixedAt is where the value of a Fixed begins in a slot.
const fixedAt = 8

func (f Fixed[V]) stride() uint64 {
	var v V
	return fixedAt + uint64(unsafe.Sizeof(v))
}

// Get is the value of h1 for reading, nil if there is none.
func (f Fixed[V]) Get(h1 uint64) *V {
	s := f.m.dir.find1(h1)
	if _, p, ok := find1(s, h1, f.stride()); ok {
		return (*V)(unsafe.Add(p, fixedAt))
	}
	return nil
}

// Mut is the value of h1 for writing, nil if there is none. It counts as changed.
func (f Fixed[V]) Mut(h1 uint64) *V {
	s := f.m.dir.find1(h1)
	i, p, ok := find1(s, h1, f.stride())
	if !ok {
		return nil
	}
	if s.mark != f.m.epoch {
		f.m.own(s, i)
	}
	s.mark1(i)
	return (*V)(unsafe.Add(p, fixedAt))
}

// Upsert is the value of h1 for writing; a new one is zeroed. It panics with a
// *slab.BudgetError if the pool is exhausted.
func (f Fixed[V]) Upsert(h1 uint64) (v *V, existed bool) {
	for {
		s := f.m.dir.find1(h1)
		i, p, ok := find1(s, h1, f.stride())
		if ok {
			if s.mark != f.m.epoch {
				f.m.own(s, i)
			}
			s.mark1(i)
			return (*V)(unsafe.Add(p, fixedAt)), true
		}
		if s.roomFor(i) {
			return (*V)(unsafe.Add(f.m.insertSlot(s, i, h1, 0), fixedAt)), false
		}
		f.m.makeRoom(s, 0, true)
	}
}

// Delete says whether there was a value.
func (f Fixed[V]) Delete(h1 uint64) bool { return f.m.remove(&Key{H1: h1}) }

// Touch asks for the place of h1 and its mark ahead of their use: called for a
// batch of keys, it lets their cache misses overlap.
func (f Fixed[V]) Touch(h1 uint64) {
	s := f.m.dir.find1(h1)
	s.touch(home1(h1, s.homes), f.stride())
}

// All calls fn with every value, in order of h1, until it says false. The map
// must not be changed meanwhile.
func (f Fixed[V]) All(fn func(h1 uint64, v *V) bool) {
	f.m.walk(bound{}, bound{hashMax, hashMax}, nil, func(_ *segment, p unsafe.Pointer) bool {
		return fn(h1At(p), (*V)(unsafe.Add(p, fixedAt)))
	})
}

// FixedSub is the handle of a map from uint64 keys and uint64 sub-keys to
// values V. See Fixed.
type FixedSub[V any] struct{ m *Map }

// NewFixedSub checks that m has uint64 keys and sub-keys and values V.
func NewFixedSub[V any](m *Map) (FixedSub[V], error) {
	return FixedSub[V]{m}, valueFits[V](m, Uint64, Uint64)
}

// fixedSubAt is where the value of a FixedSub begins in a slot.
const fixedSubAt = 16

func (f FixedSub[V]) stride() uint64 {
	var v V
	return fixedSubAt + uint64(unsafe.Sizeof(v))
}

// Get is the value of (h1, h2) for reading, nil if there is none.
func (f FixedSub[V]) Get(h1, h2 uint64) *V {
	s := f.m.dir.find2(h1, h2)
	if _, p, ok := find2(s, s.home2(h1, h2), h1, h2, f.stride()); ok {
		return (*V)(unsafe.Add(p, fixedSubAt))
	}
	return nil
}

// Mut is the value of (h1, h2) for writing, nil if there is none. It counts as
// changed.
func (f FixedSub[V]) Mut(h1, h2 uint64) *V {
	s := f.m.dir.find2(h1, h2)
	i, p, ok := find2(s, s.home2(h1, h2), h1, h2, f.stride())
	if !ok {
		return nil
	}
	if s.mark != f.m.epoch {
		f.m.own(s, i)
	}
	s.mark1(i)
	return (*V)(unsafe.Add(p, fixedSubAt))
}

// Upsert is the value of (h1, h2) for writing; a new one is zeroed. It panics
// with a *slab.BudgetError if the pool is exhausted.
func (f FixedSub[V]) Upsert(h1, h2 uint64) (v *V, existed bool) {
	for {
		s := f.m.dir.find2(h1, h2)
		i, p, ok := find2(s, s.home2(h1, h2), h1, h2, f.stride())
		if ok {
			if s.mark != f.m.epoch {
				f.m.own(s, i)
			}
			s.mark1(i)
			return (*V)(unsafe.Add(p, fixedSubAt)), true
		}
		if s.crowded(i, h1, h2) && f.m.widen(s) {
			continue
		}
		if s.roomFor(i) {
			return (*V)(unsafe.Add(f.m.insertSlot(s, i, h1, h2), fixedSubAt)), false
		}
		f.m.makeRoom(s, 0, true)
	}
}

// Delete says whether there was a value.
func (f FixedSub[V]) Delete(h1, h2 uint64) bool { return f.m.remove(&Key{H1: h1, H2: h2}) }

// Touch is as for Fixed.
func (f FixedSub[V]) Touch(h1, h2 uint64) {
	s := f.m.dir.find2(h1, h2)
	s.touch(s.home2(h1, h2), f.stride())
}

// Each calls fn with the values under h1, in order of h2, until it says false.
// The map must not be changed meanwhile.
func (f FixedSub[V]) Each(h1 uint64, fn func(h2 uint64, v *V) bool) {
	k := Key{H1: h1}
	f.m.walk(bound{h1, 0}, bound{h1, hashMax}, &k, func(_ *segment, p unsafe.Pointer) bool {
		return fn(h2At(p), (*V)(unsafe.Add(p, fixedSubAt)))
	})
}

// DeleteIf deletes the values under h1 for which fn says true, and returns how
// many. It calls fn once for each, in no particular order; fn must not write to
// the value, nor use the map.
func (f FixedSub[V]) DeleteIf(h1 uint64, fn func(h2 uint64, v *V) bool) int {
	k := Key{H1: h1}
	return f.m.sweep(&k, func(_ *segment, p unsafe.Pointer) bool {
		return fn(h2At(p), (*V)(unsafe.Add(p, fixedSubAt)))
	})
}

// Clear deletes all values under h1 and returns how many there were.
func (f FixedSub[V]) Clear(h1 uint64) int { return f.m.sweep(&Key{H1: h1}, nil) }

// Count is how many values there are under h1.
func (f FixedSub[V]) Count(h1 uint64) int { return f.m.countUnder(&Key{H1: h1}) }

// All calls fn with every value, in order of (h1, h2), until it says false. The
// map must not be changed meanwhile.
func (f FixedSub[V]) All(fn func(h1, h2 uint64, v *V) bool) {
	f.m.walk(bound{}, bound{hashMax, hashMax}, nil, func(_ *segment, p unsafe.Pointer) bool {
		return fn(h1At(p), h2At(p), (*V)(unsafe.Add(p, fixedSubAt)))
	})
}
