package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Run runs a graph by the schedule of a seed, to its end. An error is an operator's, a *StuckError, or says which rule was
// broken; it names the seed.
func Run(build Build, cfg Config) (rep Report, err error) {
	cfg = cfg.withDefaults()
	g := build()
	if err := g.Validate(); err != nil {
		return Report{}, err
	}
	if cfg.Pool == nil {
		cfg.Pool = slab.New(slab.Config{})
		defer func() { err = errors.Join(err, cfg.Pool.Close()) }()
	}
	s, err := newSchedule(g.Untyped(), cfg)
	if err != nil {
		return Report{}, fmt.Errorf("seed %d: %w", cfg.Seed, err)
	}
	err = safely(s.run)
	rep = s.reported()
	if lost := (*LostError)(nil); errors.As(err, &lost) {
		rep.Outcome, rep.Lost, err = Lost, lost.Error(), nil
	}
	if err == nil {
		err = safely(s.close)
	} else {
		_ = safely(s.close) // what went wrong is known; this is for the pool's sake
	}
	if err != nil {
		return rep, fmt.Errorf("seed %d (%s): after %d steps: %w", cfg.Seed, rep.Nature, rep.Steps, err)
	}
	return rep, nil
}

// schedule is a run, whatever may happen in it.
type schedule interface {
	run() error
	close() error
	reported() Report
}

// newSchedule makes the run of a scenario.
func newSchedule(g *graph.Graph, cfg Config) (s schedule, err error) {
	if cfg.Scenario == Workers {
		s, err = newCrew(g, cfg)
	} else {
		s, err = newWorld(g, cfg)
	}
	return s, err
}

func (w *world) reported() Report {
	w.report.Results = w.rec.results()
	return w.report
}

func (c *crew) reported() Report {
	c.report.Results = c.rec.results()
	return c.report
}

// safely makes an error of a panic: to whoever searches for seeds that fail, one is as good as the other.
func safely(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return fn()
}

// run takes decisions until all tasks are done.
func (w *world) run() error {
	total := 0
	for _, x := range w.nature.weights {
		total += x
	}
	patience := 4 * (len(w.nodes) + len(w.links) + 10)
	moves, fruitless := w.moves, 0
	for !w.done() {
		w.report.Steps++
		if w.report.Steps > w.cfg.StepsMax {
			return fmt.Errorf("not done after %d steps:\n%s", w.cfg.StepsMax, w.dump())
		}
		x, action := w.rand.IntN(total), 0
		for x >= w.nature.weights[action] {
			x -= w.nature.weights[action]
			action++
		}
		if err := w.act(action); err != nil {
			return err
		}
		if fruitless++; w.moves != moves {
			moves, fruitless = w.moves, 0
		}
		if fruitless > patience {
			if err := w.sweep(); err != nil {
				return err
			}
			fruitless = 0
		}
	}
	return nil
}

func (w *world) done() bool {
	if w.net != nil && !w.net.done() {
		return false
	}
	for _, n := range w.nodes {
		if !n.done || n.down {
			return false
		}
	}
	return true
}

// sweep does everything that can be done, once. Where that is nothing the run is stuck.
func (w *world) sweep() error {
	before := w.moves
	for _, n := range w.nodes {
		if n.down {
			if err := w.restore(n); err != nil {
				return err
			}
		}
		n.release()
	}
	for _, l := range w.links {
		if _, err := l.send(1 << 20); err != nil {
			return err
		}
		if l.deliver(1 << 20) {
			w.moves++
		}
	}
	if w.net != nil {
		if err := w.net.sweep(); err != nil {
			return err
		}
	}
	until := task.Never
	for _, n := range w.nodes {
		p, err := w.turn(n, 1000)
		if err != nil {
			return err
		}
		until = min(until, p.Until)
	}
	for _, n := range w.nodes {
		for n.busy() {
			if err := w.checkpoint(n); err != nil {
				return err
			}
		}
	}
	if w.moves == before && until != task.Never && until > w.now {
		w.now = until
		w.moves++
	}
	if w.moves == before && !w.done() {
		return &StuckError{Picture: w.dump()}
	}
	return nil
}

