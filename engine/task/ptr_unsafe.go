package task

import (
	"unsafe"

	"github.com/fullspate/spate/wire"
)

// Ptr points at bytes in a frame or a slab.
type Ptr = unsafe.Pointer

// NoEscape hides from escape analysis that p is handed on. What receives it must not keep it beyond the call.
func NoEscape(p Ptr) Ptr { return unsafe.Add(nil, uintptr(p)) }

func at(p Ptr, off uintptr) Ptr { return unsafe.Add(p, off) }

func tupleTime(p Ptr) wire.Time { return *(*wire.Time)(p) }
func tupleHash(p Ptr) uint64    { return *(*uint64)(unsafe.Add(p, 8)) }

// varLen is the payload length of a tuple of variable size, varStride the distance to the next tuple.
func varLen(p Ptr) int        { return int(*(*uint32)(unsafe.Add(p, wire.TupleHeader))) }
func varStride(n int) uintptr { return wire.TupleHeader + 8 + uintptr((n+7)&^7) }

func fixedPayload(p Ptr) Ptr { return unsafe.Add(p, wire.TupleHeader) }
func varPayload(p Ptr) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, wire.TupleHeader+8)), varLen(p))
}
func bytesAt(p Ptr, n int) []byte { return unsafe.Slice((*byte)(p), n) }
func baseOf(b []byte) Ptr         { return unsafe.Pointer(unsafe.SliceData(b)) }

func recordMillis(p Ptr) int64 { return *(*int64)(p) }

// recordValue skips a record's time; values are 8-aligned.
func recordValue(p Ptr) Ptr { return unsafe.Add(p, 8) }
