package reactor

import (
	"fmt"
	"net"

	"github.com/panjf2000/gnet/v2"
)

// Conn is a connection on a loop. Its methods must be called on the loop; those of one that is closed do nothing, fail with
// net.ErrClosed, or return zero.
type Conn interface {
	// Read takes what has arrived, at most len(p) bytes: 0 if there is nothing. It does not wait.
	Read(p []byte) (int, error)
	// Buffered is how many bytes have arrived and have not been read. The kernel may have more.
	Buffered() int
	// Writev sends bufs, which it borrows: what the kernel does not take at once is copied. It takes all or fails, and then the
	// connection is closed. It may change the elements of bufs, but not the bytes that they refer to.
	Writev(bufs [][]byte) (int, error)
	// Pending is how many bytes Writev has taken and the kernel has not. There is no bound to it but the caller's own. While
	// it is not 0, all work is stepped every millisecond at least.
	Pending() int
	// Close closes the connection and drops what the kernel does not take at once. The handler's Closed is given err after
	// whoever calls Close has returned.
	Close(err error)
	// RemoteAddr names the peer in errors and logs. It may be called from any goroutine, also of a closed connection.
	RemoteAddr() string
	// SetHandler has h take the connection over: everything from now on goes to h, except Open. If there is something to be
	// read, h's Traffic is called after whoever calls SetHandler has returned.
	SetHandler(h Handler)
}

// Handler is what is told of a connection, on the loop. Its methods are not called while Work, another Handler or a function
// given to Do is running.
type Handler interface {
	// Open is told first, and once.
	Open(c Conn)
	// Traffic is told when something has arrived, and should read all of it: it is told again of what it leaves only when more
	// arrives. An error closes the connection, and Closed is given it.
	Traffic(c Conn) error
	// Closed is told last, and once: what Close was given or Traffic has returned; io.EOF, if the peer has closed in good
	// order; ErrStopped; a *PanicError; or what the system says.
	Closed(c Conn, err error)
}

// iovMax is how many slices the kernel takes at a time; more, and gnet closes the connection.
const iovMax = 1024

type conn struct {
	r       *Reactor
	gc      gnet.Conn // set before Open
	addr    string
	handler Handler
	err     error // that it is closed with
	opened  bool
	given   bool // err was given to Close
	closed  bool
	queued  bool // it is in r.later
	blocked bool // it is in r.blocked
}

func (c *conn) Read(p []byte) (int, error) {
	c.r.mustBeLoop("Read")
	if c.closed {
		return 0, c.gone("read")
	}
	if c.gc.InboundBuffered() == 0 {
		return 0, nil
	}
	return c.gc.Read(p)
}

func (c *conn) Buffered() int {
	if c.closed {
		return 0
	}
	return c.gc.InboundBuffered()
}

func (c *conn) Writev(bufs [][]byte) (int, error) {
	c.r.mustBeLoop("Writev")
	written := 0
	for len(bufs) > 0 {
		if c.closed {
			return written, c.gone("write")
		}
		some := bufs[:min(len(bufs), iovMax)]
		bufs = bufs[len(some):]
		n, err := c.gc.Writev(some)
		if err != nil {
			return written, fmt.Errorf("write to %s: %w", c.addr, err) // and gnet has closed it
		}
		written += n
	}
	if !c.blocked && !c.drained() {
		c.blocked = true
		c.r.blocked = append(c.r.blocked, c)
	}
	return written, nil
}

// drained says whether everything written has reached the kernel, or never will.
func (c *conn) drained() bool {
	if c.Pending() > 0 {
		return false
	}
	c.blocked = false
	return true
}

func (c *conn) Pending() int {
	if c.closed {
		return 0
	}
	return c.gc.OutboundBuffered()
}

func (c *conn) Close(err error) {
	c.r.mustBeLoop("Close")
	if c.closed {
		return
	}
	c.err, c.given = err, true
	if err := c.gc.EventLoop().Close(c.gc); err != nil {
		c.r.cfg.Logger.Debug("closing a connection", "reactor", c.r.cfg.Name, "peer", c.addr, "error", err)
	}
}

func (c *conn) RemoteAddr() string { return c.addr }

func (c *conn) SetHandler(h Handler) {
	c.r.mustBeLoop("SetHandler")
	c.handler = h
	if !c.closed {
		c.tell()
	}
}

// tell has settle look at the connection.
func (c *conn) tell() {
	if !c.queued {
		c.queued = true
		c.r.later = append(c.r.later, c)
	}
}

func (c *conn) gone(what string) error {
	return fmt.Errorf("%s, connection to %s: %w", what, c.addr, net.ErrClosed)
}
