package linktest

import (
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Sockets is real sockets of package net: a loop is a goroutine, and so is the reading of each end. Writing waits, which is
// of no harm, since the other end reads whatever its loop does.
type Sockets struct {
	tb      testing.TB
	network string // "tcp" or "unix"
	loops   []*socketLoop
	conns   []net.Conn
	readers sync.WaitGroup
}

// NewSockets makes a transport over "tcp" or "unix".
func NewSockets(tb testing.TB, network string) *Sockets { return &Sockets{tb: tb, network: network} }

type socketLoop struct {
	step func() bool
	bell chan struct{} // holds a token while there is something to do
	done chan struct{} // closed when the goroutine has ended
	mu   sync.Mutex
	todo []func() // guarded by mu
	stop bool     // guarded by mu
}

// Loop starts a loop.
func (s *Sockets) Loop(step func() bool) Loop {
	l := &socketLoop{step: step, bell: make(chan struct{}, 1), done: make(chan struct{})}
	s.loops = append(s.loops, l)
	go l.run()
	l.Wake()
	return l
}

// Wake has the loop step.
func (l *socketLoop) Wake() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

// do has the loop call fn.
func (l *socketLoop) do(fn func()) {
	l.mu.Lock()
	l.todo = append(l.todo, fn)
	l.mu.Unlock()
	l.Wake()
}

func (l *socketLoop) run() {
	defer close(l.done)
	for range l.bell {
		l.mu.Lock()
		todo, stop := l.todo, l.stop
		l.todo = nil
		l.mu.Unlock()
		if stop {
			return
		}
		for _, fn := range todo {
			fn()
		}
		if l.step() {
			l.Wake()
		}
	}
}

// socketConn is one end of a connection.
type socketConn struct {
	nc      net.Conn
	loop    *socketLoop
	handler Handler
	mu      sync.Mutex
	in      []byte // guarded by mu
	read    int    // of in; guarded by mu
	told    bool   // Closed has been called
}

// Connect makes a connection through a listener of its own.
func (s *Sockets) Connect(a Loop, ha Handler, b Loop, hb Handler) (cut func()) {
	s.tb.Helper()
	addr := "127.0.0.1:0"
	if s.network == "unix" {
		addr = filepath.Join(s.tb.TempDir(), "s")
	}
	ln, err := net.Listen(s.network, addr)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer ln.Close()
	ca, err := net.Dial(s.network, ln.Addr().String())
	if err != nil {
		s.tb.Fatal(err)
	}
	cb, err := ln.Accept()
	if err != nil {
		s.tb.Fatal(err)
	}
	s.serve(ca, a.(*socketLoop), ha)
	s.serve(cb, b.(*socketLoop), hb)
	return func() {
		if t, ok := ca.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // what is under way is thrown away, and the peer gets a reset
		}
		ca.Close()
	}
}

func (s *Sockets) serve(nc net.Conn, l *socketLoop, h Handler) {
	c := &socketConn{nc: nc, loop: l, handler: h}
	s.conns = append(s.conns, nc)
	l.do(func() { h.Open(c) })
	s.readers.Go(c.receive)
}

// receive reads the socket for as long as it is open.
func (c *socketConn) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.nc.Read(buf)
		if n > 0 {
			c.mu.Lock()
			c.in = append(c.in, buf[:n]...)
			c.mu.Unlock()
			c.loop.do(c.traffic)
		}
		if err != nil {
			c.loop.do(func() { c.closed(err) })
			return
		}
	}
}

func (c *socketConn) traffic() {
	if c.told {
		return
	}
	if err := c.handler.Traffic(c); err != nil {
		c.Close(err)
	}
}

func (c *socketConn) closed(err error) {
	if !c.told {
		c.told = true
		c.nc.Close()
		c.handler.Closed(c, err)
	}
}

// Close closes the connection.
func (c *socketConn) Close(err error) { c.loop.do(func() { c.closed(err) }) }

// Read takes what has arrived.
func (c *socketConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(p, c.in[c.read:])
	if c.read += n; c.read == len(c.in) {
		c.in, c.read = c.in[:0], 0
	}
	return n, nil
}

// Writev writes everything.
func (c *socketConn) Writev(bufs [][]byte) (int, error) {
	b := net.Buffers(bufs)
	n, err := b.WriteTo(c.nc)
	return int(n), err
}

// Pending is 0: the kernel has it all.
func (c *socketConn) Pending() int { return 0 }

// waitMax is many times what any test of the suite takes.
const waitMax = time.Minute

// Wait waits.
func (s *Sockets) Wait(done ...<-chan struct{}) {
	s.tb.Helper()
	timeout := time.NewTimer(waitMax)
	defer timeout.Stop()
	for i, d := range done {
		select {
		case <-d:
		case <-timeout.C:
			s.tb.Fatalf("%d of what was waited for has not come after %v", len(done)-i, waitMax)
		}
	}
}

// Close stops everything.
func (s *Sockets) Close() {
	var errs []error
	for _, nc := range s.conns {
		if err := nc.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.readers.Wait()
	for _, l := range s.loops {
		l.mu.Lock()
		l.stop = true
		l.mu.Unlock()
		l.Wake()
		<-l.done
	}
	if err := errors.Join(errs...); err != nil {
		s.tb.Error(err)
	}
}
