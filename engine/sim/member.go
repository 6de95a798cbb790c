package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	wirelink "github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

type rewirePlace = rewire.Place

// life is what has become of a worker.
type life uint8

const (
	alive  life = iota
	zombie      // it is given up for lost, and does not know
	dead
)

// member is a worker's part of the job: what is made of real code is a deployment of its own, links, and a taker.
type member struct {
	c       *crew
	index   int
	host    control.Host
	life    life
	order   *control.Deploy // the newest that it has followed
	dep     *deploy.Deployment
	taker   *checkpoint.Taker
	safe    *safe
	backups rewire.Backups
	links   []*end // to others
	lost    []*end // to those who are gone, until what they brought is consumed
	own     map[rewirePlace]bool
	active  []*active
	started bool
	back    *comeback // tasks that are being brought back; nil for none

	step     Step     // of a checkpoint
	encoding []func() // not run yet
	hidden   int      // nobody reaches its safe before this step
}

// active is a task that takes turns.
type active struct {
	*deploy.Task
	id         ft.TaskID
	last       wire.Time
	done, idle bool
}

// born makes a worker's part of the job by the first order that it hears.
func (c *crew) born(i int, order *control.Deploy) (*member, error) {
	m := &member{c: c, index: i, host: order.Workers[i], order: order, safe: newSafe(), own: map[rewirePlace]bool{}}
	for len(c.members) <= i {
		c.members = append(c.members, nil)
	}
	c.members[i] = m
	for _, p := range rewire.Places(order) {
		c.tasks[ft.TaskID{Operator: c.plan.Units[p.Unit].Host().ID, Range: order.Ranges[p.Unit][p.Index]}] = p
		m.own[p] = !order.Recovers && rewire.Slot(order, p).Worker == i
	}
	var err error
	m.dep, err = deploy.New(c.plan, deploy.Config{
		Pool: c.pool, Clock: task.Clock{Pace: c.nature.pace}, LogBytes: int64(c.nature.logBytes), FrameBytes: c.nature.frameBytes,
		Shape: rewire.Shape(order), Local: func(unit, index int) bool { return m.own[rewirePlace{Unit: unit, Index: index}] },
		Out: func(l deploy.Link, log *buffers.Log) { m.Link(l.From, l.To).Send(l.Channel, l.From.Number, log) },
		In: func(l deploy.Link, port task.Port) task.Feed {
			return m.Link(l.To, l.From).Receive(l.Channel, l.From.Number, wirelink.ChannelSpec{Stream: port.Stream, PayloadSize: port.PayloadSize})
		},
	})
	if err != nil {
		m.life = dead
		return m, err
	}
	if m.taker, err = checkpoint.New(m.takerConfig()); err != nil {
		return m, err
	}
	m.backups = rewire.Assign(m.dep, order)
	m.safe.owners = m.backups.Owners
	m.dep.Tasks(func(t *deploy.Task) {
		if err == nil {
			err = m.activate(t, 0)
		}
	})
	if err != nil || !order.Recovers {
		return m, err
	}
	return m, m.carryOn(order, order)
}

// takerConfig has the schedule finish what the taker begins.
func (m *member) takerConfig() checkpoint.Config {
	n, ticks := &m.c.nature, time.Time{}
	return checkpoint.Config{
		Schedule: ft.ScheduleConfig{Interval: n.interval, MinGap: n.minGap},
		Slice:    time.Duration(4/n.slices) * time.Second, Pause: n.pause, Backlog: -1,
		Keep: m.keep,
		Go: func(fn func()) {
			m.reach(Encoding)
			m.encoding = append(m.encoding, fn)
			m.c.later(m, m.encode)
		},
		Clock: func() time.Time {
			if m.step == Running {
				m.step = Copying
			}
			ticks = ticks.Add(time.Second)
			return ticks
		},
	}
}

// encode does what the taker has left to another goroutine.
func (m *member) encode() error {
	fn := m.encoding[0]
	m.encoding = m.encoding[1:]
	fn()
	return nil
}

// activate has a task take its turns.
func (m *member) activate(t *deploy.Task, gen uint64) error {
	m.active = append(m.active, &active{Task: t, id: m.dep.ID(t), last: t.Position()})
	return m.taker.Add(t.Task, m.dep.Member(t), gen)
}

// Here implements rewire.Site.
func (m *member) Here(t *deploy.Task) bool { return m.workerOf(t) == m.index }

// On implements rewire.Site: nothing is ever in a turn.
func (m *member) On(_ *deploy.Task, fn func()) { fn() }

// Link implements rewire.Site.
func (m *member) Link(_, far *deploy.Task) *wirelink.Link { return m.to(m.workerOf(far)).link }

// Withdraw implements rewire.Site.
func (m *member) Withdraw(_ *deploy.Task, channel uint32) {
	for _, e := range m.links {
		e.link.Withdraw(channel)
	}
}

// workerOf is the worker that a task is on by the newest order.
func (m *member) workerOf(t *deploy.Task) int {
	return rewire.Slot(m.order, rewirePlace{Unit: t.Unit, Index: t.Index}).Worker
}

