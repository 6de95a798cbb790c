package buffers

import (
	"math"
	"slices"

	"github.com/fullspate/spate/wire"
)

// queue is a log's chain of chunks as the writer sees it.
//
//	chunks[0] … chunks[head] … chunks[resident] … tail
//	  trimmed, but   │   on disk      in memory
//	  perhaps still  │
//	  being read     └ the first that is not wholly below the trim point
type queue struct {
	chunks   []*chunk // oldest first, tail last
	tail     *chunk
	head     int
	resident int
	live     int64 // bytes in memory of sealed frames that are not trimmed
	spilled  int64 // the same on disk
	seq      uint64
	free     []*chunk // links without memory, for use again
}

func newQueue() queue {
	q := queue{}
	q.push(memory{})
	return q
}

// push puts a chunk with the given memory at the end and shows it to the
// reader.
func (q *queue) push(m memory) *chunk {
	var c *chunk
	if n := len(q.free); n > 0 {
		c, q.free = q.free[n-1], q.free[:n-1]
	} else {
		c = new(chunk)
	}
	c.memory, c.seq = m, q.seq
	q.seq++
	q.chunks = append(q.chunks, c)
	if q.tail != nil {
		q.tail.next.Store(c)
	}
	q.tail = c
	return c
}

// find returns the first chunk that has, or may get, a tuple at or after from.
func (q *queue) find(from wire.Time) *chunk {
	rest := q.chunks[q.head:]
	i, _ := slices.BinarySearchFunc(rest[:len(rest)-1], from, func(c *chunk, from wire.Time) int {
		if c.frames > 0 && c.last >= from {
			return 1
		}
		return -1
	})
	return rest[i]
}

// trim moves head over everything that is wholly below t.
func (q *queue) trim(t wire.Time) {
	for ; q.chunks[q.head] != q.tail; q.head++ {
		c := q.chunks[q.head]
		if c.frames > 0 && c.last >= t {
			break
		}
		if q.head < q.resident {
			q.spilled -= int64(c.live)
		} else {
			q.live -= int64(c.live)
			q.resident++
		}
		c.live, c.trimmed = 0, c.frames
	}
	if q.head < q.resident {
		return // on disk, and forgotten as a whole
	}
	for c := q.chunks[q.head]; c.trimmed < c.frames; c.trimmed++ {
		h := wire.HeaderOf(frameAt(c.mem, c.trimmed))
		if h.Last >= t {
			break
		}
		size := alignFrame(h.FrameSize())
		c.live -= size
		q.live -= int64(size)
	}
}

// hold is what the reader needs: a chunk that it may still look at is not below
// standing, or has a tuple at or after acked.
type hold struct {
	standing uint64
	acked    wire.Time
}

// passed says that the reader will not look at the chunk again.
func (h hold) passed(c *chunk) bool {
	return c.seq < h.standing && (c.frames == 0 || c.last < h.acked)
}

// hold sums up what all open cursors need.
func (l *Log) hold() hold {
	h := hold{standing: math.MaxUint64, acked: wire.TimeMax}
	for _, c := range l.cursors {
		if c.shared.closed.Load() {
			continue
		}
		h.standing = min(h.standing, c.shared.standing.Load())
		h.acked = min(h.acked, wire.Time(c.shared.acked.Load()))
	}
	return h
}

// Trim forgets everything below t. Frames are forgotten as a whole, and their
// memory is used again once the reader, if there is one, has passed them. A t
// below the trim point changes nothing.
func (l *Log) Trim(t wire.Time) {
	if t <= l.trim {
		return
	}
	l.trim = t
	l.queue.trim(t)
	l.account()
	l.recycle()
}

// TrimPoint is the least time from which the log can be read.
func (l *Log) TrimPoint() wire.Time { return l.trim }

// Collect learns what the reader has acknowledged, and what it will not ask for
// again: it trims by the one or the other, gives back the memory of what is
// trimmed and read, and, if the log is full and may spill, moves to disk what is
// read and not trimmed. It is to be called between steps, and is cheap when there
// is nothing to do; spilling writes files.
func (l *Log) Collect() {
	if len(l.cursors) > 0 {
		least, consumed := wire.TimeMax, false
		for _, c := range l.cursors {
			if !c.bystands {
				least, consumed = min(least, c.needed(l.cfg.TrimOnAck)), true
			}
		}
		l.dropClosed()
		if consumed {
			l.Trim(least)
		}
	}
	l.recycle()
	if l.cfg.SpillDir != "" && l.Full() {
		l.spillOldest()
	}
	if half := l.HalfFull(); !l.cfg.TrimOnAck && half != l.pub.half.Load() {
		l.pub.half.Store(half)
	}
}

// needed is the time below which the reader needs nothing any more.
func (c *Cursor) needed(consumed bool) wire.Time {
	if consumed {
		return wire.Time(c.shared.acked.Load())
	}
	return wire.Time(c.shared.trim.Load())
}

// dropClosed forgets the cursors that their readers have closed. Only Collect
// and Clear do, so that the last acknowledgement is not lost.
func (l *Log) dropClosed() {
	l.cursors = slices.DeleteFunc(l.cursors, func(c *Cursor) bool { return c.shared.closed.Load() })
}

// IsRead says that a cursor is open.
func (l *Log) IsRead() bool {
	return slices.ContainsFunc(l.cursors, func(c *Cursor) bool { return !c.shared.closed.Load() })
}

// leave closes a cursor of the writer's own.
func (l *Log) leave(c *Cursor) {
	c.Close()
	l.cursors = slices.DeleteFunc(l.cursors, func(o *Cursor) bool { return o == c })
}

// recycle gives back the memory and files of chunks that are trimmed and
// passed.
func (l *Log) recycle() {
	q := &l.queue
	if q.head == 0 {
		return
	}
	h, n := l.hold(), 0
	for n < q.head && h.passed(q.chunks[n]) {
		l.drop(q.chunks[n])
		n++
	}
	if n > 0 {
		q.chunks = slices.Delete(q.chunks, 0, n)
		q.head -= n
		q.resident -= n
	}
}

// drop gives back what a chunk holds, and the chunk itself.
func (l *Log) drop(c *chunk) {
	c.release(l.cfg.Pool)
	l.spill.release(c)
	c.last, c.used, c.frames, c.trimmed, c.live = 0, 0, 0, 0, 0
	c.sealed.Store(0)
	c.next.Store(nil)
	l.queue.free = append(l.queue.free, c)
}

// Clear makes the log as empty as New made it, the trim point and the frontier
// included. No cursor may be open.
func (l *Log) Clear() {
	l.dropClosed()
	if n := len(l.cursors); n > 0 {
		panic("BUG: log cleared while it is read")
	}
	l.dropAll()
	l.reset()
}

// Close gives back all memory and files. No cursor may be used any more.
func (l *Log) Close() error {
	l.dropAll()
	l.cursors = nil
	l.reset()
	return nil
}

func (l *Log) dropAll() {
	for _, c := range l.queue.chunks {
		l.drop(c)
	}
}
