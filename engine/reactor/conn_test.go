package reactor

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

func TestHowConnectionsEnd(t *testing.T) {
	mine := errors.New("mine")
	tests := []struct {
		name string
		end  func(t *testing.T, r *Reactor, h *hooks, peer net.Conn)
		want error
	}{
		{"peer closes", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) { peer.Close() }, io.EOF},
		{"peer closes for writing", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
			peer.(interface{ CloseWrite() error }).CloseWrite()
		}, io.EOF},
		{"peer resets", reset, syscall.ECONNRESET},
		{"close", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
			on(t, r, func() { h.conn.Close(mine) })
		}, mine},
		{"close without a reason", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
			on(t, r, func() { h.conn.Close(nil); h.conn.Close(mine) })
		}, nil},
		{"handler fails", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
			on(t, r, func() { h.traffic = func(Conn) error { return mine } })
			peer.Write([]byte("x"))
		}, mine},
		{"handler closes and fails", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
			on(t, r, func() {
				h.traffic = func(c Conn) error { c.Close(mine); return errors.New("another") }
			})
			peer.Write([]byte("x"))
		}, mine},
		{"handler is gone", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
			on(t, r, func() { h.conn.SetHandler(&hooks{ended: h.ended, traffic: func(Conn) error { return mine }}) })
			peer.Write([]byte("x"))
		}, mine},
		{"stop", func(t *testing.T, r *Reactor, h *hooks, peer net.Conn) { r.Stop() }, ErrStopped},
	}
	for _, network := range networks {
		for _, test := range tests {
			t.Run(network+"/"+test.name, func(t *testing.T) {
				near, far := connect(t, network)
				r := start(t, Config{})
				h := newHooks()
				enroll(t, r, near, h)
				test.end(t, r, h, far)
				if err := await(t, h.ended, "Closed"); !errors.Is(err, test.want) {
					t.Errorf("closed with %v, want %v", err, test.want)
				}
				r.Stop()
				if len(h.ended) > 0 {
					t.Errorf("closed again with %v", <-h.ended)
				}
				if h.opened != 1 {
					t.Errorf("opened %d times", h.opened)
				}
			})
		}
	}
}

// reset closes a connection with something unread, which resets it.
func reset(t *testing.T, r *Reactor, h *hooks, peer net.Conn) {
	on(t, r, func() {
		if _, err := h.conn.Writev([][]byte{[]byte("never read")}); err != nil {
			t.Error(err)
		}
	})
	if tcp, ok := peer.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	peer.Close()
}

// A connection that is closed does nothing any more, but says who it was.
func TestClosedConnection(t *testing.T) {
	near, far := connect(t, "tcp")
	r := start(t, Config{})
	h := newHooks()
	enroll(t, r, near, h)
	far.Close()
	await(t, h.ended, "Closed")
	on(t, r, func() {
		if n, err := h.conn.Writev([][]byte{{1}, {2}}); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("wrote %d bytes, error %v; want %v", n, err, net.ErrClosed)
		}
		if n, err := h.conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("read %d bytes, error %v; want %v", n, err, net.ErrClosed)
		}
		if b, p := h.conn.Buffered(), h.conn.Pending(); b != 0 || p != 0 {
			t.Errorf("%d bytes buffered and %d pending, want none", b, p)
		}
		h.conn.Close(errors.New("again"))
		h.conn.SetHandler(&hooks{closed: func(Conn, error) { t.Error("a handler that came late is told") }})
	})
	if got, want := h.conn.RemoteAddr(), far.LocalAddr().String(); got != want {
		t.Errorf("the peer was %s, want %s", got, want)
	}
}

// A write that fails says so, and Closed is told when who has written has returned, not in the middle.
func TestWriteToOneThatHasGone(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			near, far := connect(t, network)
			r := start(t, Config{})
			h := newHooks()
			enroll(t, r, near, h)
			var failed error
			on(t, r, func() {
				if tcp, ok := far.(*net.TCPConn); ok {
					tcp.SetLinger(0)
				}
				far.Close()
				for range 10 { // the kernel may take the first before it knows
					if _, failed = h.conn.Writev([][]byte{make([]byte, 1<<20)}); failed != nil {
						break
					}
				}
				if h.endings > 0 {
					t.Error("Closed is told inside of a write")
				}
			})
			if !errors.Is(failed, syscall.EPIPE) && !errors.Is(failed, syscall.ECONNRESET) {
				t.Errorf("the write has failed with %v, want a broken pipe or a reset", failed)
			}
			if err := await(t, h.ended, "Closed"); err == nil {
				t.Error("closed without an error")
			}
		})
	}
}

// Closing one connection from the handler of another, and both at once, is safe.
func TestHandlersCloseEachOther(t *testing.T) {
	r := start(t, Config{})
	const pairs = 50
	ended := make(chan error, 2*pairs)
	var all []*hooks
	var peers []net.Conn
	for range 2 * pairs {
		near, far := connect(t, "unix")
		h := &hooks{ended: ended}
		enroll(t, r, near, h)
		all, peers = append(all, h), append(peers, far)
	}
	on(t, r, func() {
		for i, h := range all {
			other := all[i^1]
			h.traffic = func(c Conn) error { other.conn.Close(io.ErrUnexpectedEOF); return io.ErrShortWrite }
			h.closed = func(Conn, error) { other.conn.Close(io.ErrNoProgress) }
		}
		for _, p := range peers {
			p.Write([]byte("x"))
		}
	})
	for range 2 * pairs {
		err := await(t, ended, "Closed")
		if err != io.ErrUnexpectedEOF && err != io.ErrShortWrite && err != io.ErrNoProgress {
			t.Errorf("closed with %v", err)
		}
	}
	on(t, r, func() {
		for i, h := range all {
			if h.endings != 1 {
				t.Errorf("connection %d was closed %d times", i, h.endings)
			}
		}
	})
}

// A handler may hand a connection over in the middle of what has arrived; the next one gets the rest without waiting for more.
func TestSetHandler(t *testing.T) {
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		near, far := connect(t, network)
		r := start(t, cfg)
		rest := make(chan string, 1)
		second := newHooks()
		second.open = func(Conn) { t.Error("a handler that takes over is told Open") }
		second.traffic = func(c Conn) error {
			buf := make([]byte, c.Buffered())
			_, err := c.Read(buf)
			rest <- string(buf)
			return err
		}
		first := newHooks()
		first.closed = func(Conn, error) { t.Error("a handler that has handed over is told Closed") }
		first.traffic = func(c Conn) error {
			_, err := io.ReadFull(connReader{c}, make([]byte, 5))
			c.SetHandler(second)
			return err
		}
		enroll(t, r, near, first)
		far.Write([]byte("helloworld"))
		if got := await(t, rest, "the rest"); got != "world" {
			t.Errorf("the second handler got %q, want %q", got, "world")
		}
		far.Close()
		if err := await(t, second.ended, "Closed"); err != io.EOF {
			t.Errorf("closed with %v, want %v", err, io.EOF)
		}
	})
}

type connReader struct{ Conn }

func TestRemoteAddr(t *testing.T) {
	near, far := connect(t, "unix")
	path := near.RemoteAddr().String()
	r := start(t, Config{})
	a, b := newHooks(), newHooks()
	enroll(t, r, near, a)
	enroll(t, r, far, b)
	for _, h := range []*hooks{a, b} {
		if got, want := h.conn.RemoteAddr(), "unix:"+path; got != want {
			t.Errorf("the peer is %q, want %q", got, want)
		}
	}
}
