package reactor

import (
	"fmt"
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// bell makes the loop take a turn: it is a connection, or two, at which there is traffic when the bell rings. A connection is
// the only thing that gnet polls; its own way of calling a function on a loop allocates, and runs functions that call it again
// without looking at the network in between.
type bell interface {
	// ring rings now. Any goroutine may call it, also after close.
	ring()
	// alarm rings once after a time, at least 1 ns; Never takes back an alarm that was set. It belongs to the loop.
	alarm(after time.Duration)
	// close is called when the loop has ended.
	close()
}

// plainBell is made of what every system has: a pair of connected sockets, and a timer of the runtime, which may be 1 ms late,
// and later by far where all processors are busy.
type plainBell struct {
	end   net.Conn
	timer *time.Timer
}

func openPlainBell(client *gnet.Client, wake func()) (*plainBell, error) {
	end, far, err := connected()
	if err != nil {
		return nil, err
	}
	if _, err := client.EnrollContext(far, ringing{}); err != nil {
		end.Close()
		return nil, err
	}
	timer := time.AfterFunc(Never, wake)
	timer.Stop()
	return &plainBell{end: end, timer: timer}, nil
}

var oneByte = []byte{1}

func (b *plainBell) ring() { _, _ = b.end.Write(oneByte) } // it fails only when nobody listens any more

func (b *plainBell) alarm(after time.Duration) {
	if after == Never {
		b.timer.Stop()
		return
	}
	b.timer.Reset(after)
}

func (b *plainBell) close() {
	b.timer.Stop()
	b.end.Close()
}

// connected makes two connected sockets.
func connected() (a, b net.Conn, err error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	for {
		if b, err = l.Accept(); err != nil {
			a.Close()
			return nil, nil, fmt.Errorf("accept a connection to oneself: %w", err)
		}
		if b.RemoteAddr().String() == a.LocalAddr().String() {
			return a, b, nil
		}
		b.Close() // a stranger's
	}
}
