package link_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// must has the peer say something that is welcome.
func (f *far) must(messages ...[]byte) {
	f.Helper()
	if err := f.say(messages...); err != nil {
		f.Fatal(err)
	}
}

// expect compares what the link says next.
func (f *far) expect(want ...[]byte) {
	f.Helper()
	if got, want := f.flush(), bytes.Join(want, nil); !bytes.Equal(got, want) {
		f.Fatalf("said %x\nwant %x", got, want)
	}
}

// TestWithdraw takes a channel back while the peer has credit, and frames are on the way.
func TestWithdraw(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{TrimOnAck: true})
	f.log.Append(10, 0, farPayload)
	f.log.Seal(20)
	open := wire.OpenEntry{Channel: 4, Granted: 1 << 20}
	f.must(opens(open))
	if heard := f.flush(); len(heard) == 0 {
		t.Fatal("no frame was sent")
	}
	f.link.Withdraw(4)
	f.link.Withdraw(4)
	f.link.Withdraw(5)
	f.log.Clear() // which nobody may read
	f.expect(closes(4))
	f.must(acks(wire.AckEntry{Channel: 4, Acked: 20, Granted: 2 << 20}))

	f.link.Send(4, 12, f.log)
	f.log.Seal(30)
	f.expect()
	f.must(acks(wire.AckEntry{Channel: 4, Acked: 20, Granted: 3 << 20})) // of what was withdrawn, too
	open.From = 25
	f.must(opens(open), acks(wire.AckEntry{Channel: 4, Acked: 25, Granted: 2 << 20}))
	f.expect(frontiers(group(12, 30, wire.FrontierException{Channel: 4, Frontier: 30})))
	if f.log.Collect(); f.log.TrimPoint() != 25 {
		t.Errorf("the log is trimmed at %v, want 25", f.log.TrimPoint())
	}
	if err := f.say(acks(wire.AckEntry{Channel: 4, Acked: 31, Granted: 2 << 20})); err == nil {
		t.Error("an acknowledgement beyond what was told is accepted")
	}
}

// TestWithdrawnIsWanted has the peer want a channel that was withdrawn: it waits, for as long as the connection lasts.
func TestWithdrawnIsWanted(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	f.log.Seal(30)
	f.link.Withdraw(4)
	open := opens(wire.OpenEntry{Channel: 4, From: 25, Granted: 1 << 20})
	f.must(open)
	f.expect()
	f.link.Detach()
	f.attach()
	f.link.Send(4, 12, f.log)
	f.expect()
	f.link.Withdraw(4)
	f.must(open)
	f.link.Send(4, 12, f.log)
	f.link.Withdraw(4)
	f.link.Send(4, 12, f.log)
	f.expect(frontiers(group(12, 30, wire.FrontierException{Channel: 4, Frontier: 30})))
}

// TestWithdrawFromGroup has a task's frontier stay told when the channel is withdrawn for which it held.
func TestWithdrawFromGroup(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{FrameBytes: 256})
	other, err := buffers.New(buffers.Config{Stream: 7, PayloadSize: farPayload, Pool: f.pool})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f.link.Send(5, 12, other)
	f.must(opens(wire.OpenEntry{Channel: 4}, wire.OpenEntry{Channel: 5}))
	f.log.Append(10, 0, farPayload)
	f.log.Seal(20) // for which there is no credit
	other.Seal(20)
	f.expect(frontiers(group(12, 20, wire.FrontierException{Channel: 4, Frontier: 10}, wire.FrontierException{Channel: 5, Frontier: 20})))
	f.link.Withdraw(5)
	f.expect(closes(5))
	f.log.Seal(21)
	f.expect()
	f.must(acks(wire.AckEntry{Channel: 4, Granted: 1}))
	frame := f.flush()
	if want := frontiers(group(12, 21)); !bytes.HasSuffix(frame, want) {
		t.Errorf("said %x, want %x at the end", frame, want)
	}
	f.link.Withdraw(4)
	f.expect(closes(4))
}

// TestReopened has the peer want again what it has open: it has made its end of the channel anew.
func TestReopened(t *testing.T) {
	f := newFar(t, link.Config{EarlyMax: 1}, buffers.Config{})
	f.log.Append(10, 0, farPayload)
	f.log.Seal(20)
	f.log.End(20)
	f.must(opens(wire.OpenEntry{Channel: 4, Granted: 1 << 20}))
	first := f.flush()
	f.must(opens(wire.OpenEntry{Channel: 4, Granted: 1 << 20}))
	only := wire.FrontierException{Channel: 4, Frontier: 10}
	told := len(frontiers(ending(12, 10, 20, only)))
	f.expect(closes(4), frontiers(ending(12, wire.TimeMax, 20, only)), first[told:])
	early := opens(wire.OpenEntry{Channel: 1 << 31, From: 5, Granted: 1})
	f.must(early, early, early)
	f.expect(closes(1<<31, 1<<31))
}

