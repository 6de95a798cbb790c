package partition

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Route says that the hashes of a range go to a target, which is whatever small
// number the owner of the table gives it: the index of a log.
//
// Gen names the generation of consumers the target belongs to. Routes of one
// generation do not overlap; those of different ones do while new consumers are
// catching up beside the old.
type Route struct {
	Range  Range
	Target uint16
	Gen    uint32
}

// String returns the route as "[first,last]→target@generation".
func (r Route) String() string { return fmt.Sprintf("%v→%d@%d", r.Range, r.Target, r.Gen) }

// TargetMax is the largest target a route can have.
const TargetMax = math.MaxUint16 - 1

const (
	radixBits  = 10
	radixShift = 64 - radixBits
	radixSize  = 1 << radixBits

	// several marks a bucket whose hashes do not all go to one same target.
	several = math.MaxUint16
)

// Table maps every hash to the set of targets that are fed with it. It is
// immutable; changing it gives a new table with a higher epoch. Tables are safe
// for use by any number of goroutines.
//
// The hashes fall into pieces, maximal ranges with one same set. A radix over
// the top ten bits answers at once where a bucket lies in a piece of one
// target, and otherwise says at which piece to begin looking.
type Table struct {
	single [radixSize]uint16 // the target, or several
	// hint is the piece of each bucket's first hash; one more ends the last.
	hint   [radixSize + 1]uint16
	pieces []piece // ascending, covering the space
	epoch  uint64
	routes []Route
}

// piece is a range of hashes, from where the piece before ends up to last.
type piece struct {
	last    uint64
	targets []uint16 // ascending, distinct, at least one
}

// NewTable returns the table of the given routes. It is an error for a hash to
// have no route, for two routes of one generation to overlap, for a range not
// to be valid, and for a target to exceed TargetMax.
func NewTable(epoch uint64, routes []Route) (*Table, error) {
	t := &Table{epoch: epoch, routes: slices.Clone(routes)}
	slices.SortFunc(t.routes, compareRoutes)
	if err := t.checkRoutes(); err != nil {
		return nil, fmt.Errorf("routing table of epoch %d: %w", epoch, err)
	}
	if err := t.layPieces(); err != nil {
		return nil, fmt.Errorf("routing table of epoch %d: %w", epoch, err)
	}
	t.fillRadix()
	return t, nil
}

// compareRoutes orders by generation, range and target.
func compareRoutes(a, b Route) int {
	return cmp.Or(cmp.Compare(a.Gen, b.Gen), cmp.Compare(a.Range.First, b.Range.First),
		cmp.Compare(a.Range.Last, b.Range.Last), cmp.Compare(a.Target, b.Target))
}

// Direct returns the target of hash where all hashes that begin as it does go to
// that one alone, which holds for all but those near a cut and those of ranges
// that are being moved, and otherwise -1. It is the first question of routing:
// small enough to be a part of the loop that asks it.
func (t *Table) Direct(hash uint64) int {
	if v := t.single[hash>>radixShift]; v != several {
		return int(v)
	}
	return -1
}

