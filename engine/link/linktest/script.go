package linktest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Script says what a writer writes.
type Script struct {
	Channels   int
	Steps      int   // times at which something happens
	TupleMax   int   // tuples that a step emits to one channel, at most
	Burst      int   // tuples that one step in sixteen emits to one channel, 0 for none
	Payload    int   // bytes of each tuple's payload, a multiple of 8 from 8 on
	Vary       bool  // they vary up to that
	Silent     int   // of 16 steps, those that emit nothing
	FrameBytes int   // of the logs
	LogBytes   int64 // capacity of each log
	Turn       int   // steps of one turn
}

// row is a tuple as it was written or read; sum stands for its payload.
type row struct {
	time wire.Time
	sum  uint64
}

// endSteps are what a writer does after the end of its input has been told, as pending timers would.
const endSteps = 3

// writer stands in for a task that feeds channels.
type writer struct {
	Script
	rand    *rand.Rand
	logs    []*buffers.Log
	pos     wire.Time
	eoi     wire.Time
	done    int // steps
	wrote   [][]row
	blocked bool // a log was full in the last turn
}

// newWriter makes a writer whose logs take slabs from pool.
func newWriter(pool *slab.Pool, s Script, seed uint64) *writer {
	w := &writer{Script: s, rand: rand.New(rand.NewPCG(seed, 3)), pos: 1}
	for range s.Channels {
		size := s.Payload
		if s.Vary {
			size = 0
		}
		l, err := buffers.New(buffers.Config{
			Stream: streamID, PayloadSize: size, FrameBytes: s.FrameBytes, CapacityBytes: s.LogBytes,
			Pool: pool, Owner: "written", TrimOnAck: true,
		})
		if err != nil {
			panic(err)
		}
		w.logs = append(w.logs, l)
	}
	w.wrote = make([][]row, s.Channels)
	return w
}

const streamID = 7

func (s Script) spec() link.ChannelSpec {
	spec := link.ChannelSpec{Stream: streamID, PayloadSize: s.Payload}
	if s.Vary {
		spec.PayloadSize = 0
	}
	return spec
}

// ended says that everything is written.
func (w *writer) ended() bool { return w.pos == wire.TimeMax }

// room collects what was acknowledged and says whether no log is full.
func (w *writer) room() bool {
	ok := true
	for _, l := range w.logs {
		l.Collect()
		ok = ok && !l.Full()
	}
	return ok
}

// turn takes some steps and publishes, as a task does.
func (w *writer) turn() bool {
	before, ending := w.pos, w.done >= w.Steps
	for range w.Turn {
		if w.blocked = !w.ended() && !w.room(); w.blocked || w.ended() {
			break
		}
		if w.done == w.Steps {
			w.eoi, ending = w.pos, true
		}
		if w.done == w.Steps+endSteps {
			w.pos = wire.TimeMax
			break
		}
		w.step()
		w.done++
	}
	if w.pos == before {
		return false
	}
	for _, l := range w.logs {
		if ending {
			l.Ending(w.eoi)
		}
		if w.ended() {
			l.End(w.eoi)
		} else {
			l.Seal(w.pos)
		}
	}
	return true
}

// step emits what one time brings.
func (w *writer) step() {
	tau := w.pos + wire.Time(w.rand.IntN(5))
	w.pos = tau + 1
	if w.rand.IntN(16) < w.Silent {
		return
	}
	for ch := range w.logs {
		n := w.rand.IntN(w.TupleMax + 1)
		if w.Burst > 0 && w.rand.IntN(16) == 0 {
			n = w.Burst
		}
		for range n {
			w.emit(ch, tau)
		}
	}
}

func (w *writer) emit(ch int, tau wire.Time) {
	size := w.Payload
	if w.Vary {
		size = 8 + w.rand.IntN(w.Payload-7)
	}
	sum := w.rand.Uint64()
	fill(w.logs[ch].Append(tau, sum, size), sum)
	w.wrote[ch] = append(w.wrote[ch], row{tau, sum})
}

