package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Codec says how the blocks of an image are compressed.
type Codec uint8

// The codecs.
const (
	Raw  Codec = iota // not at all
	S2                // for images in motion
	Zstd              // for images at rest: a third smaller, four times the work
)

func (c Codec) String() string {
	switch c {
	case Raw:
		return "raw"
	case S2:
		return "s2"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("Codec(%d)", uint8(c))
}

// ImageError says what is wrong with an image, and where.
type ImageError struct {
	Offset int64 // bytes from the beginning of the image
	Reason string
}

func (e *ImageError) Error() string {
	return fmt.Sprintf("image damaged at byte %d: %s", e.Offset, e.Reason)
}

// Info is what an image says about itself.
type Info struct {
	Schema      Schema // without the name, of which only Fingerprint is left
	Fingerprint uint64
	Kind        Kind
	Position    wire.Time // everything below it is in the image
	Parent      wire.Time // position of the snapshot that a Delta follows
	Range       partition.Range
	Records     int64
	Deletions   int64 // 0 in a Base
	RawBytes    int64 // of all blocks, decompressed
	Blocks      int64
	Checksum    uint64 // of the records: for a Base, the map's
	// Changed has h1>>ChangedShift of every record and deletion of a Delta; it
	// is nil for a Base.
	Changed *roaring.Bitmap
}

// ChangedShift is what is cut off of h1 in Info.Changed: 2^20 buckets.
const ChangedShift = 44

const (
	headerBytes = 88
	frameBytes  = 64

	imageMagic  = 0x316d692d65746173 // "sate-im1"
	blockMagic  = 0x6b6c6273         // "sblk"
	footerMagic = 0x646e6573         // "send"

	// blockBytes is where a block ends, before the entry that would make it
	// longer. A single entry may be longer.
	blockBytes = 64 << 10

	// blockBytesMax is more than the longest entry needs, and less than would
	// hurt: what a forged image can make its reader allocate.
	blockBytesMax = BlobBytesMax + ValueBytesMax + 64

	// changedBytesMax is more than a bitmap of 2^20 bits needs.
	changedBytesMax = 192 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the first part of an image:
//
//	 0 magic                  8
//	 8 kind key sub 0         4   KeyKinds
//	12 value size             4
//	16 value layout           8
//	24 schema fingerprint     8
//	32 position               8
//	40 parent                 8
//	48 first hash             8
//	56 last hash              8
//	64 0                     20
//	84 CRC-32C of the above   4
type header struct {
	kind             Kind
	position, parent wire.Time
	rng              partition.Range
	schema           Schema
	fingerprint      uint64
}

func (h *header) append(dst []byte) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, imageMagic)
	dst = append(dst, byte(h.kind), byte(h.schema.Key), byte(h.schema.Sub), 0)
	dst = le.AppendUint32(dst, uint32(h.schema.ValueSize))
	dst = le.AppendUint64(dst, h.schema.Layout)
	dst = le.AppendUint64(dst, h.fingerprint)
	dst = le.AppendUint64(dst, uint64(h.position))
	dst = le.AppendUint64(dst, uint64(h.parent))
	dst = le.AppendUint64(dst, h.rng.First)
	dst = le.AppendUint64(dst, h.rng.Last)
	dst = append(dst, make([]byte, 20)...)
	return le.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

func parseHeader(b []byte) (h header, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) < headerBytes:
		return h, &ImageError{0, fmt.Sprintf("%d bytes are shorter than a header of %d", len(b), headerBytes)}
	case le.Uint64(b) != imageMagic:
		return h, &ImageError{0, fmt.Sprintf("not an image: it begins with %016x, must be %016x", le.Uint64(b), uint64(imageMagic))}
	case crc32.Checksum(b[:84], castagnoli) != le.Uint32(b[84:]):
		return h, &ImageError{84, "checksum of the header does not match"}
	}
	h.kind = Kind(b[8])
	h.schema = Schema{Key: KeyKind(b[9]), Sub: KeyKind(b[10]), ValueSize: int(le.Uint32(b[12:])), Layout: le.Uint64(b[16:])}
	h.fingerprint = le.Uint64(b[24:])
	h.position, h.parent = wire.Time(le.Uint64(b[32:])), wire.Time(le.Uint64(b[40:]))
	h.rng = partition.Range{First: le.Uint64(b[48:]), Last: le.Uint64(b[56:])}
	if h.kind > Delta || b[11] != 0 || !isZero(b[64:84]) {
		return h, &ImageError{8, fmt.Sprintf("unknown kind %d, or bytes that must be zero are not", b[8])}
	}
	if err := h.schema.Validate(); err != nil {
		return h, &ImageError{9, err.Error()}
	}
	if !h.rng.Valid() {
		return h, &ImageError{48, fmt.Sprintf("range %v is not valid", h.rng)}
	}
	return h, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// frame is the head of a block, before its payload:
