package state

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Config says how to make a Map.
type Config struct {
	Schema Schema
	Range  partition.Range // of h1, both ends inclusive
	Pool   *slab.Pool      // where segments come from
	Owner  string          // for the pool's accounts; the schema's name if empty
	Expect int64           // records to make room for at once; used without sub-keys only, 0 if unknown
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	errs := []error{c.Schema.Validate()}
	if !c.Range.Valid() {
		errs = append(errs, fmt.Errorf("table %q: range %v is not valid, its first hash must not be above its last", c.Schema.Name, c.Range))
	}
	if c.Pool == nil {
		errs = append(errs, fmt.Errorf("table %q: no slab pool given", c.Schema.Name))
	}
	if c.Expect < 0 {
		errs = append(errs, fmt.Errorf("table %q: %d records expected, must be 0 or more", c.Schema.Name, c.Expect))
	}
	return errors.Join(errs...)
}

// Map is a hash map in slabs. One goroutine owns it. Values are read and
// written through handles: Fixed, FixedSub, FixedKeyed, Var.
type Map struct {
	dir   *directory
	epoch uint32 // counts snapshots begun, aborted and restored
	lay   layout
	size  int64

	tracks bool      // there is a snapshot that a delta can follow
	parent wire.Time // its position
	snap   *Snapshot // that is running

	schema Schema
	rng    partition.Range
	mem    memory
	spare  spares
	order  sorter

	void0, void1, voidDirty pointer // slots of segments without a slab
}

// memory is where a map's slabs come from.
type memory struct {
	pool  *slab.Pool
	owner slab.OwnerID
	held  int64 // bytes

	slotsMax int // bytes of a segment's slots, and
	heapMax  int // of its heap, before it splits; smaller in tests
}

// New makes an empty map.
func New(cfg Config) (m *Map, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m = newMap(cfg)
	defer func() {
		if err != nil {
			m.drop()
			m = nil
		}
	}()
	defer catch(&err)
	m.presize(cfg.Expect)
	return m, nil
}

// newMap makes a map without a directory.
func newMap(cfg Config) *Map {
	owner := cfg.Owner
	if owner == "" {
		owner = cfg.Schema.Name
	}
	m := &Map{schema: cfg.Schema, lay: layoutOf(cfg.Schema), rng: cfg.Range}
	m.mem = memory{pool: cfg.Pool, owner: cfg.Pool.Owner(owner), slotsMax: slotsBytesMax, heapMax: heapBytesMax}
	m.void0, m.void1, m.voidDirty = wordsOf(m.lay.stride), wordsOf(m.lay.stride), wordsOf(8)
	setH1(m.void1, hashMax)
	return m
}

// presize makes a directory of segments with room for expect records.
func (m *Map) presize(expect int64) {
	first, last := m.rng.First, m.rng.Last
	if expect == 0 || m.schema.Sub != None {
		m.dir = newDirectory(first, last, m.newChain(1))
		return
	}
	span := last - first
	for parts := 1; ; parts++ {
		shift := max(0, bits.Len64(span)-parts)
		fraction := math.Ldexp(1, shift) / (float64(span) + 1)
		per := float64(expect) * min(fraction, 1)
		per += 3 * math.Sqrt(per) // hashes scatter
		size := m.slotsBytesFor(int(per))
		if size > m.mem.slotsMax && shift > 0 {
			continue
		}
		m.dir = newDirectory(first, last, m.newChain(parts))
		for s := m.dir.head; s != nil; s = s.next {
			m.equip(s, size)
		}
		return
	}
}

// newChain makes the segments of an empty map by cutting its range in about
// 2^parts equal ones. There are two at least if the map is for all hashes, since
// a segment needs one that no record has.
func (m *Map) newChain(parts int) *segment {
	first, last := m.rng.First, m.rng.Last
	shift := max(0, bits.Len64(last-first)-parts)
	var head, tail *segment
	for c := uint64(0); c <= (last-first)>>shift; c++ {
		lo := first + c<<shift
		hi := last
		if last-lo >= 1<<shift {
			hi = lo + 1<<shift - 1
		}
		s := m.newSegment(bound{lo, 0}, bound{hi, hashMax})
		if tail == nil {
			head = s
		} else {
			tail.next, s.prev = s, tail
		}
		tail = s
	}
	return head
}

