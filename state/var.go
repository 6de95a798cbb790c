package state

import (
	"fmt"
)

// Var is the handle of a map with values of variable size and keys and sub-keys
// of any kind. It is a pointer in disguise: copy it freely. Values and bytes of
// keys that it hands out are borrowed until the map is changed next.
type Var struct{ m *Map }

// NewVar checks that m has variable values.
func NewVar(m *Map) (Var, error) {
	if !m.lay.variable {
		return Var{}, fmt.Errorf("table %q: values are of %d bytes, not variable", m.schema.Name, m.schema.ValueSize)
	}
	return Var{m}, nil
}

func (v Var) value(s *segment, p pointer) []byte {
	return parseBlob(s.heap.bytes(refAt(p, v.m.lay.ref))).value
}

// Get is the value of k for reading.
func (v Var) Get(k Key) ([]byte, bool) {
	s, _, p, ok := v.m.find(&k)
	if !ok {
		return nil, false
	}
	return v.value(s, p), true
}

// Set copies val as the value of k, and says whether there was one before. It
// panics with a *slab.BudgetError or a *LimitError.
func (v Var) Set(k Key, val []byte) (existed bool) {
	s, p, existed := v.m.upsert(&k, len(val))
	putBlob(s.heap.bytes(refAt(p, v.m.lay.ref)), k.Key, k.Sub, val)
	return existed
}

// Delete says whether there was a value.
func (v Var) Delete(k Key) bool { return v.m.remove(&k) }

// Touch is as for Fixed.
func (v Var) Touch(k Key) { v.m.touch(k.H1, k.H2) }

// Each is as for FixedSub; of k, only H1 and Key count.
func (v Var) Each(k Key, fn func(k Key, val []byte) bool) {
	v.m.walk(bound{k.H1, 0}, bound{k.H1, hashMax}, &k, func(s *segment, p pointer) bool {
		return fn(v.m.keyAt(s, p), v.value(s, p))
	})
}

// DeleteIf is as for FixedSub; of k, only H1 and Key count.
func (v Var) DeleteIf(k Key, fn func(k Key, val []byte) bool) int {
	return v.m.sweep(&k, func(s *segment, p pointer) bool {
		return fn(v.m.keyAt(s, p), v.value(s, p))
	})
}

// Clear deletes all values under k's H1 and Key and returns how many there were.
func (v Var) Clear(k Key) int { return v.m.sweep(&k, nil) }

// Count is how many values there are under k's H1 and Key.
func (v Var) Count(k Key) int { return v.m.countUnder(&k) }

// All calls fn with every value, in order of identities, until it says false.
// The map must not be changed meanwhile.
func (v Var) All(fn func(k Key, val []byte) bool) {
	v.m.walk(bound{}, bound{hashMax, hashMax}, nil, func(s *segment, p pointer) bool {
		return fn(v.m.keyAt(s, p), v.value(s, p))
	})
}
