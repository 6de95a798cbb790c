package reactor

import (
	"errors"
	"fmt"
	"io"

	"github.com/panjf2000/gnet/v2"
)

// events is what gnet calls, on the loop. It finds out by a connection's context whom a call is for.
type events struct {
	gnet.BuiltinEventEngine
	r *Reactor
}

// ringing is the context of the connections that are the bell.
type ringing struct{}

func (e *events) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	switch c := gc.Context().(type) {
	case ringing:
		e.r.id = goroutineID()
	case *conn:
		c.gc = gc
		e.r.opened(c)
	}
	return nil, gnet.None
}

func (e *events) OnTraffic(gc gnet.Conn) gnet.Action {
	switch c := gc.Context().(type) {
	case ringing:
		_, _ = gc.Discard(-1)
		return e.r.turn()
	case *conn:
		return e.r.traffic(c)
	}
	return gnet.Close
}

// OnClose may be called by gnet, by itself or inside of a call of ours that closes or writes.
func (e *events) OnClose(gc gnet.Conn, err error) gnet.Action {
	switch c := gc.Context().(type) {
	case ringing:
		e.r.busy = true
		e.r.end() // if nobody has asked for it the loop has failed, which gnet has logged
		e.r.busy = false
	case *conn:
		e.r.closing(c, err)
	}
	return gnet.None
}

func (r *Reactor) opened(c *conn) {
	r.busy = true
	c.opened = true
	if err := r.guard(func() error { c.handler.Open(c); return nil }); err != nil {
		c.Close(err)
	}
	r.settle()
	r.busy = false
	r.Wake()
}

// traffic hands over what has arrived, and steps all work at once, unless a turn is on its way that will.
func (r *Reactor) traffic(c *conn) gnet.Action {
	r.busy = true
	r.deliver(c)
	r.settle()
	if r.rung.Load() != toStep {
		r.step()
	}
	r.busy = false
	if c.closed {
		return gnet.Close // so that gnet does not touch it again
	}
	return gnet.None
}

func (r *Reactor) deliver(c *conn) {
	if err := r.guard(func() error { return c.handler.Traffic(c) }); err != nil {
		c.Close(err)
	}
}

// closing notes that a connection is gone. Its handler hears of it when whoever runs has returned.
func (r *Reactor) closing(c *conn, err error) {
	c.closed = true
	if !c.given {
		c.err = r.reason(c, err)
	}
	c.tell()
	if !r.busy {
		r.busy = true
		r.settle()
		r.busy = false
	}
	r.Wake()
}

// reason says why a connection was closed by gnet or the peer.
func (r *Reactor) reason(c *conn, err error) error {
	switch {
	case err == nil:
		return ErrStopped
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return fmt.Errorf("connection to %s: %w", c.addr, err)
}

// settle tells handlers what could not be told while another call was running.
func (r *Reactor) settle() {
	for i := 0; i < len(r.later); i++ { // telling one may concern others
		c := r.later[i]
		c.queued = false
		switch {
		case c.closed:
			_ = r.guard(func() error { c.handler.Closed(c, c.err); return nil })
		case c.Buffered() > 0:
			r.deliver(c)
		}
	}
	clear(r.later)
	r.later = r.later[:0]
}