// Len is the number of records.
func (m *Map) Len() int64 { return m.size }

// Range is the range of h1 that the map is for.
func (m *Map) Range() partition.Range { return m.rng }

// Schema is what the records are.
func (m *Map) Schema() Schema { return m.schema }

// Segments is how many segments there are.
func (m *Map) Segments() int { return m.dir.segments }

// MemoryBytes is what the map occupies: slabs, bits and directory.
func (m *Map) MemoryBytes() int64 {
	n := m.mem.held + cellBytes*int64(len(m.dir.cells))
	for s := m.dir.head; s != nil; s = s.next {
		n += segmentBytes + int64(24*len(s.track.dirty)+cap(s.track.deleted)+cap(s.track.frozen))
	}
	return n
}

// SlabBytes is what the map holds of its pool.
func (m *Map) SlabBytes() int64 { return m.mem.held }

// Weights are the numbers of records by range, for planning splits. Each
// segment is one weight, but segments that a key's sub-keys share count for the
// key where they begin.
func (m *Map) Weights() []partition.Weight {
	var ws []partition.Weight
	for s := m.dir.head; s != nil; s = s.next {
		first := s.lo.h1
		if s.lo.h2 > 0 { // the key continues from the segment before
			if s.hi1 == first {
				ws[len(ws)-1].Weight += uint64(s.count)
				continue
			}
			first++
		}
		ws = append(ws, partition.Weight{Range: partition.Range{First: first, Last: s.hi1}, Weight: uint64(s.count)})
	}
	return ws
}

// Close gives all slabs back. The map must not be used again; a running
// snapshot is aborted.
func (m *Map) Close() error {
	if m.snap != nil {
		m.snap.Abort()
	}
	m.drop()
	return nil
}

// drop gives all slabs back.
func (m *Map) drop() {
	if m.dir == nil {
		return
	}
	for s := m.dir.head; s != nil; s = s.next {
		m.put(s.slab)
		m.put(s.heap.slab)
		s.slab, s.heap.slab = nil, nil
	}
	m.dir, m.size = nil, 0
}

// get takes a slab from the pool. It panics with a *slab.BudgetError.
func (m *Map) get(size int) *slab.Slab {
	s, err := m.mem.pool.Get(size, m.mem.owner)
	if err != nil {
		panic(err)
	}
	m.mem.held += int64(s.Size())
	return s
}

// put gives a slab, or nil, back.
func (m *Map) put(s *slab.Slab) {
	if s != nil {
		m.mem.held -= int64(s.Size())
		m.mem.pool.Put(s)
	}
}

// catch turns the panics of memory that has run out into errors.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *slab.BudgetError:
		*err = p
	case *LimitError:
		*err = p
	default:
		panic(p)
	}
}

// slot is slot i of s.
func (m *Map) slot(s *segment, i uint64) pointer { return advance(s.slots, i*m.lay.stride) }

// keyAt is the identity of the record at p; its bytes are borrowed.
func (m *Map) keyAt(s *segment, p pointer) Key {
	k := Key{H1: h1At(p)}
	if m.lay.hasSub {
		k.H2 = h2At(p)
	}
	if m.lay.keyBytes || m.lay.subBytes {
		b := parseBlob(s.heap.bytes(refAt(p, m.lay.ref)))
		k.Key, k.Sub = b.key, b.sub
	}
	return k
}

// insertSlot makes the empty slot i of s a new record's. The value is zeroed.
func (m *Map) insertSlot(s *segment, i uint64, h1, h2 uint64) pointer {
	if h1 < s.lo.h1 || h1 > s.hi1 {
		panic(fmt.Sprintf("BUG: hash %016x is outside of the map's range %v", h1, m.rng))
	}
	m.own(s, i)
	p := m.slot(s, i)
	zero(p, m.lay.stride)
	setH1(p, h1)
	if m.lay.hasSub {
		setH2(p, h2)
	}
	put(s.track.dirty, i, true)
	put(s.track.fresh, i, true)
	s.count++
	m.size++
	return p
}