// TestCloseFeed closes a feed while a frame is coming in, and more are on the way: all memory is given back at once, and what
// comes is passed over, until the peer has heard that the channel is wanted anew.
func TestCloseFeed(t *testing.T) {
	f := newFar(t, link.Config{FrameBytesMax: 64 << 10}, buffers.Config{})
	f.must(frontiers(group(10, 105, except(105, 105)...)), on(1, frame(111, 110)))
	if _, ok := f.feeds[1].Next(); !ok {
		t.Fatal("nothing has come")
	}
	long := make([]wire.Time, 2000)
	for i := range long {
		long[i] = 115
	}
	m := on(1, frame(116, long...))
	for i, cut := range []int{20, 100} { // in the header, and behind it
		at := wire.Time(120 + 10*i)
		f.must(m[:cut])
		f.feeds[1].Close()
		if n := f.pool.Stats().InUse; n != 0 {
			t.Fatalf("cut at %d: %d bytes are held for nobody", cut, n)
		}
		f.must(m[cut:], m, wire.Envelope{Kind: wire.EnvelopeAsks, Bytes: 8}.Append(nil), wire.AppendAsk(nil, 1),
			frontiers(group(10, at, except(at-1, at)...)))
		f.feeds[1].Ack(at)
		f.feeds[1].Trim(at)
		f.expect()
		f.feeds[1] = f.link.Receive(1, 10, link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: 103})
		f.must(m) // before it is asked for
		f.expect(opens(wire.OpenEntry{Channel: 1, From: 103, Granted: 512 << 10}))
		f.must(m, frontiers(group(10, at+1, except(at, at+1)...)))
		if _, ok := f.feeds[1].Next(); ok || f.feeds[1].Poll() != 103 || f.feeds[1].HalfFull() || f.feeds[2].Poll() != at+1 {
			t.Fatal("what came for the closed feed has got into the new one")
		}
		f.must(closes(1), on(1, frame(105, 104)), frontiers(group(10, at+1, wire.FrontierException{Channel: 1, Frontier: 107})))
		if got := times(f.feeds[1]); fmt.Sprint(got) != fmt.Sprint([]wire.Time{104}) || f.feeds[1].Poll() != 107 {
			t.Fatalf("times %v, frontier %v", got, f.feeds[1].Poll())
		}
	}
	f.feeds[1].Close()
	if err := f.say(wire.Envelope{Kind: wire.EnvelopeFrame, Channel: 1, Bytes: 64<<10 + 8}.Append(nil)); err == nil {
		t.Error("a frame of any size is passed over")
	}
	f.link.Detach()
	f.pipe = pipe.New()
	f.link.Attach(f.pipe.B)
	f.expect(opens(wire.OpenEntry{Channel: 3, From: 100, Granted: 512 << 10}, wire.OpenEntry{Channel: 2, From: 131, Granted: 512 << 10}))
	if err := f.say(on(1, frame(111, 110))); err == nil {
		t.Error("on another connection, too, a frame comes for a feed that is closed")
	}
}

// TestCloseTask closes all feeds of a task: what is told of it counts for nothing, until it is told of a feed that was made
// after that.
func TestCloseTask(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	only := func(front wire.Time) wire.FrontierException {
		return wire.FrontierException{Channel: 3, Frontier: front}
	}
	f.must(frontiers(ending(11, 500, 200, only(500))))
	f.feeds[3].Close()
	f.must(frontiers(group(11, 510)), frontiers(group(11, wire.TimeMax, only(510))))
	f.feeds[3] = f.link.Receive(3, 11, link.ChannelSpec{Stream: 7, From: 100})
	f.must(frontiers(group(11, 520)))
	f.flush()
	f.must(frontiers(ending(11, 530, 200, only(530))), closes(3), frontiers(group(11, 105, only(105))))
	if _, ending := f.feeds[3].Ending(); ending || f.feeds[3].Poll() != 105 {
		t.Errorf("frontier %v, ending %v", f.feeds[3].Poll(), ending)
	}
	f.must(frontiers(ending(11, 130, 150)), frontiers(group(11, wire.TimeMax)))
	if end, ending := f.feeds[3].Ending(); !ending || end != 150 || f.feeds[3].Poll() != wire.TimeMax {
		t.Errorf("frontier %v, end %v, %v", f.feeds[3].Poll(), end, ending)
	}
	// A channel that the sender has withdrawn stays where it is, and another may begin anew.
	f.must(frontiers(group(10, 105, except(105, 103)...)), closes(1), frontiers(group(10, 110)), closes(2))
	f.feeds[1].Close()
	f.feeds[1] = f.link.Receive(1, 10, link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: 100})
	f.flush()
	f.must(frontiers(group(10, 101, wire.FrontierException{Channel: 1, Frontier: 101})))
	if one, two := f.feeds[1].Poll(), f.feeds[2].Poll(); one != 101 || two != 110 {
		t.Errorf("frontiers %v and %v, want 101 and 110", one, two)
	}
}