// turn runs a task and checks what must hold afterwards.
func (w *world) turn(n *node, budget int) (task.Progress, error) {
	if n.down {
		return task.Progress{Until: task.Never}, nil
	}
	w.report.Turns++
	p, err := n.t.Run(w.now, budget)
	if err != nil {
		var te *task.Error
		if errors.As(err, &te) && te.Stack != nil {
			err = fmt.Errorf("%w\n%s", err, te.Stack)
		}
		return p, err
	}
	n.idle = !p.Worked
	if p.Worked {
		w.moves++
	}
	if p.Done && !n.done {
		n.done = true
		w.moves++
	}
	pos := n.t.Position()
	if pos < n.last {
		return p, fmt.Errorf("the position of %v went back from %v to %v", n, n.last, pos)
	}
	for _, l := range n.in {
		if front := max(l.front, l.start); pos > front && l.end > front {
			return p, fmt.Errorf("%v is at %v, beyond the frontier %v of %v", n, pos, front, l)
		}
	}
	for _, f := range n.remote {
		if pos > f.Poll() {
			return p, fmt.Errorf("%v is at %v, beyond the frontier %v of a channel from another worker", n, pos, f.Poll())
		}
	}
	n.last = pos
	w.prune(n)
	w.mix(uint64(pos), uint64(budget))
	for _, e := range n.t.Logs {
		if e.Log.Frontier() > pos {
			return p, fmt.Errorf("%v is at %v, but has published %v", n, pos, e.Log.Frontier())
		}
		if err := e.Log.Err(); err != nil {
			return p, err
		}
		if !w.nature.trimOnAck && e.Log.HalfFull() {
			w.ask(w.node(e.To))
		}
	}
	return p, nil
}

// mix enters a decision in the digest.
func (w *world) mix(xs ...uint64) { w.report.mix(xs...) }

func (r *Report) mix(xs ...uint64) {
	for _, x := range xs {
		r.Digest = (r.Digest ^ x) * 0x9E3779B97F4A7C15
		r.Digest ^= r.Digest >> 29
	}
}

// Reference runs a graph in the plainest way: one task for each operator, taking turns from the sources to the sinks, with
// nothing late, small or lost.
func Reference(build Build, cfg Config) (rep Report, err error) {
	g := build()
	if err := g.Validate(); err != nil {
		return Report{}, err
	}
	if cfg.Pool == nil {
		cfg.Pool = slab.New(slab.Config{})
		defer func() { err = errors.Join(err, cfg.Pool.Close()) }()
	}
	w := &world{cfg: cfg, pool: cfg.Pool, rec: record(g.Untyped(), cfg.RealSinks)}
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: 1, Parallelism: alone(g.Untyped())})
	if err != nil {
		return Report{}, err
	}
	w.dep, err = deploy.New(plan, deploy.Config{Pool: cfg.Pool, LogBytes: 4 << 20, TrimOnAck: true})
	if err != nil {
		return Report{}, err
	}
	err = safely(w.straight)
	w.report.Results = w.rec.results()
	return w.report, errors.Join(err, safely(w.dep.Close))
}

func alone(g *graph.Graph) map[string]int {
	one := map[string]int{}
	for _, op := range g.Operators {
		one[op.ID] = 1
	}
	return one
}

// straight runs tasks in topological order, again and again.
func (w *world) straight() (err error) {
	for left, moved := 1, true; left > 0; w.now += time.Millisecond {
		if !moved {
			return errors.New("the reference run is stuck")
		}
		left, moved = 0, false
		w.dep.Tasks(func(t *deploy.Task) {
			if err != nil || t.Position() == wire.TimeMax {
				return
			}
			left++
			p, e := t.Run(w.now, 4096)
			err = e
			moved = moved || p.Worked || p.Done || p.Until != task.Never
			w.report.Turns++
		})
		if err != nil {
			return err
		}
	}
	return nil
}