//
//	 0 magic                  4
//	 4 codec 0 0 0            4
//	 8 records                4
//	12 deletions              4
//	16 payload, decompressed  4   bytes
//	20 payload                4   bytes
//	24 first h1               8
//	32 last h1                8
//	40 checksum of records    8
//	48 checksum of deletions  8
//	56 CRC-32C of payload     4
//	60 CRC-32C of the above   4
//
// The payload is the records and then the deletions, each in order of
// identities. Blocks are in order too and do not overlap. A record is its
// identity (see Map.appendIdentity) with the length of a variable value (4)
// after the other lengths, and the fixed value between lengths and bytes, and a
// variable value behind them.
type frame struct {
	codec              Codec
	records, deletions uint32
	raw, size          uint32
	first, last        uint64
	sum, deletedSum    uint64
	crc                uint32
}

func (f *frame) append(dst []byte) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, blockMagic)
	dst = le.AppendUint32(dst, uint32(f.codec))
	dst = le.AppendUint32(dst, f.records)
	dst = le.AppendUint32(dst, f.deletions)
	dst = le.AppendUint32(dst, f.raw)
	dst = le.AppendUint32(dst, f.size)
	dst = le.AppendUint64(dst, f.first)
	dst = le.AppendUint64(dst, f.last)
	dst = le.AppendUint64(dst, f.sum)
	dst = le.AppendUint64(dst, f.deletedSum)
	dst = le.AppendUint32(dst, f.crc)
	return le.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// parseFrame reads a frame whose checksum has been verified.
func parseFrame(b []byte) frame {
	le := binary.LittleEndian
	return frame{
		codec: Codec(b[4]), records: le.Uint32(b[8:]), deletions: le.Uint32(b[12:]),
		raw: le.Uint32(b[16:]), size: le.Uint32(b[20:]),
		first: le.Uint64(b[24:]), last: le.Uint64(b[32:]),
		sum: le.Uint64(b[40:]), deletedSum: le.Uint64(b[48:]), crc: le.Uint32(b[56:]),
	}
}

// footer is the end of an image, before the bitmap of a Delta:
//
//	 0 magic                  4
//	 4 bitmap                 4   bytes
//	 8 records                8
//	16 deletions              8
//	24 blocks, decompressed   8   bytes
//	32 blocks                 8
//	40 checksum of records    8
//	48 checksum of deletions  8
//	56 CRC-32C of bitmap      4
//	60 CRC-32C of the above   4
type footer struct {
	records, deletions, raw, blocks uint64
	sum, deletedSum                 uint64
	bitmap                          []byte
}

// count adds a block.
func (t *footer) count(f *frame) {
	t.records += uint64(f.records)
	t.deletions += uint64(f.deletions)
	t.raw += uint64(f.raw)
	t.blocks++
	t.sum += f.sum
	t.deletedSum += f.deletedSum
}

func (t *footer) append(dst []byte) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, footerMagic)
	dst = le.AppendUint32(dst, uint32(len(t.bitmap)))
	dst = le.AppendUint64(dst, t.records)
	dst = le.AppendUint64(dst, t.deletions)
	dst = le.AppendUint64(dst, t.raw)
	dst = le.AppendUint64(dst, t.blocks)
	dst = le.AppendUint64(dst, t.sum)
	dst = le.AppendUint64(dst, t.deletedSum)
	dst = le.AppendUint32(dst, crc32.Checksum(t.bitmap, castagnoli))
	dst = le.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
	return append(dst, t.bitmap...)
}

// parseFooter reads a footer whose checksum has been verified.
func parseFooter(b []byte) footer {
	le := binary.LittleEndian
	return footer{
		records: le.Uint64(b[8:]), deletions: le.Uint64(b[16:]), raw: le.Uint64(b[24:]), blocks: le.Uint64(b[32:]),
		sum: le.Uint64(b[40:]), deletedSum: le.Uint64(b[48:]),
	}
}

// info is what header and footer say.
func (h *header) info(t *footer, changed *roaring.Bitmap) Info {
	return Info{
		Schema: h.schema, Fingerprint: h.fingerprint, Kind: h.kind, Position: h.position, Parent: h.parent, Range: h.rng,
		Records: int64(t.records), Deletions: int64(t.deletions), RawBytes: int64(t.raw), Blocks: int64(t.blocks),
		Checksum: t.sum, Changed: changed,
	}
}