// Lookup returns the targets of hash, ascending, at least one. The slice is the
// table's own and must not be changed.
func (t *Table) Lookup(hash uint64) []uint16 {
	b := hash >> radixShift
	lo, hi := int(t.hint[b]), int(t.hint[b+1])
	for lo < hi {
		if mid := (lo + hi) / 2; t.pieces[mid].last < hash {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return t.pieces[lo].targets
}

// Epoch returns the table's version.
func (t *Table) Epoch() uint64 { return t.epoch }

// Routes returns a copy of the routes, in order of generation and range.
func (t *Table) Routes() []Route { return slices.Clone(t.routes) }

// Targets returns all targets, ascending.
func (t *Table) Targets() []uint16 {
	var all []uint16
	for _, r := range t.routes {
		all = append(all, r.Target)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Add returns a table that feeds the given routes as well: new consumers that
// catch up beside the old.
func (t *Table) Add(epoch uint64, routes ...Route) (*Table, error) {
	return t.Replace(epoch, nil, routes...)
}

// Remove returns a table that no longer feeds the given targets. It is an error
// for one of them not to be in the table, or for a hash to be left without any.
func (t *Table) Remove(epoch uint64, targets ...uint16) (*Table, error) {
	return t.Replace(epoch, targets)
}

// Replace returns a table with all routes to the old targets taken away and the
// given routes added: Remove and Add in one version.
func (t *Table) Replace(epoch uint64, old []uint16, with ...Route) (*Table, error) {
	if epoch <= t.epoch {
		return nil, fmt.Errorf("routing table of epoch %d: want an epoch above that of the table it follows, %d", epoch, t.epoch)
	}
	for _, o := range old {
		if !slices.ContainsFunc(t.routes, func(r Route) bool { return r.Target == o }) {
			return nil, fmt.Errorf("routing table of epoch %d: target %d to be removed is not in epoch %d", epoch, o, t.epoch)
		}
	}
	routes := slices.DeleteFunc(slices.Clone(t.routes), func(r Route) bool { return slices.Contains(old, r.Target) })
	return NewTable(epoch, append(routes, with...))
}

// Split returns a table in which the range of a target is cut at the points and
// fed to len(points)+1 targets of generation gen as well: the beginning of a
// scale-out, which ends with the target's Remove.
func (t *Table) Split(epoch uint64, target uint16, gen uint32, points []uint64, to []uint16) (*Table, error) {
	i := slices.IndexFunc(t.routes, func(r Route) bool { return r.Target == target })
	if i < 0 {
		return nil, fmt.Errorf("split target %d: it is not in epoch %d", target, t.epoch)
	}
	parts, err := t.routes[i].Range.Cut(points...)
	if err != nil {
		return nil, fmt.Errorf("split target %d: %w", target, err)
	}
	if len(parts) != len(to) {
		return nil, fmt.Errorf("split target %d: %d points make %d parts, %d targets are given", target, len(points), len(parts), len(to))
	}
	if next := slices.IndexFunc(t.routes[i+1:], func(r Route) bool { return r.Target == target }); next >= 0 {
		return nil, fmt.Errorf("split target %d: it has several ranges, %v and %v", target, t.routes[i], t.routes[i+1+next])
	}
	routes := make([]Route, len(parts))
	for i, r := range parts {
		routes[i] = Route{Range: r, Target: to[i], Gen: gen}
	}
	return t.Add(epoch, routes...)
}

// checkRoutes judges the sorted routes by themselves.
func (t *Table) checkRoutes() error {
	for i, r := range t.routes {
		if !r.Range.Valid() {
			return fmt.Errorf("route %v ends before it begins", r)
		}
		if r.Target > TargetMax {
			return fmt.Errorf("route %v: target above %d", r, TargetMax)
		}
		if i > 0 && t.routes[i-1].Gen == r.Gen && t.routes[i-1].Range.Last >= r.Range.First {
			return fmt.Errorf("routes %v and %v of one generation overlap", t.routes[i-1], r)
		}
	}
	return nil
}

// layPieces cuts the space at every end of a route and joins neighbours that
// have the same targets.
func (t *Table) layPieces() error {
	lasts := []uint64{math.MaxUint64}
	for _, r := range t.routes {
		lasts = append(lasts, r.Range.Last)
		if r.Range.First > 0 {
			lasts = append(lasts, r.Range.First-1)
		}
	}
	slices.Sort(lasts)
	for _, last := range slices.Compact(lasts) {
		var targets []uint16
		for _, r := range t.routes {
			if r.Range.Contains(last) {
				targets = append(targets, r.Target)
			}
		}
		if len(targets) == 0 {
			return fmt.Errorf("hash %#016x has no route", last)
		}
		slices.Sort(targets)
		targets = slices.Compact(targets)
		if n := len(t.pieces); n > 0 && slices.Equal(t.pieces[n-1].targets, targets) {
			t.pieces[n-1].last = last
			continue
		}
		t.pieces = append(t.pieces, piece{last, targets})
	}
	if len(t.pieces) > math.MaxUint16 {
		return fmt.Errorf("%d pieces, at most %d are supported", len(t.pieces), math.MaxUint16)
	}
	return nil
}

func (t *Table) fillRadix() {
	i := 0
	for b := range uint64(radixSize) {
		first := b << radixShift
		for t.pieces[i].last < first {
			i++
		}
		t.hint[b], t.single[b] = uint16(i), several
		if p := t.pieces[i]; p.last >= first|(1<<radixShift-1) && len(p.targets) == 1 {
			t.single[b] = p.targets[0]
		}
	}
	t.hint[radixSize] = uint16(len(t.pieces) - 1)
}
