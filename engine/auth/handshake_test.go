package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullspate/spate/wire"
)

// TestHandshake: both ends learn who the other is, and have the same key that no other connection has.
func TestHandshake(t *testing.T) {
	keys := make(map[[32]byte]bool)
	for _, network := range []string{"tcp", "unix"} {
		for range 2 {
			l := listenOn(t, network)
			done := make(chan result, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					done <- result{err: err}
					return
				}
				defer conn.Close()
				peer, err := Server(context.Background(), conn, testSecret, coordinator, Policy{})
				done <- result{peer, err}
			}()
			conn, c, err := Dial(context.Background(), AddressOf(l.Addr()).String(), testSecret, worker)
			s := <-done
			if err != nil || s.err != nil {
				t.Fatalf("%s: client %v, server %v", network, err, s.err)
			}
			conn.Close()
			l.Close()
			checkHello(t, network+" client's peer", c, coordinator, worker.Purpose)
			checkHello(t, network+" server's peer", s.peer, worker, worker.Purpose)
			if c.Session != s.peer.Session || keys[c.Session] || c.Session == [32]byte{} {
				t.Errorf("%s: session keys %x and %x", network, c.Session, s.peer.Session)
			}
			keys[c.Session] = true
		}
	}
}

func checkHello(t *testing.T, who string, got Peer, want Hello, purpose wire.Purpose) {
	t.Helper()
	if got.Cluster != want.Cluster || got.Incarnation != want.Incarnation || got.Purpose != purpose ||
		!bytes.Equal(got.Note, want.Note) || got.Addr == "" {
		t.Errorf("%s is %+v, want %+v", who, got, want)
	}
}

// TestKeysGolden pins what both ends compute from the same bytes, for builds that have to understand each other.
func TestKeysGolden(t *testing.T) {
	k := deriveKeys(Secret(bytes.Repeat([]byte{0x5e}, 32)), []byte("initiator's hello"), []byte("acceptor's hello"))
	for name, c := range map[string]struct {
		got  [32]byte
		want string
	}{
		"initiator": {k.proofs[wire.Initiator], "03f5c6c60ad2548ca09e7cf086ee092881b006d6cb636e154037d01458fd3f97"},
		"acceptor":  {k.proofs[wire.Acceptor], "f7656a236a9ce51fe5db52a38f08360e2c632a134d4c37ff1d0b63e7dce9dd49"},
		"session":   {k.session, "ea909d90edfbfd32d3144a0acac1eefb7eb79e33033acd539f824d451bb3482b"},
	} {
		if !bytes.Equal(c.got[:], unhex(t, c.want)) {
			t.Errorf("%s: %x, want %s", name, c.got, c.want)
		}
	}
}

// TestKeysDependOnEverything: another secret or another byte of a hello gives other keys, and no two are equal.
func TestKeysDependOnEverything(t *testing.T) {
	seen := make(map[[32]byte]string)
	add := func(name string, k keys) {
		for _, key := range [][32]byte{k.proofs[wire.Initiator], k.proofs[wire.Acceptor], k.session} {
			if other, ok := seen[key]; ok {
				t.Errorf("%s and %s have a key in common", name, other)
			}
			seen[key] = name
		}
	}
	hello := encoded(t, worker, wire.Initiator)
	answer := encoded(t, coordinator.answering(wire.PurposeData), wire.Acceptor)
	add("original", deriveKeys(testSecret, hello, answer))
	add("secret", deriveKeys(otherSecret, hello, answer))
	for i := range hello {
		changed := slices.Clone(hello)
		changed[i] ^= 1
		add("hello", deriveKeys(testSecret, changed, answer))
	}
	for i := range answer {
		changed := slices.Clone(answer)
		changed[i] ^= 1
		add("answer", deriveKeys(testSecret, hello, changed))
	}
}

// answering returns the hello as an acceptor answers for a purpose.
func (h Hello) answering(p wire.Purpose) Hello { h.Purpose = p; return h }

