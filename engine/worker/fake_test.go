package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// fake is a coordinator that does what a test tells it.
type fake struct {
	t        *testing.T
	secret   auth.Secret
	cluster  string
	addr     string
	acceptor *auth.Acceptor
	from     chan said
	over     chan struct{} // closed when the test is

	mu      sync.Mutex
	workers map[string]*member // guarded by mu
	epoch   uint64
}

// member is a worker that has registered.
type member struct {
	register *control.Register
	conn     *control.Conn
}

// said is what a worker has said.
type said struct {
	worker  string
	message control.Message
}

func newFake(t *testing.T, addr string) *fake {
	t.Helper()
	f := &fake{t: t, secret: auth.NewSecret(), cluster: auth.NewCluster(), from: make(chan said, 1000), over: make(chan struct{}), workers: map[string]*member{}, epoch: 1}
	f.listen(addr)
	t.Cleanup(func() { close(f.over); f.stop() })
	return f
}

func (f *fake) listen(addr string) {
	f.t.Helper()
	l, err := auth.Listen(context.Background(), addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = auth.AddressOf(l.Addr()).String()
	f.acceptor, err = auth.Serve(l, auth.Config{
		Secret: f.secret, Hello: auth.Hello{Cluster: f.cluster}, Policy: auth.Policy{Newcomers: true, Purposes: []wire.Purpose{wire.PurposeControl}},
		Handle: func(nc net.Conn, peer auth.Peer) { go f.attend(nc) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// attend speaks with one worker.
func (f *fake) attend(nc net.Conn) {
	c := control.NewConn(nc, "worker")
	defer c.Close()
	m, err := c.Receive()
	if err != nil {
		return
	}
	r := m.(*control.Register)
	f.mu.Lock()
	id := r.Worker
	if id == "" {
		id = fmt.Sprintf("w%d", len(f.workers)+1)
	}
	r.Worker = id
	f.workers[id] = &member{r, c}
	epoch := f.epoch
	f.mu.Unlock()
	if c.Send(&control.Registered{Worker: id, Cluster: f.cluster, Epoch: epoch, Heartbeat: 20 * time.Millisecond, Report: 200 * time.Millisecond}) != nil {
		return
	}
	for err == nil {
		f.tell(said{id, m})
		m, err = c.Receive()
	}
}

// tell hands on what a worker has said, until the test is over. Heartbeats that nobody waits for are dropped.
func (f *fake) tell(m said) {
	if _, ok := m.message.(*control.Heartbeat); ok && len(f.from) > cap(f.from)/2 {
		return
	}
	select {
	case f.from <- m:
	case <-f.over:
	}
}

// stop ends the coordinator; workers live on.
func (f *fake) stop() {
	f.acceptor.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.workers {
		m.conn.Close()
	}
}

// until waits for a message that ok accepts, of every worker in turn, and returns the last.
func (f *fake) until(n int, ok func(said) bool) (last said) {
	f.t.Helper()
	timeout := time.After(time.Minute)
	for n > 0 {
		select {
		case m := <-f.from:
			if ok(m) {
				n--
				last = m
			}
		case <-timeout:
			f.t.Fatal("the workers are silent")
		}
	}
	return last
}

// of accepts messages of one type.
func of[M control.Message](m said) bool {
	_, ok := m.message.(M)
	return ok
}

func (f *fake) send(worker string, m control.Message) {
	f.t.Helper()
	f.mu.Lock()
	c := f.workers[worker].conn
	f.mu.Unlock()
	if err := c.Send(m); err != nil {
		f.t.Error(err)
	}
}

// hosts are the workers that have registered, by number.
func (f *fake) hosts() (hosts []control.Host, slots []control.Slot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range len(f.workers) {
		r := f.workers[fmt.Sprintf("w%d", i+1)].register
		hosts = append(hosts, control.Host{Worker: r.Worker, Incarnation: r.Incarnation, Addr: r.Addr})
		for l := range r.Loops {
			slots = append(slots, control.Slot{Worker: i, Loop: l})
		}
	}
	return hosts, slots
}

// order is a Deploy of the counting program over all workers.
func (f *fake) order(job string, s settings, cfg control.JobConfig, parallelism map[string]int) *control.Deploy {
	f.t.Helper()
	params, err := json.Marshal(s)
	if err != nil {
		f.t.Fatal(err)
	}
	g, err := counting.Build(new(engine.Env), params)
	if err != nil {
		f.t.Fatal(err)
	}
	hosts, slots := f.hosts()
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: len(slots), Parallelism: parallelism, NoFuse: cfg.NoFuse})
	if err != nil {
		f.t.Fatal(err)
	}
	var on []int
	for _, s := range slots {
		on = append(on, s.Worker)
	}
	place, err := plan.Place(on, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	var ranges [][]partition.Range
	for _, u := range plan.Units {
		ranges = append(ranges, u.Ranges)
	}
	return &control.Deploy{
		Coordinator: f.epoch, Job: job, Epoch: 1, Workers: hosts, Slots: slots, Place: place, Ranges: ranges,
		Spec: control.JobSpec{Program: "counting", Params: params, Parallelism: parallelism, Default: len(slots), Fingerprint: g.Fingerprint(), Config: cfg},
	}
}

// run deploys and starts a job and waits for its ends.
func (f *fake) run(o *control.Deploy) []*control.Ended {
	f.t.Helper()
	f.deploy(o)
	f.begin(o)
	return f.ends(o)
}

func (f *fake) deploy(o *control.Deploy) {
	f.t.Helper()
	for _, h := range o.Workers {
		f.send(h.Worker, o)
	}
	for range o.Workers {
		if m := f.until(1, of[*control.Deployed]); m.message.(*control.Deployed).Error != nil {
			f.t.Fatal(m.message.(*control.Deployed).Error)
		}
	}
}

func (f *fake) begin(o *control.Deploy) {
	at := time.Now().Add(5 * time.Millisecond).UnixNano()
	for _, h := range o.Workers {
		f.send(h.Worker, &control.Start{Coordinator: f.epoch, Job: o.Job, Epoch: o.Epoch, At: at})
	}
}

func (f *fake) ends(o *control.Deploy) (list []*control.Ended) {
	f.t.Helper()
	seen := map[string]bool{}
	f.until(len(o.Workers), func(m said) bool {
		e, ok := m.message.(*control.Ended)
		if !ok || e.Job != o.Job || seen[m.worker] {
			return false
		}
		seen[m.worker] = true
		list = append(list, e)
		return true
	})
	for _, h := range o.Workers {
		f.send(h.Worker, &control.Release{Coordinator: f.epoch, Job: o.Job, Epoch: o.Epoch})
	}
	return list
}

// hire starts n workers and waits until they have registered.
func (f *fake) hire(n, loops int, network string) {
	f.t.Helper()
	for i := range n {
		cfg := Config{Loops: loops}
		if network == "unix" {
			cfg.Listen = "unix://" + filepath.Join(f.t.TempDir(), fmt.Sprintf("%d.sock", i))
		}
		f.start(cfg)
	}
	f.until(n, of[*control.Register])
}

// hireBehindProxies is hire with a proxy before each worker.
func (f *fake) hireBehindProxies(n, loops int) (list []*proxy) {
	f.t.Helper()
	for i := range n {
		path := filepath.Join(f.t.TempDir(), fmt.Sprintf("%d.sock", i))
		p := newProxy(f.t, "unix", path)
		list = append(list, p)
		f.start(Config{Loops: loops, Listen: "unix://" + path, Advertise: p.addr()})
	}
	f.until(n, of[*control.Register])
	return list
}

// start starts a worker that ends with the test, or when the function that it returns is called.
func (f *fake) start(cfg Config) (end func()) {
	cfg.Coordinator, cfg.Secret, cfg.Programs = f.addr, f.secret, []engine.Program{counting}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(testWriter{f.t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := Run(ctx, cfg); err != nil {
			f.t.Error(err)
		}
	}()
	end = func() { cancel(); <-ended }
	f.t.Cleanup(end)
	return end
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { w.t.Log(string(b)); return len(b), nil }
