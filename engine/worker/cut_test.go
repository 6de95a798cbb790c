package worker

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
)

// proxy forwards connections, and cuts them when it is told to.
type proxy struct {
	listener net.Listener
	network  string
	to       string
	joined   sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
	cuts  int        // guarded by mu: connections that were alive when they were cut
}

func newProxy(t *testing.T, network, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, network: network, to: to}
	p.joined.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.forward(c)
		}
	})
	t.Cleanup(func() { l.Close(); p.cut(); p.joined.Wait() })
	return p
}

func (p *proxy) addr() string { return "tcp://" + p.listener.Addr().String() }

func (p *proxy) forward(from net.Conn) {
	to, err := net.Dial(p.network, p.to)
	if err != nil {
		from.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, from, to)
	p.mu.Unlock()
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		p.joined.Go(func() {
			io.Copy(pair[0], pair[1])
			p.mu.Lock()
			p.conns = slices.DeleteFunc(p.conns, func(c net.Conn) bool { return c == pair[0] || c == pair[1] })
			p.mu.Unlock()
			pair[0].Close()
			pair[1].Close()
		})
	}
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		p.cuts++
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset: what is under way is lost
		}
		c.Close()
	}
}

// Data connections that break again and again, in the middle of whatever they carry, change nothing.
func TestCutConnections(t *testing.T) {
	s := settings{Rows: rows(40_000), Splits: 4, Keys: 500}
	want := embedded(t, s)
	f := newFake(t, "tcp://127.0.0.1:0")
	proxies := f.hireBehindProxies(3, 1)
	o := f.order("j1", s, control.JobConfig{LogBytes: 64 << 10, FrameBytes: 2 << 10, Window: 32 << 10}, nil)
	f.deploy(o)
	f.begin(o)
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(7 * time.Millisecond)
		defer ticker.Stop()
		for i := range 60 {
			select {
			case <-over:
				return
			case <-ticker.C:
				proxies[i%len(proxies)].cut()
			}
		}
	}()
	ends := f.ends(o)
	close(over)
	<-stopped
	same(t, ends, want)
	broken := uint64(0)
	for _, e := range ends {
		for _, l := range e.Links {
			broken += l.Broken
		}
	}
	if broken < 3 {
		t.Errorf("connections broke %d times, which proves little", broken)
	}
	t.Logf("connections broke %d times", broken)
}

// The coordinator goes and another one comes in its place: the job does not notice, and what has ended is told again.
func TestCoordinatorRestart(t *testing.T) {
	s := settings{Rows: rows(100_000), Splits: 2, Keys: 100}
	want := embedded(t, s)
	addr := "unix://" + t.TempDir() + "/c.sock"
	f := newFake(t, addr)
	f.hire(2, 1, "tcp")
	o := f.order("j1", s, control.JobConfig{}, nil)
	f.deploy(o)
	f.begin(o)
	f.stop()
	f.epoch = 2
	f.listen(addr)
	var states []control.JobState
	f.until(2, func(m said) bool {
		r, ok := m.message.(*control.Register)
		if ok {
			states = append(states, r.Jobs...)
		}
		return ok
	})
	if len(states) != 2 || states[0].Job != "j1" || states[0].Phase == control.PhaseDeployed {
		t.Errorf("the workers tell of %+v", states)
	}
	same(t, f.ends(o), want)
}

// A drained job processes what it has read, a cancelled one says that it was.
func TestEndedEarly(t *testing.T) {
	f := newFake(t, "tcp://127.0.0.1:0")
	f.hire(2, 1, "tcp")
	for _, how := range []control.How{control.Drain, control.Cancel} {
		s := settings{Rows: 1_000_000, Splits: 2, Keys: 10}
		o := f.order("job-"+string(how), s, control.JobConfig{Pace: 1}, nil)
		f.deploy(o)
		f.begin(o)
		f.until(2, func(m said) bool { // both have something to show
			h, ok := m.message.(*control.Heartbeat)
			return ok && len(h.Jobs) > 0 && slices.ContainsFunc(h.Jobs[0].Stats.Tasks, func(t engine.TaskStats) bool { return t.TuplesOut > 0 })
		})
		for _, h := range o.Workers {
			f.send(h.Worker, &control.End{Coordinator: f.epoch, Job: o.Job, Epoch: o.Epoch, How: how})
		}
		rows := 0
		for _, e := range f.ends(o) {
			if e.Error != nil || e.Cancelled != (how == control.Cancel) {
				t.Errorf("%s: a part ended with %v, cancelled: %v", how, e.Error, e.Cancelled)
			}
			rows += len(rowsOf(t, e.Results, "out2"))
		}
		if rows == 0 || rows >= s.Rows {
			t.Errorf("%s: %d results of %d rows", how, rows, s.Rows)
		}
	}
}

// A worker that cannot be reached is told of, again and again, with how long that has been so.
func TestPeerLost(t *testing.T) {
	f := newFake(t, "tcp://127.0.0.1:0")
	proxies := f.hireBehindProxies(2, 1)
	o := f.order("j1", settings{Rows: 1_000_000, Splits: 2, Keys: 10}, control.JobConfig{Pace: 1}, nil)
	f.deploy(o)
	for _, p := range proxies {
		p.listener.Close()
	}
	f.begin(o)
	down := time.Duration(0)
	f.until(2, func(m said) bool {
		l, ok := m.message.(*control.PeerLost)
		if ok && (l.Down <= down || l.Peer == m.worker || l.Reason == "") {
			t.Errorf("after %v: %+v", down, l)
		}
		if ok {
			down = l.Down
		}
		return ok
	})
	for _, h := range o.Workers {
		f.send(h.Worker, &control.End{Coordinator: f.epoch, Job: o.Job, Epoch: o.Epoch, How: control.Abort, Reason: "the test is over"})
	}
	f.ends(o)
}
