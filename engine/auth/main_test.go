package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testSecret  = Secret{1, 2, 3}
	otherSecret = Secret{1, 2, 4}
	coordinator = Hello{Cluster: strings.Repeat("c1", 16), Incarnation: 7, Note: []byte("from the acceptor")}
	worker      = Hello{Cluster: strings.Repeat("c1", 16), Incarnation: 8, Purpose: wire.PurposeData, Note: []byte("from the initiator")}
)

// result is what one end of a handshake returned.
type result struct {
	peer Peer
	err  error
}

// serve runs a server at one end of a pipe and returns the other, and where the result will be.
func serve(t *testing.T, policy Policy) (net.Conn, <-chan result) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	done := make(chan result, 1)
	go func() {
		peer, err := Server(context.Background(), ours, testSecret, coordinator, policy)
		ours.Close()
		done <- result{peer, err}
	}()
	return theirs, done
}

// dial runs a client at one end of a pipe and returns the other, and where the result will be.
func dial(t *testing.T, hello Hello) (net.Conn, <-chan result) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	done := make(chan result, 1)
	go func() {
		peer, err := Client(context.Background(), ours, testSecret, hello)
		ours.Close()
		done <- result{peer, err}
	}()
	return theirs, done
}

// reasonOf returns the reason of an error, and whether it is the peer's; 0 if it has none.
func reasonOf(err error) (Reason, bool) {
	if r, ok := errors.AsType[*Refused](err); ok {
		return r.Reason, r.Remote
	}
	return 0, false
}

// encoded returns a hello as it is sent.
func encoded(t *testing.T, h Hello, role wire.Role) []byte {
	t.Helper()
	w, err := h.encode(role)
	if err != nil {
		t.Fatal(err)
	}
	return w.Append(nil)
}

// receive reads one message of a handshake, or returns nil where none comes.
func receive(conn net.Conn) []byte {
	msg := make([]byte, wire.HandshakeHeader)
	if _, err := io.ReadFull(conn, msg); err != nil {
		return nil
	}
	head, err := wire.ParseHandshakeHeader(msg)
	if err != nil {
		return nil
	}
	msg = append(msg, make([]byte, head.Body)...)
	if _, err := io.ReadFull(conn, msg[wire.HandshakeHeader:]); err != nil {
		return nil
	}
	return msg
}

// refusalIn returns the reason of a refusal, 0 where the message is none.
func refusalIn(msg []byte) Reason {
	r, err := wire.ParseRefusal(msg)
	if err != nil {
		return 0
	}
	return Reason(r.Reason)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// listenOn listens on TCP or on a socket in a directory of the test's own.
func listenOn(t testing.TB, network string) net.Listener {
	t.Helper()
	addr := "tcp://127.0.0.1:0"
	if network == "unix" {
		addr = "unix://" + t.TempDir() + "/socket"
	}
	l, err := Listen(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// acceptOn starts an acceptor whose connections are closed with the test.
func acceptOn(t testing.TB, l net.Listener, change func(*Config)) (*Acceptor, <-chan Peer) {
	t.Helper()
	var mu sync.Mutex
	var conns []net.Conn
	peers := make(chan Peer, 1<<16)
	cfg := Config{Secret: testSecret, Hello: coordinator, Handle: func(conn net.Conn, peer Peer) {
		mu.Lock()
		conns = append(conns, conn)
		mu.Unlock()
		peers <- peer
	}}
	if change != nil {
		change(&cfg)
	}
	a, err := Serve(l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for _, conn := range conns {
			conn.Close()
		}
	})
	return a, peers
}
