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

// undoRef is where the last content put aside for a segment is: chunk (from 1)
// and offset; at counts them and their blobs' bytes.
type undoRef struct {
	chunk, offset uint32
	rows, blobs   uint32
}

// undoLog keeps contents of slots that were overwritten before their segments
// were captured. An entry is
//
//	reference to the segment's entry before (8) | blob bytes (8) | slot | blob
type undoLog struct {
	chunks []*slab.Slab
	used   int // of the last chunk
}

const (
	undoHeader = 16
	undoChunk  = 256 << 10
)

func (u *undoLog) release(pool *slab.Pool) {
	for _, c := range u.chunks {
		pool.Put(c)
	}
	u.chunks = nil
}

// saveSlot puts the content of slot i of s aside, if it is a record.
func (m *Map) saveSlot(s *segment, i uint64) {
	p := m.slot(s, i)
	if h1At(p) == s.empty {
		return
	}
	var blob []byte
	if m.lay.blobs() {
		blob = s.heap.bytes(refAt(p, m.lay.ref))
	}
	snap, u := m.snap, &m.snap.undo
	n := undoHeader + int(m.lay.stride) + len(blob)
	if len(u.chunks) == 0 || u.used+n > u.chunks[len(u.chunks)-1].Size() {
		c, err := snap.pool.Get(max(n, undoChunk), snap.owner)
		if err != nil {
			snap.fail(fmt.Errorf("putting records of table %q aside for a snapshot: %w", m.schema.Name, err))
			return
		}
		u.chunks, u.used = append(u.chunks, c), 0
	}
	b := u.chunks[len(u.chunks)-1].Bytes()[u.used : u.used+n]
	t := &s.track
	binary.LittleEndian.PutUint32(b, t.undo.chunk)
	binary.LittleEndian.PutUint32(b[4:], t.undo.offset)
	binary.LittleEndian.PutUint64(b[8:], uint64(len(blob)))
	copy(b[undoHeader:], slotBytes(p, m.lay.stride))
	copy(b[undoHeader+m.lay.stride:], blob)
	t.undo = undoRef{uint32(len(u.chunks)), uint32(u.used), t.undo.rows + 1, t.undo.blobs + uint32(len(blob))}
	u.used += n
}

// copySegment copies what the snapshot takes of g.
func (s *Snapshot) copySegment(g *segment) {
	t := &g.track
	rows := min(int(g.count), countBits(t.pend)) + int(t.undo.rows)
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
	p := part{lo: g.lo, hi: g.hi(), at: s.open.used, rows: c.rows, blobs: c.blobs}
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

// slots copies the records of g that are in pend.
func (c *copier) slots(g *segment) {
	stride := c.lay.stride
	for w, word := range g.track.pend {
		for ; word != 0; word &= word - 1 {
			i := uint64(w)<<6 + uint64(bits.TrailingZeros64(word))
			if i >= uint64(g.total) {
				return
			}
			p := advance(g.slots, i*stride)
			if h1At(p) == g.empty {
				continue
			}
			var blob []byte
			if c.lay.ref > 0 {
				blob = g.heap.bytes(refAt(p, c.lay.ref))
			}
			c.row(slotBytes(p, stride), blob)
		}
	}
}

// undone copies the records put aside.
func (c *copier) undone(r undoRef, log *undoLog) {
	for r.chunk > 0 {
		b := log.chunks[r.chunk-1].Bytes()[r.offset:]
		n := binary.LittleEndian.Uint64(b[8:])
		slot := b[undoHeader : undoHeader+c.lay.stride]
		c.row(slot, b[undoHeader+c.lay.stride:][:n])
		r.chunk, r.offset = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
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
