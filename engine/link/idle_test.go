//go:build unix

package link_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/engine/loop"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// The layout of BenchmarkIdleWorkers: each of the tasks of an operator feeds each of those of the next.
const (
	idleWorkers = 10
	idleTasks   = 100 // of each of the two operators
)

// nothing is a live source's reader that never has anything.
type nothing struct{}

func (nothing) Read([]engine.Record[uint64]) (int, error) { return 0, nil }
func (nothing) Offset() engine.Offset                     { return engine.Offset{} }
func (nothing) Close() error                              { return nil }

// idlePlan is a source and a keyed operator of a number of tasks each.
func idlePlan(tb testing.TB, tasks int) *graph.Plan {
	g := engine.NewGraph("idle")
	s := engine.SourceSpec[uint64]{Live: true, Open: func(engine.Split, engine.Offset) (engine.Reader[uint64], error) { return nothing{}, nil }}
	for i := range tasks {
		s.Splits = append(s.Splits, engine.Split{Ordinal: uint16(i), Name: fmt.Sprint(i)})
	}
	up := engine.Source(g, "up", s)
	engine.Keyed(g, "down", up, func(v *uint64) uint64 { return *v }, func(*engine.Decl) engine.Handler[uint64] {
		return func(*engine.Ctx, *uint64) { tb.Error("a tuple has come from a source that has none") }
	})
	if err := g.Validate(); err != nil {
		tb.Fatal(err)
	}
	p, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: tasks})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// worker is what a worker has on one loop, without a reactor: tasks, and a link to each other worker.
type worker struct {
	dep   *deploy.Deployment
	loop  *loop.Loop
	links []*link.Link // by worker; nil for itself
	ends  []*pipe.End
	again []bool        // the link has heard something, or had more to say
	heard bool          // some link has
	until time.Duration // when the next turn is due though nothing arrives
}

// cluster is workers on one goroutine, on whose loops the tasks of a plan are spread evenly.
type cluster struct {
	tb      testing.TB
	pool    *slab.Pool
	workers []*worker
	now     time.Duration
}

func newCluster(tb testing.TB, workers, tasks int) *cluster {
	c := &cluster{tb: tb, pool: slab.New(slab.Config{})}
	for i := range workers {
		w := &worker{links: make([]*link.Link, workers), ends: make([]*pipe.End, workers), again: make([]bool, workers)}
		for j := range workers {
			if j != i {
				w.links[j] = link.New(link.Config{Pool: c.pool, Owner: "received", Peer: fmt.Sprint(j)})
			}
		}
		c.workers = append(c.workers, w)
	}
	for i := range workers {
		c.deploy(i, idlePlan(tb, tasks))
	}
	for i, w := range c.workers {
		for j := range i {
			p := pipe.New()
			w.ends[j], c.workers[j].ends[i] = p.A, p.B
			w.links[j].Attach(p.A)
			c.workers[j].links[i].Attach(p.B)
		}
	}
	return c
}

// deploy makes the tasks of one worker.
func (c *cluster) deploy(self int, plan *graph.Plan) {
	w, n := c.workers[self], len(c.workers)
	dep, err := deploy.New(plan, deploy.Config{
		Pool: c.pool, LogBytes: 1 << 20, TrimOnAck: true,
		Local: func(_, index int) bool { return index%n == self },
		Out: func(d deploy.Link, log *buffers.Log) {
			w.links[d.To.Index%n].Send(d.Channel, d.From.Number, log)
		},
		In: func(d deploy.Link, port task.Port) task.Feed {
			return w.links[d.From.Index%n].Receive(d.Channel, d.From.Number, link.ChannelSpec{Stream: port.Stream, PayloadSize: port.PayloadSize})
		},
	})
	if err != nil {
		c.tb.Fatal(err)
	}
	w.dep = dep
	var tasks []*task.Task
	dep.Tasks(func(t *deploy.Task) { tasks = append(tasks, t.Task) })
	w.loop = loop.New(tasks, loop.TurnBudget, false)
}

