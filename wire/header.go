package wire

import "encoding/binary"

// StreamID names a stream of a job's graph.
type StreamID uint16

// Kind says what a frame is.
type Kind uint8

const (
	// Data frames carry tuples.
	Data Kind = 1
	// Frontier frames carry nothing but a frontier.
	Frontier Kind = 2
	// End frames are the last of their channel. First and Last both hold the
	// time at which it ends; the payload is not tuples but whatever the
	// engine has to say about successors.
	End Kind = 3
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Frontier:
		return "frontier"
	case End:
		return "end"
	}
	return "unknown"
}

const (
	// FrameHeader is the size of a frame's header in bytes.
	FrameHeader = 64
	// TupleHeader is what precedes a fixed payload: time and key hash.
	TupleHeader = 16
	// VarTupleHeader is what precedes a variable payload: time, key hash,
	// length and four zero bytes.
	VarTupleHeader = 24

	// Magic is the first word of every frame.
	Magic uint16 = 0x5370
	// Version is that of the layout in doc.go.
	Version uint8 = 1

	// BytesMax is the largest payload of a frame in bytes. It leaves room for
	// a single huge tuple while every length of a frame fits an int32.
	BytesMax = 1 << 30
	// BytesDefault is the largest payload that ParseHeader lets through when
	// no other limit is given: 256 times the usual frame.
	BytesDefault = 16 << 20
)

// Offsets of the header's fields; doc.go has the picture.
const (
	offMagic       = 0
	offVersion     = 2
	offKind        = 3
	offFlags       = 4
	offStream      = 6
	offCount       = 8
	offBytes       = 12
	offFirst       = 16
	offLast        = 24
	offFrontier    = 32
	offPayloadSize = 40
	offCRC         = 44
	offReserved    = 48
)

// Header is a frame's header. Magic, version and checksum are not in it: they
// are written by Seal and judged by ParseHeader and Verify.
type Header struct {
	Kind   Kind
	Flags  uint16 // no bit is defined in this version: 0
	Stream StreamID
	Count  uint32 // tuples
	Bytes  uint32 // payload bytes after the header, a multiple of 8
	First  Time   // of the first tuple
	Last   Time   // of the last tuple
	// Frontier says that after this frame nothing below it will come.
	Frontier    Time
	PayloadSize uint32 // of each tuple, a multiple of 8; 0 = variable
}

// FrameSize returns the bytes of the whole frame.
func (h Header) FrameSize() int { return FrameHeader + int(h.Bytes) }

// Put writes the header over dst[:FrameHeader], with a checksum of zero.
func (h Header) Put(dst []byte) {
	dst = dst[:FrameHeader]
	le := binary.LittleEndian
	le.PutUint16(dst[offMagic:], Magic)
	dst[offVersion] = Version
	dst[offKind] = uint8(h.Kind)
	le.PutUint16(dst[offFlags:], h.Flags)
	le.PutUint16(dst[offStream:], uint16(h.Stream))
	le.PutUint32(dst[offCount:], h.Count)
	le.PutUint32(dst[offBytes:], h.Bytes)
	le.PutUint64(dst[offFirst:], uint64(h.First))
	le.PutUint64(dst[offLast:], uint64(h.Last))
	le.PutUint64(dst[offFrontier:], uint64(h.Frontier))
	le.PutUint32(dst[offPayloadSize:], h.PayloadSize)
	le.PutUint32(dst[offCRC:], 0)
	clear(dst[offReserved:])
}

// HeaderOf reads the header of a frame that is ours or has been verified. It
// judges nothing and panics only when src is shorter than a header.
func HeaderOf(src []byte) Header {
	src = src[:FrameHeader]
	le := binary.LittleEndian
	return Header{
		Kind:        Kind(src[offKind]),
		Flags:       le.Uint16(src[offFlags:]),
		Stream:      StreamID(le.Uint16(src[offStream:])),
		Count:       le.Uint32(src[offCount:]),
		Bytes:       le.Uint32(src[offBytes:]),
		First:       Time(le.Uint64(src[offFirst:])),
		Last:        Time(le.Uint64(src[offLast:])),
		Frontier:    Time(le.Uint64(src[offFrontier:])),
		PayloadSize: le.Uint32(src[offPayloadSize:]),
	}
}

