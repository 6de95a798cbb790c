package auth

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/fullspate/spate/wire"
)

// TestDescriptorLimit lowers the process's limit for a moment until nothing can be opened any more: who connects then is
// told, and once there is room it is let in.
func TestDescriptorLimit(t *testing.T) {
	l := listenOn(t, "unix")
	path := l.Addr().String()
	a, peers := acceptOn(t, l, nil)
	clients := make([]*os.File, 3) // sockets are made before the limit is reached, and connected after
	for i := range clients {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = os.NewFile(uintptr(fd), "client")
		defer clients[i].Close()
	}
	connect := func(f *os.File) {
		if err := syscall.Connect(int(f.Fd()), &syscall.SockaddrUnix{Name: path}); err != nil {
			t.Fatal(err)
		}
	}
	fillers := exhaust(t)
	for _, f := range clients[:2] {
		connect(f)
		msg := make([]byte, wire.HandshakeMax)
		n, err := f.Read(msg)
		if refusal := string(msg[:n]); refusalIn(msg[:n]) != TooMany || !strings.Contains(refusal, "ulimit -n") {
			t.Errorf("at the limit a client hears %q, %v", refusal, err)
		}
	}
	for _, f := range fillers {
		f.Close()
	}
	connect(clients[2])
	conn, err := net.FileConn(clients[2])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := Client(t.Context(), conn, testSecret, worker); err != nil {
		t.Fatalf("below the limit again: %v", err)
	}
	<-peers
	if s := a.Stats(); s.Failures == 0 || s.Refused[TooMany] != 2 || s.Accepted != 1 {
		t.Errorf("%+v", s)
	}
}

// exhaust opens files until the limit, which it lowers until the test ends, is reached.
func exhaust(t *testing.T) (fillers []*os.File) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skipf("no limit of file descriptors: %v", err)
	}
	t.Cleanup(func() {
		for _, f := range fillers {
			f.Close()
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	lowered := limit
	lowered.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lowered); err != nil {
		t.Skipf("the limit of file descriptors cannot be lowered: %v", err)
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			if !noDescriptors(err) {
				t.Fatal(err)
			}
			return fillers
		}
		fillers = append(fillers, f)
	}
}
