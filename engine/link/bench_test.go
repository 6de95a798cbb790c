package link_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// hop is two links on one goroutine with channels from a to b.
type hop struct {
	tb    testing.TB
	pool  *slab.Pool
	pipe  *pipe.Pipe
	a, b  *link.Link
	logs  []*buffers.Log
	feeds []*link.Feed
	sum   uint64
	read  int // tuples
}

// payloadBytes makes tuples of 40 bytes.
const payloadBytes = 40 - wire.TupleHeader

// newHop makes channels from each of a number of tasks, channels/tasks each.
func newHop(tb testing.TB, channels, tasks int) *hop {
	h := &hop{tb: tb, pool: slab.New(slab.Config{HugePages: true}), pipe: pipe.New()}
	h.a = link.New(link.Config{Pool: h.pool, Owner: "a", Peer: "b"})
	h.b = link.New(link.Config{Pool: h.pool, Owner: "b", Peer: "a"})
	for i := range channels {
		l, err := buffers.New(buffers.Config{Stream: 1, PayloadSize: payloadBytes, Pool: h.pool, Owner: "log", TrimOnAck: true})
		if err != nil {
			tb.Fatal(err)
		}
		h.logs = append(h.logs, l)
		h.a.Send(uint32(i), uint32(i%tasks), l)
		h.feeds = append(h.feeds, h.b.Receive(uint32(i), uint32(i%tasks), link.ChannelSpec{Stream: 1, PayloadSize: payloadBytes}))
	}
	h.a.Attach(h.pipe.A)
	h.b.Attach(h.pipe.B)
	return h
}

// exchange flushes both ends and delivers what they say.
func (h *hop) exchange() {
	for _, s := range []struct {
		from, to *link.Link
		end      *pipe.End
	}{{h.a, h.b, h.pipe.A}, {h.b, h.a, h.pipe.B}} {
		if _, _, err := s.from.Flush(); err != nil {
			h.tb.Fatal(err)
		}
		s.end.Deliver(s.end.Flight())
		if err := s.to.Traffic(); err != nil {
			h.tb.Fatal(err)
		}
	}
}

// write appends n tuples to each log from t on, and publishes.
func (h *hop) write(n int, t wire.Time) wire.Time {
	for _, l := range h.logs {
		l.Collect()
		at := t
		for range n {
			p := l.Append(at, partition.HashUint64(uint64(at)), payloadBytes)
			binary.LittleEndian.PutUint64(p, uint64(at))
			binary.LittleEndian.PutUint64(p[8:], 7)
			binary.LittleEndian.PutUint64(p[16:], uint64(at)>>3)
			at++
		}
		l.Seal(t + wire.Time(n))
	}
	return t + wire.Time(n)
}

// consume reads every tuple below the frontiers, and acknowledges.
func (h *hop) consume() {
	for _, f := range h.feeds {
		front := f.Poll()
		for fr, ok := f.Next(); ok; fr, ok = f.Next() {
			for t := fr.View(); t.Valid(); t.Advance() {
				h.sum += binary.LittleEndian.Uint64(t.Bytes()) ^ t.Hash()
				h.read++
			}
		}
		f.Ack(front)
	}
}

func (h *hop) close() {
	h.a.Close()
	h.b.Close()
	for _, l := range h.logs {
		if err := l.Close(); err != nil {
			h.tb.Error(err)
		}
	}
	if err := h.pool.Close(); err != nil {
		h.tb.Error(err)
	}
}

// frameTuples fill a frame of 64 KiB.
const frameTuples = (64<<10 - wire.FrameHeader) / 40

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	if slab.Invariants {
		t.Skip("with invariants the pool does not use the handles of slabs again")
	}
	for name, c := range map[string]struct{ channels, tuples int }{
		"large frames":  {2, 2 * frameTuples},
		"small frames":  {50, 3},
		"frontiers":     {100, 0},
		"nothing to do": {0, 0},
	} {
		h := newHop(t, c.channels, max(c.channels/10, 1))
		at := wire.At(1, 0, 1)
		round := func() {
			at = h.write(c.tuples, at+1)
			h.exchange()
			h.consume()
			h.exchange()
		}
		for range 20 {
			round()
		}
		before := h.read
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("%s: %v allocations for each round", name, n)
		}
		if got, want := h.read-before, 101*c.channels*c.tuples; got != want {
			t.Errorf("%s: %d tuples came, want %d", name, got, want)
		}
		h.close()
	}
}

// BenchmarkHop takes tuples of 40 bytes in frames of 64 KiB from one log to one reader: written, sealed, sent, copied into
// and out of a pipe in memory, verified, read.
func BenchmarkHop(b *testing.B) {
	h := newHop(b, 1, 1)
	at := wire.At(1, 0, 1)
	b.ReportAllocs()
	for b.Loop() {
		at = h.write(frameTuples, at+1)
		h.exchange()
		h.consume()
		h.exchange()
	}
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(h.read)/seconds, "tuples/s")
	b.ReportMetric(float64(h.a.Stats().BytesOut)/seconds/1e6, "MB/s")
	if h.read != b.N*frameTuples || h.sum == 0 {
		b.Fatalf("%d tuples came", h.read)
	}
	h.close()
}

// BenchmarkIdleRound moves the frontiers of 100 × 100 channels. Of each round, ns/link is what the links take for it on both
// sides; the rest is the publishing.
func BenchmarkIdleRound(b *testing.B) {
	h := newHop(b, 100*100, 100)
	h.exchange() // the channels are asked for
	at, took, rounds := h.write(0, wire.At(1, 0, 1)), time.Duration(0), 0
	h.exchange() // and named
	before := h.a.Stats().BytesOut
	for b.Loop() {
		at = h.write(0, at+1)
		start := time.Now()
		h.exchange()
		took += time.Since(start)
		rounds++
	}
	h.consume()
	if got := h.feeds[0].Poll(); got != at {
		b.Fatalf("the frontier is %v, want %v", got, at)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(rounds), "ns/link")
	b.ReportMetric(float64(h.a.Stats().BytesOut-before)/float64(rounds), "B/round")
	h.close()
}
