package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// crew is all that a run consists of whose workers die.
type crew struct {
	cfg     Config
	nature  crewNature
	rand    *rand.Rand
	pool    *slab.Pool
	plan    *graph.Plan
	rec     *recorder
	members []*member // by index in the orders' workers
	boss    boss
	ends    []*end
	errands []*errand
	now     time.Duration
	moves   uint64
	waits   int // sweeps in a row of which nothing came but that time went by
	guard   guard
	tasks   map[ft.TaskID]rewirePlace
	report  Report
}

// errand is something that is going to happen, some time.
type errand struct {
	due int     // not before so many steps
	of  *member // it happens only while the member lives; nil: in any case
	do  func() error
}

// The kinds of decisions.
const (
	crewTurn  = iota // a task takes a turn
	crewTake         // a worker goes on with its checkpoints
	crewRun          // an errand is run
	crewCarry        // something happens to a connection
	crewHit          // a fault hits a worker, whatever it is doing
	crewKinds
)

// crewNature is what a seed decides on at the beginning.
type crewNature struct {
	workers, replicas    int
	frameBytes, logBytes int
	window               int
	noFuse               bool
	pace                 float64
	budget, idle         int
	interval, minGap     time.Duration
	pause                time.Duration
	slices               int // more or fewer slices of a checkpoint
	slow                 int // in a hundred errands: those that take long
	lostAnswers          int // in a hundred: checkpoints whose senders do not hear of their fate
	deaths               int // that may happen
	hits                 int // in a thousand steps of a protocol: those that a fault hits
	hire                 int // in a hundred losses: those that are made good by new workers
	weights              [crewKinds]int
	parallelism          map[string]int
}

func (c Config) crewNature(r *rand.Rand, g *graph.Graph) crewNature {
	n := crewNature{
		workers: pick(r, 2, 3, 3, 4, 5), replicas: pick(r, 1, 1, 2, 2, 3),
		frameBytes: pick(r, 256, 256, 384, 512, 1024), logBytes: pick(r, 1<<10, 2<<10, 4<<10, 16<<10),
		window: pick(r, 1, 1<<10, 4<<10, 64<<10), noFuse: r.IntN(3) == 0,
		pace: float64(pick(r, 0, 0, 20, 100)), budget: pick(r, 3, 7, 20, 20), idle: pick(r, 0, 0, 10, 50),
		interval: time.Duration(pick(r, 0, 300, 1000, 3000, 10000)) * time.Microsecond,
		minGap:   time.Duration(pick(r, 10, 100, 400)) * time.Microsecond,
		pause:    time.Duration(pick(r, 1, 20, 200)) * time.Microsecond,
		slices:   pick(r, 1, 2, 4), slow: pick(r, 0, 0, 5, 30), lostAnswers: pick(r, 0, 0, 2, 20),
		deaths: pick(r, 0, 2, 4, 8, 8), hits: pick(r, 0, 10, 30, 60, 60), hire: pick(r, 0, 30, 30, 100),
		parallelism: map[string]int{},
	}
	if c.NoCrash {
		n.deaths, n.hits = 0, 0
	}
	n.weights = [crewKinds]int{crewTurn: pick(r, 40, 80, 120), crewTake: pick(r, 10, 20), crewRun: pick(r, 10, 20, 40),
		crewCarry: pick(r, 40, 80, 200), crewHit: min(n.hits, 1)}
	for _, op := range g.Operators {
		if r.IntN(8) > 0 {
			n.parallelism[op.ID] = 1 + r.IntN(min(c.ParallelismMax, 3))
		}
	}
	return n
}

// String says what there is.
func (n *crewNature) String() string {
	return fmt.Sprintf("%d workers, %d replicas, frames of %d bytes, logs of %d, windows of %d, pace %v, fusing %v, turns of %d, checkpoints every %v, %d deaths at most, parallelism %v",
		n.workers, n.replicas, n.frameBytes, n.logBytes, n.window, n.pace, !n.noFuse, n.budget, n.interval, n.deaths, n.parallelism)
}

// newCrew deploys a graph on workers.
func newCrew(g *graph.Graph, cfg Config) (c *crew, err error) {
	c = &crew{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 0x63726577)), pool: cfg.Pool, tasks: map[ft.TaskID]rewirePlace{}}
	c.guard.told = map[ft.TaskID]wire.Time{}
	c.nature = cfg.crewNature(c.rand, g)
	c.report.Seed, c.report.Nature, c.report.Workers = cfg.Seed, c.nature.String(), c.nature.workers
	c.rec = record(g, cfg.RealSinks)
	interrupt(g, func() bool { return c.chance(c.nature.idle) })
	c.plan, err = graph.NewPlan(g, graph.PlanConfig{Parallelism: c.nature.parallelism, Default: 1, NoFuse: c.nature.noFuse})
	if err != nil {
		return nil, err
	}
	order := c.boss.first(c)
	for i := range order.Workers {
		m, err := c.born(i, order)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		m.started = true
	}
	return c, nil
}

