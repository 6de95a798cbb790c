package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/worker"
	"github.com/fullspate/spate/wire"
)

// asWorker makes the test binary a worker instead, with these hired in JSON and a secret in auth.SecretEnv.
const asWorker = "SPATE_TEST_WORKER"

func TestMain(m *testing.M) {
	if text := os.Getenv(asWorker); text != "" {
		if err := beWorker([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// gnet starts goroutines of its own when it is loaded.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// hired is what a worker is told.
type hired struct {
	Coordinator, ID, Listen string
	Loops                   int
}

func (h hired) config(s auth.Secret) worker.Config {
	return worker.Config{Coordinator: h.Coordinator, ID: h.ID, Listen: h.Listen, Loops: h.Loops, Secret: s, Programs: Programs()}
}

// beWorker is a worker until its standard input ends.
func beWorker(text []byte) error {
	var h hired
	secret, _, err := auth.FromEnv()
	if err := errors.Join(err, json.Unmarshal(text, &h)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }()
	return worker.Run(ctx, h.config(secret))
}

// crew is a Runner: two workers and as much of a coordinator as they need. It runs one job after the other.
type crew struct {
	t       testing.TB
	secret  auth.Secret
	cluster string
	addr    string // for control connections
	jobs    int
	members chan *member // that have registered
	workers []*member
}

// member is a worker that has registered.
type member struct {
	*control.Register
	conn *control.Conn
	said chan control.Message // Deployed and Ended
	mu   sync.Mutex
	last engine.Stats // guarded by mu
}

// hire starts two workers of this process, or two processes, with some loops each, connected by tcp or unix.
func hire(t testing.TB, network string, loops int, processes bool) *crew {
	t.Helper()
	w := &crew{t: t, secret: auth.NewSecret(), cluster: auth.NewCluster(), members: make(chan *member, 2)}
	w.listen()
	start := w.startHere
	if processes {
		start = w.startProcess
	}
	for i := range 2 {
		h := hired{Coordinator: w.addr, ID: fmt.Sprintf("w%d", i), Loops: loops}
		if network == "unix" {
			h.Listen = "unix://" + filepath.Join(t.TempDir(), "s")
		}
		start(h)
		select {
		case m := <-w.members:
			w.workers = append(w.workers, m)
		case <-time.After(30 * time.Second):
			t.Fatal("a worker does not register")
		}
	}
	return w
}

func (w *crew) listen() {
	l, err := auth.Listen(context.Background(), "tcp://127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = auth.AddressOf(l.Addr()).String()
	var attending sync.WaitGroup
	acceptor, err := auth.Serve(l, auth.Config{
		Secret: w.secret, Hello: auth.Hello{Cluster: w.cluster},
		Policy: auth.Policy{Newcomers: true, Purposes: []wire.Purpose{wire.PurposeControl}},
		Handle: func(nc net.Conn, _ auth.Peer) { attending.Go(func() { w.attend(nc) }) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { // after the workers have ended
		if err := acceptor.Close(); err != nil {
			w.t.Error(err)
		}
		attending.Wait()
	})
}

func (w *crew) startHere(h hired) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx, h.config(w.secret)) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *crew) startProcess(h hired) {
	text, err := json.Marshal(h)
	if err != nil {
		w.t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), asWorker+"="+string(text), auth.SecretEnv+"="+w.secret.Reveal())
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), c.Wait()); err != nil {
			w.t.Error(err)
		}
	})
}

// attend listens to one worker for as long as it speaks.
func (w *crew) attend(nc net.Conn) {
	m := &member{conn: control.NewConn(nc, "worker"), said: make(chan control.Message, 10)}
	defer m.conn.Close()
	for {
		message, err := m.conn.Receive()
		if err != nil {
			return
		}
		switch message := message.(type) {
		case *control.Register:
			m.Register = message
			if err := m.conn.Send(&control.Registered{
				Worker: message.Worker, Cluster: w.cluster, Epoch: 1, Heartbeat: 20 * time.Millisecond, Report: 40 * time.Millisecond,
			}); err != nil {
				w.t.Error(err)
			}
			w.members <- m
		case *control.Heartbeat:
			for _, r := range message.Jobs {
				m.report(r.Stats)
			}
		case *control.Ended:
			m.report(message.Stats)
			m.said <- message
		default:
			m.said <- message
		}
	}
}

func (m *member) report(s engine.Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = s
}

