package auth

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullspate/spate/wire"
)

// changed returns msg with one byte changed.
func changed(msg []byte, at int, to byte) []byte {
	msg = slices.Clone(msg)
	msg[at] = to
	return msg
}

// hostile is a peer that does not do what it should.
type hostile struct {
	name string
	// act speaks to the end under test and returns the reason that it was told, 0 if none.
	act  func(t *testing.T, conn net.Conn) Reason
	want Reason
	told bool // the peer hears the reason
	took time.Duration
}

// send returns a peer that sends all of msg and listens.
func send(msg []byte) func(*testing.T, net.Conn) Reason {
	return func(t *testing.T, conn net.Conn) Reason {
		conn.Write(msg)
		return refusalIn(receive(conn))
	}
}

// sendAndClose returns a peer that is gone when it has sent msg.
func sendAndClose(msg []byte) func(*testing.T, net.Conn) Reason {
	return func(t *testing.T, conn net.Conn) Reason {
		conn.Write(msg)
		conn.Close()
		return 0
	}
}

// drip returns a peer that sends msg a byte at a time, and does not listen before it is refused.
func drip(msg []byte, every time.Duration) func(*testing.T, net.Conn) Reason {
	return func(t *testing.T, conn net.Conn) Reason {
		told := make(chan Reason)
		go func() { told <- refusalIn(receive(conn)) }()
		for i := range msg {
			if _, err := conn.Write(msg[i : i+1]); err != nil {
				break
			}
			time.Sleep(every) // virtual
		}
		return <-told
	}
}

// afterHello returns a peer that says a proper hello, hears the answer, and sends msg.
func afterHello(hello, msg []byte) func(*testing.T, net.Conn) Reason {
	return func(t *testing.T, conn net.Conn) Reason {
		conn.Write(hello)
		if receive(conn) == nil {
			t.Error("a proper hello is not answered")
		}
		return send(msg)(t, conn)
	}
}

// hostileClients are what a server has to stand.
func hostileClients(t *testing.T) []hostile {
	hello := encoded(t, worker, wire.Initiator)
	with := func(change func(*Hello)) []byte {
		h := worker
		change(&h)
		return encoded(t, h, wire.Initiator)
	}
	garbage := bytes.Repeat([]byte{0x16, 3, 1, 2}, 1<<10)
	proof := wire.AppendProof(nil, [32]byte{})
	return []hostile{
		{"http", send([]byte("GET / HTTP/1.1\r\nHost: spate\r\n\r\n")), BadMagic, false, 0},
		{"garbage", send(garbage), BadMagic, false, 0},
		{"silence", send(nil), Timeout, true, TimeoutDefault},
		{"a header's half", send(hello[:5]), Timeout, true, TimeoutDefault},
		{"a hello's half", send(hello[:40]), Timeout, true, TimeoutDefault},
		{"slow-loris", drip(hello, 100*time.Millisecond), Timeout, true, TimeoutDefault},
		{"gone at once", sendAndClose(nil), Broken, false, 0},
		{"gone in the middle", sendAndClose(hello[:40]), Broken, false, 0},
		{"gone in the note", sendAndClose(hello[:len(hello)-1]), Broken, false, 0},
		{"huge length", send(changed(changed(hello[:8], 6, 0xff), 7, 0xff)), Malformed, true, 0},
		{"note too large", send(changed(changed(hello[:8], 6, 0x41), 7, 0x10)), Malformed, true, 0},
		{"kind", send(changed(hello[:8], 5, 77)), Malformed, true, 0},
		{"proof first", send(proof), Malformed, true, 0},
		{"reserved byte", send(changed(hello, 12, 1)), Malformed, true, 0},
		{"role", send(changed(hello, 8, 9)), Malformed, true, 0},
		{"purpose", send(changed(hello, 9, 9)), Malformed, true, 0},
		{"version", send(changed(hello, 4, 2)), WrongVersion, true, 0},
		{"another version's message", send([]byte("spHS\x07\x63\x05\x00hello")), WrongVersion, true, 0},
		{"acceptor's role", send(changed(hello, 8, byte(wire.Acceptor))), Reflected, true, 0},
		{"own incarnation", send(with(func(h *Hello) { h.Incarnation = coordinator.Incarnation })), Reflected, true, 0},
		{"cluster", send(with(func(h *Hello) { h.Cluster = NewCluster() })), WrongCluster, true, 0},
		{"no cluster", send(with(func(h *Hello) { h.Cluster = "" })), WrongCluster, true, 0},
		{"unwanted purpose", send(with(func(h *Hello) { h.Purpose = wire.PurposeControl })), WrongPurpose, true, 0},
		{"no secret", afterHello(hello, proof), WrongSecret, true, 0},
		{"hello twice", afterHello(hello, hello), Malformed, true, 0},
		{"garbage after hello", afterHello(hello, garbage), BadMagic, false, 0},
		{"silence after hello", afterHello(hello, nil), Timeout, true, TimeoutDefault},
		{"slow-loris after hello", func(t *testing.T, conn net.Conn) Reason {
			conn.Write(hello)
			receive(conn)
			return drip(proof, 100*time.Millisecond)(t, conn)
		}, Timeout, true, TimeoutDefault},
		{"does not listen", func(t *testing.T, conn net.Conn) Reason {
			conn.Write(hello)
			return 0
		}, Timeout, false, TimeoutDefault},
		{"bad refusal", afterHello(hello, changed(wire.Refusal{Reason: 5, Detail: "x"}.Append(nil), 12, 7)), Malformed, true, 0},
	}
}