// Limits bounds what ParseHeader accepts, so that a receiver knows what it may
// be asked to hold before it holds it.
type Limits struct {
	// Bytes is the largest payload; 0 means BytesDefault, more than BytesMax
	// means BytesMax.
	Bytes uint32
}

func (l Limits) bytes() uint32 {
	if l.Bytes == 0 {
		return BytesDefault
	}
	return min(l.Bytes, BytesMax)
}

// ParseHeader judges the first FrameHeader bytes of src and returns the header,
// or a *FrameError. It sees no payload and no checksum: a receiver uses it to
// learn how much to read, then calls Verify on the whole frame.
func ParseHeader(src []byte, limits Limits) (Header, error) {
	if err := checkPreamble(src); err != nil {
		return Header{}, err
	}
	h := HeaderOf(src)
	if bound := limits.bytes(); h.Bytes > bound {
		return Header{}, frameErrorf(offBytes, "payload of %d bytes, at most %d allowed", h.Bytes, bound)
	}
	if err := h.check(src); err != nil {
		return Header{}, err
	}
	return h, nil
}

// checkPreamble judges what must hold before any other field means anything.
func checkPreamble(src []byte) error {
	if len(src) < FrameHeader {
		return frameErrorf(len(src), "%d bytes, a header has %d", len(src), FrameHeader)
	}
	if m := binary.LittleEndian.Uint16(src[offMagic:]); m != Magic {
		return frameErrorf(offMagic, "magic %#04x, want %#04x", m, Magic)
	}
	if v := src[offVersion]; v != Version {
		return frameErrorf(offVersion, "version %d, want %d", v, Version)
	}
	return nil
}

// check judges the fields against each other. src is the header's bytes.
func (h Header) check(src []byte) error {
	if h.Flags != 0 {
		return frameErrorf(offFlags, "flags %#04x, none is defined in version %d", h.Flags, Version)
	}
	for i, b := range src[offReserved:FrameHeader] {
		if b != 0 {
			return frameErrorf(offReserved+i, "reserved byte is %#02x, want 0", b)
		}
	}
	if h.Bytes%8 != 0 || h.Bytes > BytesMax {
		return frameErrorf(offBytes, "payload of %d bytes, want a multiple of 8 up to %d", h.Bytes, BytesMax)
	}
	switch h.Kind {
	case Data:
		return h.checkData()
	case Frontier:
		if h.Count != 0 || h.Bytes != 0 || h.First != 0 || h.Last != 0 {
			return frameErrorf(offCount, "frontier frame with %d tuples, %d bytes, times %v to %v, want none",
				h.Count, h.Bytes, h.First, h.Last)
		}
	case End:
		if h.Count != 0 || h.First != h.Last {
			return frameErrorf(offCount, "end frame with %d tuples and times %v to %v, want no tuples and one time",
				h.Count, h.First, h.Last)
		}
	default:
		return frameErrorf(offKind, "kind %d, want %d to %d", h.Kind, Data, End)
	}
	if h.PayloadSize != 0 {
		return frameErrorf(offPayloadSize, "payload size %d in a frame without tuples, want 0", h.PayloadSize)
	}
	return nil
}

func (h Header) checkData() error {
	if h.Count == 0 {
		return frameErrorf(offCount, "data frame without tuples")
	}
	if h.PayloadSize%8 != 0 {
		return frameErrorf(offPayloadSize, "payload size %d, want a multiple of 8", h.PayloadSize)
	}
	if h.PayloadSize != 0 {
		if want := uint64(h.Count) * (TupleHeader + uint64(h.PayloadSize)); want != uint64(h.Bytes) {
			return frameErrorf(offCount, "%d tuples of %d payload bytes fill %d bytes, the frame has %d",
				h.Count, h.PayloadSize, want, h.Bytes)
		}
	} else if uint64(h.Count)*VarTupleHeader > uint64(h.Bytes) {
		return frameErrorf(offCount, "%d variable tuples need at least %d bytes, the frame has %d",
			h.Count, uint64(h.Count)*VarTupleHeader, h.Bytes)
	}
	if h.First > h.Last {
		return frameErrorf(offFirst, "first time %v after last time %v", h.First, h.Last)
	}
	if h.Last == TimeMax {
		return frameErrorf(offLast, "last time is infinity, which no tuple carries")
	}
	return nil
}
