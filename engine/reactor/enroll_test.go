package reactor

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

func TestThousandConnections(t *testing.T) {
	if _, err := RaiseFileLimit(); err != nil {
		t.Log(err)
	}
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		const n, enrollers = 1000, 8
		r := start(t, cfg)
		ended := make(chan error, n)
		work := make(chan net.Conn)
		var wg sync.WaitGroup
		for range enrollers {
			wg.Go(func() {
				for nc := range work {
					if err := r.Enroll(nc, &mirror{hooks{ended: ended}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		l := listen(t, network)
		peers := make([]net.Conn, n)
		for i := range peers {
			near, far := dial(t, l)
			peers[i] = far
			work <- near
		}
		close(work)
		wg.Wait()
		for i, p := range peers {
			if _, err := p.Write([]byte{byte(i), byte(i >> 8)}); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range peers {
			var got [2]byte
			if _, err := io.ReadFull(p, got[:]); err != nil || got != [2]byte{byte(i), byte(i >> 8)} {
				t.Fatalf("connection %d: got %v, error %v", i, got, err)
			}
			p.Close()
		}
		for range n {
			if err := await(t, ended, "Closed"); !errors.Is(err, io.EOF) {
				t.Errorf("closed with %v, want %v", err, io.EOF)
			}
		}
	})
}

func TestEnrollRefuses(t *testing.T) {
	r := start(t, Config{Name: "loop-7"})
	never := &hooks{
		open:   func(Conn) { t.Error("Open is told of a connection that was refused") },
		closed: func(Conn, error) { t.Error("Closed is told of a connection that was refused") },
	}
	refused := func(name string, nc net.Conn, want string, is error) {
		t.Helper()
		err := r.Enroll(nc, never)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "loop-7") || is != nil && !errors.Is(err, is) {
			t.Errorf("%s: error %v, want loop-7 and %q in it", name, err, want)
		}
		if _, err := nc.Write([]byte("x")); err == nil {
			t.Errorf("%s: the connection is open", name)
		}
	}
	pipe, other := net.Pipe()
	defer other.Close()
	refused("not a socket", pipe, "*net.pipe, want *net.TCPConn or *net.UnixConn", nil)
	closed, _ := connect(t, "tcp")
	closed.Close()
	refused("closed", closed, "", nil)
	near, _ := connect(t, "tcp")
	on(t, r, func() { refused("on the loop", near, "want another goroutine", nil) })
	r.Stop()
	late, _ := connect(t, "unix")
	refused("after Stop", late, "", ErrStopped)
}

// A connection whose peer is named with a zone is not harmed by what gnet does to the name when it closes it.
func TestZone(t *testing.T) {
	addr := linkLocal(t)
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Skipf("no socket can listen at %s: %v", addr, err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	near, err := net.Dial("tcp", net.JoinHostPort(addr, port))
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer := near.RemoteAddr().(*net.TCPAddr)
	if peer.Zone == "" {
		t.Fatalf("the peer, %v, has no zone", peer)
	}
	name := peer.String()
	r := start(t, Config{})
	h := newHooks()
	enroll(t, r, near, h)
	if got := h.conn.RemoteAddr(); got != name {
		t.Errorf("the peer is %s, want %s", got, name)
	}
	if peer.Zone != "" {
		t.Errorf("gnet is given the memory of a zone's name, %q", peer.Zone)
	}
	far.Close()
	await(t, h.ended, "Closed")
}

func linkLocal(t *testing.T) string {
	faces, err := net.Interfaces()
	if err != nil {
		t.Skip(err)
	}
	for _, face := range faces {
		addrs, _ := face.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() {
				return n.IP.String() + "%" + face.Name
			}
		}
	}
	t.Skip("no interface has a link-local IPv6 address")
	return ""
}

func TestAllowed(t *testing.T) {
	if allowed(1 << 62) {
		t.Error("the kernel would give a socket buffers of 4 EiB")
	}
}