// TestHostileClients: every peer that misbehaves is refused for the right reason, hears it where it could understand it,
// and holds the server up for no longer than the handshake may take.
func TestHostileClients(t *testing.T) {
	policy := Policy{Purposes: []wire.Purpose{wire.PurposeData}}
	for _, h := range hostileClients(t) {
		t.Run(h.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, done := serve(t, policy)
				h.check(t, conn, done)
			})
		})
	}
}

func (h hostile) check(t *testing.T, conn net.Conn, done <-chan result) {
	start := time.Now()
	told := h.act(t, conn)
	r := <-done
	took := time.Since(start)
	if reason, remote := reasonOf(r.err); reason != h.want || remote || r.peer.Session != [32]byte{} {
		t.Errorf("refused for %v (%v), want %v", reason, r.err, h.want)
	}
	if h.told && told != h.want || !h.told && told != 0 {
		t.Errorf("the peer is told %v, want it told: %v", told, h.told)
	}
	if took < h.took || took > h.took+refusalWait { // a step of drip is less
		t.Errorf("it took %v, want %v", took, h.took)
	}
}

// hostileServers are what a client has to stand; each has heard the client's hello.
func hostileServers(t *testing.T) []hostile {
	answer := encoded(t, coordinator.answering(worker.Purpose), wire.Acceptor)
	with := func(change func(*Hello)) []byte {
		h := coordinator.answering(worker.Purpose)
		change(&h)
		return encoded(t, h, wire.Acceptor)
	}
	proof := wire.AppendProof(nil, [32]byte{})
	return []hostile{
		{"ssh", send([]byte("SSH-2.0-OpenSSH_9.6\r\n")), BadMagic, false, 0},
		{"silence", send(nil), Timeout, true, TimeoutDefault},
		{"slow-loris", drip(answer, 100*time.Millisecond), Timeout, true, TimeoutDefault},
		{"gone at once", sendAndClose(nil), Broken, false, 0},
		{"gone in the middle", sendAndClose(answer[:70]), Broken, false, 0},
		{"huge length", send(changed(changed(answer[:8], 6, 0xff), 7, 0xff)), Malformed, true, 0},
		{"proof without hello", send(proof), Malformed, true, 0},
		{"version", send(changed(answer, 4, 9)), WrongVersion, true, 0},
		{"initiator's role", send(changed(answer, 8, byte(wire.Initiator))), Reflected, true, 0},
		{"own incarnation", send(with(func(h *Hello) { h.Incarnation = worker.Incarnation })), Reflected, true, 0},
		{"cluster", send(with(func(h *Hello) { h.Cluster = NewCluster() })), WrongCluster, true, 0},
		{"no cluster", send(with(func(h *Hello) { h.Cluster = "" })), WrongCluster, true, 0},
		{"another purpose", send(with(func(h *Hello) { h.Purpose = wire.PurposeControl })), Malformed, true, 0},
		{"no secret", afterHello(answer, proof), WrongSecret, true, 0},
		{"silence instead of a proof", afterHello(answer, nil), Timeout, true, TimeoutDefault},
	}
}

// TestHostileServers is the same for who dials the wrong address.
func TestHostileServers(t *testing.T) {
	for _, h := range hostileServers(t) {
		t.Run(h.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, done := dial(t, worker)
				receive(conn)
				h.check(t, conn, done)
			})
		})
	}
}