// TestPolicy goes through who is let in by whom.
func TestPolicy(t *testing.T) {
	lost, other := worker, worker
	lost.Cluster, other.Cluster = "", strings.Repeat("c2", 16)
	for _, c := range []struct {
		name   string
		hello  Hello
		policy Policy
		want   Reason // 0: let in
	}{
		{"same cluster", worker, Policy{}, 0},
		{"newcomer", lost, Policy{Newcomers: true}, 0},
		{"newcomer not wanted", lost, Policy{}, WrongCluster},
		{"other cluster", other, Policy{}, WrongCluster},
		{"other cluster where newcomers are welcome", other, Policy{Newcomers: true}, WrongCluster},
		{"purpose", worker, Policy{Purposes: []wire.Purpose{wire.PurposeData}}, 0},
		{"other purpose", worker, Policy{Purposes: []wire.Purpose{wire.PurposeControl}}, WrongPurpose},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			done := make(chan result, 1)
			go func() {
				peer, err := Server(t.Context(), ours, testSecret, coordinator, c.policy)
				done <- result{peer, err}
			}()
			peer, err := Client(t.Context(), theirs, testSecret, c.hello)
			reason, remote := reasonOf(err)
			served, _ := reasonOf((<-done).err)
			if reason != c.want || served != c.want || remote != (c.want != 0) {
				t.Errorf("%s: client %v, server %v, want %v", c.name, err, served, c.want)
			}
			if c.want == 0 && peer.Cluster != coordinator.Cluster {
				t.Errorf("%s: the initiator learns of cluster %q", c.name, peer.Cluster)
			}
		})
	}
}

// TestOwnFaults: what is wrong with what we were given is no refusal, and nothing is sent.
func TestOwnFaults(t *testing.T) {
	for name, c := range map[string]struct {
		secret Secret
		hello  Hello
		want   string
	}{
		"no secret":        {Secret{}, worker, "no secret"},
		"no purpose":       {testSecret, Hello{}, "wire.PurposeControl"},
		"large note":       {testSecret, Hello{Purpose: wire.PurposeData, Note: make([]byte, wire.NoteMax+1)}, "at most 4096"},
		"cluster":          {testSecret, Hello{Purpose: wire.PurposeData, Cluster: "main"}, "32 lower-case"},
		"cluster in caps":  {testSecret, Hello{Purpose: wire.PurposeData, Cluster: strings.Repeat("C1", 16)}, "32 lower-case"},
		"long cluster":     {testSecret, Hello{Purpose: wire.PurposeData, Cluster: strings.Repeat("c1", 17)}, "32 lower-case"},
		"cluster of zeros": {testSecret, Hello{Purpose: wire.PurposeData, Cluster: strings.Repeat("0", 32)}, "not all 0"},
	} {
		_, err := Client(context.Background(), nil, c.secret, c.hello) // a nil connection: any use of it would panic
		if reason, _ := reasonOf(err); err == nil || reason != 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestContext: a context that ends, ends the handshake, at either end and wherever it stands.
func TestContext(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(context.Context) (context.Context, func())
		want Reason
	}{
		"deadline": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			return ctx, cancel
		}, Timeout},
		"cancelled": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, Stopping},
		"called off": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(refuse(TooMany, "full"))
			return ctx, func() {}
		}, TooMany},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, other := net.Pipe()
			defer other.Close()
			ctx, cancel := c.end(t.Context())
			defer cancel()
			_, err := Client(ctx, conn, testSecret, worker)
			if reason, remote := reasonOf(err); reason != c.want || remote {
				t.Errorf("%s: client %v, want %v", name, err, c.want)
			}
			_, err = Server(ctx, conn, testSecret, coordinator, Policy{})
			if reason, remote := reasonOf(err); reason != c.want || remote {
				t.Errorf("%s: server %v, want %v", name, err, c.want)
			}
			if c.want == Timeout && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v does not lead to the context's error", name, err)
			}
		})
	}
}

// meddler passes on what it reads, message by message of each direction, as changed by its function.
func meddler(wg *sync.WaitGroup, from, to net.Conn, change func(msg []byte)) {
	wg.Go(func() {
		defer to.Close()
		for {
			msg := receive(from)
			if msg == nil {
				return
			}
			change(msg)
			if _, err := to.Write(msg); err != nil {
				return
			}
		}
	})
}

// through lets a client and a server speak through somebody who changes messages, and returns what they made of it.
func through(t *testing.T, toServer, toClient func(msg []byte)) (client, server error) {
	c, cm := net.Pipe()
	sm, s := net.Pipe()
	var wg sync.WaitGroup
	meddler(&wg, cm, sm, toServer)
	meddler(&wg, sm, cm, toClient)
	wg.Go(func() {
		defer s.Close()
		_, server = Server(t.Context(), s, testSecret, coordinator, Policy{})
	})
	_, client = Client(t.Context(), c, testSecret, worker)
	c.Close()
	wg.Wait()
	return client, server
}

