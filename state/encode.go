package state

import (
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Encode writes the image of the snapshot. It waits for what Step has yet to
// copy, and sorts and compresses beside it. Any one goroutine may call it, once.
// The bytes depend on the kind, the position, the records, which of them have
// changed, and the codec; not on how the map came to be.
//
// When it returns an error of w the snapshot has failed, and Step will say so.
func (s *Snapshot) Encode(w io.Writer, c Codec) (Info, error) {
	info, err := s.encode(w, c)
	if err != nil {
		s.out.end(err)
		s.out.drain(s.pool)
		return Info{}, err
	}
	return info, nil
}

func (s *Snapshot) encode(w io.Writer, c Codec) (Info, error) {
	iw, err := newImageWriter(w, c, s.head)
	if err != nil {
		return Info{}, err
	}
	e := &encoder{s: s, w: iw, expect: bound{s.head.rng.First, 0}, early: map[bound]earlyPart{}}
	defer e.release()
	for {
		b, err := s.out.next()
		if err != nil {
			return Info{}, err
		}
		if b == nil {
			break
		}
		if err := e.take(b); err != nil {
			return Info{}, err
		}
	}
	if !e.complete {
		panic(fmt.Sprintf("BUG: the copy of table %q ends at %016x.%016x, before its range %v",
			s.head.schema.Name, e.expect.h1, e.expect.h2, s.head.rng))
	}
	return iw.close()
}

// encoder puts the parts of batches in order.
type encoder struct {
	s        *Snapshot
	w        *imageWriter
	expect   bound // where the next part begins
	complete bool
	early    map[bound]earlyPart // parts that came before their turn
	order    sorter
	rows     []ref
	deleted  []ref
}

type earlyPart struct {
	batch *batch
	part  part
}

// take writes b's parts, or keeps them for later.
func (e *encoder) take(b *batch) error {
	parts := b.parts
	for _, p := range parts {
		e.early[p.lo] = earlyPart{b, p}
	}
	for {
		p, ok := e.early[e.expect]
		if !ok || e.complete {
			return nil
		}
		delete(e.early, e.expect)
		err := e.write(p.batch, &p.part)
		if p.batch.left--; p.batch.left == 0 {
			e.s.pool.Put(p.batch.slab)
		}
		if err != nil {
			return err
		}
		e.complete = p.part.hi == bound{e.s.head.rng.Last, hashMax}
		if !e.complete {
			e.expect = p.part.hi.next()
		}
	}
}

// release frees what was not written.
func (e *encoder) release() {
	for _, p := range e.early {
		if p.batch.left--; p.batch.left == 0 {
			e.s.pool.Put(p.batch.slab)
		}
	}
}

// write writes the entries of a part in order. A deletion of a record that is
// there again is none.
func (e *encoder) write(b *batch, p *part) error {
	lay := &e.w.lay
	stride := int(lay.stride)
	rows := b.slab.Bytes()[p.at:][:p.rows*stride]
	blobs := b.slab.Bytes()[p.at+len(rows):][:p.blobs]
	deleted := b.slab.Bytes()[p.at+len(rows)+len(blobs):][:p.deleted]
	blob := func(r blobRef) []byte { return blobs[r.offset():][:r.size()] }
	record := func(r ref) entry {
		return lay.entryAt(rows[int(r.slot)*stride:][:stride], blob)
	}
	deletion := func(r ref) entry {
		var d entry
		lay.parseEntry(deleted[r.slot:], true, &d)
		return d
	}
	puts := e.sortRows(rows, p.empty, record)
	gone := e.sortDeleted(deleted, deletion)
	for len(puts) > 0 || len(gone) > 0 {
		var put, del entry
		order := -1 // put before deletion
		switch {
		case len(puts) == 0:
			del, order = deletion(gone[0]), 1
		case len(gone) == 0:
			put = record(puts[0])
		default:
			put, del = record(puts[0]), deletion(gone[0])
			order = compareKeys(&put.key, &del.key)
		}
		if order >= 0 {
			gone = gone[1:]
		}
		if order <= 0 {
			puts = puts[1:]
		} else {
			put = del
		}
		if err := e.w.add(&put); err != nil {
			return err
		}
	}
	return nil
}

// sortRows orders the rows that are records.
func (e *encoder) sortRows(rows []byte, empty uint64, record func(ref) entry) []ref {
	lay := &e.w.lay
	refs := e.rows[:0]
	for i := 0; i*int(lay.stride) < len(rows); i++ {
		p := bytesPtr(rows[i*int(lay.stride):])
		r := ref{h1: h1At(p), slot: uint32(i)}
		if r.h1 == empty {
			continue
		}
		if lay.hasSub {
			r.h2 = h2At(p)
		}
		refs = append(refs, r)
	}
	e.rows = refs
	e.order.sort(refs, e.tie(record))
	return refs
}

func (e *encoder) sortDeleted(deleted []byte, deletion func(ref) entry) []ref {
	refs := e.deleted[:0]
	for at := 0; at < len(deleted); {
		k, n, _ := e.w.lay.parseIdentity(deleted[at:])
		refs = append(refs, ref{k.H1, k.H2, uint32(at)})
		at += n
	}
	e.deleted = refs
	e.order.sort(refs, e.tie(deletion))
	return refs
}

// tie compares by bytes where there are any.
func (e *encoder) tie(at func(ref) entry) func(a, b ref) int {
	if !e.w.lay.keyBytes && !e.w.lay.subBytes {
		return nil
	}
	return func(a, b ref) int {
		ea, eb := at(a), at(b)
		return compareKeys(&ea.key, &eb.key)
	}
}

// imageWriter writes an image, entry by entry in order of identities.
type imageWriter struct {
	w       io.Writer
	codec   Codec
	head    header
	lay     layout
	tail    footer
	changed *roaring.Bitmap
	bucket  uint32 // added to changed last

	block   frame
	records []byte
	deleted []byte
	packer  packer
	out     []byte
}

func newImageWriter(w io.Writer, c Codec, h header) (*imageWriter, error) {
	iw := &imageWriter{w: w, codec: c, head: h, lay: layoutOf(h.schema), bucket: math.MaxUint32}
	if h.kind == Delta {
		iw.changed = roaring.New()
	}
	var err error
	if iw.packer, err = newPacker(c); err != nil {
		return nil, err
	}
	if _, err := w.Write(h.append(nil)); err != nil {
		return nil, fmt.Errorf("writing an image's header: %w", err)
	}
	return iw, nil
}

// add writes an entry.
func (w *imageWriter) add(e *entry) error {
	if e.deleted {
		at := len(w.deleted)
		w.deleted = append(w.deleted, e.raw...)
		return w.added(e, len(w.deleted)-at)
	}
	at := len(w.records)
	w.records = w.lay.appendRecord(w.records, e)
	return w.added(e, len(w.records)-at)
}

// added closes the block before the entry of n bytes that has just been
// appended if the block is too long with it.
func (w *imageWriter) added(e *entry, n int) error {
	records, deleted := len(w.records), len(w.deleted)
	if records+deleted > blockBytes && records+deleted > n {
		// The entry begins the next block.
		if e.deleted {
			deleted -= n
		} else {
			records -= n
		}
		if err := w.flush(records, deleted); err != nil {
			return err
		}
		w.records = w.records[:copy(w.records, w.records[records:])]
		w.deleted = w.deleted[:copy(w.deleted, w.deleted[deleted:])]
	}
	b := &w.block
	if b.records+b.deletions == 0 {
		b.first = e.key.H1
	}
	b.last = e.key.H1
	if e.deleted {
		b.deletions++
		b.deletedSum += sumOf(w.deleted[len(w.deleted)-n:])
	} else {
		b.records++
		b.sum += sumOf(w.records[len(w.records)-n:])
	}
	if bucket := uint32(e.key.H1 >> ChangedShift); w.changed != nil && bucket != w.bucket {
		w.changed.Add(bucket)
		w.bucket = bucket
	}
	return nil
}

// flush writes a block of that many bytes of records and deletions.
func (w *imageWriter) flush(records, deleted int) error {
	raw := w.records[:records]
	if deleted > 0 {
		// The records' memory may hold the entry that follows: join elsewhere.
		w.out = append(append(w.out[:0], raw...), w.deleted[:deleted]...)
		raw = w.out
	}
	f := w.block
	w.block = frame{}
	payload := w.packer.pack(raw)
	f.codec = w.codec
	if len(payload) >= len(raw) {
		payload, f.codec = raw, Raw
	}
	f.raw, f.size = uint32(len(raw)), uint32(len(payload))
	f.crc = crc32.Checksum(payload, castagnoli)
	return w.emit(&f, payload)
}

// emit writes a block that is packed already.
func (w *imageWriter) emit(f *frame, payload []byte) error {
	var head [frameBytes]byte
	if _, err := w.w.Write(f.append(head[:0])); err != nil {
		return fmt.Errorf("writing block %d of an image: %w", w.tail.blocks, err)
	}
	if _, err := w.w.Write(payload); err != nil {
		return fmt.Errorf("writing block %d of an image: %w", w.tail.blocks, err)
	}
	w.tail.count(f)
	return nil
}

// close writes what is left, and the footer.
func (w *imageWriter) close() (Info, error) {
	if w.block.records+w.block.deletions > 0 {
		if err := w.flush(len(w.records), len(w.deleted)); err != nil {
			return Info{}, err
		}
	}
	if w.changed != nil {
		w.changed.RunOptimize()
		b, err := w.changed.ToBytes()
		if err != nil {
			return Info{}, fmt.Errorf("writing an image's bitmap of changes: %w", err)
		}
		w.tail.bitmap = b
	}
	if _, err := w.w.Write(w.tail.append(nil)); err != nil {
		return Info{}, fmt.Errorf("writing an image's footer: %w", err)
	}
	return w.head.info(&w.tail, w.changed), nil
}

// packer compresses blocks.
type packer struct {
	codec Codec
	zstd  *zstd.Encoder
	buf   []byte
}

func newPacker(c Codec) (packer, error) {
	p := packer{codec: c}
	switch c {
	case Raw, S2:
	case Zstd:
		var err error
		p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
		if err != nil {
			return p, fmt.Errorf("setting up zstd: %w", err)
		}
	default:
		return p, fmt.Errorf("no such codec: %v", c)
	}
	return p, nil
}

// pack is raw compressed; it is valid until the next call.
func (p *packer) pack(raw []byte) []byte {
	switch p.codec {
	case S2:
		if n := s2.MaxEncodedLen(len(raw)); cap(p.buf) < n {
			p.buf = make([]byte, n)
		}
		return s2.Encode(p.buf[:cap(p.buf)], raw)
	case Zstd:
		p.buf = p.zstd.EncodeAll(raw, p.buf[:0])
		return p.buf
	}
	return raw
}
