package bare

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// gnet starts goroutines of its own when it is loaded.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// relay copies from one connection to another, and tells how many bytes that were when it ends.
func relay(from, to net.Conn) <-chan int64 {
	count := make(chan int64, 1)
	go func() {
		buf, n := make([]byte, 64<<10), int64(0)
		for {
			k, err := from.Read(buf)
			if err != nil {
				count <- n
				to.Close()
				return
			}
			n += int64(k)
			if _, err := to.Write(buf[:k]); err != nil {
				count <- n
				return
			}
		}
	}()
	return count
}

func connect(t *testing.T, network string) (a, b net.Conn) {
	addr := "localhost:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestSend(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			const size, each, times = 60_000, 5 << 20, 3
			near, mid := connect(t, network)
			out, far := connect(t, network)
			sent := relay(mid, out)
			acked := relay(out, mid)
			r, err := NewReceiver(far)
			if err != nil {
				t.Fatal(err)
			}
			s, err := NewSender(near, size)
			if err != nil {
				t.Fatal(err)
			}
			for range times {
				if err := s.Send(each); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			got := <-sent
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if want := int64(times * ((each + size - 1) / size) * size); got != want {
				t.Errorf("%d bytes have been sent, want %d", got, want)
			}
			if acks := <-acked; acks != got/ackBytes {
				t.Errorf("%d acknowledgements, want %d", acks, got/ackBytes)
			}
			if err := s.Send(each); !errors.Is(err, net.ErrClosed) {
				t.Errorf("sending by a sender that is closed: %v, want %v", err, net.ErrClosed)
			}
		})
	}
}

// A receiver that goes away ends a Send.
func TestReceiverGoes(t *testing.T) {
	near, far := connect(t, "unix")
	s, err := NewSender(near, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() {
		far.Read(make([]byte, 1))
		far.Close()
	}()
	if err := s.Send(1 << 30); !errors.Is(err, net.ErrClosed) {
		t.Errorf("sending to nobody: %v, want %v", err, net.ErrClosed)
	}
	if err := s.Send(1); !errors.Is(err, net.ErrClosed) {
		t.Errorf("sending to nobody again: %v, want %v", err, net.ErrClosed)
	}
}

func TestSizes(t *testing.T) {
	for _, size := range []int{0, -1, window + 1} {
		near, _ := connect(t, "unix")
		if _, err := NewSender(near, size); err == nil || !strings.Contains(err.Error(), "want 1 to") {
			t.Errorf("buffers of %d bytes: error %v, want one that says what is right", size, err)
		}
	}
}