// step is a turn of one worker: it hears what has arrived, connection by connection, as it would from sockets that are all
// readable, then its tasks take their turns, and what there is to say is said.
func (c *cluster) step(w *worker) (worked bool) {
	for i, l := range w.links {
		if l == nil || !w.again[i] {
			continue
		}
		if err := l.Traffic(); err != nil {
			c.tb.Fatal(err)
		}
	}
	w.heard = false
	turn, err := w.loop.Step(c.now, func() time.Duration { return c.now })
	if err != nil {
		c.tb.Fatal(err)
	}
	worked, w.until = turn.Worked, turn.Until
	for i, l := range w.links {
		if l == nil || !turn.Worked && !w.again[i] {
			continue
		}
		var moved bool
		if moved, w.again[i], err = l.Flush(); err != nil {
			c.tb.Fatal(err)
		}
		worked = worked || moved
		if w.ends[i].Deliver(w.ends[i].Flight()) > 0 {
			c.hear(i, w)
		}
	}
	return worked
}

// hear tells a worker that something of another's has arrived.
func (c *cluster) hear(at int, from *worker) {
	w := c.workers[at]
	w.heard = true
	w.again[slices.Index(c.workers, from)] = true
}

// round lets a millisecond pass, until nothing moves any more. Who has nothing to do sleeps.
func (c *cluster) round() {
	c.now += time.Millisecond
	for moved := true; moved; {
		moved = false
		for _, w := range c.workers {
			for w.heard || c.now >= w.until {
				if !c.step(w) {
					break
				}
				moved = true
			}
		}
	}
}

// frontier is the time below which everything has arrived, everywhere.
func (c *cluster) frontier() wire.Time {
	front := wire.TimeMax
	for _, w := range c.workers {
		w.dep.Tasks(func(t *deploy.Task) { front = min(front, t.Position()) })
	}
	return front
}

func (c *cluster) sent() (bytes, messages uint64) {
	for _, w := range c.workers {
		for _, l := range w.links {
			if l != nil {
				bytes, messages = bytes+l.Stats().BytesOut, messages+l.Stats().MessagesOut
			}
		}
	}
	return bytes, messages
}

func (c *cluster) close() {
	for _, w := range c.workers {
		for _, l := range w.links {
			if l != nil {
				l.Close()
			}
		}
		if err := w.dep.Close(); err != nil {
			c.tb.Error(err)
		}
	}
	if err := c.pool.Close(); err != nil {
		c.tb.Error(err)
	}
}

// Whatever the number of tasks, one message goes each way between two workers when nothing but the frontiers of idle sources
// has moved, and the frontiers get everywhere by it.
func TestIdleWorkersSayOneThingEach(t *testing.T) {
	const workers, tasks = 3, 12
	c := newCluster(t, workers, tasks)
	for range 3 {
		c.round()
	}
	_, before := c.sent()
	const rounds = 10
	for range rounds {
		c.round()
	}
	_, after := c.sent()
	if got, want := after-before, uint64(rounds*workers*(workers-1)); got != want {
		t.Errorf("%d messages in %d rounds, want %d", got, rounds, want)
	}
	if got, want := c.frontier(), wire.TimerTime(uint64(c.now/time.Millisecond)); got < want {
		t.Errorf("after %v the frontier is %v, want %v", c.now, got, want)
	}
	c.close()
}

// BenchmarkIdleWorkers is a millisecond of 10 workers on which nothing happens: 100 idle sources feed 100 tasks, and advance
// all their frontiers. A pair of workers has 2 × 10 × 10 channels. What system calls cost is not in it.
func BenchmarkIdleWorkers(b *testing.B) {
	c := newCluster(b, idleWorkers, idleTasks)
	for range 3 {
		c.round()
	}
	before, _ := c.sent()
	began := processor(b)
	for b.Loop() {
		c.round()
	}
	took := processor(b) - began
	after, _ := c.sent()
	const pairs = idleWorkers * (idleWorkers - 1) / 2
	b.ReportMetric(100*float64(took)/float64(b.N)/pairs/float64(time.Millisecond), "%core/pair")
	b.ReportMetric(float64(after-before)/float64(b.N)/pairs, "B/pair")
	c.close()
}

// processor is the processor time that the process has used.
func processor(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