// chance is true in so many of a hundred cases.
func (c *crew) chance(percent int) bool { return percent > 0 && c.rand.IntN(100) < percent }

// later has something happen later.
func (c *crew) later(of *member, do func() error) {
	due := c.report.Steps
	if c.chance(c.nature.slow) {
		due += c.rand.IntN(2000)
	}
	c.errands = append(c.errands, &errand{due, of, do})
}

// perform runs the i-th errand.
func (c *crew) perform(i int) error {
	e := c.errands[i]
	last := len(c.errands) - 1
	c.errands[i] = c.errands[last]
	c.errands = c.errands[:last]
	c.moves++
	if e.of != nil && e.of.life == dead {
		return nil
	}
	return e.do()
}

// controlHost and rewirePlace are short for what other packages have.
type controlHost = control.Host

// memberOf is the worker that a host stands for, nil if it has not begun.
func (c *crew) memberOf(h controlHost) *member {
	for _, m := range c.members {
		if m != nil && m.host == h {
			return m
		}
	}
	return nil
}

// running are the workers that have not died, zombies included.
func (c *crew) running() (list []*member) {
	for _, m := range c.members {
		if m != nil && m.life != dead {
			list = append(list, m)
		}
	}
	return list
}

// run takes decisions until the job is done.
func (c *crew) run() error {
	total := 0
	for _, x := range c.nature.weights {
		total += x
	}
	moves, fruitless := c.moves, 0
	for !c.done() {
		if c.report.Steps++; c.report.Steps > c.cfg.StepsMax {
			return fmt.Errorf("not done after %d steps:\n%s", c.cfg.StepsMax, c.dump())
		}
		x, kind := c.rand.IntN(total), 0
		for x >= c.nature.weights[kind] {
			x -= c.nature.weights[kind]
			kind++
		}
		if err := c.act(kind); err != nil {
			return err
		}
		if fruitless++; c.moves != moves {
			moves, fruitless = c.moves, 0
		}
		if fruitless > 50+10*len(c.members) {
			if err := c.sweep(); err != nil {
				return err
			}
			fruitless = 0
		}
	}
	return c.guard.atEnd(c)
}

// act takes one decision of a kind.
func (c *crew) act(kind int) error {
	c.now += time.Duration(c.rand.IntN(20)) * time.Microsecond
	list := c.running()
	if len(list) == 0 || kind == crewRun {
		if len(c.errands) == 0 {
			return nil
		}
		i := c.rand.IntN(len(c.errands))
		if c.errands[i].due > c.report.Steps && len(list) > 0 {
			return nil
		}
		return c.perform(i)
	}
	m := list[c.rand.IntN(len(list))]
	switch kind {
	case crewTurn:
		return m.turn(1 + c.rand.IntN(c.nature.budget))
	case crewTake:
		_, err := m.take()
		return err
	case crewCarry:
		return c.carry()
	case crewHit:
		if c.rand.IntN(8) == 0 || c.recovering() {
			return c.hit(m)
		}
	}
	return nil
}

// done says that all parts of the job have come to their end, and everybody knows.
func (c *crew) done() bool {
	for i := range c.boss.order.Workers {
		if c.boss.gone(i) {
			continue
		}
		m := c.members[i]
		if m == nil || m.life == dead || !m.finished() {
			return false
		}
	}
	return true
}

// waitsMax is after how many sweeps that nothing comes of a run is stuck, though the next checkpoints would be due in a while.
const waitsMax = 100

// sweep does everything that can be done, once. Where that is nothing the run is stuck.
func (c *crew) sweep() error {
	before := c.moves
	for n := len(c.errands); n > 0 && len(c.errands) > 0; n-- {
		if err := c.perform(0); err != nil {
			return err
		}
	}
	if err := c.carryAll(); err != nil {
		return err
	}
	until := task.Never
	for _, m := range c.running() {
		u, err := m.all()
		if err != nil {
			return err
		}
		until = min(until, u)
	}
	if len(c.errands) > 0 {
		return nil
	}
	if c.moves != before {
		c.waits = 0
	} else if until != task.Never && c.waits < waitsMax {
		c.now = max(until, c.now+time.Microsecond)
		c.waits++
		c.moves++
	}
	if c.moves == before && !c.done() {
		return &StuckError{Picture: c.dump()}
	}
	return nil
}

// mix enters a decision in the digest.
func (c *crew) mix(xs ...uint64) { c.report.mix(xs...) }

// close gives everything back.
func (c *crew) close() (err error) {
	for _, m := range c.running() {
		if e := m.die(); err == nil {
			err = e
		}
	}
	return err
}
