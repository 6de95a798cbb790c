package slab

import "fmt"

// Stats are a pool's sums, in bytes unless said otherwise.
type Stats struct {
	Mapped     int64  // address space reserved
	Committed  int64  // of that, memory that has been made usable and may be resident
	InUse      int64  // of that, in slabs, rounded up to their classes
	Peak       int64  // the largest InUse has been
	Slabs      int64  // in use, a number
	Gets       uint64 // slabs handed out so far, a number
	ColdGets   uint64 // of those, from memory that nobody had faulted in
	Prefaulted uint64 // regions that the helper or Warm has faulted in
	Owners     []OwnerStats
}

// Free returns the committed bytes that are in no slab.
func (s Stats) Free() int64 { return s.Committed - s.InUse }

// OwnerStats are the sums of one owner.
type OwnerStats struct {
	Name  string
	InUse int64 // bytes
	Peak  int64 // bytes
	Slabs int64
}

// Stats returns the sums. Owners are in order of registration, so that an
// OwnerID is an index.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Mapped:     p.count.mapped,
		Committed:  p.count.committed,
		InUse:      p.owners.inUse,
		Peak:       p.owners.peak,
		Slabs:      p.owners.slabs,
		Gets:       p.count.gets,
		ColdGets:   p.count.coldGets,
		Prefaulted: p.count.prefaulted,
		Owners:     append([]OwnerStats(nil), p.owners.list...),
	}
}

// accounts knows who has how much.
type accounts struct {
	ids   map[string]OwnerID
	list  []OwnerStats // by OwnerID
	inUse int64
	peak  int64
	slabs int64
}

func (a *accounts) id(name string) OwnerID {
	if id, ok := a.ids[name]; ok {
		return id
	}
	id := OwnerID(len(a.list))
	if int(id) != len(a.list) {
		panic(fmt.Sprintf("BUG: more than %d slab owners, the last is %q", len(a.list), name))
	}
	a.ids[name] = id
	a.list = append(a.list, OwnerStats{Name: name})
	return id
}

// charge accounts one slab of the given bytes, unless that exceeds the budget.
func (a *accounts) charge(id OwnerID, bytes int, budget int64) error {
	if int(id) >= len(a.list) {
		panic(fmt.Sprintf("BUG: slab owner %d, %d are registered", id, len(a.list)))
	}
	o, want := &a.list[id], int64(bytes)
	if budget > 0 && want > budget-a.inUse {
		return &BudgetError{Owner: o.Name, Want: want, InUse: a.inUse, Budget: budget}
	}
	o.InUse += want
	o.Slabs++
	o.Peak = max(o.Peak, o.InUse)
	a.inUse += want
	a.slabs++
	a.peak = max(a.peak, a.inUse)
	return nil
}

func (a *accounts) refund(id OwnerID, bytes int) {
	o := &a.list[id]
	o.InUse -= int64(bytes)
	o.Slabs--
	a.inUse -= int64(bytes)
	a.slabs--
}

// outstanding returns the owners that have slabs.
func (a *accounts) outstanding() []OwnerStats {
	var out []OwnerStats
	for _, o := range a.list {
		if o.Slabs != 0 {
			out = append(out, o)
		}
	}
	return out
}
