package coordinator

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestDialsThatFail(t *testing.T) {
	for _, c := range []struct {
		err            error
		nobody, resets bool
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, true, false},
		{&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)}, true, false},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNRESET)}, false, true},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, false, false},
		{context.DeadlineExceeded, false, false},
	} {
		if n, r := nobody(c.err), resets(c.err); n != c.nobody || r != c.resets {
			t.Errorf("%v: nobody %v, resets %v, want %v and %v", c.err, n, r, c.nobody, c.resets)
		}
	}
}

// TestRefused has a listener that hangs up at once, as one whose process is being ended, and is gone then; and one that stays.
func TestRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ending, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := ending.Accept()
		if err == nil {
			_ = c.Close()
		}
		_ = ending.Close()
	}()
	if !refused(ctx, "tcp://"+ending.Addr().String()) {
		t.Error("whose process has ended is held to be there")
	}
	staying, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer staying.Close()
	short, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	if refused(short, "tcp://"+staying.Addr().String()) {
		t.Error("who keeps a connection is held to be gone")
	}
}
