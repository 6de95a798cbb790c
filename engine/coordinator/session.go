package coordinator

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
)

// welcome takes an authenticated connection. It is called by the acceptor.
func (s *Server) welcome(nc net.Conn, peer auth.Peer) {
	id := ConnID(s.conn.Add(1))
	c := control.NewConn(nc, peer.Addr)
	s.tasks.Go(func() { s.listenTo(id, c, peer) })
}

// listenTo brings what a worker says to the desk until its connection ends.
func (s *Server) listenTo(id ConnID, c *control.Conn, peer auth.Peer) {
	defer s.closeConn(c)
	if !s.open.add(c) {
		return
	}
	defer s.open.remove(c)
	s.post(func(d *desk, _ time.Time) { d.conns[id] = c })
	reason := s.hear(id, c, peer)
	s.post(func(d *desk, now time.Time) {
		delete(d.conns, id)
		d.abandon(id)
		d.machine.Disconnected(now, id, reason)
	})
}

// hear receives messages, and returns why no more will come.
func (s *Server) hear(id ConnID, c *control.Conn, peer auth.Peer) string {
	for {
		m, err := c.Receive()
		if err != nil {
			return err.Error()
		}
		at := time.Now() // and not when the desk gets to it
		if r, ok := m.(*control.Register); ok && r.Incarnation != peer.Incarnation {
			return fmt.Sprintf("it registers with incarnation %#x over a connection of incarnation %#x", r.Incarnation, peer.Incarnation)
		}
		take := func(d *desk, _ time.Time) { d.machine.Message(at, id, m) }
		if p, ok := m.(*control.Profiled); ok {
			take = func(d *desk, _ time.Time) { d.profiled(id, p) }
		}
		if !s.post(take) {
			return "the coordinator is stopping"
		}
	}
}

// send sends a message, unless the connection is gone; then its worker is told when it is back.
func (s *Server) send(id ConnID, m control.Message) {
	c := s.desk.conns[id]
	if c == nil {
		return
	}
	if err := c.Send(m); err != nil {
		s.log.Warn("message to a worker", "peer", c.Peer(), "type", control.Kind(m), "error", err)
	}
}

func (s *Server) closeConn(c *control.Conn) {
	if err := c.Close(); err != nil {
		s.log.Warn("closing a connection", "peer", c.Peer(), "error", err)
	}
}

// connSet are the connections that are open, whether the desk knows them or not.
type connSet struct {
	mu     sync.Mutex
	open   map[*control.Conn]bool // guarded by mu
	closed bool                   // guarded by mu; no more are taken
}

// add takes a connection up, unless no more are taken.
func (s *connSet) add(c *control.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[*control.Conn]bool{}
	}
	s.open[c] = true
	return true
}

func (s *connSet) remove(c *control.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// close takes no more, and has those closed that there are.
func (s *connSet) close(end func(*control.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		end(c)
	}
}
