package state

import (
	"encoding/binary"
	"fmt"

	"github.com/fullspate/spate/wire/slab"
)

// Limits of blobs.
const (
	// BlobBytesMax bounds key, sub-key and variable value of one record together.
	BlobBytesMax = 1 << 20

	// heapBytesMax is where a segment splits because of its blobs. Like
	// slotsBytesMax it bounds what is copied at once.
	heapBytesMax = 256 << 10

	blobHeader = 16
)

// LimitError says that a record, or records with one hash, are too large.
type LimitError struct {
	Table  string
	Reason string
}

func (e *LimitError) Error() string { return fmt.Sprintf("table %q: %s", e.Table, e.Reason) }

// blobRef says where in its segment's heap a record's blob is: offset, and
// bytes set aside for it in the upper half. A blob is
//
//	key bytes (4) | sub-key bytes (4) | value bytes (4) | 0 (4) | key | sub-key | value | padding to 8
type blobRef uint64

func (r blobRef) offset() uint32 { return uint32(r) }

func (r blobRef) size() uint32 { return uint32(r >> 32) }

func makeRef(offset, size int) blobRef { return blobRef(uint64(size)<<32 | uint64(offset)) }

// blobHeap is the part of a segment that holds its blobs: memory is taken from
// the front on, and what deletions leave behind is won back by copying the rest
// to another slab.
type blobHeap struct {
	slab *slab.Slab
	top  int // bytes handed out
	dead int // of them no longer in use
}

func (h *blobHeap) live() int { return h.top - h.dead }

func (h *blobHeap) fits(n int) bool {
	return n == 0 || h.slab != nil && h.top+n <= h.slab.Size()
}

// bytes is the blob r, borrowed.
func (h *blobHeap) bytes(r blobRef) []byte {
	at, n := r.offset(), r.size()
	return h.slab.Bytes()[at : at+n : at+n]
}

// take hands out n bytes, which must fit.
func (h *blobHeap) take(n int) blobRef {
	r := makeRef(h.top, n)
	h.top += n
	return r
}

// add copies a blob into the heap.
func (h *blobHeap) add(b []byte) blobRef {
	r := h.take(len(b))
	copy(h.bytes(r), b)
	return r
}

func (h *blobHeap) free(r blobRef) { h.dead += int(r.size()) }

// resizeHeap gives s a heap with room for need bytes more, without holes.
func (m *Map) resizeHeap(s *segment, need int) {
	old := s.heap
	s.heap = blobHeap{slab: m.get(max(old.live()+need, old.live()*5/4))}
	for i := range uint64(s.total) {
		p := m.slot(s, i)
		if h1At(p) == s.empty {
			continue
		}
		setRef(p, m.lay.ref, s.heap.add(old.bytes(refAt(p, m.lay.ref))))
	}
	m.put(old.slab)
}

// blobParts are the parts of a blob, borrowed.
type blobParts struct{ key, sub, value []byte }

func parseBlob(b []byte) blobParts {
	k := blobHeader + binary.LittleEndian.Uint32(b)
	s := k + binary.LittleEndian.Uint32(b[4:])
	v := s + binary.LittleEndian.Uint32(b[8:])
	return blobParts{key: b[blobHeader:k:k], sub: b[k:s:s], value: b[s:v:v]}
}

// blobSize is how much is set aside for a blob.
func blobSize(key, sub, value int) int { return (blobHeader + key + sub + value + 7) &^ 7 }

// putBlob writes a blob into b, which is large enough. The padding is zeroed.
func putBlob(b, key, sub, value []byte) {
	binary.LittleEndian.PutUint32(b, uint32(len(key)))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(sub)))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(value)))
	binary.LittleEndian.PutUint32(b[12:], 0)
	n := blobHeader
	n += copy(b[n:], key)
	n += copy(b[n:], sub)
	n += copy(b[n:], value)
	clear(b[n:])
}
