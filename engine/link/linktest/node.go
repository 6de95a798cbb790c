package linktest

import (
	"errors"
	"net"

	"github.com/fullspate/spate/engine/link"
)

// node is a loop with what takes turns on it, and its links.
type node struct {
	loop  Loop
	turns []func() (worked bool) // tasks, or what stands in for them
	ends  []*end
	watch []func()      // called after each step
	goals []func() bool // what has to come true for the node to be done
}

// start gives the node its loop. Everything else of it must be in place.
func (n *node) start(tr Transport) { n.loop = tr.Loop(n.step) }

// step gives everything a turn.
func (n *node) step() (again bool) {
	for _, turn := range n.turns {
		again = turn() || again
	}
	for _, e := range n.ends {
		again = e.flush() || again
	}
	for _, fn := range n.watch {
		fn()
	}
	return again
}

// when closes the channel that it returns after a step by which cond has come true.
func (n *node) when(cond func() bool) <-chan struct{} {
	done, told := make(chan struct{}), false
	n.watch = append(n.watch, func() {
		if !told && cond() {
			told = true
			close(done)
		}
	})
	return done
}

// done says that all goals are reached, and all links are done.
func (n *node) done() bool {
	for _, goal := range n.goals {
		if !goal() {
			return false
		}
	}
	for _, e := range n.ends {
		if !e.link.Done() {
			return false
		}
	}
	return true
}

// end is a node's end of the link to another node. It handles its connections.
type end struct {
	node  *node
	link  *link.Link
	conn  Conn
	errs  []error // that connections ended with
	flush func() (again bool)
}

// newEnd adds an end to the node.
func (n *node) newEnd(l *link.Link) *end {
	e := &end{node: n, link: l}
	e.flush = e.send
	n.ends = append(n.ends, e)
	return e
}

// send sends what there is to send.
func (e *end) send() bool {
	moved, again, err := e.link.Flush()
	if err != nil && e.conn != nil {
		e.conn.Close(err)
		return false
	}
	return moved || again
}

// Open takes a connection over, in the place of one that has not ended yet.
func (e *end) Open(c Conn) {
	if old := e.conn; old != nil {
		e.link.Detach()
		old.Close(errors.New("replaced"))
	}
	e.conn = c
	e.link.Attach(c)
}

// Traffic takes over what has arrived.
func (e *end) Traffic(c Conn) error {
	if c != e.conn {
		return net.ErrClosed
	}
	return e.link.Traffic()
}

// Closed ends a connection.
func (e *end) Closed(c Conn, err error) {
	if c == e.conn {
		e.conn = nil
		e.link.Detach()
		e.errs = append(e.errs, err)
	}
}
