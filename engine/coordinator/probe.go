package coordinator

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/fullspate/spate/engine/auth"
)

const (
	// probeTimeout bounds how long a probe takes.
	probeTimeout = time.Second
	// probePause lies between two dials of a probe: a process that is being ended closes its connections one after the other, and
	// may still have its listener when the one to the coordinator is gone.
	probePause = 5 * time.Millisecond
)

// probe looks whether anybody listens at a worker's address.
func (s *Server) probe(p Probe) {
	ctx, cancel := context.WithTimeout(s.life, probeTimeout)
	defer cancel()
	if refused(ctx, p.Addr) {
		s.post(func(d *desk, now time.Time) { d.machine.Probed(now, p.Worker, p.Incarnation, true) })
	}
}

// refused says whether there is nobody at an address. It is patient with whoever takes a connection and closes it at once, and
// believes whoever keeps it.
func refused(ctx context.Context, addr string) bool {
	a, err := auth.ParseAddress(addr)
	if err != nil {
		return false
	}
	for ctx.Err() == nil {
		c, err := new(net.Dialer).DialContext(ctx, a.Network, a.Name)
		switch {
		case err == nil && kept(ctx, c):
			return false
		case err != nil && !resets(err):
			return nobody(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(probePause):
		}
	}
	return false
}

// nobody says whether a dial has failed because nobody listens.
func nobody(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist)
}

// resets says whether a dial was under way while the listener was closed. Of the workers that are killed, one in a hundred is met so.
func resets(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// kept says whether the other end of a connection keeps it, or says something, and closes it.
func kept(ctx context.Context, c net.Conn) bool {
	hangUp := context.AfterFunc(ctx, func() { _ = c.Close() }) // nothing was sent that could be lost
	n, _ := c.Read(make([]byte, 1))
	if hangUp() {
		_ = c.Close()
		return n > 0
	}
	return true // until the time was up
}
