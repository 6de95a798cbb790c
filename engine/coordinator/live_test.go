package coordinator

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire"
)

// liveWorker is a fake worker with a connection to a real server, which it opens again whenever it ends.
type liveWorker struct {
	addr   func() string
	secret auth.Secret
	prompt bool // parts run through as soon as they are started

	mu    sync.Mutex
	fake  *fakeWorker   // guarded by mu
	conn  *control.Conn // guarded by mu
	news  chan struct{} // guarded by mu; closed when something has changed
	mute  bool          // guarded by mu; sends no heartbeats
	tasks sync.WaitGroup
	stop  context.CancelFunc

	listener net.Listener // for data connections, which nobody opens but to see whether it is there
}

// startWorker starts a worker that ends with the test.
func startWorker(t *testing.T, addr func() string, secret auth.Secret, prompt bool) *liveWorker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &liveWorker{addr: addr, secret: secret, prompt: prompt, news: make(chan struct{}), stop: cancel}
	var err error
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.fake = &fakeWorker{incarnation: rand.Uint64() | 1, loops: 1, addr: auth.AddressOf(w.listener.Addr()).String(), parts: map[string]*fakePart{}}
	w.fake.say = func(m control.Message) { _ = w.conn.Send(m) } // if it does not arrive it is said again
	w.tasks.Go(func() { w.live(ctx) })
	t.Cleanup(w.kill)
	return w
}

// kill ends the worker's process, as it were.
func (w *liveWorker) kill() {
	_ = w.listener.Close() // once is enough
	w.hang()
}

// hang ends all that the worker does, but its process is still there.
func (w *liveWorker) hang() {
	w.stop()
	w.tasks.Wait()
}

func (w *liveWorker) live(ctx context.Context) {
	for ctx.Err() == nil {
		hello := auth.Hello{Incarnation: w.fake.incarnation, Purpose: wire.PurposeControl}
		nc, peer, err := auth.Dial(ctx, w.addr(), w.secret, hello)
		if err != nil {
			continue // the coordinator is being restarted
		}
		c := control.NewConn(nc, peer.Addr)
		unhook := context.AfterFunc(ctx, func() { _ = c.Close() })
		w.session(c)
		unhook()
		_ = c.Close() // it has ended
		w.do(func(f *fakeWorker) {})
		if w.over() != "" {
			return
		}
	}
}

// session is one connection.
func (w *liveWorker) session(c *control.Conn) {
	quit := make(chan struct{})
	defer close(quit)
	w.do(func(f *fakeWorker) { w.conn = c; f.say(f.register()) })
	for {
		m, err := c.Receive()
		if err != nil {
			return
		}
		if r, ok := m.(*control.Registered); ok && r.Error == "" {
			w.tasks.Go(func() { w.beat(c, r.Heartbeat, quit) })
		}
		w.do(func(f *fakeWorker) { w.take(f, m) })
	}
}

func (w *liveWorker) take(f *fakeWorker, m control.Message) {
	f.take(m)
	switch m := m.(type) {
	case *control.Start, *control.End:
		for _, p := range f.parts {
			if p.phase == control.PhaseRunning && (w.prompt || p.how != "") {
				f.complete(p)
			}
		}
	case *control.Profile:
		f.say(&control.Profiled{Request: m.Request, Data: []byte(m.Kind)})
	}
}

func (w *liveWorker) beat(c *control.Conn, every time.Duration, quit chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-quit:
			return
		case <-ticker.C:
			w.mu.Lock()
			if !w.mute {
				_ = c.Send(&control.Heartbeat{})
			}
			w.mu.Unlock()
		}
	}
}

// do changes something.
func (w *liveWorker) do(fn func(*fakeWorker)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn(w.fake)
	close(w.news)
	w.news = make(chan struct{})
}

func (w *liveWorker) over() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fake.over
}

// await waits until something is so.
func (w *liveWorker) await(t *testing.T, what string, is func(*fakeWorker) bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		w.mu.Lock()
		news, yes := w.news, is(w.fake)
		w.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-news:
		case <-late:
			t.Fatalf("still waiting: %s", what)
		}
	}
}

// awaitServer asks a server until something is so, and returns what it said then.
func awaitServer[T any](t *testing.T, what string, ask func(context.Context) (T, error), is func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		v, err := ask(ctx)
		switch {
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case is(v):
			return v
		case ctx.Err() != nil:
			t.Fatalf("still waiting: %s, it is %+v", what, v)
		}
	}
}

func readyWorkers(n int) func(ClusterInfo) bool {
	return func(i ClusterInfo) bool { return i.Ready && i.Workers[WorkerReady] == n }
}

// testConfig is patient, since tests share their machine.
func testConfig(t *testing.T) Config {
	return Config{
		StateDir: t.TempDir(), Secret: auth.NewSecret(), Programs: testPrograms, Build: testBuild,
		Timing: Timing{HeartbeatTimeout: 5 * time.Second},
	}
}

// startServer starts a server that ends with the test, or before.
func startServer(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, s.Err()) {
			t.Error(err)
		}
	})
	return s
}
