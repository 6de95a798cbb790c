package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullspate/spate/wire"
)

// TestAcceptor: connections that know the secret are handed over, others are told, counted and logged; on real sockets.
func TestAcceptor(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		var log lockedBuffer
		l := listenOn(t, network)
		addr := AddressOf(l.Addr()).String()
		a, peers := acceptOn(t, l, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for range 3 {
			conn, _, err := Dial(t.Context(), addr, testSecret, worker)
			if err != nil {
				t.Fatalf("%s: %v", network, err)
			}
			checkHello(t, network, <-peers, worker, worker.Purpose)
			conn.Close()
		}
		_, _, err := Dial(t.Context(), addr, otherSecret, worker)
		if reason, remote := reasonOf(err); reason != WrongSecret || !remote {
			t.Errorf("%s: %v, want wrong secret", network, err)
		}
		newcomer := worker
		newcomer.Cluster = ""
		if _, _, err = Dial(t.Context(), addr, testSecret, newcomer); err == nil {
			t.Errorf("%s: a newcomer was let in", network)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		s := a.Stats()
		if s.Accepted != 3 || s.Pending != 0 || s.Refused[WrongSecret] != 1 || s.Refused[WrongCluster] != 1 || len(s.Refused) != 2 {
			t.Errorf("%s: %+v", network, s)
		}
		from := map[string]string{"tcp": "peer=127.0.0.1:", "unix": `peer="pid `}[network]
		if text := log.String(); !strings.Contains(text, `reason="wrong secret"`) || !strings.Contains(text, from) ||
			!strings.Contains(text, "--secret-file") || strings.Count(text, "\n") != 2 {
			t.Errorf("%s: log is %q", network, text)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	bad := Config{Hello: Hello{Cluster: "x"}, Pending: -1, Timeout: -1}
	_, err := Serve(newFakeListener(), bad)
	for _, want := range []string{"no secret", "32 lower-case", "pending", "timeout", "no Handle"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestThousandsOfSilentConnections: they are bounded in number and time, each hears why it is closed, and honest ones get
// through among them.
func TestThousandsOfSilentConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pending, strangers = 32, 3000
		l := newFakeListener()
		a, peers := acceptOn(t, l, func(c *Config) { c.Pending = pending })
		before := runtime.NumGoroutine()
		told := make(chan Reason, strangers)
		honest := 0
		for i := range strangers {
			conn := l.connect(t)
			go func() { told <- refusalIn(receive(conn)) }()
			if i%100 == 50 {
				if _, err := Client(t.Context(), l.connect(t), testSecret, worker); err != nil {
					t.Errorf("an honest one among %d strangers: %v", i, err)
				}
				<-peers
				honest++
			}
			synctest.Wait()
			if n, ours := a.Stats().Pending, runtime.NumGoroutine()-before-1-(i+1-len(told)); n > pending || ours > pending {
				t.Fatalf("%d connections pend, %d goroutines", n, ours)
			}
		}
		reasons := make(map[Reason]uint64)
		for range strangers {
			reasons[<-told]++
		}
		if late := reasons[Timeout]; late == 0 || late > pending || reasons[TooMany] != strangers-late {
			t.Errorf("strangers are told %v", reasons)
		}
		synctest.Wait()
		if s := a.Stats(); s.Accepted != uint64(honest) || !maps.Equal(s.Refused, reasons) || s.Pending != 0 {
			t.Errorf("%+v, %d honest", s, honest)
		}
	})
}

// TestSilentConnectionsOverTCP is the same on real sockets, where honest ones race with strangers.
func TestSilentConnectionsOverTCP(t *testing.T) {
	l := listenOn(t, "tcp")
	addr := AddressOf(l.Addr()).String()
	a, peers := acceptOn(t, l, func(c *Config) { c.Pending = 64; c.Timeout = 20 * time.Second })
	var strangers sync.WaitGroup
	for range 1000 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		strangers.Go(func() {
			defer conn.Close()
			msg := receive(conn)
			if reason := refusalIn(msg); reason != TooMany && reason != Stopping {
				t.Errorf("a stranger is told %v (%q)", reason, msg)
			}
		})
	}
	for range 20 {
		conn, _, err := Dial(t.Context(), addr, testSecret, worker)
		if err != nil {
			t.Fatalf("an honest connection: %v", err)
		}
		<-peers
		conn.Close()
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	strangers.Wait()
	if s := a.Stats(); s.Accepted != 20 || s.Refused[TooMany] < 1000-64 || s.Refused[TooMany]+s.Refused[Stopping] != 1000 {
		t.Errorf("%+v", s)
	}
}

// TestHandleThatIsSlow: connections that are authenticated and not taken count, and are not thrown out for others.
func TestHandleThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := make(chan net.Conn)
		l := newFakeListener()
		a, _ := acceptOn(t, l, func(c *Config) {
			c.Pending = 2
			c.Handle = func(conn net.Conn, _ Peer) { taken <- conn }
		})
		for range 2 {
			if _, err := Client(t.Context(), l.connect(t), testSecret, worker); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if told := refusalIn(receive(l.connect(t))); told != TooMany {
			t.Errorf("a third one is told %v", told)
		}
		(<-taken).Close()
		synctest.Wait()
		if _, err := Client(t.Context(), l.connect(t), testSecret, worker); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
		for range 2 {
			(<-taken).Close()
		}
		synctest.Wait()
		if s := a.Stats(); s.Accepted != 3 || s.Refused[TooMany] != 1 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestClose: half-done connections are told and closed, and nothing runs on; goleak and the bubble see to that.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		a, _ := acceptOn(t, l, nil)
		told := make(chan Reason)
		for range 10 {
			conn := l.connect(t)
			go func() { told <- refusalIn(receive(conn)) }()
		}
		synctest.Wait()
		start := time.Now()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > refusalWait {
			t.Errorf("it took %v", took)
		}
		for range 10 {
			if reason := <-told; reason != Stopping {
				t.Errorf("a half-done connection is told %v", reason)
			}
		}
		if s := a.Stats(); s.Refused[Stopping] != 10 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestListenerClosedByOthers: an acceptor whose listener is gone rests, and can be closed.
func TestListenerClosedByOthers(t *testing.T) {
	l := listenOn(t, "unix")
	a, _ := acceptOn(t, l, nil)
	l.Close()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestAcceptFailures: accept that fails is tried again after a pause that grows and does not keep Close waiting.
func TestAcceptFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		a, peers := acceptOn(t, l, nil)
		start := time.Now()
		var pauses []time.Duration
		for range 11 {
			l.accepts <- syscall.ENOBUFS
			pauses = append(pauses, time.Since(start))
			start = time.Now()
		}
		want := pauseMin
		for i, p := range pauses[1:] {
			if p != want {
				t.Errorf("pause %d is %v, want %v", i, p, want)
			}
			want = min(2*want, pauseMax)
		}
		if _, err := Client(t.Context(), l.connect(t), testSecret, worker); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		<-peers
		l.accepts <- syscall.ENOBUFS
		start = time.Now()
		l.accepts <- syscall.ENOBUFS
		if took := time.Since(start); took != pauseMin {
			t.Errorf("after a success the pause is %v, want %v", took, pauseMin)
		}
		start = time.Now()
		a.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("closing took %v", took)
		}
		if s := a.Stats(); s.Failures != 13 || s.Accepted != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestSpare: a failure for want of descriptors costs no pause as long as there is a spare one to say no with.
func TestSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		a, peers := acceptOn(t, l, nil)
		start := time.Now()
		l.accepts <- syscall.EMFILE // the spare one goes
		l.accepts <- syscall.EMFILE // somebody else took it
		l.accepts <- syscall.ENFILE
		if took := time.Since(start); took != pauseMin {
			t.Errorf("pauses of %v, want %v", took, pauseMin)
		}
		// There are descriptors again in fact, so the next is let in.
		if _, err := Client(t.Context(), l.connect(t), testSecret, worker); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		<-peers
		if s := a.Stats(); s.Failures != 3 || s.Accepted != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestSetHello: a process that learns its cluster later speaks for it from then on.
func TestSetHello(t *testing.T) {
	l := listenOn(t, "unix")
	a, peers := acceptOn(t, l, func(c *Config) { c.Hello.Cluster = "" })
	addr := AddressOf(l.Addr()).String()
	_, _, err := Dial(t.Context(), addr, testSecret, worker)
	if reason, _ := reasonOf(err); reason != WrongCluster {
		t.Errorf("before: %v, want wrong cluster", err)
	}
	if err := a.SetHello(Hello{Cluster: "x"}); err == nil {
		t.Error("a bad hello was taken")
	}
	if err := a.SetHello(coordinator); err != nil {
		t.Fatal(err)
	}
	conn, peer, err := Dial(t.Context(), addr, testSecret, worker)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-peers
	checkHello(t, "after", peer, coordinator, worker.Purpose)
}

// TestLogIsLimited: a flood of one reason is logged up to a point and then once a second, with how many were not; another
// reason is logged all the same.
func TestLogIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		l := newFakeListener()
		a, _ := acceptOn(t, l, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		garbage := func() {
			conn := l.connect(t)
			io.WriteString(conn, "GET / HTTP/1.1\r\n")
			conn.Close()
		}
		for range logFirst + 100 {
			garbage()
		}
		synctest.Wait()
		if n := strings.Count(log.String(), `reason="bad magic"`); n != logFirst {
			t.Errorf("%d lines, want %d", n, logFirst)
		}
		l.connect(t).Close()
		synctest.Wait()
		if n := strings.Count(log.String(), "reason=broken"); n != 1 {
			t.Errorf("another reason: %d lines, want 1", n)
		}
		time.Sleep(logEvery)
		garbage()
		synctest.Wait()
		if text := log.String(); !strings.Contains(text, "unlogged=100") || strings.Count(text, "\n") != logFirst+2 {
			t.Errorf("a second later the log is %q", text)
		}
		if s := a.Stats(); s.Refused[BadMagic] != logFirst+101 || s.Refused[Broken] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestDeclined: a peer that refuses us is counted apart from those whom we refuse, whatever reason it names.
func TestDeclined(t *testing.T) {
	l := listenOn(t, "tcp")
	a, _ := acceptOn(t, l, nil)
	stranger := worker
	stranger.Incarnation = coordinator.Incarnation + 1
	for range 3 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(encoded(t, stranger, wire.Initiator))
		receive(conn)
		conn.Write(wire.Refusal{Reason: 200}.Append(nil))
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		conn.Close()
	}
	a.Close()
	if s := a.Stats(); s.Declined != 3 || len(s.Refused) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestManyAtOnce: honest connections that come all at once, within what may pend, all succeed.
func TestManyAtOnce(t *testing.T) {
	l := listenOn(t, "tcp")
	_, peers := acceptOn(t, l, nil)
	var clients sync.WaitGroup
	for range PendingDefault {
		clients.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			conn, _, err := Dial(ctx, AddressOf(l.Addr()).String(), testSecret, worker)
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	clients.Wait()
	for range PendingDefault {
		<-peers
	}
}
