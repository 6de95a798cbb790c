package state

import "unsafe"

// FixedKeyed is the handle of a map with values V and keys and sub-keys of any
// kind. See Fixed; bytes in a Key that it hands out are borrowed like values.
type FixedKeyed[V any] struct{ m *Map }

// NewFixedKeyed checks that m has values V.
func NewFixedKeyed[V any](m *Map) (FixedKeyed[V], error) {
	return FixedKeyed[V]{m}, valueFits[V](m, None, None)
}

func (f FixedKeyed[V]) value(p unsafe.Pointer) *V { return (*V)(unsafe.Add(p, f.m.lay.value)) }

// Get is the value of k for reading, nil if there is none.
func (f FixedKeyed[V]) Get(k Key) *V {
	if _, _, p, ok := f.m.find(&k); ok {
		return f.value(p)
	}
	return nil
}

// Mut is the value of k for writing, nil if there is none. It counts as changed.
func (f FixedKeyed[V]) Mut(k Key) *V {
	s, i, p, ok := f.m.find(&k)
	if !ok {
		return nil
	}
	f.m.changed(s, i)
	return f.value(p)
}

// Upsert is the value of k for writing; a new one is zeroed. It panics with a
// *slab.BudgetError or a *LimitError.
func (f FixedKeyed[V]) Upsert(k Key) (v *V, existed bool) {
	_, p, existed := f.m.upsert(&k, 0)
	return f.value(p), existed
}

// Delete says whether there was a value.
func (f FixedKeyed[V]) Delete(k Key) bool { return f.m.remove(&k) }

// Touch is as for Fixed.
func (f FixedKeyed[V]) Touch(k Key) { f.m.touch(k.H1, k.H2) }

// Each is as for FixedSub; of k, only H1 and Key count.
func (f FixedKeyed[V]) Each(k Key, fn func(k Key, v *V) bool) {
	f.m.walk(bound{k.H1, 0}, bound{k.H1, hashMax}, &k, func(s *segment, p unsafe.Pointer) bool {
		return fn(f.m.keyAt(s, p), f.value(p))
	})
}

// DeleteIf is as for FixedSub; of k, only H1 and Key count.
func (f FixedKeyed[V]) DeleteIf(k Key, fn func(k Key, v *V) bool) int {
	return f.m.sweep(&k, func(s *segment, p unsafe.Pointer) bool {
		return fn(f.m.keyAt(s, p), f.value(p))
	})
}

// Clear deletes all values under k's H1 and Key and returns how many there were.
func (f FixedKeyed[V]) Clear(k Key) int { return f.m.sweep(&k, nil) }

// Count is how many values there are under k's H1 and Key.
func (f FixedKeyed[V]) Count(k Key) int { return f.m.countUnder(&k) }

// All calls fn with every value, in order of identities, until it says false.
// The map must not be changed meanwhile.
func (f FixedKeyed[V]) All(fn func(k Key, v *V) bool) {
	f.m.walk(bound{}, bound{hashMax, hashMax}, nil, func(s *segment, p unsafe.Pointer) bool {
		return fn(f.m.keyAt(s, p), f.value(p))
	})
}
