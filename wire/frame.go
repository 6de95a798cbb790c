package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// zeroCRC stands for the checksum field while the checksum is computed.
var zeroCRC [4]byte

// FrameError says why bytes from outside are not a frame. Its offset counts
// from the frame's first byte; who reads adds peer or file.
type FrameError struct {
	Offset int
	Reason string
}

// Error implements error.
func (e *FrameError) Error() string {
	return fmt.Sprintf("bad frame at offset %d: %s", e.Offset, e.Reason)
}

func frameErrorf(offset int, format string, args ...any) error {
	return &FrameError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// Seal writes the header and the checksum over the first FrameHeader bytes of
// a frame whose payload, frame[FrameHeader:FrameHeader+h.Bytes], is complete.
// It panics when h contradicts itself or the frame is shorter than it says.
func Seal(frame []byte, h Header) {
	h.Put(frame)
	if err := h.check(frame); err != nil {
		panic(fmt.Sprintf("BUG: sealing %+v: %v", h, err))
	}
	frame = frame[:h.FrameSize()]
	binary.LittleEndian.PutUint32(frame[offCRC:], crc32.Checksum(frame, castagnoli))
}

// Verify judges a whole frame: lengths first, then the checksum, then the
// fields, then every tuple. When it returns nil, iterating over the frame is
// safe, count, first and last time are what the tuples say, times do not go
// back, and padding is zero. Otherwise it returns a *FrameError. The frame must
// end where its header says.
func Verify(frame []byte) error {
	if err := checkPreamble(frame); err != nil {
		return err
	}
	le := binary.LittleEndian
	if size := FrameHeader + uint64(le.Uint32(frame[offBytes:])); size != uint64(len(frame)) {
		return frameErrorf(offBytes, "header says %d bytes in all, the frame has %d", size, len(frame))
	}
	if got, want := le.Uint32(frame[offCRC:]), checksum(frame); got != want {
		return frameErrorf(offCRC, "checksum %#08x, the bytes give %#08x", got, want)
	}
	h := HeaderOf(frame)
	if err := h.check(frame); err != nil {
		return err
	}
	if h.Kind != Data {
		return nil
	}
	if h.PayloadSize != 0 {
		return verifyFixed(frame, h)
	}
	return verifyVariable(frame, h)
}

// checksum computes the CRC-32C of a frame with its checksum field taken as 0.
func checksum(frame []byte) uint32 {
	crc := crc32.Update(0, castagnoli, frame[:offCRC])
	crc = crc32.Update(crc, castagnoli, zeroCRC[:])
	return crc32.Update(crc, castagnoli, frame[offReserved:])
}

// verifyFixed judges the tuples of a fixed stream, whose lengths h.check has
// already found consistent.
func verifyFixed(frame []byte, h Header) error {
	stride := TupleHeader + int(h.PayloadSize)
	prev := h.First
	for off := FrameHeader; off < len(frame); off += stride {
		t := Time(binary.LittleEndian.Uint64(frame[off:]))
		if t < prev {
			return tupleTimeError(off, t, prev, h)
		}
		prev = t
	}
	return verifyEnds(frame, h, prev, len(frame)-stride)
}

// verifyEnds judges first and last time. last is the time of the last tuple, at
// offset off.
func verifyEnds(frame []byte, h Header, last Time, off int) error {
	if t := Time(binary.LittleEndian.Uint64(frame[FrameHeader:])); t != h.First {
		return frameErrorf(FrameHeader, "first tuple has time %v, the header says %v", t, h.First)
	}
	if last != h.Last {
		return frameErrorf(off, "last tuple has time %v, the header says %v", last, h.Last)
	}
	return nil
}

func tupleTimeError(off int, t, prev Time, h Header) error {
	if off == FrameHeader {
		return frameErrorf(off, "first tuple has time %v, the header says %v", t, h.First)
	}
	return frameErrorf(off, "time %v after %v, times must not go back", t, prev)
}

// verifyVariable judges the tuples of a variable stream.
func verifyVariable(frame []byte, h Header) error {
	le := binary.LittleEndian
	prev, lastOff := h.First, FrameHeader
	off, left := FrameHeader, h.Count
	for ; off < len(frame); left-- {
		if left == 0 {
			return frameErrorf(off, "%d bytes after the last of %d tuples", len(frame)-off, h.Count)
		}
		if len(frame)-off < VarTupleHeader {
			return frameErrorf(off, "%d bytes left, a tuple needs at least %d", len(frame)-off, VarTupleHeader)
		}
		t := Time(le.Uint64(frame[off:]))
		if t < prev {
			return tupleTimeError(off, t, prev, h)
		}
		n, zero := le.Uint32(frame[off+16:]), le.Uint32(frame[off+20:])
		if zero != 0 {
			return frameErrorf(off+20, "word after the length is %#08x, want 0", zero)
		}
		body := off + VarTupleHeader
		if uint64(n) > uint64(len(frame)-body) {
			return frameErrorf(off+16, "payload of %d bytes, the frame has %d left", n, len(frame)-body)
		}
		end := body + int(n)
		next := body + int(n+7)&^7
		for i := end; i < next; i++ { // next <= len(frame): all lengths are multiples of 8
			if frame[i] != 0 {
				return frameErrorf(i, "padding byte is %#02x, want 0", frame[i])
			}
		}
		prev, lastOff, off = t, off, next
	}
	if left != 0 {
		return frameErrorf(off, "%d tuples, the header says %d", h.Count-left, h.Count)
	}
	return verifyEnds(frame, h, prev, lastOff)
}
