package linktest

import (
	"errors"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/wire"
)

// Run runs the suite. open is called for each test, whose transport is closed before the test ends.
func Run(t *testing.T, open func(testing.TB) Transport) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, func(testing.TB) Transport)
	}{
		{"Order", testOrder},
		{"Ties", testTies},
		{"Silence", testSilence},
		{"Credit", testCredit},
		{"Diamond", testDiamond},
		{"Cut", testCut},
		{"Replace", testReplace},
		{"Garbage", testGarbage},
		{"Huge", testHuge},
		{"Idle", testIdle},
		{"Stalled", testStalled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// plain is a script of ordinary traffic.
var plain = Script{Channels: 3, Steps: 600, TupleMax: 3, Payload: 24, FrameBytes: 1 << 10, LogBytes: 64 << 10, Turn: 20, Silent: 4}

// testOrder has channels in both directions, of tuples of fixed and of varying size.
func testOrder(t *testing.T, open func(testing.TB) Transport) {
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{})
	vary := plain
	vary.Vary, vary.Payload = true, 100
	r.flow(a, b, 1, plain, 1)
	r.flow(a, b, 2, vary, 2)
	r.flow(b, a, 3, plain, 3)
	done := r.start()
	r.connect(a, b)
	r.run(done)
	r.finish()
}

// testTies has steps of more tuples than a frame holds, so that nearly every frame ends within a τ.
func testTies(t *testing.T, open func(testing.TB) Transport) {
	s := plain
	s.Steps, s.TupleMax, s.Burst, s.FrameBytes, s.Turn = 200, 40, 300, 256, 7
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{Window: 1 << 10})
	r.flow(a, b, 1, s, 1)
	s.Vary = true
	r.flow(b, a, 2, s, 2)
	done := r.start()
	r.connect(a, b)
	r.run(done)
	r.finish()
}

// testSilence has a task that emits nothing but along one channel: the frontiers of the others move all the same.
func testSilence(t *testing.T, open func(testing.TB) Transport) {
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{})
	s := plain
	s.Silent = 16
	silent := r.flow(a, b, 1, s, 1)
	r.flow(a, b, 2, plain, 2)
	done := r.start()
	r.connect(a, b)
	r.run(done)
	if n := silent.read.Load(); n != 0 {
		t.Errorf("%d tuples of a task that emits none", n)
	}
	r.finish()
}

// testCredit has windows of 4 KiB, frames that are larger, and logs of 64 KiB, in both directions between the same nodes.
func testCredit(t *testing.T, open func(testing.TB) Transport) {
	s := Script{Channels: 4, Steps: 150, TupleMax: 30, Burst: 700, Payload: 32, FrameBytes: 16 << 10, LogBytes: 64 << 10, Turn: 50}
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{Window: 4 << 10, TurnBytes: 8 << 10})
	r.flow(a, b, 1, s, 1)
	r.flow(a, b, 2, s, 2)
	r.flow(b, a, 3, s, 3)
	done := r.start()
	r.connect(a, b)
	r.run(done)
	if a.link.Stats().Starved == 0 {
		t.Error("the credit was never used up")
	}
	r.finish()
}

// testCut breaks the connection again and again.
func testCut(t *testing.T, open func(testing.TB) Transport) {
	s := plain
	s.TupleMax, s.Burst, s.Steps = 6, 80, 1200
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{Window: 4 << 10})
	there, back := r.flow(a, b, 1, s, 1), r.flow(b, a, 2, s, 2)
	const cuts = 12
	var reached, lost []<-chan struct{}
	for i := range cuts {
		mark := wire.Time(s.Steps * (i + 1) / cuts)
		f := []*flow{there, back}[i%2]
		reached = append(reached, f.to.node.when(func() bool { return f.reader.pos >= mark }))
		lost = append(lost, a.node.when(func() bool { return len(a.errs) > i }), b.node.when(func() bool { return len(b.errs) > i }))
	}
	done := r.start()
	for i := range cuts {
		cut := r.connect(a, b)
		r.tr.Wait(reached[i])
		cut()
		r.tr.Wait(lost[2*i : 2*i+2]...)
	}
	r.connect(a, b)
	r.run(done)
	r.finish()
}

