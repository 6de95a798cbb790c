package state

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/fullspate/spate/wire/slab"
)

// selectSlots makes pend what the snapshot takes of a segment.
func (s *Snapshot) selectSlots(t *tracking) {
	if s.head.kind == Delta {
		copy(t.pend, t.dirty)
		return
	}
	for i := range t.pend {
		t.pend[i] = ^uint64(0)
	}
}

// undoRef is where the last block of contents put aside for a segment is: chunk
// (from 1) and offset, and how much of it is used; rows and blobs are those of
// all its blocks.
type undoRef struct {
	chunk, offset, used uint32
	rows, blobs         uint32 // blobs in bytes
}

// undoLog keeps contents of slots that were overwritten before their segments
// were captured. Each segment has blocks of its own, so that what was put aside
// in any order is read with few jumps. A block is
//
//	undoRef of the segment's block before: chunk (4) | offset (4) | used (4) | 0 (4) | entries
//
// and an entry
//
//	blob bytes (8), with blobs only | slot | blob
type undoLog struct {
	chunks []*slab.Slab
	used   int // of the last chunk
}

const (
	undoHeader = 16
	undoChunk  = 256 << 10

	// undoBlock holds a dozen records of 40 bytes: long enough for the processor
	// to read ahead, and half of one for each segment is not much wasted.
	undoBlock = 512
)

func (u *undoLog) release(pool *slab.Pool) {
	for _, c := range u.chunks {
		pool.Put(c)
	}
	u.chunks = nil
}

// at is the block of r, and all that follows it.
func (u *undoLog) at(r undoRef) []byte { return u.chunks[r.chunk-1].Bytes()[r.offset:] }

// room makes sure that n bytes fit into the block of r, or a new one.
func (u *undoLog) room(r *undoRef, n int, s *Snapshot) error {
	size := uint32(max(undoBlock, undoHeader+n))
	if r.chunk > 0 && r.used+uint32(n) <= undoBlock {
		return nil
	}
	if len(u.chunks) == 0 || u.used+int(size) > u.chunks[len(u.chunks)-1].Size() {
		c, err := s.pool.Get(max(int(size), undoChunk), s.owner)
		if err != nil {
			return err
		}
		u.chunks, u.used = append(u.chunks, c), 0
	}
	before := *r
	r.chunk, r.offset, r.used = uint32(len(u.chunks)), uint32(u.used), undoHeader
	u.used += int(size)
	b := u.at(*r)
	binary.LittleEndian.PutUint32(b, before.chunk)
	binary.LittleEndian.PutUint32(b[4:], before.offset)
	binary.LittleEndian.PutUint32(b[8:], before.used)
	binary.LittleEndian.PutUint32(b[12:], 0)
	return nil
}

// saveSlot puts the content of slot i of s aside, if it is a record.
func (m *Map) saveSlot(s *segment, i uint64) {
	p := m.slot(s, i)
	if h1At(p) == s.empty {
		return
	}
	n := int(m.lay.stride)
	var blob []byte
	if m.lay.blobs() {
		blob = s.heap.bytes(refAt(p, m.lay.ref))
		n += 8 + len(blob)
	}
	snap, r := m.snap, &s.track.undo
	if err := snap.undo.room(r, n, snap); err != nil {
		snap.fail(fmt.Errorf("putting records of table %q aside for a snapshot: %w", m.schema.Name, err))
		return
	}
	b := snap.undo.at(*r)[r.used:][:n]
	r.used, r.rows, r.blobs = r.used+uint32(n), r.rows+1, r.blobs+uint32(len(blob))
	if m.lay.blobs() {
		binary.LittleEndian.PutUint64(b, uint64(len(blob)))
		b = b[8:]
	}
	copy(b[copy(b, slotBytes(p, m.lay.stride)):], blob)
}

// copySegment copies what the snapshot takes of g.
func (s *Snapshot) copySegment(g *segment) {
	t := &g.track
	slots := g.total
	if s.m.lay.blobs() {
		slots = g.count // those without a record are left out
	}
	rows := min(int(slots), countBits(t.pend)) + int(t.undo.rows)
	blobs := int(t.undo.blobs)
	if g.heap.slab != nil && rows > 0 {
		blobs += g.heap.live()
	}
	deleted := 0
	if s.head.kind == Delta {
		deleted = len(t.frozen)
	}
	stride := int(s.m.lay.stride)
	if !s.room(rows*stride + blobs + deleted) {
		return
	}
	c := copier{lay: &s.m.lay, to: s.open.slab.Bytes()[s.open.used:], blobsAt: rows * stride}
	c.slots(g)
	c.undone(t.undo, &s.undo)
	p := part{lo: g.lo, hi: g.hi(), empty: g.empty, at: s.open.used, rows: c.rows, blobs: c.blobs}
	if c.rows < rows { // the blobs follow the rows
		copy(c.to[c.rows*stride:], c.to[c.blobsAt:c.blobsAt+c.blobs])
	}
	n := c.rows*stride + c.blobs
	if deleted > 0 {
		p.deleted = deleted
		n += copy(c.to[n:], t.frozen)
	}
	t.frozen = t.frozen[:0]
	t.undo = undoRef{}
	s.open.parts = append(s.open.parts, p)
	s.open.used += (n + 7) &^ 7
	s.copied += int64(n)
}

// copier writes rows and their blobs.
type copier struct {
	lay     *layout
	to      []byte
	blobsAt int
	rows    int
	blobs   int // bytes
}

// slots copies the slots of g that are in pend, run by run.
func (c *copier) slots(g *segment) {
	for w, word := range g.track.pend {
		for ; word != 0; word &= word + word&-word {
			first := bits.TrailingZeros64(word)
			n := bits.TrailingZeros64(^(word >> first))
			from := uint64(w<<6 + first)
			c.run(g, from, min(from+uint64(n), uint64(g.total)))
		}
	}
}

// run copies the slots from one to another, exclusive. Where records have no
// blobs it does not look at them: the encoder, who has the time, tells those
// that are empty.
func (c *copier) run(g *segment, from, to uint64) {
	stride := c.lay.stride
	if to <= from {
		return
	}
	if c.lay.ref == 0 {
		n := copy(c.to[c.rows*int(stride):], slotBytes(advance(g.slots, from*stride), (to-from)*stride))
		c.rows += n / int(stride)
		return
	}
	for i := from; i < to; i++ {
		if p := advance(g.slots, i*stride); h1At(p) != g.empty {
			c.row(slotBytes(p, stride), g.heap.bytes(refAt(p, c.lay.ref)))
		}
	}
}

// undone copies the records put aside.
func (c *copier) undone(r undoRef, log *undoLog) {
	for r.chunk > 0 {
		b := log.at(r)
		for entries := b[undoHeader:r.used]; len(entries) > 0; {
			n := uint64(0)
			if c.lay.blobs() {
				n = binary.LittleEndian.Uint64(entries)
				entries = entries[8:]
			}
			slot, blob := entries[:c.lay.stride], entries[c.lay.stride:][:n]
			c.row(slot, blob)
			entries = entries[c.lay.stride+n:]
		}
		le := binary.LittleEndian
		r.chunk, r.offset, r.used = le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
	}
}

func (c *copier) row(slot, blob []byte) {
	dst := c.to[c.rows*len(slot):]
	copy(dst[:len(slot)], slot)
	if c.lay.ref > 0 {
		binary.LittleEndian.PutUint64(dst[c.lay.ref:], uint64(makeRef(c.blobs, len(blob))))
		c.blobs += copy(c.to[c.blobsAt+c.blobs:], blob)
	}
	c.rows++
}
