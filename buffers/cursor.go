package buffers

import (
	"fmt"
	"sync/atomic"

	"github.com/fullspate/spate/wire"
)

// Cursor is a reader's place in a log. Its methods are for one goroutine, which
// may be another than the writer's.
type Cursor struct {
	log      *Log // only its pool, configuration and published part
	pub      *published
	chunk    *chunk
	mem      []byte // of chunk, or a copy read back from disk
	next     uint32 // frame of chunk
	seen     uint32 // frames of chunk known to be sealed
	seek     wire.Time
	seeking  bool // no tuple was found yet that is at or after seek
	frontier wire.Time
	acked    wire.Time
	loaded   []loaded
	err      error
	bystands bool // it has no say in what is trimmed

	shared cursorShared
}

// cursorShared is what the reader tells the writer, on cache lines of its own.
type cursorShared struct {
	_        [cacheLine]byte
	acked    atomic.Uint64
	trim     atomic.Uint64 // nothing below will be asked for again
	standing atomic.Uint64 // seq of the chunk that the cursor looks at
	closed   atomic.Bool
	_        [cacheLine]byte
}

// loaded is a chunk that was read back from disk, owned by the cursor.
type loaded struct {
	memory
	seq  uint64
	last wire.Time
}

// OpenCursor opens the log for reading everything at or after from, or returns
// a *TrimmedError if some of that is forgotten. It is called on the writer's
// goroutine; the cursor is then handed to the reader.
func (l *Log) OpenCursor(from wire.Time) (*Cursor, error) {
	if from < l.trim {
		return nil, &TrimmedError{From: from, Trim: l.trim}
	}
	c := &Cursor{log: l, pub: l.pub, chunk: l.queue.find(from), seek: from, seeking: true, acked: from}
	c.shared.standing.Store(c.chunk.seq)
	c.shared.acked.Store(uint64(from))
	l.cursors = append(l.cursors, c)
	return c, nil
}

// OpenBystander opens the log like OpenCursor, for somebody who is not its consumer: the cursor has no say in what is trimmed,
// and what it has not passed stays in memory though it is.
func (l *Log) OpenBystander(from wire.Time) (*Cursor, error) {
	c, err := l.OpenCursor(from)
	if err == nil {
		c.bystands = true
	}
	return c, err
}

// Next returns the next sealed frame, which is lent until the reader
// acknowledges a time beyond its last tuple. It returns false when there is
// none: then Frontier holds for all that was returned, unless Err says that a
// frame could not be read back from disk.
func (c *Cursor) Next() (Frame, bool) {
	if c.next == c.seen && !c.refill() {
		return Frame{}, false
	}
	f := Frame{Data: frameAt(c.mem, c.next), First: wire.FrameHeader}
	c.next++
	if c.seeking {
		c.seeking = false
		f.First = seekTuple(f.Data, c.seek)
	}
	return f, true
}

// refill looks for frames that were sealed meanwhile. The frontier is read
// before the frames, so that whoever sees it has seen all frames below it; the
// link to the next chunk is read before the frames of this one, which is
// complete once there is a link.
func (c *Cursor) refill() bool {
	frontier := wire.Time(c.pub.frontier.Load())
	for {
		next := c.chunk.next.Load()
		if sealed := c.chunk.sealed.Load(); sealed != c.next {
			if c.mem == nil && !c.attach() {
				return false
			}
			c.seen = sealed
			if c.seeking {
				c.next = seekFrame(c.mem, c.next, sealed, c.seek)
			}
			if c.next != sealed {
				return true
			}
		}
		if next == nil {
			c.frontier = frontier
			return false
		}
		c.enter(next)
	}
}

// enter leaves a chunk for the next one. What the reader has been lent of the
// one it leaves stays as long as it is not acknowledged.
func (c *Cursor) enter(next *chunk) {
	c.chunk, c.mem = next, nil
	c.next, c.seen = 0, 0
	c.shared.standing.Store(next.seq)
	c.releaseLoaded()
}

// attach gets at the memory of the chunk that the cursor stands on. A chunk in
// front of an open cursor never goes to disk, so it is there or it is not.
func (c *Cursor) attach() bool {
	c.err = nil
	if c.chunk.place.file == nil {
		c.mem = c.chunk.mem
		return true
	}
	m, err := c.log.spill.read(c.chunk, c.log.cfg.Pool, c.log.owner)
	if err != nil {
		c.err = err
		return false
	}
	c.loaded = append(c.loaded, loaded{memory: m, seq: c.chunk.seq, last: c.chunk.last})
	c.mem = m.mem
	return true
}

// releaseLoaded gives back what was read from disk and is acknowledged.
func (c *Cursor) releaseLoaded() {
	n := 0
	for n < len(c.loaded) && c.loaded[n].seq < c.chunk.seq && c.loaded[n].last < c.acked {
		c.loaded[n].release(c.log.cfg.Pool)
		n++
	}
	c.loaded = append(c.loaded[:0], c.loaded[n:]...)
}

// Frontier says that every tuple below it has been returned by Next. It moves
// when Next returns false: call Next until it does, then Frontier.
func (c *Cursor) Frontier() wire.Time { return c.frontier }

// Ended returns the time that End was given, once everything before the end has
// been returned by Next.
func (c *Cursor) Ended() (wire.Time, bool) {
	if c.frontier != wire.TimeMax || !c.pub.ended.Load() {
		return 0, false
	}
	return wire.Time(c.pub.end.Load()), true
}

// Ack says that everything below t is consumed and that frames wholly below it
// will not be looked at again. Once per turn is often enough: the writer learns
// of it at its next Collect. A t below an earlier one changes nothing.
//
// The next frame may go on with the time that the last one ended with. So the
// end of a frame acknowledges its last time only, and not what is beyond it,
// unless the frontier or a further tuple is.
func (c *Cursor) Ack(t wire.Time) {
	if t <= c.acked {
		return
	}
	c.acked = t
	if len(c.loaded) > 0 {
		c.releaseLoaded()
	}
	c.shared.acked.Store(uint64(t))
}

// Trim says that nobody will ask for anything below t again: the reader's effects of it are durable. The writer learns of it
// at its next Collect. A t below an earlier one changes nothing; where consumption trims there is no need for it.
func (c *Cursor) Trim(t wire.Time) {
	if t > wire.Time(c.shared.trim.Load()) {
		c.shared.trim.Store(uint64(t))
	}
}

// HalfFull says that the log holds half of its capacity, as of the writer's last Collect or Seal: it is time for a
// checkpoint, so that it can be trimmed.
func (c *Cursor) HalfFull() bool { return c.pub.half.Load() }

// Err says why the last Next returned false although there may be more: a
// *SpillError, or the pool's error if there is no memory to read into. The next
// Next tries again.
func (c *Cursor) Err() error { return c.err }

// Close ends the reader's hold on the log. Nothing that Next lent may be looked
// at any more.
func (c *Cursor) Close() {
	if c.shared.closed.Load() {
		panic(fmt.Sprintf("BUG: cursor on stream %d closed twice", c.log.cfg.Stream))
	}
	for i := range c.loaded {
		c.loaded[i].release(c.log.cfg.Pool)
	}
	c.loaded, c.mem, c.chunk = nil, nil, nil
	c.next, c.seen = 0, 0
	c.shared.closed.Store(true)
}
