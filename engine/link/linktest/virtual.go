package linktest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/fullspate/spate/engine/link/pipe"
)

// Virtual is a network in memory on the test's own goroutine. A seed decides which loop takes a step when, how many bytes
// arrive together, in how many pieces they are read, how many the kernel takes, and which end learns first that a
// connection is cut. A seed that fails fails again.
type Virtual struct {
	tb    testing.TB
	seed  uint64
	rand  *rand.Rand
	loops []*virtualLoop
	conns []*virtualConn // both ends of those that are not closed
}

// NewVirtual makes a network.
func NewVirtual(tb testing.TB, seed uint64) *Virtual {
	return &Virtual{tb: tb, seed: seed, rand: rand.New(rand.NewPCG(seed, 7))}
}

type virtualLoop struct {
	step  func() bool
	awake bool
}

// Wake has the loop step.
func (l *virtualLoop) Wake() { l.awake = true }

// Loop makes a loop.
func (v *Virtual) Loop(step func() bool) Loop {
	l := &virtualLoop{step: step, awake: true}
	v.loops = append(v.loops, l)
	return l
}

// virtualConn is one end of a connection.
type virtualConn struct {
	*pipe.End
	net     *Virtual
	loop    *virtualLoop
	handler Handler
	peer    *virtualConn
	opened  bool
	hungUp  bool  // the peer has closed: broken, once everything has arrived
	broken  error // Closed is to be called with this
}

// Read takes some of what has arrived.
func (c *virtualConn) Read(p []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	if len(p) > 1 && c.net.rand.IntN(3) == 0 {
		p = p[:1+c.net.rand.IntN(len(p))]
	}
	return c.End.Read(p)
}

// Writev takes everything, and writes over bufs.
func (c *virtualConn) Writev(bufs [][]byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	if len(bufs) > 1024 {
		return 0, fmt.Errorf("%d slices, at most 1024 can be written", len(bufs))
	}
	return c.End.Writev(bufs)
}

// Close closes the connection; the other end learns of it after everything that was written before.
func (c *virtualConn) Close(err error) {
	c.fail(err)
	c.peer.hungUp = true
}

func (c *virtualConn) fail(err error) {
	if err == nil {
		err = net.ErrClosed
	}
	if c.broken == nil {
		c.broken = err
	}
}

// Connect makes a connection.
func (v *Virtual) Connect(a Loop, ha Handler, b Loop, hb Handler) (cut func()) {
	p := pipe.New()
	p.A.Kernel, p.B.Kernel = 1<<(8+v.rand.IntN(12)), 1<<(8+v.rand.IntN(12))
	ca := &virtualConn{End: p.A, net: v, loop: a.(*virtualLoop), handler: ha}
	cb := &virtualConn{End: p.B, net: v, loop: b.(*virtualLoop), handler: hb, peer: ca}
	ca.peer = cb
	v.conns = append(v.conns, ca, cb)
	return func() {
		ca.fail(io.ErrUnexpectedEOF)
		cb.fail(io.ErrUnexpectedEOF)
	}
}

// stepsMax is more than any test of the suite needs.
const stepsMax = 20_000_000

// Wait runs the network until done.
func (v *Virtual) Wait(done ...<-chan struct{}) {
	v.tb.Helper()
	for range stepsMax {
		for len(done) > 0 && closed(done[0]) {
			done = done[1:]
		}
		if len(done) == 0 {
			return
		}
		if !v.act() {
			v.tb.Fatalf("nothing moves any more, and %d of what was waited for has not come; %s", len(done), v.Replay())
		}
	}
	v.tb.Fatalf("no end after %d steps; %s", stepsMax, v.Replay())
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Replay says how to run the seed again.
func (v *Virtual) Replay() string {
	return fmt.Sprintf("replay: go test ./engine/link -run '%s' -seed %d", v.tb.Name(), v.seed)
}

// act does one thing, chosen by the seed: one loop takes a step, or something happens to one end of a connection. It says
// whether there was anything to do.
func (v *Virtual) act() bool {
	n := len(v.loops) + len(v.conns)
	for i, first := 0, v.rand.IntN(n); i < n; i++ {
		k := (first + i) % n
		if k < len(v.loops) {
			if l := v.loops[k]; l.awake {
				l.awake = l.step()
				return true
			}
			continue
		}
		if v.happen(k - len(v.loops)) {
			return true
		}
	}
	return false
}

// happen opens an end, closes it, or has bytes arrive there.
func (v *Virtual) happen(i int) bool {
	c := v.conns[i]
	switch {
	case !c.opened:
		c.opened = true
		c.handler.Open(c)
	case c.broken != nil:
		v.conns = append(v.conns[:i], v.conns[i+1:]...)
		c.handler.Closed(c, c.broken)
	case c.peer.Flight() > 0:
		n := c.peer.Flight()
		if v.rand.IntN(4) > 0 {
			n = 1 + v.rand.IntN(n)
		}
		c.peer.Deliver(n)
		if v.rand.IntN(4) == 0 && c.peer.Flight() > 0 {
			return true // it is noticed with what comes next
		}
		if err := c.handler.Traffic(c); err != nil {
			c.Close(err)
		}
	case c.hungUp:
		c.fail(io.EOF)
	default:
		return false
	}
	c.loop.awake = true
	return true
}

// Close ends it.
func (v *Virtual) Close() { v.loops, v.conns = nil, nil }
