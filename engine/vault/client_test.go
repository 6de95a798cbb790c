package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// owned starts hosts a, b… that take checkpoints of a task from incarnation 7.
func owned(t *testing.T, id ft.TaskID, wraps ...func(net.Conn) net.Conn) (all []*host, hosts []control.Host) {
	for n, wrap := range wraps {
		h := startHost(t, "tcp", string(rune('a'+n)), uint64(n+1), Config{}, wrap)
		h.Owners(testJob, map[ft.TaskID]uint64{id: 7}, nil)
		all, hosts = append(all, h), append(hosts, h.Host)
	}
	return all, hosts
}

// failedHosts are the workers in an error.
func failedHosts(failed []*HostError) (names []string) {
	for _, f := range failed {
		names = append(names, f.Host.Worker)
	}
	return names
}

// TestLostHost loses first one and then the other of two holders.
func TestLostHost(t *testing.T) {
	id := task("count")
	all, hosts := owned(t, id, nil, nil)
	c := startClient(t, 7, nil)
	if _, err := c.Newest(t.Context(), testJob, hosts, id); !errors.Is(err, ft.ErrNotFound) {
		t.Fatalf("all have answered, and nobody has one: %v", err)
	}
	if err := c.Put(t.Context(), testJob, hosts, dummy(id, 1, 10, 1000)); err != nil {
		t.Fatal(err)
	}
	all[0].die()
	var lost *HostError
	if err := c.Put(t.Context(), testJob, hosts, dummy(id, 2, 20, 1000)); !errors.As(err, &lost) || lost.Host != hosts[0] {
		t.Fatalf("one of two holders is lost: %v", err)
	}
	var incomplete *IncompleteError
	if _, err := c.Newest(t.Context(), testJob, hosts, id); !errors.As(err, &incomplete) {
		t.Fatalf("one of two holders does not answer, who may have the newest: %v", err)
	}
	got, err := c.Newest(t.Context(), testJob, hosts[1:], id)
	if err != nil || got.Generation != 2 {
		t.Fatalf("one of two holders is known to be lost: %v", err)
	}
	_, err = c.Newest(t.Context(), testJob, hosts, task("other"))
	if !errors.As(err, &incomplete) || errors.Is(err, ft.ErrNotFound) || !strings.Contains(err.Error(), hosts[0].Addr) {
		t.Errorf("there may be one: %v", err)
	}
	all[1].die()
	_, err = c.Newest(t.Context(), testJob, hosts, id)
	if !errors.As(err, &incomplete) || strings.Join(failedHosts(incomplete.Failed), "") != "ab" {
		t.Errorf("both holders are lost: %v", err)
	}
}

// TestReplacedHost asks for a worker at an address where another one is now.
func TestReplacedHost(t *testing.T) {
	id := task("count")
	_, hosts := owned(t, id, nil)
	c := startClient(t, 7, nil)
	hosts[0].Incarnation = 99
	if err := c.Put(t.Context(), testJob, hosts, dummy(id, 1, 1, 10)); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("put: %v", err)
	}
	var incomplete *IncompleteError
	if _, err := c.Newest(t.Context(), testJob, hosts, id); !errors.As(err, &incomplete) {
		t.Errorf("newest: %v", err)
	}
}

// flipping is a connection that spoils a bit of each large piece that is written.
type flipping struct{ net.Conn }

func (f flipping) Write(b []byte) (int, error) {
	if len(b) > 64<<10 {
		b = bytes.Clone(b)
		b[len(b)/2] ^= 4
	}
	return f.Conn.Write(b)
}

func flip(nc net.Conn) net.Conn { return flipping{nc} }