// Start deploys a program on both workers and starts it.
func (w *crew) Start(ctx context.Context, p engine.Program, params json.RawMessage, cfg engine.Config) (engine.Running, error) {
	order, err := w.order(p, params, cfg)
	if err != nil {
		return nil, err
	}
	w.tell(order)
	for _, m := range w.workers {
		if d, ok := (<-m.said).(*control.Deployed); !ok || d.Error != nil {
			return nil, fmt.Errorf("not deployed: %+v", d)
		}
		m.report(engine.Stats{})
	}
	w.tell(&control.Start{Coordinator: 1, Job: order.Job, Epoch: 1, At: time.Now().Add(10 * time.Millisecond).UnixNano()})
	r := &running{crew: w, job: order.Job, done: make(chan struct{})}
	unhook := context.AfterFunc(ctx, r.Cancel)
	go func() {
		defer close(r.done)
		r.follow()
		if unhook(); ctx.Err() != nil && r.err == nil {
			r.err = context.Cause(ctx)
		}
	}()
	return r, nil
}

// tell says the same to both workers.
func (w *crew) tell(message control.Message) {
	for _, m := range w.workers {
		if err := m.conn.Send(message); err != nil {
			w.t.Error(err)
		}
	}
}

// order is what both workers are to deploy.
func (w *crew) order(p engine.Program, params json.RawMessage, cfg engine.Config) (*control.Deploy, error) {
	g, err := p.Build(new(engine.Env), params)
	if err != nil {
		return nil, err
	}
	w.jobs++
	o := &control.Deploy{Coordinator: 1, Job: fmt.Sprintf("j%d", w.jobs), Epoch: 1}
	var on []int
	for i, m := range w.workers {
		o.Workers = append(o.Workers, control.Host{Worker: m.Worker, Incarnation: m.Incarnation, Addr: m.Addr})
		for l := range m.Loops {
			o.Slots = append(o.Slots, control.Slot{Worker: i, Loop: l})
			on = append(on, i)
		}
	}
	o.Spec = control.JobSpec{
		Program: p.Name, Params: params, Parallelism: cfg.Parallelism, Default: len(on), Fingerprint: g.Fingerprint(), Pins: cfg.Pins,
		Config: control.JobConfig{Pace: cfg.Pace, LogBytes: cfg.LogBytes, FrameBytes: cfg.FrameBytes, Window: cfg.Window},
	}
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: len(on), Parallelism: cfg.Parallelism})
	if err != nil {
		return nil, err
	}
	for _, u := range plan.Units {
		o.Ranges = append(o.Ranges, u.Ranges)
	}
	o.Place, err = plan.Place(on, cfg.Pins)
	return o, err
}

// running is a job on both workers.
type running struct {
	*crew
	job     string
	done    chan struct{}
	err     error // valid once done, like results
	results []engine.Result
}

// follow waits for the ends of both parts. When one fails it aborts the other.
func (r *running) follow() {
	for _, m := range r.workers {
		e, ok := (<-m.said).(*control.Ended)
		if !ok {
			r.t.Error("a worker says something else than that it has ended")
			return
		}
		if r.results = append(r.results, e.Results...); e.Error != nil && r.err == nil {
			r.err = e.Error
			r.tell(&control.End{Coordinator: 1, Job: r.job, Epoch: 1, How: control.Abort})
		}
	}
	r.tell(&control.Release{Coordinator: 1, Job: r.job, Epoch: 1})
}

// Stats puts together what both workers have reported.
func (r *running) Stats() (s engine.Stats) {
	for _, m := range r.workers {
		m.mu.Lock()
		s.Elapsed = max(s.Elapsed, m.last.Elapsed)
		s.Tasks = append(s.Tasks, m.last.Tasks...)
		s.Processes = append(s.Processes, m.last.Processes...)
		s.Links.Add(m.last.Links)
		m.mu.Unlock()
	}
	return s
}

func (r *running) Done() <-chan struct{}    { return r.done }
func (r *running) Wait() error              { <-r.done; return r.err }
func (r *running) Drain()                   { r.end(control.Drain) }
func (r *running) Cancel()                  { r.end(control.Cancel) }
func (r *running) Results() []engine.Result { <-r.done; return r.results }

func (r *running) end(how control.How) {
	r.tell(&control.End{Coordinator: 1, Job: r.job, Epoch: 1, How: how})
}
