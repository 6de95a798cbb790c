package state

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/partition"
)

// Split cuts the map at hashes of keys; a cut is the first hash of the part
// above it. Cuts must be ascending and inside of the range. Segments are handed
// over as they are, but for those in which a cut falls. m must not be used
// afterwards; its parts may be owned by different goroutines. A delta of a part
// follows m's last snapshot.
func (m *Map) Split(cuts ...uint64) (parts []*Map, err error) {
	if m.dir == nil {
		return nil, fmt.Errorf("splitting table %q: it was closed, split or merged before", m.schema.Name)
	}
	if m.snap != nil {
		return nil, fmt.Errorf("splitting table %q: the snapshot at %v is still being copied", m.schema.Name, m.snap.head.position)
	}
	ranges, err := m.rng.Cut(cuts...)
	if err != nil {
		return nil, fmt.Errorf("splitting table %q: %w", m.schema.Name, err)
	}
	if err := m.cutSegments(cuts); err != nil {
		return nil, fmt.Errorf("splitting table %q: %w", m.schema.Name, err)
	}
	head := m.dir.head
	for _, r := range ranges {
		part := newMap(Config{Schema: m.schema, Range: r, Pool: m.mem.pool})
		part.mem = m.mem
		part.mem.held = 0
		part.epoch, part.tracks, part.parent = m.epoch, m.tracks, m.parent
		first := head
		var last *segment
		for s := head; s != nil && s.lo.h1 <= r.Last; s = s.next {
			part.takeOver(s)
			last = s
		}
		head, last.next, first.prev = last.next, nil, nil
		part.dir = newDirectory(r.First, r.Last, first)
		parts = append(parts, part)
	}
	m.dir, m.size, m.mem.held = nil, 0, 0
	return parts, nil
}

// cutSegments makes every cut the border of two segments.
func (m *Map) cutSegments(cuts []uint64) (err error) {
	defer catch(&err)
	for _, c := range cuts {
		if s := m.dir.locate(bound{c, 0}); s.lo.less(bound{c, 0}) {
			m.capture(s)
			m.splitAt(s, bound{c, 0})
		}
	}
	return nil
}

// takeOver takes a segment of another map.
func (m *Map) takeOver(s *segment) {
	m.size += int64(s.count)
	if s.slab == nil {
		m.vacate(s) // its slots were the other map's
	} else {
		m.mem.held += int64(s.slab.Size())
	}
	if s.heap.slab != nil {
		m.mem.held += int64(s.heap.slab.Size())
	}
}

// Merge makes one map of maps with adjacent, ascending ranges, the same schema
// and the same pool. No record is copied. The maps must not be used afterwards.
// If their last snapshots are at one position, a delta follows those.
func Merge(maps ...*Map) (*Map, error) {
	if err := mergeable(maps); err != nil {
		return nil, err
	}
	first, last := maps[0], maps[len(maps)-1]
	m := newMap(Config{Schema: first.schema, Range: partition.Range{First: first.rng.First, Last: last.rng.Last}, Pool: first.mem.pool})
	m.mem = first.mem
	m.mem.held = 0
	m.tracks, m.parent = true, first.parent
	for _, o := range maps {
		m.tracks = m.tracks && o.tracks && o.parent == m.parent
	}
	m.epoch = 1
	head := first.dir.head
	var tail *segment
	for _, o := range maps {
		if tail != nil {
			tail.next, o.dir.head.prev = o.dir.head, tail
		}
		for s := o.dir.head; s != nil; s = s.next {
			o.roll(s)
			s.mark, s.track.rolled = m.epoch, m.epoch
			m.takeOver(s)
			tail = s
		}
		o.dir, o.size, o.mem.held = nil, 0, 0
	}
	m.dir = newDirectory(m.rng.First, m.rng.Last, head)
	return m, nil
}

func mergeable(maps []*Map) error {
	if len(maps) == 0 {
		return errors.New("merging maps: none given")
	}
	first := maps[0]
	for i, m := range maps {
		name := m.schema.Name
		switch {
		case m.dir == nil:
			return fmt.Errorf("merging table %q: part %d was closed, split or merged before", name, i)
		case m.snap != nil:
			return fmt.Errorf("merging table %q: the snapshot at %v of part %v is still being copied", name, m.snap.head.position, m.rng)
		case m.schema != first.schema:
			return fmt.Errorf("merging table %q: part %v is of another schema", name, m.rng)
		case m.mem.pool != first.mem.pool:
			return fmt.Errorf("merging table %q: part %v is in another pool", name, m.rng)
		case i > 0 && (maps[i-1].rng.Last == hashMax || m.rng.First != maps[i-1].rng.Last+1):
			return fmt.Errorf("merging table %q: part %v does not follow %v", name, m.rng, maps[i-1].rng)
		}
	}
	return nil
}