// TestDamagedAnswer has the newest checkpoint damaged on the way.
func TestDamagedAnswer(t *testing.T) {
	id := task("count")
	_, hosts := owned(t, id, flip, nil, nil)
	c := startClient(t, 7, nil)
	put := func(gen uint64, to ...control.Host) {
		t.Helper()
		if err := c.Put(t.Context(), testJob, to, dummy(id, gen, wire.Time(10*gen), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	put(1, hosts...)
	put(2, hosts[:2]...)
	if got, err := c.Newest(t.Context(), testJob, hosts, id); err != nil || got.Generation != 2 {
		t.Errorf("another host has it too: %v", err)
	}
	put(3, hosts[0])
	if got, err := c.Newest(t.Context(), testJob, hosts, id); err != nil || got.Generation != 2 {
		t.Errorf("others have an older one: %v", err)
	}
	var incomplete *IncompleteError
	if _, err := c.Newest(t.Context(), testJob, hosts[:1], id); !errors.As(err, &incomplete) || errors.Is(err, ft.ErrNotFound) {
		t.Errorf("nobody else has any: %v", err)
	}
}

// TestNewestOfAll prefers positions to generations, and asks the own vault, too.
func TestNewestOfAll(t *testing.T) {
	id := task("count")
	_, hosts := owned(t, id, nil, nil)
	own := New(Config{})
	defer own.Stop()
	own.Open(testJob)
	own.Owners(testJob, map[ft.TaskID]uint64{id: 7}, nil)
	c := startClient(t, 7, func(cfg *ClientConfig) { cfg.Own = own })
	itself := control.Host{Worker: "me", Incarnation: 7, Addr: "tcp://127.0.0.1:1"} // where nobody listens
	for _, step := range []struct {
		to        control.Host
		gen       uint64
		position  wire.Time
		wantGen   uint64
		wantPlace wire.Time
	}{
		{hosts[0], 5, 10, 5, 10},
		{hosts[1], 4, 20, 4, 20},
		{itself, 3, 30, 3, 30},
		{hosts[0], 6, 30, 6, 30},
	} {
		if err := c.Put(t.Context(), testJob, []control.Host{step.to}, dummy(id, step.gen, step.position, 10)); err != nil {
			t.Fatal(err)
		}
		got, err := c.Newest(t.Context(), testJob, append(hosts, itself), id)
		if err != nil || got.Generation != step.wantGen || got.Position != step.wantPlace {
			t.Fatalf("after %+v: %+v, %v", step, got, err)
		}
	}
}

// deaf listens, authenticates who comes, and then is silent.
func deaf(t *testing.T) control.Host {
	t.Helper()
	l, err := auth.Listen(t.Context(), "tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	a, err := auth.Serve(l, auth.Config{Secret: testSecret, Hello: hello(1), Handle: func(nc net.Conn, _ auth.Peer) {
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, nc)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for _, nc := range conns {
			nc.Close()
		}
	})
	return control.Host{Worker: "deaf", Incarnation: 1, Addr: auth.AddressOf(l.Addr()).String()}
}

// TestDeafHost has to do with a host that takes connections and nothing more.
func TestDeafHost(t *testing.T) {
	hosts := []control.Host{deaf(t)}
	c := startClient(t, 7, func(cfg *ClientConfig) { cfg.TimeOut = 100 * time.Millisecond })
	for _, size := range []int{10, 64 << 20} { // more than sockets buffer
		if err := c.Put(t.Context(), testJob, hosts, dummy(task("count"), 1, 1, size)); err == nil || !strings.Contains(err.Error(), "nothing has moved for 100ms") {
			t.Errorf("put %d bytes: %v", size, err)
		}
	}
	var incomplete *IncompleteError
	if _, err := c.Newest(t.Context(), testJob, hosts, task("count")); !errors.As(err, &incomplete) {
		t.Errorf("newest: %v", err)
	}
}

// TestClientStop stops a client that waits for an answer.
func TestClientStop(t *testing.T) {
	hosts := []control.Host{deaf(t)}
	asked := make(chan struct{})
	var once sync.Once
	c := startClient(t, 7, func(cfg *ClientConfig) {
		cfg.Hello = func() auth.Hello { once.Do(func() { close(asked) }); return hello(7) }
	})
	done := make(chan error)
	go func() {
		_, err := c.Newest(context.Background(), testJob, hosts, task("count"))
		done <- err
	}()
	<-asked
	c.Stop()
	if err := <-done; !errors.Is(err, ErrStopped) {
		t.Errorf("what was under way: %v, want ErrStopped", err)
	}
	if err := c.Put(t.Context(), testJob, hosts, dummy(task("count"), 1, 1, 10)); !errors.Is(err, ErrStopped) {
		t.Errorf("afterwards: %v, want ErrStopped", err)
	}
	c.Stop()
}

// TestConnectionsAreKept counts connections, and closes one at the other end between two checkpoints.
func TestConnectionsAreKept(t *testing.T) {
	id := task("count")
	var mu sync.Mutex
	var conns []net.Conn
	_, hosts := owned(t, id, func(nc net.Conn) net.Conn {
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, nc)
		return nc
	})
	c := startClient(t, 7, nil)
	for gen := uint64(1); gen <= 6; gen++ {
		if err := c.Put(t.Context(), testJob, hosts, dummy(id, gen, wire.Time(gen), 100<<10)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Newest(t.Context(), testJob, hosts, id); err != nil || got.Generation != gen {
			t.Fatalf("generation %d: %v", gen, err)
		}
		if gen == 3 {
			mu.Lock()
			conns[0].Close()
			mu.Unlock()
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(conns) != 2 {
		t.Errorf("%d connections, want 2", len(conns))
	}
}

// TestUploadKeepsToItsRate uploads a second's worth, beyond the burst, while nobody is to blame that it takes so long.
func TestUploadKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := watch(t.Context(), 5*time.Millisecond) // less than a piece takes
		defer w.stop()
		b := make([]byte, rateMin+burstBytes)
		u := &upload{ctx: ctx, r: bytes.NewReader(b), limit: rate.NewLimiter(rateMin, burstBytes), w: w}
		start := time.Now()
		n, err := io.Copy(io.Discard, u)
		if err != nil || n != int64(len(b)) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if took := time.Since(start).Round(time.Millisecond); took != time.Second {
			t.Errorf("it took %v, want 1s", took)
		}
		<-ctx.Done() // nothing moves any more
		if took := time.Since(start).Round(time.Millisecond); took != 1005*time.Millisecond {
			t.Errorf("it was given up after %v, want 1.005s", took)
		}
	})
}

func TestHostName(t *testing.T) {
	for _, h := range []control.Host{{Incarnation: 1<<64 - 1, Addr: "tcp://127.0.0.1:80"}, {Addr: "unix:///a b/ü:-1"}} {
		incarnation, addr, err := parseHostName(hostName(h) + ":80")
		if err != nil || incarnation != h.Incarnation || addr != h.Addr {
			t.Errorf("%+v: %x, %q, %v", h, incarnation, addr, err)
		}
	}
	if _, _, err := parseHostName("example.org:80"); err == nil {
		t.Error("a name of another kind was taken")
	}
}
