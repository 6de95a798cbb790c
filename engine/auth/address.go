package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// unixPathMax is the longest path of a socket in bytes, by the system's address structure.
const unixPathMax = len(syscall.RawSockaddrUnix{}.Path) - 1

// Address is where a process listens.
type Address struct {
	Network string // "tcp" or "unix"
	Name    string // host:port, or the absolute path of a socket
}

// ParseAddress reads tcp://host:port, unix:///path, or host:port, which is TCP. The port is a number; 0 is any free one,
// for listening. The host may be empty: all interfaces for listening, this machine for dialling.
func ParseAddress(s string) (Address, error) {
	network, name, ok := strings.Cut(s, "://")
	if !ok {
		network, name = "tcp", s
	}
	switch network {
	case "tcp":
		_, port, err := net.SplitHostPort(name)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return Address{}, fmt.Errorf("address %q: %w; want tcp://host:port with a port up to 65535", s, err)
		}
	case "unix":
		if !path.IsAbs(name) || strings.ContainsRune(name, 0) {
			return Address{}, fmt.Errorf("address %q: want unix:///path with an absolute path", s)
		}
		if len(name) > unixPathMax {
			return Address{}, fmt.Errorf("address %q: path of %d bytes, this system allows %d", s, len(name), unixPathMax)
		}
	default:
		return Address{}, fmt.Errorf("address %q: want tcp://host:port, unix:///path or host:port", s)
	}
	return Address{Network: network, Name: name}, nil
}

// AddressOf returns the address of a listener, which is that by which others reach it unless it listens on all interfaces.
func AddressOf(a net.Addr) Address { return Address{Network: a.Network(), Name: a.String()} }

// String returns what ParseAddress reads.
func (a Address) String() string { return a.Network + "://" + a.Name }

// Listen listens on an address in ParseAddress's form. A socket's file that an ended process has left behind is replaced.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	a, err := ParseAddress(addr)
	if err != nil {
		return nil, err
	}
	if a.Network == "unix" {
		if err := removeStale(ctx, a.Name); err != nil {
			return nil, fmt.Errorf("listen on %v: %w", a, err)
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, a.Network, a.Name)
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", a, err)
	}
	return l, nil
}

// removeStale removes the file of a socket on which nobody listens.
func removeStale(ctx context.Context, name string) error {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is not a socket: want a path that is free")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", name)
	if err == nil {
		return errors.Join(errors.New("another process listens there: want a path of its own for each"), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(name)
}

// Dial connects to an address in ParseAddress's form and opens the connection as Client does, within the same bounds.
func Dial(ctx context.Context, addr string, secret Secret, hello Hello) (net.Conn, Peer, error) {
	a, err := ParseAddress(addr)
	if err != nil {
		return nil, Peer{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, TimeoutDefault)
		defer cancel()
	}
	conn, err := new(net.Dialer).DialContext(ctx, a.Network, a.Name)
	if err != nil {
		return nil, Peer{}, fmt.Errorf("connect to %v: %w", a, err)
	}
	peer, err := Client(ctx, conn, secret, hello)
	if err != nil {
		return nil, Peer{}, errors.Join(err, conn.Close())
	}
	return conn, peer, nil
}
