package bare

import (
	"errors"
	"fmt"
	"net"

	"github.com/panjf2000/gnet/v2"
)

const (
	// window is a quarter of the default socket buffer of a reactor, so that gnet has never to keep anything itself.
	window = 1 << 20
	// ackBytes is small enough for the sender not to wait, and large enough for acknowledgements to cost nothing.
	ackBytes = 256 << 10
)

// Sender is the sending end of a connection.
type Sender struct {
	gnet.BuiltinEventEngine
	client *gnet.Client
	conn   gnet.Conn
	buf    []byte
	orders chan int64 // bytes to be sent, at most one of them

	ended  chan struct{} // the order has been carried out
	gone   chan struct{} // closed: the connection is
	reason error         // set before gone is closed

	sending bool // the loop's, as what follows
	left    int64
	unacked int64
}

// NewSender takes a connection of TCP or a unix socket, whose options are set, to send buffers of size bytes, at most 1 MiB.
func NewSender(nc net.Conn, size int) (*Sender, error) {
	if size < 1 || size > window {
		return nil, fmt.Errorf("buffers of %d bytes, want 1 to %d", size, window)
	}
	s := &Sender{buf: make([]byte, size), orders: make(chan int64, 1), ended: make(chan struct{}, 1), gone: make(chan struct{})}
	var err error
	s.client, s.conn, err = start(s, nc)
	return s, err
}

// Send sends at least so many bytes, in whole buffers, and returns when nearly all have been received: at most 256 KiB less.
func (s *Sender) Send(bytes int64) error {
	select {
	case <-s.gone: // and gnet must not be called any more
		return s.reason
	default:
	}
	s.orders <- bytes
	if err := s.conn.Wake(nil); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-s.gone:
		return s.reason
	}
}

// Close ends the loop and closes the connection.
func (s *Sender) Close() error { return s.client.Stop() }

// OnTraffic takes orders and acknowledgements, and sends what may be sent.
func (s *Sender) OnTraffic(c gnet.Conn) gnet.Action {
	acks, _ := c.Discard(-1)
	s.unacked -= int64(acks) * ackBytes
	select {
	case n := <-s.orders:
		s.left, s.sending = n, true
	default:
	}
	for s.left > 0 && s.unacked < window {
		if _, err := c.Write(s.buf); err != nil {
			return gnet.Close
		}
		s.left -= int64(len(s.buf))
		s.unacked += int64(len(s.buf))
	}
	if s.sending && s.left <= 0 && s.unacked < ackBytes {
		s.sending = false
		s.ended <- struct{}{}
	}
	return gnet.None
}

// OnClose ends a Send that is under way, and those to come.
func (s *Sender) OnClose(_ gnet.Conn, err error) gnet.Action {
	s.reason = fmt.Errorf("bare sender: %w", errors.Join(net.ErrClosed, err))
	close(s.gone)
	return gnet.None
}

// Receiver is the receiving end of a connection.
type Receiver struct {
	gnet.BuiltinEventEngine
	client   *gnet.Client
	received int64 // bytes that are not acknowledged
	acks     []byte
}

// NewReceiver takes a connection of TCP or a unix socket.
func NewReceiver(nc net.Conn) (*Receiver, error) {
	r := &Receiver{acks: make([]byte, window/ackBytes)}
	var err error
	r.client, _, err = start(r, nc)
	return r, err
}

// Close ends the loop and closes the connection.
func (r *Receiver) Close() error { return r.client.Stop() }

// OnTraffic throws away what has arrived and acknowledges it.
func (r *Receiver) OnTraffic(c gnet.Conn) gnet.Action {
	n, _ := c.Discard(-1)
	r.received += int64(n)
	acks := min(r.received/ackBytes, int64(len(r.acks)))
	if acks == 0 {
		return gnet.None
	}
	r.received -= acks * ackBytes
	if _, err := c.Write(r.acks[:acks]); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func start(h gnet.EventHandler, nc net.Conn) (*gnet.Client, gnet.Conn, error) {
	client, err := gnet.NewClient(h, gnet.WithNumEventLoop(1), gnet.WithLogger(silent{}))
	if err != nil {
		return nil, nil, err
	}
	if err := client.Start(); err != nil {
		return nil, nil, err
	}
	conn, err := client.Enroll(nc)
	if err != nil {
		return nil, nil, errors.Join(err, client.Stop())
	}
	return client, conn, nil
}

// silent is a logger of gnet that says nothing: what fails is seen by who waits for it.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
