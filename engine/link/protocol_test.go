package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// far is a link whose peer the test plays: channels 1 and 2 come from its task 10, channel 3 from its task 11, and channel 4
// leads to it.
type far struct {
	*testing.T
	pool  *slab.Pool
	link  *link.Link
	pipe  *pipe.Pipe    // A is the peer's end
	feeds [4]*link.Feed // by channel
	log   *buffers.Log
}

const farPayload = 8

func newFar(t *testing.T, cfg link.Config, logs buffers.Config) *far {
	f := &far{T: t, pool: slab.New(slab.Config{Budget: 1 << 20})}
	cfg.Pool, cfg.Owner, cfg.Peer = f.pool, "received", "w2"
	f.link = link.New(cfg)
	spec := link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: 100}
	f.feeds[1] = f.link.Receive(1, 10, spec)
	f.feeds[2] = f.link.Receive(2, 10, spec)
	spec.PayloadSize = 0
	f.feeds[3] = f.link.Receive(3, 11, spec)
	logs.Stream, logs.PayloadSize, logs.Pool = 7, farPayload, f.pool
	var err error
	if f.log, err = buffers.New(logs); err != nil {
		t.Fatal(err)
	}
	f.link.Send(4, 12, f.log)
	f.attach()
	t.Cleanup(func() {
		f.link.Close()
		f.log.Close()
		if err := f.pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *far) attach() {
	f.pipe = pipe.New()
	f.link.Attach(f.pipe.B)
	f.flush()
}

// flush has the link say what it has to say, and returns it.
func (f *far) flush() []byte {
	f.Helper()
	if _, _, err := f.link.Flush(); err != nil {
		f.Fatal(err)
	}
	return f.hear()
}

// hear takes what the link has said.
func (f *far) hear() []byte {
	b := make([]byte, f.pipe.B.Deliver(1<<30))
	n, _ := f.pipe.A.Read(b)
	return b[:n]
}

// say has the peer say something.
func (f *far) say(messages ...[]byte) error {
	f.pipe.A.Writev(messages)
	f.pipe.A.Deliver(1 << 30)
	return f.link.Traffic()
}

func message(kind wire.EnvelopeKind, bodies ...[]byte) []byte {
	var body []byte
	for _, b := range bodies {
		body = append(body, b...)
	}
	return append(wire.Envelope{Kind: kind, Bytes: uint32(len(body))}.Append(nil), body...)
}

// frame makes a frame of fixed tuples of stream 7.
func frame(frontier wire.Time, times ...wire.Time) []byte {
	return frameOf(wire.Header{Kind: wire.Data, Stream: 7, PayloadSize: farPayload, Frontier: frontier}, times...)
}

func frameOf(h wire.Header, times ...wire.Time) []byte {
	size := wire.TupleHeader + int(h.PayloadSize)
	b := make([]byte, wire.FrameHeader+len(times)*size)
	for i, t := range times {
		binary.LittleEndian.PutUint64(b[wire.FrameHeader+i*size:], uint64(t))
	}
	h.Count, h.Bytes = uint32(len(times)), uint32(len(times)*size)
	if len(times) > 0 {
		h.First, h.Last = times[0], times[len(times)-1]
	}
	wire.Seal(b, h)
	return b
}

// on puts a frame into a message of a channel.
func on(channel uint32, frame []byte) []byte {
	return append(wire.Envelope{Kind: wire.EnvelopeFrame, Channel: channel, Bytes: uint32(len(frame))}.Append(nil), frame...)
}

func group(task uint32, front wire.Time, exceptions ...wire.FrontierException) []byte {
	g := wire.FrontierGroup{Task: task, Frontier: front, Exceptions: uint32(len(exceptions))}
	return withExceptions(g, exceptions...)
}

func ending(task uint32, front, end wire.Time, exceptions ...wire.FrontierException) []byte {
	g := wire.FrontierGroup{Task: task, Frontier: front, Exceptions: uint32(len(exceptions)), End: end, Ending: true}
	return withExceptions(g, exceptions...)
}

func withExceptions(g wire.FrontierGroup, exceptions ...wire.FrontierException) []byte {
	b := g.Append(nil)
	for _, e := range exceptions {
		b = e.Append(b)
	}
	return b
}

func frontiers(groups ...[]byte) []byte { return message(wire.EnvelopeFrontiers, groups...) }
func acks(e ...wire.AckEntry) []byte {
	var b []byte
	for _, a := range e {
		b = a.Append(b)
	}
	return message(wire.EnvelopeAcks, b)
}
func opens(e ...wire.OpenEntry) []byte {
	var b []byte
	for _, o := range e {
		b = o.Append(b)
	}
	return message(wire.EnvelopeOpen, b)
}

func closes(channels ...uint32) []byte {
	var b []byte
	for _, c := range channels {
		b = wire.AppendClose(b, c)
	}
	return message(wire.EnvelopeCloses, b)
}

// except names both channels of task 10.
func except(front1, front2 wire.Time) []wire.FrontierException {
	return []wire.FrontierException{{Channel: 1, Frontier: front1}, {Channel: 2, Frontier: front2}}
}

// TestViolations has the peer say what the protocol does not allow. It is told so, and over a new connection things go on.
func TestViolations(t *testing.T) {
	damaged := frame(120, 110, 111)
	damaged[90] ^= 1
	short := on(1, frame(120, 110, 111))
	binary.LittleEndian.PutUint32(short[8:], 96)
	wrong := func(change func(*wire.Header)) []byte {
		h := wire.Header{Kind: wire.Data, Stream: 7, PayloadSize: farPayload, Frontier: 120}
		change(&h)
		return frameOf(h, 110, 111)
	}
	named := frontiers(group(10, 105, except(105, 105)...))
	opened := opens(wire.OpenEntry{Channel: 4, From: 0, Granted: 1 << 20})
	for _, c := range []struct {
		name     string
		messages [][]byte
		channel  int
		offset   int // in the last message
		reason   string
	}{
		{"kind", [][]byte{named, {9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, -1, 0, "kind 9"},
		{"channel of a frame", [][]byte{on(4, frame(120, 110))}, 4, 0, "does not lead here"},
		{"small frame", [][]byte{wire.Envelope{Kind: wire.EnvelopeFrame, Channel: 1, Bytes: 56}.Append(nil)}, 1, 0, "frame of 56 bytes"},
		{"large frame", [][]byte{wire.Envelope{Kind: wire.EnvelopeFrame, Channel: 1, Bytes: 2<<20 + 8}.Append(nil)}, 1, 0, "64 to 2097152"},
		{"header", [][]byte{named, on(1, make([]byte, 64))}, 1, 16, "magic"},
		{"frame longer than its message", [][]byte{short}, 1, 16, "112 bytes in a message of 96"},
		{"frame and message", [][]byte{append(on(1, frame(120, 110))[:16:16], frame(120, 110, 111)...)}, 1, 16, "112 bytes in a message of 88"},
		{"kind of frame", [][]byte{on(1, frameOf(wire.Header{Kind: wire.Frontier, Stream: 7, Frontier: 120}))}, 1, 16, "kind frontier, want data"},
		{"checksum", [][]byte{named, on(1, damaged)}, 1, 16 + 44, "checksum"},
		{"stream", [][]byte{on(1, wrong(func(h *wire.Header) { h.Stream = 8 }))}, 1, 16, "stream 8, want 7"},
		{"payload", [][]byte{on(1, wrong(func(h *wire.Header) { h.PayloadSize = 16 }))}, 1, 16, "16 bytes, want 8"},
		{"fixed for varying", [][]byte{on(3, frame(120, 110))}, 3, 16, "8 bytes, want 0"},
		{"before from", [][]byte{on(1, frame(120, 98, 99))}, 1, 16, "wanted from 0.000s/0#100 on"},
		{"time goes back", [][]byte{on(1, frame(100, 110, 112)), on(1, frame(120, 111))}, 1, 16, "after a tuple"},
		{"below the frontier of frames", [][]byte{on(1, frame(120, 110)), on(1, frame(130, 115))}, 1, 16, "below the frontier"},
		{"below the frontier of the group", [][]byte{named, on(1, frame(105, 106)), frontiers(group(10, 110)), on(1, frame(120, 109))}, 1, 16, "below the frontier"},
		{"last frame without an end", [][]byte{on(1, frame(wire.TimeMax, 110))}, 1, 16, "is the last"},
		{"task", [][]byte{frontiers(group(12, 110))}, -1, 16, "task 12"},
		{"exception of another task", [][]byte{frontiers(group(10, 110, wire.FrontierException{Channel: 3, Frontier: 105}))}, 3, 16 + 24, "from task 10"},
		{"exception twice", [][]byte{frontiers(group(10, 110, wire.FrontierException{Channel: 1, Frontier: 105}, wire.FrontierException{Channel: 1, Frontier: 105}))}, 1, 16 + 40, "twice"},
		{"group goes back", [][]byte{named, frontiers(group(10, 104))}, -1, 16, "goes back"},
		{"exception goes back", [][]byte{named, frontiers(group(10, 110, except(110, 104)...))}, 2, 16 + 40, "goes back"},
		{"exception goes back behind the group", [][]byte{named, frontiers(group(10, 110)), frontiers(group(10, 112, except(112, 109)...))}, 2, 16 + 40, "goes back"},
		{"group at its end", [][]byte{frontiers(group(10, wire.TimeMax))}, -1, 16, "where its input ends"},
		{"exception at its end", [][]byte{frontiers(group(10, 110, except(wire.TimeMax, 105)...))}, 1, 16 + 24, "where the input ends"},
		{"another end", [][]byte{frontiers(ending(10, 105, 200)), frontiers(ending(10, 105, 201))}, -1, 16, "before it was"},
		{"end told late", [][]byte{frontiers(group(10, 110)), frontiers(ending(10, 112, 109))}, -1, 16, "told after"},
		{"half a group", [][]byte{message(wire.EnvelopeFrontiers, group(10, 110)[:16])}, -1, 16 + 16, "16 bytes"},
		{"frontiers too long", [][]byte{message(wire.EnvelopeFrontiers, make([]byte, 120))}, -1, 0, "at most 96"},
		{"ack of no channel", [][]byte{acks(wire.AckEntry{Channel: 5})}, 5, 16, "does not lead there"},
		{"ack before open", [][]byte{acks(wire.AckEntry{Channel: 4})}, 4, 16, "before it was opened"},
		{"ack beyond", [][]byte{opened, acks(wire.AckEntry{Channel: 4, Acked: 51, Granted: 1 << 20})}, 4, 16, "and the frontier"},
		{"ack goes back", [][]byte{opened, acks(wire.AckEntry{Channel: 4, Acked: 50, Granted: 1 << 20}), acks(wire.AckEntry{Channel: 4, Acked: 49, Granted: 1 << 20})}, 4, 16, "before"},
		{"grant goes back", [][]byte{opened, acks(wire.AckEntry{Channel: 4, Granted: 1<<20 - 1})}, 4, 16, "granted"},
		{"acks too long", [][]byte{acks(wire.AckEntry{Channel: 4}, wire.AckEntry{Channel: 4})}, -1, 0, "at most 24"},
		{"open of no channel", [][]byte{opens(wire.OpenEntry{Channel: 1})}, 1, 16, "does not lead there"},
		{"opened again and again", [][]byte{bytes.Repeat(opened, 4098)}, 4, 4097*len(opened) + 16, "wanted again"},
		{"close of no channel", [][]byte{closes(5)}, 5, 16, "closed that is not open"},
		{"closed twice", [][]byte{closes(1, 1)}, 1, 16 + 8, "closed that is not open"},
		{"closes too long", [][]byte{closes(1, 2, 3, 1)}, -1, 0, "at most 24"},
		{"frame after the close", [][]byte{closes(1), on(1, frame(120, 110))}, 1, 0, "does not lead here"},
		{"exception after the close", [][]byte{closes(1), frontiers(group(10, 110, except(110, 104)...))}, 1, 16 + 24, "does not lead here"},
		{"fault too long", [][]byte{message(wire.EnvelopeFault, make([]byte, 2048))}, -1, 0, "at most 1024"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFar(t, link.Config{}, buffers.Config{})
			f.log.Seal(50)
			offset := c.offset
			for i, m := range c.messages[:len(c.messages)-1] {
				if err := f.say(m); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				f.flush()
				offset += len(m)
			}
			err := f.say(c.messages[len(c.messages)-1])
			e := (*link.ProtocolError)(nil)
			if !errors.As(err, &e) || e.Peer != "w2" || e.Channel != c.channel || e.Offset != uint64(offset) || !strings.Contains(e.Reason, c.reason) {
				t.Fatalf("got %v, want channel %d, offset %d, %q", err, c.channel, offset, c.reason)
			}
			heard := f.hear()
			env, perr := wire.ParseEnvelope(heard)
			if perr != nil || env.Kind != wire.EnvelopeFault || wire.FaultText(heard[wire.EnvelopeBytes:]) != err.Error() {
				t.Errorf("the peer heard %q (%v), want %q", heard, perr, err)
			}
			if again := f.link.Traffic(); again != err {
				t.Errorf("then: %v", again)
			}
			if _, _, again := f.link.Flush(); again != err {
				t.Errorf("flushed: %v", again)
			}
			f.link.Detach()
			f.attach()
			if err := f.say(on(2, frame(230, 220)), opens(wire.OpenEntry{Channel: 4, From: 50, Granted: 100})); err != nil {
				t.Errorf("over a new connection: %v", err)
			}
		})
	}
}

// TestCreditIsHeld has the peer send beyond its credit: only the rest of a τ may come.
func TestCreditIsHeld(t *testing.T) {
	f := newFar(t, link.Config{Window: 150}, buffers.Config{})
	big := frame(100, 110, 111, 112) // 136 bytes
	for i, c := range []struct {
		frame []byte
		ok    bool
	}{{big, true}, {frame(100, 112, 113), true}, {frame(100, 113, 113), true}, {frame(100, 113, 114), true}, {frame(100, 114), false}} {
		err := f.say(on(1, c.frame))
		if (err == nil) != c.ok {
			t.Fatalf("frame %d: %v", i, err)
		}
		if err != nil && !strings.Contains(err.Error(), "bytes granted are used") {
			t.Error(err)
		}
	}
}

// TestRestartedPeer has a peer that has lost what this end knows it had, in either direction.
func TestRestartedPeer(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	f.log.Seal(50)
	again := func(messages ...[]byte) error {
		f.link.Detach()
		f.attach()
		return f.say(messages...)
	}
	if err := f.say(opens(wire.OpenEntry{Channel: 4, Granted: 10}), acks(wire.AckEntry{Channel: 4, Acked: 0, Granted: 20})); err != nil {
		t.Fatal(err)
	}
	f.flush()
	if err := f.say(acks(wire.AckEntry{Channel: 4, Acked: 40, Granted: 30}), on(1, frame(110, 110, 115, 115, 115))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		message []byte
		reason  string
	}{
		{opens(wire.OpenEntry{Channel: 4, From: 39, Granted: 10}), "the peer has lost what it had"},
		{on(1, frame(120, 114)), "wanted from 0.000s/0#115 on"},
		{on(1, frame(120, 115, 115, 116)), "the peer is not who it was"},
	} {
		err := again(c.message)
		if e := (*link.ProtocolError)(nil); !errors.As(err, &e) || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("got %v, want %q", err, c.reason)
		}
	}
	if err := again(on(1, frame(110, 110, 115, 115, 115)), on(1, frame(120, 115, 116))); err != nil {
		t.Error(err)
	}
	if got := times(f.feeds[1]); len(got) != 6 || got[3] != 115 || got[4] != 115 || got[5] != 116 {
		t.Errorf("times %v", got)
	}
}

// TestGroupsHoldForNamedChannels has the peer tell a task's frontier before it has heard which channels are wanted.
func TestGroupsHoldForNamedChannels(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	expect := func(when string, one, two wire.Time) {
		t.Helper()
		if got := [2]wire.Time{f.feeds[1].Poll(), f.feeds[2].Poll()}; got != [2]wire.Time{one, two} {
			t.Errorf("%s: frontiers %v, want %v and %v", when, got, one, two)
		}
	}
	say := func(m []byte) {
		t.Helper()
		if err := f.say(m); err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", 100, 100)
	say(frontiers(group(10, 110)))
	expect("none is named", 100, 100)
	say(frontiers(group(10, 120, wire.FrontierException{Channel: 2, Frontier: 115})))
	expect("one is named", 100, 115)
	say(frontiers(group(10, 130, wire.FrontierException{Channel: 1, Frontier: 105})))
	expect("the other is named", 105, 130)
	say(frontiers(group(10, 140)))
	expect("both are", 140, 140)
	say(on(1, frame(145, 141)))
	expect("a frame has come", 145, 140)

	f.link.Detach()
	expect("detached", 145, 140)
	f.attach()
	say(frontiers(group(10, 120))) // of channels that this end has not heard of
	expect("attached again", 145, 140)
	say(frontiers(group(10, 150, wire.FrontierException{Channel: 2, Frontier: 141})))
	expect("one is named again", 145, 141)
}

// TestReceiveLater declares a channel while there is a connection: it is asked for by itself.
func TestReceiveLater(t *testing.T) {
	f := newFar(t, link.Config{Window: 1000}, buffers.Config{})
	feed := f.link.Receive(9, 10, link.ChannelSpec{Stream: 7, PayloadSize: farPayload, From: 70})
	if got, want := f.flush(), opens(wire.OpenEntry{Channel: 9, From: 70, Granted: 1000}); !bytes.Equal(got, want) {
		t.Errorf("said %x, want %x", got, want)
	}
	if err := f.say(on(9, frame(81, 60, 70, 80))); err != nil {
		t.Error(err)
	}
	if got := times(feed); fmt.Sprint(got) != fmt.Sprint([]wire.Time{70, 80}) {
		t.Errorf("times %v", got)
	}
	feed.Ack(81)
	if got, want := f.flush(), acks(wire.AckEntry{Channel: 9, Acked: 81, Granted: 1136}); !bytes.Equal(got, want) {
		t.Errorf("said %x, want %x", got, want)
	}
	feed.Ack(90) // nothing is outstanding
	if got := f.flush(); len(got) != 0 {
		t.Errorf("said %x, want nothing", got)
	}
}

// times reads all that has come.
func times(f *link.Feed) (all []wire.Time) {
	for fr, ok := f.Next(); ok; fr, ok = f.Next() {
		for t := fr.View(); t.Valid(); t.Advance() {
			all = append(all, t.Time())
		}
	}
	return all
}

// TestTrimmed has a peer that wants what has been forgotten.
func TestTrimmed(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	f.log.Seal(50)
	f.log.Trim(45)
	err := f.say(opens(wire.OpenEntry{Channel: 4, From: 44, Granted: 10}))
	if e := (*buffers.TrimmedError)(nil); !errors.As(err, &e) || e.Trim != 45 {
		t.Errorf("got %v, want a TrimmedError", err)
	}
	if heard := string(f.hear()); !strings.Contains(heard, "is trimmed to 0.000s/0#45") {
		t.Errorf("the peer heard %q", heard)
	}
}

func TestFault(t *testing.T) {
	f := newFar(t, link.Config{}, buffers.Config{})
	err := f.say(wire.AppendFault(nil, 4, "no more room"))
	if e := (*link.FaultError)(nil); !errors.As(err, &e) || e.Peer != "w2" || e.Reason != "no more room" {
		t.Errorf("got %v", err)
	}
	if heard := f.hear(); len(heard) != 0 {
		t.Errorf("the peer heard %q in return", heard)
	}
}

// TestNoMemory has a pool without room for what comes. The connection is given up, and what was received is kept.
func TestNoMemory(t *testing.T) {
	f := newFar(t, link.Config{Window: 8 << 20}, buffers.Config{})
	var err error
	big, n := make([]wire.Time, 5000), 0
	for ; err == nil && n < 100; n++ {
		for i := range big {
			big[i] = wire.Time(1000*(n+1) + i/10)
		}
		err = f.say(on(1, frame(100, big...)))
	}
	if e := (*slab.BudgetError)(nil); !errors.As(err, &e) || n < 5 {
		t.Fatalf("frame %d: %v, want a BudgetError", n, err)
	}
	if heard := string(f.hear()); !strings.Contains(heard, "memory budget exceeded") {
		t.Errorf("the peer heard %q", heard)
	}
	f.link.Detach()
	if got := times(f.feeds[1]); len(got) != (n-1)*len(big) {
		t.Errorf("%d tuples are left of %d whole frames", len(got), n-1)
	}
}
