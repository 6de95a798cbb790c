package query

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
)

// Generated adds a data feeder of generated expressways to a graph: one split for each, whose ordinal is the
// expressway's number. Seconds from…to−1 are read, 0 ≤ from ≤ to. The traffic is asked for whenever an expressway is opened,
// by any goroutine.
//
// The i-th of the n tuples of second t of expressway x of L has the time 1000·(t + (x + i/n)/L) ms, so that a second of an
// expressway is one run (§2), plus the origin.
func Generated(g *engine.Graph, made func() (*traffic.Traffic, error), xways, from, to int, origin time.Duration) engine.Stream[format.Tuple] {
	rooms := new(rooms)
	spec := engine.SourceSpec[format.Tuple]{
		Block: generatedBlock,
		Open: func(s engine.Split, at engine.Offset) (engine.Reader[format.Tuple], error) {
			tr, err := made()
			if err != nil {
				return nil, err
			}
			r := &xwayReader{
				xway: tr.Xway(int(s.Ordinal)), rooms: rooms, number: int64(s.Ordinal), xways: int64(xways), to: to,
				origin: origin.Milliseconds(),
			}
			return r, r.open(from, at)
		},
	}
	for x := range xways {
		spec.Splits = append(spec.Splits, engine.Split{Ordinal: uint16(x), Name: fmt.Sprintf("xway-%d", x), Weight: 1})
	}
	return engine.Source(g, FeederID, spec)
}

// generatedBlock is how many records of an expressway are read at a time: 4 KiB, so that those of many expressways do not
// push each other out of the cache.
const generatedBlock = 128

// rooms are buffers for a second of an expressway. An expressway needs one only while its second is being read, and those
// of a task are read one after the other.
type rooms struct {
	mu   sync.Mutex
	free [][]format.Tuple
}

func (r *rooms) take() []format.Tuple {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.free) - 1
	if last < 0 {
		return make([]format.Tuple, 0, traffic.MaxPerSecond)
	}
	room := r.free[last]
	r.free = r.free[:last]
	return room
}

func (r *rooms) give(room []format.Tuple) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, room[:0])
}

// xwayReader reads an expressway, a second at a time.
type xwayReader struct {
	xway   *traffic.Xway
	rooms  *rooms
	number int64 // of the expressway
	xways  int64
	to     int            // first second that is not read
	second int            // that tuples are of
	tuples []format.Tuple // nil when they all have been read
	next   int            // of tuples
	origin int64          // ms
}

// open positions the reader where Offset said that it was.
func (r *xwayReader) open(from int, at engine.Offset) error {
	if at == (engine.Offset{}) {
		r.xway.Seek(from)
		return nil
	}
	second := at.Place - 1
	if second < int64(from) || second > int64(r.to) || at.Skip < 0 {
		return fmt.Errorf("expressway %d cannot be read from %+v, want a place in %d…%d", r.number, at, from+1, r.to+1)
	}
	r.xway.Seek(int(second))
	if at.Skip == 0 {
		return nil
	}
	r.fill()
	if at.Skip >= int64(len(r.tuples)) {
		return fmt.Errorf("expressway %d has %d tuples in second %d, cannot pass over %d", r.number, len(r.tuples), second, at.Skip)
	}
	r.next = int(at.Skip)
	return nil
}

// fill generates the next second; it may be empty.
func (r *xwayReader) fill() {
	r.second = r.xway.Time()
	r.tuples, r.next = r.xway.Second(r.rooms.take()), 0
	if len(r.tuples) == 0 {
		r.release()
	}
}

func (r *xwayReader) release() {
	r.rooms.give(r.tuples)
	r.tuples = nil
}

// Read fills dst with the tuples of one second, as far as they go.
func (r *xwayReader) Read(dst []engine.Record[format.Tuple]) (int, error) {
	for r.tuples == nil {
		if r.xway.Time() >= r.to {
			return 0, io.EOF
		}
		r.fill()
	}
	n := min(len(dst), len(r.tuples)-r.next)
	// The time is (whole + part/run) ms; each tuple moves it by 1000 parts.
	run := r.xways * int64(len(r.tuples))
	whole, part := r.millis(r.second, r.next, len(r.tuples))
	from := r.tuples[r.next : r.next+n]
	for i := range from {
		dst[i].Millis = whole
		dst[i].Value = from[i]
		if part += 1000; part >= run {
			whole += part / run
			part %= run
		}
	}
	if r.next += n; r.next == len(r.tuples) {
		r.release()
	}
	return n, nil
}

// millis returns the time of tuple i of n of a second: whole ms, and parts of which xways·n make one.
func (r *xwayReader) millis(second, i, n int) (whole, part int64) {
	part = 1000 * (r.number*int64(n) + int64(i))
	run := r.xways * int64(n)
	return r.origin + 1000*int64(second) + part/run, part % run
}

// Peek returns the time before which there is no next tuple.
func (r *xwayReader) Peek() (millis int64, ok bool) {
	if r.tuples == nil {
		millis, _ = r.millis(r.xway.Time(), 0, 1)
	} else {
		millis, _ = r.millis(r.second, r.next, len(r.tuples))
	}
	return millis, true
}

// Offset returns where the next tuple is: the second from which it is, plus 1, and how many of its tuples precede it.
func (r *xwayReader) Offset() engine.Offset {
	if r.tuples == nil {
		return engine.Offset{Place: int64(r.xway.Time()) + 1}
	}
	return engine.Offset{Place: int64(r.second) + 1, Skip: int64(r.next)}
}

// Close gives back what the reader has borrowed.
func (r *xwayReader) Close() error {
	if r.tuples != nil {
		r.release()
	}
	return nil
}