// TestDoneWithout counts the channels that are taken back as done.
func TestDoneWithout(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	for i := 1; i < 4; i++ {
		f.feeds[i].Close()
	}
	if f.link.Done() || !f.link.Released() {
		t.Errorf("done %v, released %v", f.link.Done(), f.link.Released())
	}
	f.link.Withdraw(4)
	if !f.link.Done() {
		t.Error("a link without channels is not done")
	}
	f.link.Abandon()
	f.link.Withdraw(4)
	if !f.link.Done() || !f.link.Released() {
		t.Errorf("abandoned: done %v, released %v", f.link.Done(), f.link.Released())
	}
}

// shift is two links between which channels come and go, on connections that break. What a channel carries depends on its
// number alone, as that of a task's does that is made again elsewhere.
type shift struct {
	*testing.T
	rand     *rand.Rand
	pool     *slab.Pool
	from, to *link.Link
	pipe     *pipe.Pipe
	logs     []*buffers.Log
	wrote    [][]wire.Time
	sent     []bool
	ends     []shiftEnd
	now      wire.Time
}

// shiftEnd is the receiving end of a channel, and what it has read.
type shiftEnd struct {
	feed    *link.Feed // nil while there is none
	from    wire.Time
	read    []wire.Time
	durable wire.Time // over all feeds
}

const shiftTasks = 2

