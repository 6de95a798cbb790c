package reactor

import (
	"io"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/link/linktest"
)

// TestLinks runs the suite of links, which any transport must pass, over reactors.
func TestLinks(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			linktest.Run(t, func(tb testing.TB) linktest.Transport { return &transport{tb: tb, network: network} })
		})
	}
}

// transport is linktest's view of reactors: each loop is one, and its step is its only work.
type transport struct {
	tb      testing.TB
	network string
	loops   []*Reactor
}

// Loop starts a reactor.
func (x *transport) Loop(step func() bool) linktest.Loop {
	r := start(x.tb, Config{})
	x.loops = append(x.loops, r)
	on(x.tb, r, func() {
		r.Add(&workFunc{func(time.Duration) (bool, time.Duration) { return step(), Never }})
	})
	r.Wake()
	return r
}

// Connect joins two reactors. The connection is cut at a's end, which drops what it has not handed to the kernel.
func (x *transport) Connect(a linktest.Loop, ha linktest.Handler, b linktest.Loop, hb linktest.Handler) (cut func()) {
	x.tb.Helper()
	ca, cb := connect(x.tb, x.network)
	ra, near := a.(*Reactor), &adapter{handler: ha}
	enroll(x.tb, ra, ca, near)
	enroll(x.tb, b.(*Reactor), cb, &adapter{handler: hb})
	return func() {
		ra.Do(func() {
			if near.conn != nil {
				near.conn.Close(io.ErrUnexpectedEOF)
			}
		})
	}
}

// Wait waits for what is to come.
func (x *transport) Wait(done ...<-chan struct{}) {
	x.tb.Helper()
	for _, d := range done {
		await(x.tb, d, "what a test of the suite waits for")
	}
}

// Close stops the reactors, which closes their connections.
func (x *transport) Close() {
	for _, r := range x.loops {
		r.Stop()
	}
}

// adapter makes a Handler of one of the suite's.
type adapter struct {
	handler linktest.Handler
	conn    Conn // nil before it is open and after it has closed
}

func (h *adapter) Open(c Conn)          { h.conn = c; h.handler.Open(c) }
func (h *adapter) Traffic(c Conn) error { return h.handler.Traffic(c) }
func (h *adapter) Closed(c Conn, err error) {
	h.conn = nil
	h.handler.Closed(c, err)
}