// testReplace gives an end a new connection before it has learned that the old one is lost.
func testReplace(t *testing.T, open func(testing.TB) Transport) {
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{})
	there := r.flow(a, b, 1, plain, 1)
	r.flow(b, a, 2, plain, 2)
	half := b.node.when(func() bool { return there.reader.pos > 500 })
	done := r.start()
	r.connect(a, b)
	r.tr.Wait(half)
	r.connect(a, b)
	r.run(done)
	r.finish()
}

// rogue is the far end of a connection that says whatever it likes, and hears why that was not welcome.
type rogue struct {
	node  *node
	says  []byte
	heard []byte
	gone  bool
}

// Open says it.
func (g *rogue) Open(c Conn) { _, _ = c.Writev([][]byte{g.says}) }

// Traffic keeps what it hears.
func (g *rogue) Traffic(c Conn) error {
	for buf := make([]byte, 512); ; {
		n, err := c.Read(buf)
		if n == 0 || err != nil {
			return err
		}
		g.heard = append(g.heard, buf[:n]...)
	}
}

// Closed ends it.
func (g *rogue) Closed(Conn, error) { g.gone = true }

// testGarbage has a peer that says what the protocol does not know. It costs the connection: over the next one everything
// comes.
func testGarbage(t *testing.T, open func(testing.TB) Transport) {
	garbage := map[string][]byte{
		"text":            []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"a huge frame":    wire.Envelope{Kind: wire.EnvelopeFrame, Bytes: 1<<32 - 8}.Append(nil),
		"a huge message":  wire.Envelope{Kind: wire.EnvelopeAcks, Bytes: 1 << 30}.Append(nil),
		"unknown channel": wire.Envelope{Kind: wire.EnvelopeFrame, Channel: 99, Bytes: 128}.Append(nil),
		"a false header":  append(wire.Envelope{Kind: wire.EnvelopeFrame, Bytes: 128}.Append(nil), make([]byte, 128)...),
	}
	for name, says := range garbage {
		r := newRig(t, open, 2)
		a, b := r.link(0, 1, link.Config{})
		r.flow(a, b, 1, plain, 1)
		bad := &rogue{node: a.node, says: says}
		told := b.node.when(func() bool { return len(b.errs) == 1 })
		gone := a.node.when(func() bool { return bad.gone })
		done := r.start()
		r.tr.Connect(a.node.loop, bad, b.node.loop, b)
		r.tr.Wait(told, gone)
		r.connect(a, b)
		r.run(done)
		if e := (*link.ProtocolError)(nil); !errors.As(b.errs[0], &e) || e.Peer != "a" || e.Offset > uint64(len(says)) {
			t.Errorf("%s: the connection ended with %v, want an error of the protocol", name, b.errs[0])
		}
		if !strings.Contains(string(bad.heard), "bad bytes from a at offset") {
			t.Errorf("%s: the peer heard %q, want what was wrong", name, bad.heard)
		}
		r.finish()
	}
}

// testHuge has tuples of up to a mebibyte, through a window that is smaller than one.
func testHuge(t *testing.T, open func(testing.TB) Transport) {
	s := Script{Channels: 2, Steps: 12, TupleMax: 2, Payload: 1 << 20, Vary: true, LogBytes: 1 << 20, Turn: 2}
	r := newRig(t, open, 2)
	a, b := r.link(0, 1, link.Config{Window: 64 << 10})
	r.flow(a, b, 1, s, 1)
	r.flow(b, a, 2, s, 2)
	done := r.start()
	r.connect(a, b)
	r.run(done)
	r.finish()
}
