package linktest

import (
	"sync/atomic"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/wire"
)

// testIdle has ten thousand channels between a hundred tasks and a hundred others, of which none emits anything. In each
// round all frontiers move: that is one message, of a few bytes for each upstream task, and none in return.
func testIdle(t *testing.T, open func(testing.TB) Transport) {
	const tasks, rounds, settled = 100, 25, 5
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{})
	w := Script{Channels: tasks * tasks, Payload: 8, LogBytes: 64 << 10}
	idle := newIdle(a, b, newWriter(r.pools[0], w, 1).logs, tasks)
	var before, after [2]link.Stats
	stats := func() [2]link.Stats { return [2]link.Stats{a.link.Stats(), {}} }
	a.node.turns = append(a.node.turns, func() bool {
		switch {
		case idle.round == settled && before[0].MessagesOut == 0:
			before = stats()
		case idle.round == rounds && idle.heard():
			after = stats()
		}
		return idle.round < rounds && idle.publish()
	})
	b.node.turns = append(b.node.turns, func() bool { return idle.hear() })
	done := a.node.when(func() bool { return after[0].MessagesOut != 0 })
	r.start()
	r.connect(a, b)
	r.run([]<-chan struct{}{done})

	bytes, messages := after[0].BytesOut-before[0].BytesOut, after[0].MessagesOut-before[0].MessagesOut
	const want = wire.EnvelopeBytes + tasks*wire.GroupBytes
	if n := uint64(rounds - settled); messages != n || bytes != n*want {
		t.Errorf("%d rounds took %d messages of %d bytes in all, want one of %d bytes each", n, messages, bytes, want)
	}
	if s := b.link.Stats(); s.MessagesOut != 1 {
		t.Errorf("%d messages came back, want the opening alone", s.MessagesOut)
	}
	if n := r.pools[1].Stats().Peak; n != 0 {
		t.Errorf("%d bytes were used by channels without data", n)
	}
	for _, l := range idle.logs {
		_ = l.Close()
	}
	r.release()
}

// idle is channels whose frontiers are all that moves, one round after the other.
type idle struct {
	logs  []*buffers.Log
	feeds []*link.Feed
	round wire.Time
	back  *node         // whose logs they are
	at    atomic.Uint64 // the round that has arrived
}

// newIdle leads logs from a to b, equally many from each of a number of tasks.
func newIdle(a, b *end, logs []*buffers.Log, tasks int) *idle {
	d := &idle{logs: logs, back: a.node}
	for i, l := range logs {
		task := uint32(i % tasks)
		a.link.Send(uint32(i), task, l)
		d.feeds = append(d.feeds, b.link.Receive(uint32(i), task, link.ChannelSpec{Stream: streamID, PayloadSize: 8}))
	}
	return d
}

// publish begins a round if the one before has arrived.
func (d *idle) publish() bool {
	if !d.heard() {
		return false
	}
	d.round++
	for _, l := range d.logs {
		l.Seal(d.round)
	}
	return true
}

func (d *idle) heard() bool { return wire.Time(d.at.Load()) == d.round }

// hear looks which round has arrived.
func (d *idle) hear() bool {
	front := wire.TimeMax
	for _, f := range d.feeds {
		front = min(front, f.Poll())
	}
	if front == wire.Time(d.at.Load()) {
		return false
	}
	for _, f := range d.feeds {
		f.Ack(front)
	}
	d.at.Store(uint64(front))
	d.back.loop.Wake()
	return false
}

// testStalled has a reader that consumes nothing until its writers can do no more. Both ends stay within what they may hold,
// and when the reader goes on, everything comes.
func testStalled(t *testing.T, open func(testing.TB) Transport) {
	const window, logBytes, channels, step = 32 << 10, 64 << 10, 4, 200 * 40
	s := Script{Channels: channels, Steps: 3000, TupleMax: 50, Burst: 200, Payload: 24, FrameBytes: 8 << 10, LogBytes: logBytes, Turn: 50}
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{Window: window})
	f := r.flow(a, b, 1, s, 1)
	f.paused.Store(true)
	stuck := a.node.when(func() bool { return f.blocked && a.link.Stats().Starved > 0 })
	done := r.start()
	r.connect(a, b)
	r.tr.Wait(stuck)
	f.paused.Store(false)
	b.node.loop.Wake()
	r.run(done)
	// A log has its capacity, a step beyond, and chunks that are not full; a channel its window, a frame and a step beyond.
	// Frames may fill the chunks that they are received into by half only, and of the first and the last there is less.
	const logMost, channelMost = logBytes + step + 2*logBytes/4, 2*(window+8<<10+step) + 2*window/4
	if n := r.pools[0].Stats().Peak; n > channels*logMost {
		t.Errorf("the writer's logs had %d bytes, want at most %d", n, channels*logMost)
	}
	if n := r.pools[1].Stats().Peak; n > channels*channelMost {
		t.Errorf("the reader's channels had %d bytes, want at most %d", n, channels*channelMost)
	}
	if n := b.link.Stats().BytesIn; n < 10*channels*(logMost+channelMost) {
		t.Errorf("only %d bytes came: too few to tell", n)
	}
	r.finish()
}
