package reactor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Enroll takes a connection, of TCP or a unix socket, and drives it from now on; h.Open has been called when it returns. If it
// fails the connection is closed and nothing of h is called. It must not be called on the loop, which it waits for.
func (r *Reactor) Enroll(nc net.Conn, h Handler) error {
	if err := r.enroll(nc, h); err != nil {
		nc.Close()
		return fmt.Errorf("reactor %s: enroll: %w", r.cfg.Name, err)
	}
	return nil
}

func (r *Reactor) enroll(nc net.Conn, h Handler) error {
	if r.onLoop() {
		return errors.New("called on the loop, which it waits for; want another goroutine")
	}
	c := &conn{r: r, handler: h}
	var err error
	if c.addr, err = prepare(nc, r.cfg.SocketBytes); err != nil {
		return err
	}
	r.enrolling.RLock()
	defer r.enrolling.RUnlock()
	if r.closed {
		return ErrStopped
	}
	if _, err = r.client.EnrollContext(nc, c); err != nil {
		return fmt.Errorf("connection to %s: %w", c.addr, err)
	}
	if !c.opened { // gnet tells nobody
		return fmt.Errorf("connection to %s: the loop could not watch it; are descriptors or memory of the kernel exhausted?", c.addr)
	}
	return nil
}

// limits are the files in which Linux says how large a socket's buffers may be.
var limits = [...]string{"/proc/sys/net/core/rmem_max", "/proc/sys/net/core/wmem_max"}

// allowed says whether a TCP connection would get buffers of so many bytes. If not it is better left alone: a buffer that was
// asked for does not grow any more, and the usual limit is 208 KiB.
func allowed(bytes int) bool {
	for _, name := range limits {
		text, err := os.ReadFile(name)
		if err != nil {
			return false
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || n < bytes {
			return false
		}
	}
	return true
}

// prepare sets a connection's options and names its peer.
func prepare(nc net.Conn, socketBytes int) (addr string, err error) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		remote, ok := nc.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return "", errors.New("the peer has gone")
		}
		addr = remote.String()
		// When it closes a connection gnet puts the memory of the zone's name into a pool of buffers, to be overwritten.
		remote.Zone = ""
		if local, ok := nc.LocalAddr().(*net.TCPAddr); ok {
			local.Zone = ""
		}
		err = nc.SetNoDelay(true)
		if allowed(socketBytes) {
			err = errors.Join(err, nc.SetWriteBuffer(socketBytes), nc.SetReadBuffer(socketBytes))
		}
		return addr, err
	case *net.UnixConn:
		remote, ok := nc.RemoteAddr().(*net.UnixAddr)
		if !ok {
			return "", errors.New("the peer has gone")
		}
		addr = remote.Name
		if local, ok := nc.LocalAddr().(*net.UnixAddr); ok && (addr == "" || addr == "@") {
			addr = local.Name // who has dialled has no name of its own
		}
		return "unix:" + addr, nc.SetWriteBuffer(socketBytes)
	}
	return "", fmt.Errorf("a connection of type %T, want *net.TCPConn or *net.UnixConn", nc)
}