func newShift(t *testing.T, seed uint64) *shift {
	s := &shift{T: t, rand: rand.New(rand.NewPCG(seed, 1)), pool: slab.New(slab.Config{}), now: 1}
	cfg := link.Config{Pool: s.pool, Durable: true, Window: 600, TurnBytes: 700}
	cfg.Peer = "to"
	s.from = link.New(cfg)
	cfg.Peer = "from"
	s.to = link.New(cfg)
	for ch := range 4 {
		l, err := buffers.New(buffers.Config{Stream: 7, PayloadSize: farPayload, FrameBytes: 256, Pool: s.pool, CapacityBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		s.logs = append(s.logs, l)
		s.from.Send(uint32(ch), uint32(ch%shiftTasks), l)
		s.sent = append(s.sent, true)
	}
	s.wrote, s.ends = make([][]wire.Time, len(s.logs)), make([]shiftEnd, len(s.logs))
	s.attach()
	return s
}

func (s *shift) attach() {
	s.pipe = pipe.New()
	s.from.Attach(s.pipe.A)
	s.to.Attach(s.pipe.B)
}

// write has all tasks go on.
func (s *shift) write() {
	for range s.rand.IntN(4) {
		for ch, l := range s.logs {
			if s.rand.IntN(3) == 0 {
				for range 1 + s.rand.IntN(6) {
					binary.LittleEndian.PutUint64(l.Append(s.now, 0, farPayload), uint64(s.now)<<8|uint64(ch))
					s.wrote[ch] = append(s.wrote[ch], s.now)
				}
			}
		}
		s.now++
	}
	for _, l := range s.logs {
		l.Seal(s.now)
		l.Collect()
	}
}

func (s *shift) end() {
	for _, l := range s.logs {
		l.End(s.now)
	}
}

// send declares a channel, or takes it back.
func (s *shift) send(ch int) {
	if s.sent[ch] = !s.sent[ch]; s.sent[ch] {
		s.from.Send(uint32(ch), uint32(ch%shiftTasks), s.logs[ch])
	} else {
		s.from.Withdraw(uint32(ch))
	}
}

// receive declares the other end of a channel, from a time on which it may be asked for, or closes it.
func (s *shift) receive(ch int) {
	e := &s.ends[ch]
	if e.feed != nil {
		e.feed.Close()
		e.feed = nil
		return
	}
	e.from, e.read = e.durable+wire.Time(s.rand.IntN(3)), nil
	e.feed = s.to.Receive(uint32(ch), uint32(ch%shiftTasks), link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: e.from})
}

// read reads what has come, and compares.
func (s *shift) read(ch int) {
	e := &s.ends[ch]
	if e.feed == nil {
		return
	}
	front := e.feed.Poll()
	for f, ok := e.feed.Next(); ok; f, ok = e.feed.Next() {
		for t := f.View(); t.Valid(); t.Advance() {
			if got := binary.LittleEndian.Uint64(t.Bytes()); got != uint64(t.Time())<<8|uint64(ch) {
				s.Fatalf("channel %d: payload %x at %v", ch, got, t.Time())
			}
			e.read = append(e.read, t.Time())
		}
	}
	n := 0
	for _, t := range s.wrote[ch] {
		if t < e.from {
			continue
		}
		if n == len(e.read) {
			if t < front {
				s.Fatalf("channel %d: at frontier %v there is no tuple of %v", ch, front, t)
			}
			break
		}
		if e.read[n] != t {
			s.Fatalf("channel %d: tuple %d is at %v, want %v", ch, n, e.read[n], t)
		}
		n++
	}
	if n < len(e.read) {
		s.Fatalf("channel %d: %d tuples, %d were written", ch, len(e.read), n)
	}
	if _, ending := e.feed.Ending(); front == wire.TimeMax && !ending {
		s.Fatalf("channel %d: at its end, of which nothing was told", ch)
	}
	if front == wire.TimeMax {
		front = s.now
	}
	e.feed.Ack(front)
	if s.rand.IntN(4) == 0 {
		e.durable = max(e.durable, front-min(front, wire.Time(s.rand.IntN(3))))
		e.feed.Trim(e.durable)
	}
}

// carry moves some bytes in both directions.
func (s *shift) carry(most int) {
	for i, l := range []*link.Link{s.from, s.to} {
		if s.rand.IntN(3) > 0 {
			if _, _, err := l.Flush(); err != nil {
				s.Fatal(err)
			}
		}
		[]*pipe.End{s.pipe.A, s.pipe.B}[i].Deliver(s.rand.IntN(most))
		if err := []*link.Link{s.to, s.from}[i].Traffic(); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *shift) step() {
	if s.rand.IntN(6) == 0 {
		s.send(s.rand.IntN(len(s.logs)))
	}
	if s.rand.IntN(6) == 0 {
		s.receive(s.rand.IntN(len(s.logs)))
	}
	if s.rand.IntN(60) == 0 {
		s.from.Detach()
		s.to.Detach()
		s.attach()
	}
	s.carry(1 + s.rand.IntN(1000))
	for ch := range s.ends {
		s.read(ch)
	}
}

// TestChannelsComeAndGo has channels withdrawn, closed and declared again at random, at either end without regard for the other.
// What a feed reads is what was written from where it begins, without a gap, and its frontier is never beyond what it has read.
func TestChannelsComeAndGo(t *testing.T) {
	n := uint64(150)
	if testing.Short() {
		n = 20
	}
	for seed := range n {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { newShift(t, seed).run() }) {
			return
		}
	}
}

func (s *shift) run() {
	for range 300 {
		s.write()
		s.step()
	}
	s.end()
	for range 60 {
		s.step()
	}
	for ch := range s.logs {
		for !s.sent[ch] {
			s.send(ch)
		}
		if s.ends[ch].feed != nil {
			s.receive(ch)
		}
		s.receive(ch)
	}
	for range 1000 {
		s.carry(1 << 20)
		for ch := range s.ends {
			s.read(ch)
			if e := &s.ends[ch]; e.feed.Poll() == wire.TimeMax {
				e.feed.Ack(wire.TimeMax)
				e.feed.Trim(wire.TimeMax)
			}
		}
		if s.from.Done() && s.to.Done() {
			break
		}
	}
	if !s.from.Done() || !s.to.Done() {
		s.Fatal("it does not come to an end")
	}
	for ch := range s.logs {
		s.from.Withdraw(uint32(ch))
		s.receive(ch)
	}
	if !s.from.Done() || !s.to.Done() || !s.to.Released() {
		s.Error("something is counted twice")
	}
	for _, l := range s.logs {
		_ = l.Close()
	}
	if n := s.pool.Stats().InUse; n != 0 {
		s.Errorf("%d bytes are held though all channels are closed", n)
	}
	s.from.Close()
	s.to.Close()
	if err := s.pool.Close(); err != nil {
		s.Error(err)
	}
}
