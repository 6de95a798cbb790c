package buffers

import (
	"fmt"
	"sync/atomic"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Log is the sending end of one channel: what its task has emitted to one
// consumer and may yet be asked for again. All methods are for the writer's
// goroutine.
type Log struct {
	open  openFrame // first, since Append lives on it
	queue queue
	cfg   Config
	owner slab.OwnerID

	trim     wire.Time // everything below is forgotten
	last     wire.Time // of the last sealed tuple
	frontier wire.Time // as published
	sealed   uint64    // frames, so far
	cursors  []*Cursor
	spill    spiller

	pub *published
	_   [cacheLine]byte // before another loop's log
}

// published is what a log's reader reads of its writer, on cache lines of its
// own: the writer's other fields change with every tuple.
type published struct {
	_        [cacheLine]byte
	frontier atomic.Uint64
	end      atomic.Uint64 // valid once ending
	ending   atomic.Bool
	ended    atomic.Bool
	half     atomic.Bool // HalfFull
	_        [cacheLine]byte
}

// cacheLine is two of them: the processor fetches lines in pairs.
const cacheLine = 128

// New makes an empty log whose trim point and frontier are 0. It takes no slab
// before the first Append.
func New(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	l := &Log{cfg: cfg, owner: cfg.Pool.Owner(cfg.Owner)}
	l.spill = newSpiller(cfg.SpillDir)
	l.reset()
	return l, nil
}

// reset makes an empty log of one that holds no slabs and no files.
func (l *Log) reset() {
	l.open = openFrame{stride: uintptr(l.cfg.PayloadSize) + wire.TupleHeader}
	l.queue = newQueue()
	l.account()
	l.trim, l.last, l.frontier, l.sealed = 0, 0, 0, 0
	l.pub = new(published) // closed cursors may still hold the old one
}

// Last is the time of the last tuple that was sealed, 0 if none was since the
// log was made or loaded.
func (l *Log) Last() wire.Time { return l.last }

// Frontier is the last published frontier.
func (l *Log) Frontier() wire.Time { return l.frontier }

// Sealed counts the frames that became visible so far. A reader on the writer's own goroutine that has read so many need not
// ask its cursor for another.
func (l *Log) Sealed() uint64 { return l.sealed }

// Ended returns where the channel ends, once End was called.
func (l *Log) Ended() (wire.Time, bool) {
	return wire.Time(l.pub.end.Load()), l.pub.ended.Load()
}

// Seal closes the open frame, if there is one, makes it visible to the reader,
// and then publishes the frontier: nothing below it will be appended any more.
func (l *Log) Seal(frontier wire.Time) {
	if l.open.limit != 0 {
		l.sealOpen(frontier)
	}
	l.Advance(frontier)
}

// Advance publishes a frontier. While a frame is open it must not pass the
// frame's first tuple, which the reader cannot see yet; Seal may.
func (l *Log) Advance(frontier wire.Time) {
	if frontier <= l.frontier {
		if frontier < l.frontier {
			panic(fmt.Sprintf("BUG: frontier of stream %d goes back from %v to %v", l.cfg.Stream, l.frontier, frontier))
		}
		return
	}
	if l.open.limit != 0 && frontier > l.open.firstTime() {
		panic(fmt.Sprintf("BUG: frontier %v of stream %d passes the unsealed tuple at %v", frontier, l.cfg.Stream, l.open.firstTime()))
	}
	l.frontier = frontier
	l.pub.frontier.Store(uint64(frontier))
}

// Ending tells the reader, ahead of End, that the input ends at e. Tuples may still follow, beyond e too: what is due at
// the end of the input is emitted then. It is to be called before a frontier beyond e is published, so that a reader knows
// of everything at or beyond e that it belongs to the end.
func (l *Log) Ending(e wire.Time) {
	l.pub.end.Store(uint64(e))
	l.pub.ending.Store(true)
}

// End seals and says that nothing more will come: the frontier goes to
// wire.TimeMax, and the reader's Ended tells e, the time at which the channel
// ends, when it has seen everything.
func (l *Log) End(e wire.Time) {
	if l.open.limit != 0 {
		l.sealOpen(wire.TimeMax)
	}
	l.Ending(e)
	l.pub.ended.Store(true)
	l.Advance(wire.TimeMax)
}

// Full says that the log holds its capacity in memory: the writer should not
// begin another step before it is trimmed or spilled.
func (l *Log) Full() bool {
	return l.open.bytes() >= l.open.room
}

// SetCapacity changes Config.CapacityBytes and Config.OverrunBytes, between two steps. A log that holds more than that is full
// until it is trimmed.
func (l *Log) SetCapacity(capacity, overrun int64) {
	if capacity < 0 || overrun != 0 && overrun < capacity {
		panic(fmt.Sprintf("BUG: capacity of stream %d set to %d bytes, overrun to %d", l.cfg.Stream, capacity, overrun))
	}
	l.cfg.CapacityBytes, l.cfg.OverrunBytes = orNoBound(capacity), orNoBound(overrun)
	l.account()
}

// account brings the open frame's room in line with what is sealed.
func (l *Log) account() { l.open.room = l.cfg.CapacityBytes - l.queue.live }

// HalfFull says that the log holds half of its capacity, what is on disk
// included: the consumer should be asked for a checkpoint.
func (l *Log) HalfFull() bool {
	return l.Bytes() >= l.cfg.CapacityBytes/2
}

// Bytes is what the log holds beyond its trim point: sealed, open, and spilled,
// headers and padding included, counted in whole frames.
func (l *Log) Bytes() int64 {
	return l.queue.live + l.queue.spilled + l.open.bytes()
}

// SpilledBytes is how much of Bytes is on disk.
func (l *Log) SpilledBytes() int64 { return l.queue.spilled }

// sealOpen makes the open frame the tail chunk's last one.
func (l *Log) sealOpen(frontier wire.Time) {
	tail, o := l.queue.tail, &l.open
	frame := tail.mem[o.start:o.off]
	first, last := o.firstTime(), o.lastTime()
	if first < l.last || last < first || first < l.frontier {
		panic(fmt.Sprintf("BUG: stream %d: frame of %v to %v follows a tuple at %v and frontier %v", l.cfg.Stream, first, last, l.last, l.frontier))
	}
	wire.Seal(frame, wire.Header{
		Kind:        wire.Data,
		Stream:      l.cfg.Stream,
		Count:       o.tuples(),
		Bytes:       uint32(len(frame) - wire.FrameHeader),
		First:       first,
		Last:        last,
		Frontier:    frontier,
		PayloadSize: uint32(l.cfg.PayloadSize),
	})
	if invariants {
		if err := wire.Verify(frame); err != nil {
			panic(fmt.Sprintf("BUG: stream %d: sealed a bad frame: %v", l.cfg.Stream, err))
		}
	}
	l.last = last
	l.open.close()
	l.queue.live += int64(tail.add(len(frame), last))
	l.sealed++
	if last < l.trim {
		l.queue.trim(l.trim) // emitted again by a task that was restored: nobody will ask for it
	}
	l.account()
}

// openFor seals what is open and opens a frame in which a tuple of n bytes, its
// header included, fits.
func (l *Log) openFor(n int) {
	if l.pub.ended.Load() {
		panic(fmt.Sprintf("BUG: tuple on stream %d after its end", l.cfg.Stream))
	}
	if l.open.limit != 0 {
		l.sealOpen(l.frontier)
	}
	if l.queue.live+int64(n) > l.cfg.OverrunBytes {
		panic(&OverrunError{Stream: l.cfg.Stream, Bytes: l.queue.live, Max: l.cfg.OverrunBytes})
	}
	least := wire.FrameHeader + n
	tail := l.queue.tail
	if room := tail.room(); room < least || room < min(l.cfg.FrameBytes, len(tail.mem))/8 {
		tail = l.addChunk(least)
	}
	size := min(tail.room(), max(l.cfg.FrameBytes, least))
	l.open.begin(tail, size, l.cfg.PayloadSize > 0)
}

// addChunk puts a new chunk at the chain's end in which a frame of least bytes
// fits. It panics with the pool's error when there is no memory.
func (l *Log) addChunk(least int) *chunk {
	l.recycle() // the slab given back last is the warmest to be had
	size := min(chunkBytesFirst, l.cfg.ChunkBytes)
	for size < l.cfg.ChunkBytes && int64(size) < l.queue.live {
		size *= 2
	}
	size = max(size, least+frameAlign)
	m, err := newMemory(l.cfg.Pool, size, l.owner)
	if err != nil {
		panic(err)
	}
	return l.queue.push(m)
}
