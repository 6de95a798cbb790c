package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Bounds of what waits for a peer that does not read. Messages to a worker are a handful per job; heartbeats to a stopped
// coordinator take a minute to fill the queue.
const (
	QueueMax      = 1024
	QueueBytesMax = 2 * LineBytesMax
)

// lingerMax is how long Close waits for a peer to take the last messages.
const lingerMax = time.Second

// readBytes is the size of the buffer for incoming bytes; longer lines are put together in one of their own.
const readBytes = 32 << 10

// ErrSlow is why a connection is closed whose peer does not read.
var ErrSlow = errors.New("control: the peer does not read its messages")

// ProtocolError says that a peer's bytes are no messages.
type ProtocolError struct {
	Peer   string
	Line   uint64 // of the connection, from 1
	Reason error
}

// Error names peer and line.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("control connection to %s, line %d: %v", e.Peer, e.Line, e.Reason)
}

// Unwrap is the reason.
func (e *ProtocolError) Unwrap() error { return e.Reason }

// Conn carries messages over a connection.
type Conn struct {
	nc       net.Conn
	peer     string
	bytesMax int // QueueBytesMax

	in   *bufio.Reader // like line, used by who calls Receive
	line uint64

	more chan struct{} // there is something for the writer to look at
	done chan struct{} // the writer has ended

	mu      sync.Mutex
	queue   net.Buffers // guarded by mu, like what follows: lines for the writer to take
	waiting int         // bytes that were sent and not yet written, also those that the writer has taken
	closed  bool        // nothing can be sent any more
	err     error       // why not, if it was not Close
}

// NewConn takes a connection on which nothing has been said but the handshake. The name of the peer is for errors.
func NewConn(nc net.Conn, peer string) *Conn {
	c := &Conn{
		nc: nc, peer: peer, bytesMax: QueueBytesMax, in: bufio.NewReaderSize(nc, readBytes),
		more: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go c.write()
	return c
}

// Peer is the name that the connection was given.
func (c *Conn) Peer() string { return c.peer }

// Send queues a message and returns at once; that it returns nil does not mean that the peer has it. It fails if the message
// cannot be encoded, which leaves the connection as it was, or if the connection is closed. If too much is waiting for the
// peer, the connection is closed with ErrSlow.
func (c *Conn) Send(m Message) error {
	line, err := Append(nil, m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.why()
	}
	if len(c.queue) >= QueueMax || c.waiting+len(line) > c.bytesMax {
		c.giveUp(ErrSlow)
		_ = c.nc.Close() // which is what is to be reported, whether it works or not
		return ErrSlow
	}
	c.queue = append(c.queue, line)
	c.waiting += len(line)
	c.signal()
	return nil
}

// Receive waits for the next message. It returns io.EOF when the peer has closed the connection in good order, a
// *ProtocolError if it has sent something else than messages, and net.ErrClosed or ErrSlow after the connection was closed
// here. After an error the connection is of no use any more; Close is still to be called.
func (c *Conn) Receive() (Message, error) {
	line, err := c.readLine()
	if err != nil {
		return nil, c.explain(err)
	}
	m, err := Decode(line)
	if err != nil {
		return nil, &ProtocolError{c.peer, c.line, err}
	}
	return m, nil
}

// readLine reads up to a newline. What it returns is valid until the next call.
func (c *Conn) readLine() ([]byte, error) {
	c.line++
	var long []byte
	for {
		part, err := c.in.ReadSlice('\n')
		if len(long)+len(part) > LineBytesMax {
			return nil, &ProtocolError{c.peer, c.line, fmt.Errorf("longer than %d bytes", LineBytesMax)}
		}
		if err == nil && long == nil {
			return part, nil
		}
		long = append(long, part...)
		switch {
		case err == nil:
			return long, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(long) > 0:
			return nil, &ProtocolError{c.peer, c.line, io.ErrUnexpectedEOF}
		default:
			return nil, err
		}
	}
}

// explain replaces the error of a read that failed because the connection was closed here. One that the peer has broken can
// still be read to its end, which may say why.
func (c *Conn) explain(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.why()
	}
	return err
}

// Close lets the peer have what was sent, if it takes it within a second, then closes the connection and waits for the
// writer. It may be called any number of times.
func (c *Conn) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		_ = c.nc.SetWriteDeadline(time.Now().Add(lingerMax)) // fails only where writing does, too
		c.signal()
	}
	c.mu.Unlock()
	<-c.done
	if err := c.nc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// write is the goroutine that writes what is queued, until the connection is closed.
func (c *Conn) write() {
	defer close(c.done)
	for range c.more {
		c.mu.Lock()
		batch, last := c.queue, c.closed
		c.queue = nil
		c.mu.Unlock()
		n, err := batch.WriteTo(c.nc) // one system call for all, on sockets
		c.mu.Lock()
		c.waiting -= int(n)
		if err != nil {
			c.giveUp(err)
		}
		c.mu.Unlock()
		if last || err != nil {
			return
		}
	}
}

// giveUp ends writing. The caller holds mu.
func (c *Conn) giveUp(err error) {
	if c.err == nil {
		c.err = err
	}
	c.closed, c.queue = true, nil
	c.signal()
}

// why is the error of what is done after the end. The caller holds mu.
func (c *Conn) why() error {
	if c.err != nil {
		return c.err
	}
	return net.ErrClosed
}

func (c *Conn) signal() {
	select {
	case c.more <- struct{}{}:
	default: // the writer will look anyway
	}
}
