package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// imageReader walks the blocks of an image. Nothing that the image claims is
// believed before it has been checked against what is there, and its memory is
// bounded by blockBytesMax whatever the image says.
type imageReader struct {
	image []byte
	at    int // of the next frame
	head  header
	lay   layout
	tail  footer // of the blocks seen so far
	next1 uint64 // h1 of the next block must not be below
	block int    // where the present block's frame is
	zstd  *zstd.Decoder
	raw   []byte
}

// openImage reads the header.
func openImage(image []byte) (*imageReader, error) {
	h, err := parseHeader(image)
	if err != nil {
		return nil, err
	}
	return &imageReader{image: image, at: headerBytes, head: h, lay: layoutOf(h.schema), next1: h.rng.First}, nil
}

func (r *imageReader) fail(at int, format string, args ...any) error {
	return &ImageError{int64(at), fmt.Sprintf(format, args...)}
}

// close frees the decompressor.
func (r *imageReader) close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}

// next reads the next frame and finds its payload, which is still packed. It
// says false behind the last block; then the footer has been checked.
func (r *imageReader) next() (f frame, payload []byte, ok bool, err error) {
	b := r.image[r.at:]
	if len(b) < frameBytes {
		return f, nil, false, r.fail(r.at, "truncated: %d bytes left, a frame has %d", len(b), frameBytes)
	}
	le := binary.LittleEndian
	if crc32.Checksum(b[:60], castagnoli) != le.Uint32(b[60:]) {
		return f, nil, false, r.fail(r.at, "checksum of the frame does not match")
	}
	switch le.Uint32(b) {
	case blockMagic:
	case footerMagic:
		return f, nil, false, r.checkFooter(b)
	default:
		return f, nil, false, r.fail(r.at, "neither a block nor the footer begins with %08x", le.Uint32(b))
	}
	f = parseFrame(b)
	if err := r.checkFrame(&f, len(b)-frameBytes); err != nil {
		return f, nil, false, err
	}
	payload = b[frameBytes:][:f.size]
	if crc32.Checksum(payload, castagnoli) != f.crc {
		return f, nil, false, r.fail(r.at+frameBytes, "checksum of the block does not match")
	}
	r.block = r.at
	r.at += frameBytes + int(f.size)
	r.next1 = f.last
	r.tail.count(&f)
	return f, payload, true, nil
}

// checkFrame checks what a frame says before anything of that size is made.
func (r *imageReader) checkFrame(f *frame, left int) error {
	least := uint64(f.records)*uint64(r.lay.headBytes(false)) + uint64(f.deletions)*uint64(r.lay.headBytes(true))
	switch {
	case f.codec > Zstd:
		return r.fail(r.at, "unknown codec %d", f.codec)
	case uint64(f.size) > uint64(left):
		return r.fail(r.at, "truncated: a block of %d bytes, %d left", f.size, left)
	case f.raw > blockBytesMax:
		return r.fail(r.at, "a block of %d bytes decompressed, at most %d are allowed", f.raw, blockBytesMax)
	case f.codec == Raw && f.raw != f.size:
		return r.fail(r.at, "an uncompressed block of %d bytes claims %d", f.size, f.raw)
	case f.records == 0 && f.deletions == 0 || least > uint64(f.raw):
		return r.fail(r.at, "%d records and %d deletions cannot be in %d bytes", f.records, f.deletions, f.raw)
	case f.deletions > 0 && r.head.kind == Base:
		return r.fail(r.at, "a base with deletions")
	case f.first < r.next1 || f.last < f.first || f.last > r.head.rng.Last:
		return r.fail(r.at, "a block of hashes %016x-%016x, %016x-%016x are expected", f.first, f.last, r.next1, r.head.rng.Last)
	}
	return nil
}

