package vault

import (
	"net"
	"sync"

	"github.com/fullspate/spate/engine/auth"
)

// listener is where the HTTP server gets the connections from that were authenticated.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  sync.Once
}

// conn is a connection that was authenticated.
type conn struct {
	net.Conn
	from auth.Peer
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give hands a connection to the server, which is always ready, or closes it if it is too late.
func (l *listener) give(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.closed:
		_ = c.Close() // it was of no use
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return address{} }

// address is that of a listener on which nobody can call.
type address struct{}

func (address) Network() string { return "vault" }
func (address) String() string  { return "connections that were authenticated" }
