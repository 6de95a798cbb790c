package wire

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// A Time is one word and a tuple header two, or the casts below are wrong.
const (
	_ = uint(8-unsafe.Sizeof(Time(0))) + uint(unsafe.Sizeof(Time(0))-8)
	_ = uint(TupleHeader - 2*unsafe.Sizeof(uint64(0)))
)

// tupleHead is a tuple's header as it lies in memory; the last two fields are
// there in variable streams only.
type tupleHead struct {
	time Time
	hash uint64
	size uint32
	zero uint32
}

const _ = -uint(unsafe.Sizeof(tupleHead{}) ^ VarTupleHeader)

// TimeAt returns the time of the tuple at p.
func TimeAt(p unsafe.Pointer) Time { return *(*Time)(p) }

// HashAt returns the key hash of the tuple at p.
func HashAt(p unsafe.Pointer) uint64 { return (*tupleHead)(p).hash }

// SizeAt returns the payload bytes, without padding, of the tuple at p of a
// variable stream.
func SizeAt(p unsafe.Pointer) int { return int((*tupleHead)(p).size) }

// FixedAt returns the payload of the tuple at p of a fixed stream.
func FixedAt(p unsafe.Pointer) unsafe.Pointer { return unsafe.Add(p, TupleHeader) }

// BytesAt returns the payload of the tuple at p of a variable stream. It
// borrows the frame.
func BytesAt(p unsafe.Pointer) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, VarTupleHeader)), (*tupleHead)(p).size)
}

// VarStride returns the bytes a variable tuple with n payload bytes takes.
func VarStride(n int) int { return VarTupleHeader + (n+7)&^7 }

// PutTuple writes the header of a fixed tuple at p, which has room for it and
// is 8-byte aligned. The payload follows at FixedAt(p).
func PutTuple(p unsafe.Pointer, t Time, hash uint64) {
	h := (*[2]uint64)(p)
	h[0], h[1] = uint64(t), hash
}

// PutVarTuple writes the header of a variable tuple of n payload bytes at p,
// which has room for VarStride(n) bytes and is 8-byte aligned, zeroes the
// padding, and returns the payload to be filled by the caller.
func PutVarTuple(p unsafe.Pointer, t Time, hash uint64, n int) []byte {
	*(*tupleHead)(p) = tupleHead{time: t, hash: hash, size: uint32(n)}
	body := unsafe.Add(p, VarTupleHeader)
	if n%8 != 0 {
		*(*uint64)(unsafe.Add(body, n&^7)) = 0
	}
	return unsafe.Slice((*byte)(body), n)
}

// Payload returns b[off:] as a T in place. b[off] must be 8-byte aligned and T
// a type that CheckLayout accepts; it panics when b ends before the T does.
func Payload[T any](b []byte, off int) *T {
	var v T
	_ = b[off+int(unsafe.Sizeof(v))-1]
	return (*T)(unsafe.Pointer(&b[off]))
}

// Tuples walks over the tuples of a frame without copying:
//
//	for t := wire.View(frame); t.Valid(); t.Advance() {
//		use(t.Time(), t.Hash(), wire.As[Report](&t))
//	}
//
// Everything it returns borrows the frame. A Tuples is a value: a copy walks on
// its own. It must only be made from a frame that is ours or verified.
type Tuples struct {
	base   unsafe.Pointer
	off    uint32
	end    uint32
	stride uint32 // 0 = variable
}

// View returns a walk that stands at the frame's first tuple. A frame that is
// not of kind Data gives an empty walk. It panics when the frame is shorter
// than its header says or not 8-byte aligned.
func View(frame []byte) Tuples { return ViewFrom(frame, FrameHeader) }

// ViewFrom is View standing at the tuple at offset off, as Offset returned it.
func ViewFrom(frame []byte, off int) Tuples {
	_ = frame[FrameHeader-1]
	base := unsafe.Pointer(unsafe.SliceData(frame))
	size := binary.LittleEndian.Uint32(frame[offBytes:])
	if uintptr(base)%8 != 0 || uint64(len(frame)) < FrameHeader+uint64(size) || uint(off) < FrameHeader {
		panic(fmt.Sprintf("BUG: view at offset %d of a frame of %d bytes at %p: payload of %d bytes, alignment 8",
			off, len(frame), base, size))
	}
	t := Tuples{base: base, off: uint32(off), end: FrameHeader + size}
	if Kind(frame[offKind]) != Data {
		t.end = t.off
	}
	if n := binary.LittleEndian.Uint32(frame[offPayloadSize:]); n != 0 {
		t.stride = TupleHeader + n
	}
	return t
}

// Valid reports whether the walk stands at a tuple. The methods below may be
// called only while it does.
func (t *Tuples) Valid() bool { return t.off < t.end }

// Advance moves to the next tuple.
func (t *Tuples) Advance() {
	if t.stride != 0 {
		t.off += t.stride
		return
	}
	t.off += VarTupleHeader + ((*tupleHead)(t.Ptr()).size+7)&^7
}

// Ptr returns where the tuple starts.
func (t *Tuples) Ptr() unsafe.Pointer { return unsafe.Add(t.base, t.off) }

// Offset returns the tuple's offset in the frame; at the end, the frame's size.
func (t *Tuples) Offset() int { return int(t.off) }

// Time returns the tuple's time.
func (t *Tuples) Time() Time { return TimeAt(unsafe.Add(t.base, t.off)) }

// Hash returns the tuple's key hash.
func (t *Tuples) Hash() uint64 { return HashAt(unsafe.Add(t.base, t.off)) }

// Fixed returns the payload of a tuple of a fixed stream.
func (t *Tuples) Fixed() unsafe.Pointer { return unsafe.Add(t.base, t.off+TupleHeader) }

// Bytes returns the payload of a tuple of either kind of stream.
func (t *Tuples) Bytes() []byte {
	p := t.Ptr()
	if t.stride != 0 {
		return unsafe.Slice((*byte)(FixedAt(p)), t.stride-TupleHeader)
	}
	return BytesAt(p)
}

// As returns the payload of the tuple at which a walk over a fixed stream
// stands. T's size must be the stream's payload size.
func As[T any](t *Tuples) *T { return (*T)(t.Fixed()) }

// Seek moves forward to the first tuple at or after τ: by binary search in a
// fixed stream, tuple by tuple in a variable one.
func (t *Tuples) Seek(τ Time) {
	if t.stride == 0 {
		for t.Valid() && t.Time() < τ {
			t.Advance()
		}
		return
	}
	lo, hi := uint32(0), (t.end-t.off)/t.stride
	for lo < hi {
		mid := (lo + hi) / 2
		if TimeAt(unsafe.Add(t.base, t.off+mid*t.stride)) < τ {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	t.off += lo * t.stride
}