// fill makes a payload out of a number, every byte of it.
func fill(p []byte, sum uint64) {
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, sum)
	}
	for i := range p {
		p[i] = byte(sum)
	}
}

// sumOf reads a payload back, and says whether all of it is as it was made.
func sumOf(p []byte) (sum uint64, ok bool) {
	sum, ok = binary.LittleEndian.Uint64(p), true
	for ; len(p) >= 8; p = p[8:] {
		ok = ok && binary.LittleEndian.Uint64(p) == sum
	}
	for _, b := range p {
		ok = ok && b == byte(sum)
	}
	return sum, ok
}

func (w *writer) close() {
	for _, l := range w.logs {
		_ = l.Close() // a log that does not spill has nothing that could fail
	}
}

// reader stands in for a task that consumes channels: it processes what lies below every frontier, and acknowledges where
// it stands.
type reader struct {
	rand   *rand.Rand
	inputs []*input
	pos    wire.Time
	paused atomic.Bool  // it does nothing
	read   atomic.Int64 // tuples
	fault  error        // the first
}

// input is one channel of a reader.
type input struct {
	feed *link.Feed
	at   wire.Tuples
	has  bool
	last wire.Time
	got  []row
}

func newReader(seed uint64, feeds ...*link.Feed) *reader {
	r := &reader{rand: rand.New(rand.NewPCG(seed, 5))}
	for _, f := range feeds {
		r.inputs = append(r.inputs, &input{feed: f})
	}
	return r
}

// ended says that everything is read.
func (r *reader) ended() bool { return r.pos == wire.TimeMax }

// turn processes some of what can be processed.
func (r *reader) turn() bool {
	if r.paused.Load() || r.ended() {
		return false
	}
	front := wire.TimeMax
	for _, in := range r.inputs {
		f := in.feed.Poll()
		if _, ending := in.feed.Ending(); f == wire.TimeMax && !ending {
			r.fail(fmt.Errorf("the frontier is ∞, and the end of the input is not known"))
		}
		front = min(front, f)
	}
	to := front
	if to > r.pos && r.rand.IntN(2) == 0 {
		to = min(front, r.pos+wire.Time(1+r.rand.IntN(40)))
	}
	if to <= r.pos {
		return false
	}
	for _, in := range r.inputs {
		r.read.Add(int64(in.consume(r, to)))
	}
	r.pos = to
	for _, in := range r.inputs {
		in.feed.Ack(to)
	}
	return true
}

// consume takes the channel's tuples below a time. Those in frames that are in hand are looked at only now.
func (in *input) consume(r *reader, to wire.Time) (n int) {
	for {
		if !in.has {
			f, ok := in.feed.Next()
			if !ok {
				return n
			}
			in.at, in.has = f.View(), true
		}
		for ; in.at.Valid() && in.at.Time() < to; in.at.Advance() {
			t := in.at.Time()
			sum, ok := sumOf(in.at.Bytes())
			if !ok || sum != in.at.Hash() {
				r.fail(fmt.Errorf("the tuple at %v is not what was written", t))
			}
			if t < in.last || t < r.pos {
				r.fail(fmt.Errorf("a tuple at %v after one at %v, at position %v", t, in.last, r.pos))
			}
			in.got = append(in.got, row{t, sum})
			in.last = t
			n++
		}
		if in.at.Valid() {
			return n
		}
		in.has = false
	}
}

func (r *reader) fail(err error) {
	if r.fault == nil {
		r.fault = err
	}
}

// compare says how what was read of one channel differs from what was written to it.
func compare(got, want []row) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("%d of %d tuples were read; the next is at %v", len(got), len(want), want[i].time)
		case i >= len(want):
			return fmt.Errorf("%d tuples were read, %d written; the next is at %v", len(got), len(want), got[i].time)
		case got[i] != want[i]:
			return fmt.Errorf("tuple %d is %x at %v, %x at %v was written", i, got[i].sum, got[i].time, want[i].sum, want[i].time)
		}
	}
	return nil
}