// checkFooter compares the footer at b with the blocks, and reads the bitmap.
func (r *imageReader) checkFooter(b []byte) error {
	t := parseFooter(b)
	n := binary.LittleEndian.Uint32(b[4:])
	if uint64(n) != uint64(len(b)-frameBytes) {
		return r.fail(r.at, "%d bytes follow the footer, which announces %d", len(b)-frameBytes, n)
	}
	t.bitmap = b[frameBytes:]
	seen := r.tail
	if t.records != seen.records || t.deletions != seen.deletions || t.raw != seen.raw || t.blocks != seen.blocks ||
		t.sum != seen.sum || t.deletedSum != seen.deletedSum {
		return r.fail(r.at, "the footer does not agree with the blocks")
	}
	if n > changedBytesMax || (n == 0) != (r.head.kind == Base) {
		return r.fail(r.at, "a bitmap of %d bytes in a %v", n, r.head.kind)
	}
	if crc32.Checksum(t.bitmap, castagnoli) != binary.LittleEndian.Uint32(b[56:]) {
		return r.fail(r.at+frameBytes, "checksum of the bitmap does not match")
	}
	r.tail = t
	return nil
}

// changed reads the bitmap, once the footer has been checked.
func (r *imageReader) changed() (*roaring.Bitmap, error) {
	if r.head.kind == Base {
		return nil, nil
	}
	at := len(r.image) - len(r.tail.bitmap)
	bm := roaring.New()
	n, err := bm.FromBuffer(append([]byte(nil), r.tail.bitmap...))
	if err == nil {
		err = bm.Validate()
	}
	switch {
	case err != nil && !bm.IsEmpty():
		return nil, r.fail(at, "bitmap of changes: %v", err)
	case n != int64(len(r.tail.bitmap)):
		return nil, r.fail(at, "bitmap of changes: %d bytes of %d are used", n, len(r.tail.bitmap))
	case !bm.IsEmpty() && bm.Maximum() >= 1<<(64-ChangedShift):
		return nil, r.fail(at, "bitmap of changes: %d is out of range", bm.Maximum())
	}
	return bm, nil
}

// unpack decompresses the block that next returned, into the reader's memory.
func (r *imageReader) unpack(f *frame, payload []byte) ([]byte, error) {
	if f.codec == Raw {
		return payload, nil
	}
	if cap(r.raw) < int(f.raw) {
		r.raw = make([]byte, max(int(f.raw), blockBytes))
	}
	at := r.block + frameBytes
	var out []byte
	var err error
	switch f.codec {
	case S2:
		n, lenErr := s2.DecodedLen(payload)
		if lenErr != nil || n != int(f.raw) {
			return nil, r.fail(at, "the block decompresses to %d bytes, not %d (%v)", n, f.raw, lenErr)
		}
		out, err = s2.Decode(r.raw[:cap(r.raw)], payload)
	case Zstd:
		if r.zstd == nil {
			r.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*blockBytesMax),
				zstd.WithDecodeAllCapLimit(true))
			if err != nil {
				return nil, fmt.Errorf("setting up zstd: %w", err)
			}
		}
		out, err = r.zstd.DecodeAll(payload, r.raw[:0:f.raw])
	}
	if err != nil {
		return nil, r.fail(at, "the block does not decompress: %v", err)
	}
	if len(out) != int(f.raw) {
		return nil, r.fail(at, "the block decompresses to %d bytes, not %d", len(out), f.raw)
	}
	return out, nil
}

// cursor gives the entries of an image in order of identities, all checked.
type cursor struct {
	r       *imageReader
	puts    []byte // what is left of the block
	gone    []byte
	f       frame
	put     entry // the next of each, if there is one
	del     entry
	hasPut  bool
	hasDel  bool
	last    Key // that was returned; its bytes are copies
	started bool
	sum     uint64 // of the block's records so far
	delSum  uint64
	memory  [2][]byte // of last
}

// next is the next entry, borrowed until the call after. It says false at the
// end of the image.
func (c *cursor) next(e *entry) (bool, error) {
	for !c.hasPut && !c.hasDel {
		if more, err := c.load(); !more || err != nil {
			return false, err
		}
	}
	order := -1
	switch {
	case !c.hasPut:
		order = 1
	case c.hasDel:
		order = compareKeys(&c.put.key, &c.del.key)
	}
	if order == 0 {
		return false, c.fail("a record is deleted too")
	}
	if order < 0 {
		*e = c.put
		c.sum += sumOf(e.raw)
	} else {
		*e = c.del
		c.delSum += sumOf(e.raw)
	}
	if err := c.check(e); err != nil {
		return false, err
	}
	if order < 0 {
		return true, c.advance(&c.puts, false)
	}
	return true, c.advance(&c.gone, true)
}

