package control

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullspate/spate/engine"
)

// pipe is a pair of connections without buffers between them.
func pipe(t *testing.T) (*Conn, net.Conn) {
	a, b := net.Pipe()
	c := NewConn(a, "w1")
	t.Cleanup(func() {
		_ = b.Close()
		_ = c.Close()
	})
	return c, b
}

func TestMessagesArriveInOrder(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := sockets(t, network)
			from, to := NewConn(a, "to"), NewConn(b, "from")
			messages := everyMessage()
			var wg sync.WaitGroup
			for _, c := range []*Conn{from, to} { // both ways at once
				wg.Go(func() {
					for _, m := range messages {
						if err := c.Send(m); err != nil {
							t.Error(err)
						}
					}
				})
				wg.Go(func() {
					for i, want := range messages {
						if got, err := c.Receive(); err != nil || !reflect.DeepEqual(got, want) {
							t.Errorf("message %d is %+v, %v, want %+v", i, got, err, want)
						}
					}
				})
			}
			wg.Wait()
			if err := from.Close(); err != nil {
				t.Error(err)
			}
			if m, err := to.Receive(); err != io.EOF {
				t.Errorf("after the end came %+v, %v, want io.EOF", m, err)
			}
			if err := to.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What was sent before Close arrives, though nobody was reading then.
func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(t)
		if err := c.Send(&Registered{Error: "another build"}); err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() { closed <- c.Close() }()
		synctest.Wait()
		all, err := io.ReadAll(peer)
		if want := `"error":"another build"}` + "\n"; err != nil || !strings.HasSuffix(string(all), want) {
			t.Errorf("read %q, %v, want it to end with %q", all, err, want)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipe(t)
		if err := c.Send(&Shutdown{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != lingerMax {
			t.Errorf("Close took %v, want %v", took, lingerMax)
		}
		if err := c.Send(&Shutdown{}); err == nil {
			t.Error("a message was taken after the end")
		}
		if err := c.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}

func TestSlowPeerIsClosed(t *testing.T) {
	tests := []struct {
		name    string
		message Message
		atMost  int
	}{
		{"many messages", &Heartbeat{}, 2*QueueMax + 1}, // what the writer has in hand, and the queue
		{"many bytes", &Profiled{Data: make([]byte, 1<<15)}, 1<<20/(1<<15) + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := pipe(t)
				c.bytesMax = 1 << 20
				sent := 0
				var err error
				for ; err == nil && sent <= tt.atMost; sent++ {
					err = c.Send(tt.message)
				}
				if !errors.Is(err, ErrSlow) {
					t.Fatalf("after %d messages: %v, want ErrSlow", sent, err)
				}
				if _, err := c.Receive(); !errors.Is(err, ErrSlow) {
					t.Errorf("Receive says %v, want ErrSlow", err)
				}
				if _, err := io.ReadAll(peer); err != nil {
					t.Errorf("the peer finds %v, want the end", err)
				}
			})
		})
	}
}

// A message that cannot be encoded does no harm to the connection.
func TestBadMessageIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(t)
		other := NewConn(peer, "coordinator")
		if err := c.Send(&Ended{Results: []engine.Result{{Data: json.RawMessage("{")}}}); err == nil {
			t.Fatal("what is no JSON was taken")
		}
		if err := c.Send(&Shutdown{Reason: "x"}); err != nil {
			t.Fatal(err)
		}
		if m, err := other.Receive(); err != nil || !reflect.DeepEqual(m, &Shutdown{Reason: "x"}) {
			t.Errorf("got %+v, %v", m, err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestHostileBytes(t *testing.T) {
	good := `{"type":"release"}` + "\n"
	tests := []struct {
		name, bytes string
		line        uint64
		want        error
	}{
		{"garbage", good + "\x00\xff\n", 2, nil},
		{"half a line", good + good + `{"type":`, 3, io.ErrUnexpectedEOF},
		{"endless line", strings.Repeat("x", LineBytesMax+1), 1, nil},
		{"unknown type", `{"type":"hug"}` + "\n", 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := pipe(t)
				go func() {
					_, _ = io.WriteString(peer, tt.bytes) // the reader may give up before the end
					_ = peer.Close()
				}()
				var err error
				for err == nil {
					_, err = c.Receive()
				}
				var fault *ProtocolError
				if !errors.As(err, &fault) || fault.Line != tt.line || fault.Peer != "w1" {
					t.Fatalf("got %v, want a protocol error in line %d of w1", err, tt.line)
				}
				if tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// The last words of a peer can be read though writing to it has failed.
func TestLastWordsAreHeard(t *testing.T) {
	a, b := sockets(t, "unix")
	c := NewConn(a, "w1")
	if _, err := io.WriteString(b, `{"type":"shutdown","reason":"bye"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(&Heartbeat{}); err != nil {
		t.Fatal(err)
	}
	<-c.done // the writer has met the broken pipe
	if err := c.Send(&Heartbeat{}); err == nil {
		t.Error("a message was taken for a connection that is broken")
	}
	if m, err := c.Receive(); err != nil || !reflect.DeepEqual(m, &Shutdown{Reason: "bye"}) {
		t.Errorf("got %+v, %v, want the last message", m, err)
	}
	if _, err := c.Receive(); err != io.EOF {
		t.Errorf("then %v, want io.EOF", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestReceiveEndsWithClose(t *testing.T) {
	a, b := sockets(t, "tcp")
	c := NewConn(a, "w1")
	end := make(chan error)
	go func() {
		_, err := c.Receive()
		end <- err
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-end; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Receive says %v, want net.ErrClosed", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// sockets is a connected pair.
func sockets(t *testing.T, network string) (a, b net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}
