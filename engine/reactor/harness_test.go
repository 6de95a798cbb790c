package reactor

import (
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// gnet starts goroutines of its own when it is loaded.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

var networks = []string{"tcp", "unix"}

// everywhere runs a test over each network and with each bell.
func everywhere(t *testing.T, test func(t *testing.T, network string, cfg Config)) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) { test(t, network, Config{}) })
	}
	t.Run("plain", func(t *testing.T) { test(t, "tcp", Config{plainBell: true}) })
}

func listen(t testing.TB, network string) net.Listener {
	t.Helper()
	addr := "localhost:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial makes two connected sockets by way of a listener.
func dial(t testing.TB, l net.Listener) (near, far net.Conn) {
	t.Helper()
	near, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// connect makes two connected sockets.
func connect(t testing.TB, network string) (near, far net.Conn) {
	t.Helper()
	l := listen(t, network)
	defer l.Close()
	return dial(t, l)
}

// start starts a reactor that is stopped when the test ends.
func start(t testing.TB, cfg Config) *Reactor {
	t.Helper()
	r, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func enroll(t testing.TB, r *Reactor, nc net.Conn, h Handler) {
	t.Helper()
	if err := r.Enroll(nc, h); err != nil {
		t.Fatal(err)
	}
}

// await waits for something that is about to happen; a minute is for ever.
func await[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s has not happened", what)
		panic("unreachable")
	}
}

// on runs fn on the loop and waits for it.
func on(t testing.TB, r *Reactor, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if !r.Do(func() { defer close(done); fn() }) {
		t.Fatal("the reactor does not take a function any more")
	}
	await(t, done, "a function given to Do")
}

// hooks is a Handler made of functions, any of which may be missing. It counts what it is told.
type hooks struct {
	open    func(c Conn)
	traffic func(c Conn) error
	closed  func(c Conn, err error)

	conn            Conn
	opened, endings int
	ended           chan error // if there is one it is told each ending
}

func (h *hooks) Open(c Conn) {
	h.conn = c
	h.opened++
	if h.open != nil {
		h.open(c)
	}
}

func (h *hooks) Traffic(c Conn) error {
	if h.traffic != nil {
		return h.traffic(c)
	}
	_, err := c.Read(make([]byte, c.Buffered()))
	return err
}

func (h *hooks) Closed(c Conn, err error) {
	h.endings++
	if h.closed != nil {
		h.closed(c, err)
	}
	if h.ended != nil {
		h.ended <- err
	}
}

func newHooks() *hooks { return &hooks{ended: make(chan error, 8)} }

// workFunc makes Work of a function.
type workFunc struct {
	step func(now time.Duration) (bool, time.Duration)
}

func (w *workFunc) Step(now time.Duration) (bool, time.Duration) { return w.step(now) }

// panics collects what a reactor's work has panicked with.
type panics struct {
	mu     sync.Mutex
	values []any // guarded by mu
	stacks []string
}

func (p *panics) note(value any, stack []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values = append(p.values, value)
	p.stacks = append(p.stacks, string(stack))
}