// TestRefusalsAreReported: what the peer says of why it refuses reaches the caller at either end, even in another version
// of the protocol or for a reason that has no name yet, and is not answered.
func TestRefusalsAreReported(t *testing.T) {
	refusal := wire.Refusal{Reason: 77, Detail: "moon in the wrong phase"}.Append(nil)
	refusal[4] = 9
	hello := encoded(t, worker, wire.Initiator)
	const want = "refused by the peer: reason 77: moon in the wrong phase"
	synctest.Test(t, func(t *testing.T) {
		conn, done := dial(t, worker)
		receive(conn)
		if told := send(refusal)(t, conn); told != 0 {
			t.Errorf("the refusal is answered with %v", told)
		}
		if err := (<-done).err; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("client: %v, want %q", err, want)
		}
		conn, done = serve(t, Policy{})
		if told := afterHello(hello, refusal)(t, conn); told != 0 {
			t.Errorf("the refusal is answered with %v", told)
		}
		if err := (<-done).err; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("server: %v, want %q", err, want)
		}
	})
}

// deafConn takes nothing that is written to it, like a socket that the other end has closed.
type deafConn struct{ net.Conn }

func (deafConn) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestRefusalBeforeHello: who is refused before its hello can be sent hears why all the same.
func TestRefusalBeforeHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, other := net.Pipe()
		defer other.Close()
		go other.Write(wire.Refusal{Reason: uint8(TooMany)}.Append(nil))
		_, err := Client(t.Context(), deafConn{conn}, testSecret, worker)
		if reason, remote := reasonOf(err); reason != TooMany || !remote {
			t.Errorf("%v, want to hear of too many", err)
		}
		other.Close()
		_, err = Client(t.Context(), deafConn{conn}, testSecret, worker)
		if reason, remote := reasonOf(err); reason != Broken || remote {
			t.Errorf("%v, want broken", err)
		}
	})
}

// scriptConn is a connection on which given bytes arrive, whatever is said, and which counts what is read.
type scriptConn struct {
	net.Conn
	in   *bytes.Reader
	read int
	sent bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read += n
	return n, err
}
func (c *scriptConn) Write(p []byte) (int, error)   { return c.sent.Write(p) }
func (c *scriptConn) SetDeadline(t time.Time) error { return nil }
func (c *scriptConn) RemoteAddr() net.Addr          { return &net.TCPAddr{} }

// FuzzServer: whatever arrives, no stranger is let in, no more is read than two messages, and the answers are messages.
func FuzzServer(f *testing.F) {
	hello := wire.Hello{Role: wire.Initiator, Purpose: wire.PurposeData, Incarnation: 8, Note: []byte("note")}.Append(nil)
	f.Add(hello)
	f.Add(append(slices.Clone(hello), wire.AppendProof(nil, [32]byte{1})...))
	f.Add(append(slices.Clone(hello), wire.Refusal{Reason: 1, Detail: "x"}.Append(nil)...))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzzEnd(t, in, func(ctx context.Context, conn net.Conn) error {
			_, err := Server(ctx, conn, testSecret, coordinator, Policy{Newcomers: true})
			return err
		})
	})
}

// FuzzClient is the same for who dialled.
func FuzzClient(f *testing.F) {
	hello := wire.Hello{Role: wire.Acceptor, Purpose: wire.PurposeData, Incarnation: 7, Note: []byte("note")}.Append(nil)
	f.Add(hello)
	f.Add(append(slices.Clone(hello), wire.AppendProof(nil, [32]byte{1})...))
	f.Add(wire.Refusal{Reason: 1, Detail: "x"}.Append(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzzEnd(t, in, func(ctx context.Context, conn net.Conn) error {
			newcomer := worker
			newcomer.Cluster = ""
			_, err := Client(ctx, conn, testSecret, newcomer)
			return err
		})
	})
}

func fuzzEnd(t *testing.T, in []byte, run func(context.Context, net.Conn) error) {
	conn := &scriptConn{in: bytes.NewReader(in)}
	err := run(t.Context(), conn)
	if reason, _ := reasonOf(err); reason == 0 {
		t.Fatalf("a stranger got %v", err)
	}
	if conn.read > wire.HandshakeMax+wire.ProofSize {
		t.Fatalf("%d bytes were read", conn.read)
	}
	for out := conn.sent.Bytes(); len(out) > 0; {
		head, err := wire.ParseHandshakeHeader(out)
		if err != nil || len(out) < head.Size() {
			t.Fatalf("%x was sent: %v", out, err)
		}
		out = out[head.Size():]
	}
}
