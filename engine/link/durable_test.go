package link_test

import (
	"encoding/binary"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// durablePair is two workers of a job that takes checkpoints, and a log that leads from one to the other.
type durablePair struct {
	*testing.T
	pool     *slab.Pool
	from, to *link.Link
	a, b     *pipe.End
	log      *buffers.Log
}

func newDurablePair(t *testing.T) *durablePair {
	p := &durablePair{T: t, pool: slab.New(slab.Config{})}
	cfg := link.Config{Pool: p.pool, Durable: true, EarlyMax: 4}
	cfg.Peer = "the consumer"
	p.from = link.New(cfg)
	cfg.Peer = "the producer"
	p.to = link.New(cfg)
	var err error
	p.log, err = buffers.New(buffers.Config{Stream: 7, PayloadSize: farPayload, FrameBytes: 512, CapacityBytes: 4 << 10, Pool: p.pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.from.Close()
		p.to.Close()
		p.log.Close()
		if err := p.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *durablePair) connect() {
	c := pipe.New()
	p.a, p.b = c.A, c.B
	p.from.Attach(p.a)
	p.to.Attach(p.b)
}

// talk lets both ends say what they have to say until neither has anything.
func (p *durablePair) talk() {
	p.Helper()
	for moved := true; moved; {
		moved = false
		for _, l := range []*link.Link{p.from, p.to} {
			m, _, err := l.Flush()
			if err != nil {
				p.Fatal(err)
			}
			moved = moved || m
		}
		p.a.Deliver(1 << 30)
		p.b.Deliver(1 << 30)
		for _, l := range []*link.Link{p.from, p.to} {
			if err := l.Traffic(); err != nil {
				p.Fatal(err)
			}
		}
	}
}

// write adds n tuples from t on, and tells.
func (p *durablePair) write(n int, t wire.Time) {
	for i := range n {
		at := t + wire.Time(i)
		binary.LittleEndian.PutUint64(p.log.Append(at, 0, farPayload), uint64(at))
	}
	p.log.Seal(t + wire.Time(n))
	p.log.Collect()
}

func firstTime(f buffers.Frame) wire.Time {
	view := f.View()
	return view.Time()
}

// TestDurable follows a log that is trimmed by what its consumer has in checkpoints, and by nothing else.
func TestDurable(t *testing.T) {
	p := newDurablePair(t)
	p.from.Send(2, 1, p.log)
	feed := p.to.Receive(2, 1, link.ChannelSpec{Stream: 7, PayloadSize: farPayload})
	p.connect()
	p.write(20, 10)
	p.talk()
	for _, ok := feed.Next(); ok; _, ok = feed.Next() {
	}
	feed.Ack(30)
	p.talk()
	if p.log.Collect(); p.log.TrimPoint() != 0 {
		t.Fatalf("the log is trimmed at %v by what was merely consumed", p.log.TrimPoint())
	}
	if feed.HalfFull() {
		t.Fatalf("a log of %d bytes asks for a checkpoint", p.log.Bytes())
	}
	p.write(100, 30)
	p.talk()
	if !feed.HalfFull() {
		t.Fatalf("a log of %d bytes does not ask for a checkpoint", p.log.Bytes())
	}
	feed.Trim(25)
	if feed.HalfFull() {
		t.Fatal("the log asks although it has been answered")
	}
	p.talk()
	if p.log.Collect(); p.log.TrimPoint() != 25 {
		t.Fatalf("the log is trimmed at %v, want 25: what is durable", p.log.TrimPoint())
	}
	if !feed.HalfFull() {
		t.Fatal("the log is half full still, and does not ask again")
	}
	// What was durable holds beyond a connection.
	p.from.Detach()
	p.to.Detach()
	p.connect()
	p.talk()
	if p.log.Collect(); p.log.TrimPoint() != 25 {
		t.Fatalf("after another connection the log is trimmed at %v, want 25", p.log.TrimPoint())
	}
	p.log.Ending(130)
	p.log.End(130)
	p.talk()
	feed.Ack(wire.TimeMax)
	p.talk()
	if p.from.Done() || p.to.Done() {
		t.Fatal("the channel is done before its end is durable")
	}
	feed.Trim(wire.TimeMax)
	p.talk()
	if !p.from.Done() || !p.to.Done() {
		t.Fatal("the channel is not done though its end is durable")
	}
}

// TestEarly has a channel wanted, and acknowledged, before its sender has declared it.
func TestEarly(t *testing.T) {
	p := newDurablePair(t)
	feed := p.to.Receive(3, 1, link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: 15})
	p.connect()
	p.talk()
	p.b.Writev([][]byte{acks(wire.AckEntry{Channel: 3, Acked: 15, Granted: 1 << 20})})
	p.b.Deliver(1 << 30)
	if err := p.from.Traffic(); err != nil {
		t.Fatal(err)
	}
	p.write(20, 10)
	p.from.Send(3, 1, p.log)
	p.talk()
	if f, ok := feed.Next(); !ok || firstTime(f) != 15 {
		t.Fatalf("the first frame has %v, want 15", ok)
	}
	if p.log.Collect(); p.log.TrimPoint() != 15 {
		t.Fatalf("the log is trimmed at %v, want 15", p.log.TrimPoint())
	}
	far := link.New(link.Config{Pool: p.pool, Peer: "the producer", Durable: true})
	defer far.Close()
	for i := range uint32(5) {
		far.Receive(1<<31+i, 1, link.ChannelSpec{Stream: 7, PayloadSize: farPayload})
	}
	c := pipe.New()
	p.from.Detach()
	p.from.Attach(c.A)
	far.Attach(c.B)
	if _, _, err := far.Flush(); err != nil {
		t.Fatal(err)
	}
	c.B.Deliver(1 << 30)
	if err := p.from.Traffic(); err == nil {
		t.Fatal("five channels can be asked for before they are declared, want four")
	}
}

// TestEarlyBesideOthers has a peer ask for everything at once: for what is declared, what was withdrawn, and as much as may be
// asked for early.
func TestEarlyBesideOthers(t *testing.T) {
	p := newDurablePair(t)
	for ch := range uint32(10) {
		p.to.Receive(ch, 1, link.ChannelSpec{Stream: 7, PayloadSize: farPayload})
		if ch < 6 {
			p.from.Send(ch, 1, p.log)
		}
	}
	p.from.Withdraw(5)
	p.connect()
	p.talk()
	if s := p.to.Stats(); s.MessagesOut != 1 {
		t.Errorf("%d messages, want one that opens ten channels", s.MessagesOut)
	}
}

// TestAbandon gives a peer up: its frames can be consumed, its log is free.
func TestAbandon(t *testing.T) {
	p := newDurablePair(t)
	p.from.Send(2, 1, p.log)
	feed := p.to.Receive(2, 1, link.ChannelSpec{Stream: 7, PayloadSize: farPayload})
	p.connect()
	p.write(20, 10)
	p.talk()
	p.to.Abandon()
	if !p.to.Done() || p.to.Released() {
		t.Fatalf("an abandoned link: done %v, released %v; want something to be consumed", p.to.Done(), p.to.Released())
	}
	if f, ok := feed.Next(); !ok || firstTime(f) != 10 || feed.Poll() != 30 {
		t.Fatalf("what was received cannot be consumed: %v, frontier %v", ok, feed.Poll())
	}
	feed.Close()
	feed.Close()
	if !p.to.Released() {
		t.Fatal("the link is not released though its one feed is closed")
	}
	p.from.Abandon()
	p.log.Collect()
	next := link.New(link.Config{Pool: p.pool, Peer: "another consumer", Durable: true})
	defer next.Close()
	next.Send(2, 1, p.log)
}