// roomFor says whether slot i, where a look-up ended, can take a record.
func (s *segment) roomFor(i uint64) bool { return s.count < s.limit && i+1 < uint64(s.total) }

// deleteSlot deletes the record in slot i of s. The records that follow in the
// same cluster move up, if that does not put them before their homes.
func (m *Map) deleteSlot(s *segment, i uint64) {
	p := m.slot(s, i)
	m.own(s, i)
	m.noteDeleted(s, i, p)
	if m.lay.blobs() {
		s.heap.free(refAt(p, m.lay.ref))
	}
	hole := i
	for j := i + 1; ; j++ {
		q := m.slot(s, j)
		if h1At(q) == s.empty {
			break
		}
		if m.homeOf(s, q) > hole {
			continue
		}
		m.own(s, j)
		copySlot(m.slot(s, hole), q, m.lay.stride)
		s.track.inherit(hole, &s.track, j)
		hole = j
	}
	setH1(m.slot(s, hole), s.empty)
	put(s.track.dirty, hole, false)
	put(s.track.fresh, hole, false)
	s.count--
	m.size--
}

// find is the segment, slot number and slot of k.
func (m *Map) find(k *Key) (s *segment, i uint64, p pointer, ok bool) {
	s = m.dir.find2(k.H1, k.H2)
	i, p, ok = m.findKey(s, k)
	return s, i, p, ok
}

// upsert finds or makes the record of k, marks it as changed, and makes sure
// that its blob has room for valueBytes.
func (m *Map) upsert(k *Key, valueBytes int) (s *segment, p pointer, existed bool) {
	need := 0
	if m.lay.blobs() {
		need = blobSize(len(k.Key), len(k.Sub), valueBytes)
		if need > BlobBytesMax {
			panic(&LimitError{Table: m.schema.Name, Reason: fmt.Sprintf("a record of %d bytes is over the limit of %d", need, BlobBytesMax)})
		}
	}
	for {
		s, i, p, ok := m.find(k)
		if ok {
			m.changed(s, i)
			if !m.lay.variable || m.reuse(s, p, need) {
				return s, p, true
			}
		}
		if !s.heap.fits(need) {
			m.makeRoom(s, need, false)
			continue
		}
		if ok {
			old := refAt(p, m.lay.ref)
			s.heap.free(old)
			setRef(p, m.lay.ref, s.heap.take(need))
			return s, p, true
		}
		if m.lay.hasSub && s.crowded(i, k.H1, k.H2) && m.widen(s) {
			continue
		}
		if !s.roomFor(i) {
			m.makeRoom(s, need, true)
			continue
		}
		p = m.insertSlot(s, i, k.H1, k.H2)
		if m.lay.blobs() {
			r := s.heap.take(need)
			setRef(p, m.lay.ref, r)
			putBlob(s.heap.bytes(r), k.Key, k.Sub, nil)
		}
		return s, p, false
	}
}

// reuse says whether the blob of the record at p is of a good size for need
// bytes.
func (m *Map) reuse(s *segment, p pointer, need int) bool {
	have := int(refAt(p, m.lay.ref).size())
	return need <= have && need*2 >= have
}

// remove deletes the record of k.
func (m *Map) remove(k *Key) bool {
	s, i, _, ok := m.find(k)
	if ok {
		m.deleteSlot(s, i)
		m.shrink(s)
	}
	return ok
}

// touch asks for where k's record is, or would be, so that it is in the cache soon.
func (m *Map) touch(h1, h2 uint64) {
	s := m.dir.find2(h1, h2)
	i := home1(h1, s.homes)
	if m.lay.hasSub {
		i = s.home2(h1, h2)
	}
	s.touch(i, m.lay.stride)
}