// TestNoBitCanBeChanged changes every bit of every message on its way. The client, which hears last, never takes such a
// connection for good; nor does the server, unless the message was its last.
func TestNoBitCanBeChanged(t *testing.T) {
	leave := func([]byte) {}
	flip := func(message wire.Message, bit int) func([]byte) {
		return func(msg []byte) {
			if head, err := wire.ParseHandshakeHeader(msg); err == nil && head.Message == message {
				msg[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
	hellos, step := 8*(wire.HelloSize+len(coordinator.Note)), 1
	if testing.Short() {
		step = 7 // visits every byte, and every place within a byte
	}
	synctest.Test(t, func(t *testing.T) {
		if client, server := through(t, leave, leave); client != nil || server != nil {
			t.Fatalf("unchanged: client %v, server %v", client, server)
		}
		for bit := 0; bit < hellos; bit += step {
			if client, server := through(t, flip(wire.HelloMessage, bit), leave); client == nil || server == nil {
				t.Errorf("bit %d of the client's hello: client %v, server %v", bit, client, server)
			}
			if client, server := through(t, leave, flip(wire.HelloMessage, bit)); client == nil || server == nil {
				t.Errorf("bit %d of the server's hello: client %v, server %v", bit, client, server)
			}
		}
		for bit := 0; bit < 8*wire.ProofSize; bit += step {
			if client, server := through(t, flip(wire.ProofMessage, bit), leave); client == nil || server == nil {
				t.Errorf("bit %d of the client's proof: client %v, server %v", bit, client, server)
			}
			if client, _ := through(t, leave, flip(wire.ProofMessage, bit)); client == nil {
				t.Errorf("bit %d of the server's proof: the client took it", bit)
			}
		}
	})
}

// TestReplay records a good handshake and plays each side of it to a fresh other end.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fromClient, fromServer [][]byte
		record := func(to *[][]byte) func([]byte) { return func(msg []byte) { *to = append(*to, slices.Clone(msg)) } }
		if client, server := through(t, record(&fromClient), record(&fromServer)); client != nil || server != nil {
			t.Fatalf("client %v, server %v", client, server)
		}

		conn, done := serve(t, Policy{})
		conn.Write(fromClient[0])
		receive(conn) // another nonce this time
		conn.Write(fromClient[1])
		if told := refusalIn(receive(conn)); told != WrongSecret {
			t.Errorf("a replaying client is told %v", told)
		}
		if reason, remote := reasonOf((<-done).err); reason != WrongSecret || remote {
			t.Errorf("a replaying client is refused for %v", reason)
		}

		conn, done = dial(t, worker)
		receive(conn)
		conn.Write(fromServer[0])
		receive(conn)
		conn.Write(fromServer[1])
		if told := refusalIn(receive(conn)); told != WrongSecret {
			t.Errorf("a replaying server is told %v", told)
		}
		if reason, remote := reasonOf((<-done).err); reason != WrongSecret || remote {
			t.Errorf("a replaying server is refused for %v", reason)
		}
	})
}

// TestReflection sends an end its own messages: as they are, and with the role changed, on this connection or on another.
func TestReflection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, done := dial(t, worker)
		conn.Write(receive(conn))
		if reason, _ := reasonOf((<-done).err); reason != Reflected {
			t.Errorf("its own hello: refused for %v", reason)
		}

		nobody := worker
		nobody.Incarnation = 0 // so that nothing but the proof gives it away
		conn, done = dial(t, nobody)
		echo := receive(conn)
		echo[8] = byte(wire.Acceptor)
		conn.Write(echo)
		conn.Write(receive(conn))
		if reason, _ := reasonOf((<-done).err); reason != WrongSecret {
			t.Errorf("its own proof: refused for %v", reason)
		}

		// A process that dials and listens is told by its dialling half what its listening half wants to hear.
		conn, done = dial(t, worker)
		hello := receive(conn)
		back, served := serve(t, Policy{})
		hello[16] = byte(coordinator.Incarnation) // as if one process were both
		back.Write(hello)
		if reason, _ := reasonOf((<-served).err); reason != Reflected {
			t.Errorf("a process connected with itself: refused for %v", reason)
		}
		conn.Close()
		<-done
	})
}

// lateConn delays the reads after the second, which are those of the proof, until its gate opens, so that all that was sent has come.
type lateConn struct {
	net.Conn
	reads int
	gate  <-chan struct{}
}

func (c *lateConn) Read(p []byte) (int, error) {
	if c.reads++; c.reads > 2 {
		<-c.gate
	}
	return c.Conn.Read(p)
}

// TestNothingIsReadBeyond: what an acceptor says right after its proof is there for who takes the connection.
func TestNothingIsReadBeyond(t *testing.T) {
	l := listenOn(t, "unix")
	defer l.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := Server(context.Background(), conn, testSecret, coordinator, Policy{}); err != nil {
			t.Error(err)
		}
		io.WriteString(conn, "data")
	}()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := Client(context.Background(), &lateConn{Conn: conn, gate: sent}, testSecret, worker); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(conn); string(rest) != "data" || err != nil {
		t.Errorf("after the handshake comes %q, %v", rest, err)
	}
}
