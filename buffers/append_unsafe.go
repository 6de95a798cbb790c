package buffers

import (
	"fmt"
	"unsafe"

	"github.com/fullspate/spate/wire"
)

// openFrame is where the writer writes: one cache line, all that an append and
// the question whether the log is full look at. Offsets are from the tail
// chunk's base; limit is 0 when no frame is open, so that the next append takes
// the slow way.
type openFrame struct {
	base   unsafe.Pointer // of the tail chunk's memory
	off    uintptr        // of the next tuple
	limit  uintptr        // of the frame's end; of fixed streams a whole number of tuples from its start
	start  uintptr        // of the frame's header
	stride uintptr        // of tuples of fixed streams
	prior  uintptr        // offset of the last tuple, on variable streams
	count  uint32         // of tuples, on variable streams
	room   int64          // the capacity that sealed frames leave; negative once it is overrun
}

const _ = -uint(unsafe.Sizeof(openFrame{}) ^ 64)

// begin opens a frame of size bytes, header included, at the chunk's end.
func (o *openFrame) begin(c *chunk, size int, fixed bool) {
	o.base = unsafe.Pointer(unsafe.SliceData(c.mem))
	o.start = uintptr(c.used)
	o.off = o.start + wire.FrameHeader
	o.count, o.prior = 0, 0
	room := uintptr(size) - wire.FrameHeader
	if fixed {
		o.limit = o.off + room/o.stride*o.stride
	} else {
		o.limit = o.off + room&^7
	}
}

func (o *openFrame) close() { o.off, o.limit, o.start = 0, 0, 0 }

// bytes is what the open frame takes so far.
func (o *openFrame) bytes() int64 { return int64(o.off - o.start) }

func (o *openFrame) firstTime() wire.Time {
	return *(*wire.Time)(unsafe.Add(o.base, o.start+wire.FrameHeader))
}

func (o *openFrame) lastTime() wire.Time {
	at := o.prior
	if at == 0 {
		at = o.off - o.stride
	}
	return *(*wire.Time)(unsafe.Add(o.base, at))
}

func (o *openFrame) tuples() uint32 {
	if o.prior != 0 {
		return o.count
	}
	return uint32((o.off - o.start - wire.FrameHeader) / o.stride)
}

// AppendFixed adds a tuple to a stream of fixed payloads and returns where its
// payload goes: PayloadSize bytes, 8-byte aligned, with anything in them, to be
// filled completely before any other call. t must not be below the last one's
// time. It panics with *slab.BudgetError when there is no memory.
func (l *Log) AppendFixed(t wire.Time, hash uint64) unsafe.Pointer {
	if p := l.AppendOpen(t, hash); p != nil {
		return p
	}
	l.openFixed()
	return l.AppendOpen(t, hash)
}

// AppendOpen is AppendFixed where the open frame has room for the tuple, and
// otherwise nil: small enough to be a part of the loop that calls it.
func (l *Log) AppendOpen(t wire.Time, hash uint64) unsafe.Pointer {
	off := l.open.off
	if off == l.open.limit {
		return nil
	}
	if invariants {
		l.checkOrder(t)
	}
	l.open.off = off + l.open.stride
	p := unsafe.Add(l.open.base, off)
	wire.PutTuple(p, t, hash)
	return wire.FixedAt(p)
}

// openFixed opens a frame for tuples of fixed size.
func (l *Log) openFixed() {
	if l.cfg.PayloadSize == 0 {
		panic(fmt.Sprintf("BUG: AppendFixed on stream %d, whose payloads vary", l.cfg.Stream))
	}
	l.openFor(int(l.open.stride))
}

// AppendRun adds the first tuples of a run to a stream of fixed payloads, at
// least one: as many as lie in one piece, of which none but the last fills the
// log, so that asking whether it is Full after them is asking after each. It
// returns where the first one is and how many there are. Headers, by
// wire.PutTuple, and payloads are to be filled in completely before any other
// call. Times are not below the last tuple's, nor below each other, and at least
// one is given. It panics with *slab.BudgetError when there is no memory.
func (l *Log) AppendRun(times []wire.Time) (p unsafe.Pointer, n int) {
	o := &l.open
	if o.off == o.limit {
		l.openFixed()
	}
	if invariants {
		l.checkOrder(times[0])
		for i, t := range times[1:] {
			if t < times[i] {
				panic(fmt.Sprintf("BUG: stream %d: run with %v after %v", l.cfg.Stream, t, times[i]))
			}
		}
	}
	stride := int64(o.stride)
	n = min(len(times), int((o.limit-o.off)/o.stride))
	n = min(n, max(int((o.room-o.bytes()+stride-1)/stride), 1))
	p = unsafe.Add(o.base, o.off)
	o.off += uintptr(n) * o.stride
	return p, n
}

// Append adds a tuple with a payload of n bytes and returns where it goes, with
// anything in it, to be filled completely before any other call. On a stream of
// fixed payloads n must be PayloadSize. t must not be below the last one's
// time. It panics with *TupleSizeError when n is above PayloadBytesMax, and with
// *slab.BudgetError when there is no memory.
func (l *Log) Append(t wire.Time, hash uint64, n int) []byte {
	if l.cfg.PayloadSize > 0 {
		if n != l.cfg.PayloadSize {
			panic(fmt.Sprintf("BUG: payload of %d bytes on stream %d, whose payloads have %d", n, l.cfg.Stream, l.cfg.PayloadSize))
		}
		return unsafe.Slice((*byte)(l.AppendFixed(t, hash)), n)
	}
	o := &l.open
	size := uintptr(wire.VarStride(n))
	if uint(n) > PayloadBytesMax || o.limit-o.off < size {
		l.openVariable(n, int(size))
	}
	if invariants {
		l.checkOrder(t)
	}
	p := unsafe.Add(o.base, o.off)
	o.prior = o.off
	o.off += size
	o.count++
	return wire.PutVarTuple(p, t, hash, n)
}

// openVariable is the slow part of Append.
func (l *Log) openVariable(n, size int) {
	if n < 0 {
		panic(fmt.Sprintf("BUG: payload of %d bytes on stream %d", n, l.cfg.Stream))
	}
	if n > PayloadBytesMax {
		panic(&TupleSizeError{Stream: l.cfg.Stream, Bytes: n, Max: PayloadBytesMax})
	}
	l.openFor(size)
}

// checkOrder panics when a tuple at t may not be the next one.
func (l *Log) checkOrder(t wire.Time) {
	before := l.last
	if l.open.tuples() > 0 {
		before = l.open.lastTime()
	}
	if t < before || t < l.frontier {
		panic(fmt.Sprintf("BUG: stream %d: tuple at %v after one at %v and frontier %v", l.cfg.Stream, t, before, l.frontier))
	}
}