// turn gives a task of the worker a turn.
func (m *member) turn(budget int) error {
	if !m.started || len(m.active) == 0 {
		return nil
	}
	a := m.active[m.c.rand.IntN(len(m.active))]
	for i := 0; i < tries && (a.idle || a.done); i++ {
		a = m.active[m.c.rand.IntN(len(m.active))]
	}
	p, err := m.run(a, budget)
	if c := m.c; err == nil && !p.Worked && p.Until > c.now && p.Until != task.Never && c.rand.IntN(4) == 0 {
		c.now = p.Until + time.Duration(c.rand.IntN(5000))*time.Microsecond // else one would wait for long
	}
	return err
}

// run gives a task a turn, and checks what must hold afterwards. One at its end needs none, as in a loop.
func (m *member) run(a *active, budget int) (task.Progress, error) {
	if a.done {
		return task.Progress{Until: task.Never}, nil
	}
	m.c.report.Turns++
	p, err := a.Run(m.c.now, budget)
	if err != nil {
		if te := (*task.Error)(nil); errors.As(err, &te) && te.Stack != nil {
			err = fmt.Errorf("%w\n%s", err, te.Stack)
		}
		return p, err
	}
	a.idle = !p.Worked
	if p.Worked || p.Done && !a.done {
		m.stir()
	}
	a.done = a.done || p.Done
	pos := a.Position()
	if pos < a.last {
		return p, fmt.Errorf("the position of %v at %v went back from %v to %v", a.id, m, a.last, pos)
	}
	a.last = pos
	m.c.mix(uint64(m.index), uint64(pos), uint64(budget))
	for _, e := range a.Logs {
		if e.Log.Frontier() > pos {
			return p, fmt.Errorf("%v is at %v, but has published %v", a.id, pos, e.Log.Frontier())
		}
		if err := e.Log.Err(); err != nil {
			return p, err
		}
	}
	m.forgetLost()
	if m.idle() && m.where() == Ending {
		return p, m.c.reached(m, Ending)
	}
	return p, nil
}

// stir notes that something has moved at the worker, of which its tasks may have to hear.
func (m *member) stir() {
	m.c.moves++
	for _, a := range m.active {
		a.idle = false
	}
}

// idle says that the worker's tasks are all at their end.
func (m *member) idle() bool {
	return m.started && !slices.ContainsFunc(m.active, func(a *active) bool { return !a.done })
}

// take goes on with checkpoints. It returns until when there is nothing to do.
func (m *member) take() (until time.Duration, err error) {
	if !m.started || m.taker == nil {
		return task.Never, nil
	}
	before := m.step
	if m.step == Kept {
		m.step = Running
	}
	worked, until, err := m.taker.Step(m.c.now)
	if err != nil {
		return until, err
	}
	if worked {
		m.stir()
		m.c.report.Checkpoints++
		if err := m.c.guard.durable(m); err != nil {
			return until, err
		}
	}
	if m.step == Copying && before != Copying {
		return until, m.c.reached(m, Copying)
	}
	return until, nil
}

// reach notes the next step of a checkpoint; a fault may follow.
func (m *member) reach(s Step) {
	m.step = s
	m.c.later(m, func() error {
		if m.step == s {
			return m.c.reached(m, s)
		}
		return nil
	})
}

// all does everything that can be done at a worker, once.
func (m *member) all() (until time.Duration, err error) {
	m.hidden = 0
	until, err = m.take()
	for i := 0; i < len(m.active) && err == nil && m.started && m.life != dead; i++ {
		var p task.Progress
		p, err = m.run(m.active[i], 1000)
		until = min(until, p.Until)
	}
	return until, err
}

// where is the step that the worker is in the middle of.
func (m *member) where() Step {
	switch {
	case m.back != nil:
		return m.back.step
	case m.step != Running:
		return m.step
	case m.c.recovering():
		return Watching
	case m.idle():
		return Ending
	}
	return Running
}

// recovering says that somebody has not followed the newest order in all.
func (c *crew) recovering() bool {
	for i := range c.boss.order.Workers {
		if m := c.members[i]; c.boss.gone(i) {
			continue
		} else if m == nil || m.life != dead && (m.back != nil || m.order != c.boss.order) {
			return true
		}
	}
	return false
}

// finished says that the worker's part has come to its end, by the newest order.
func (m *member) finished() bool {
	if m.life != alive || m.order != m.c.boss.order || m.back != nil || !m.idle() || !m.taker.Done() {
		return false
	}
	return !slices.ContainsFunc(m.links, func(e *end) bool { return !e.link.Done() })
}

// die ends a worker. What it has sent may still arrive.
func (m *member) die() error {
	m.life = dead
	if m.taker != nil {
		m.taker.Stop()
	}
	for _, fn := range m.encoding { // which gives back what is copied
		fn()
	}
	var errs []error
	if m.back != nil {
		errs = append(errs, m.back.discard())
		m.back = nil
	}
	errs = append(errs, m.dep.Close())
	for _, e := range slices.Concat(m.links, m.lost) {
		e.link.Close()
	}
	return errors.Join(errs...)
}

// String names the worker.
func (m *member) String() string { return m.host.Worker }