// check makes sure that e follows the entry before and lies in its block.
func (c *cursor) check(e *entry) error {
	if c.started && compareKeys(&c.last, &e.key) >= 0 {
		return c.fail("records are not in order")
	}
	if e.key.H1 < c.f.first || e.key.H1 > c.f.last {
		return c.fail("a record is outside of its block's hashes")
	}
	c.memory[0] = append(c.memory[0][:0], e.key.Key...)
	c.memory[1] = append(c.memory[1][:0], e.key.Sub...)
	c.last = Key{e.key.H1, e.key.H2, c.memory[0], c.memory[1]}
	c.started = true
	return nil
}

func (c *cursor) fail(reason string) error { return c.r.fail(c.r.block, "%s", reason) }

// load reads the next block.
func (c *cursor) load() (bool, error) {
	if err := c.closeBlock(); err != nil {
		return false, err
	}
	f, payload, ok, err := c.r.next()
	if !ok || err != nil {
		return false, err
	}
	return true, c.open(&f, payload)
}

// closeBlock compares the checksums of the block whose entries have been read.
func (c *cursor) closeBlock() error {
	if c.sum != c.f.sum || c.delSum != c.f.deletedSum {
		return c.fail("checksum of the records does not match")
	}
	return nil
}

// open unpacks a block.
func (c *cursor) open(f *frame, payload []byte) error {
	raw, err := c.r.unpack(f, payload)
	if err != nil {
		return err
	}
	c.f, c.sum, c.delSum = *f, 0, 0
	at := 0
	var e entry
	for range f.records {
		if !c.r.lay.parseEntry(raw[at:], false, &e) {
			return c.fail("a record is longer than its block")
		}
		at += len(e.raw)
	}
	c.puts, c.gone = raw[:at], raw[at:]
	for range f.deletions {
		if !c.r.lay.parseEntry(raw[at:], true, &e) {
			return c.fail("a deletion is longer than its block")
		}
		at += len(e.raw)
	}
	if at != len(raw) {
		return c.fail("bytes follow the block's last entry")
	}
	if err := c.advance(&c.puts, false); err != nil {
		return err
	}
	return c.advance(&c.gone, true)
}

// advance parses the next record or deletion.
func (c *cursor) advance(left *[]byte, deleted bool) error {
	e, has := &c.put, &c.hasPut
	if deleted {
		e, has = &c.del, &c.hasDel
	}
	*has = len(*left) > 0
	if *has {
		if !c.r.lay.parseEntry(*left, deleted, e) {
			return c.fail("an entry is longer than its block")
		}
		*left = (*left)[len(e.raw):]
	}
	return nil
}

// Inspect reads what an image says about itself: all frames and checksums, but
// no block is decompressed. The error is an *ImageError.
func Inspect(image []byte) (Info, error) {
	r, err := openImage(image)
	if err != nil {
		return Info{}, err
	}
	for {
		_, _, ok, err := r.next()
		if err != nil {
			return Info{}, err
		}
		if !ok {
			break
		}
	}
	changed, err := r.changed()
	if err != nil {
		return Info{}, err
	}
	return r.head.info(&r.tail, changed), nil
}

// Verify reads everything in an image. The error is an *ImageError.
func Verify(image []byte) (Info, error) {
	r, err := openImage(image)
	if err != nil {
		return Info{}, err
	}
	defer r.close()
	var seen *roaring.Bitmap
	if r.head.kind == Delta {
		seen = roaring.New()
	}
	c := cursor{r: r}
	var e entry
	for {
		ok, err := c.next(&e)
		if err != nil {
			return Info{}, err
		}
		if !ok {
			break
		}
		if seen != nil {
			seen.Add(uint32(e.key.H1 >> ChangedShift))
		}
	}
	changed, err := r.changed()
	if err != nil {
		return Info{}, err
	}
	if seen != nil && !seen.Equals(changed) {
		return Info{}, r.fail(len(image)-len(r.tail.bitmap), "the bitmap of changes does not agree with the blocks")
	}
	return r.head.info(&r.tail, changed), nil
}
