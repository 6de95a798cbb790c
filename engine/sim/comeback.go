package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// comeback is how a worker brings back tasks that it was given: what a worker does besides its loops.
type comeback struct {
	m      *member
	tasks  []rewirePlace // to be made
	made   []returned
	step   Step
	found  []offer
	asked  int  // answers to come
	silent bool // somebody did not answer
}

// returned is a task that was made and restored.
type returned struct {
	*deploy.Task
	gen  uint64
	from wire.Time
}

// offer is a checkpoint that somebody has.
type offer struct {
	of   *member
	info ft.Info
}

// follow does what an order says, if it is news.
func (m *member) follow(order *control.Deploy) error {
	if order.Epoch <= m.order.Epoch {
		return nil
	}
	before := m.order
	m.order = order
	return m.carryOn(before, order)
}

// busy says that the worker's desk is at something that orders wait for.
func (m *member) busy() bool { return m.back != nil && m.back.step >= Installed }

// carryOn changes what is different by an order.
func (m *member) carryOn(before, order *control.Deploy) error {
	m.c.mix(uint64(m.index), order.Epoch)
	changes := rewire.Compare(before, order, m.index, func(p rewirePlace) bool { return m.own[p] })
	m.lose(order.Gone)
	if _, err := rewire.Follow(m.dep, m, changes); err != nil {
		return m.c.guard.failed(m, err)
	}
	m.assignBackups()
	m.stir()
	if m.back != nil {
		if err := m.back.discard(); err != nil {
			return err
		}
	}
	m.back = &comeback{m: m, tasks: changes.Here, step: Ordered}
	m.next(m.back.ask)
	return m.c.reached(m, Ordered)
}

// next goes on bringing back tasks, some time, unless there is a newer order by then.
func (m *member) next(do func() error) {
	b := m.back
	m.c.later(m, func() error {
		if m.back != b {
			return nil
		}
		return do()
	})
}

// enter notes the next step; a fault may follow, after which there may be nothing to go on with.
func (b *comeback) enter(s Step, do func() error) error {
	b.step = s
	b.m.next(do)
	return b.m.c.reached(b.m, s)
}

// ask asks everybody who is not gone what there is of the next task.
func (b *comeback) ask() error {
	if len(b.tasks) == 0 {
		return b.enter(Built, b.install)
	}
	id := b.m.dep.ID(b.m.dep.Units[b.tasks[0].Unit][b.tasks[0].Index])
	hosts := rewire.Hosts(b.m.order)
	b.found, b.asked, b.silent = nil, len(hosts), false
	for _, h := range hosts {
		b.m.next(func() error { return b.hear(b.m.c.memberOf(h), id) })
	}
	return nil
}

// hear has one of those asked answer. Who does not know yet that the task is this worker's may still take checkpoints of who
// had it before: what he would answer might be out of date by the time it is used.
func (b *comeback) hear(of *member, id ft.TaskID) error {
	b.asked--
	switch {
	case of == nil || of.life == dead || of.hidden > b.m.c.report.Steps:
		b.silent = true
	case of.safe.admit(id, b.m.host.Incarnation) != nil:
		b.silent = true
	default:
		for _, i := range of.safe.list(id) {
			b.found = append(b.found, offer{of, i})
		}
	}
	if b.asked > 0 {
		return nil
	}
	if b.silent && mutant.Active != mutant.AskSome {
		b.m.next(b.ask)
		return nil
	}
	slices.SortStableFunc(b.found, func(x, y offer) int {
		if mutant.Active == mutant.OldestFirst {
			x, y = y, x
		}
		return cmp.Or(cmp.Compare(y.info.Position, x.info.Position), cmp.Compare(y.info.Generation, x.info.Generation))
	})
	return b.enter(Fetching, func() error { return b.fetch(id) })
}

// fetch gets the best of what there is; what is damaged is passed over.
func (b *comeback) fetch(id ft.TaskID) error {
	if len(b.found) == 0 {
		return b.make(id, nil)
	}
	o := b.found[0]
	b.found = b.found[1:]
	if o.of.life == dead {
		b.m.next(b.ask)
		return nil
	}
	c, err := o.of.safe.get(id, o.info.Generation)
	if err == nil {
		return b.make(id, c)
	}
	b.m.c.report.Passed++
	if len(b.found) == 0 {
		b.m.next(b.ask) // what is damaged is forgotten by now
		return nil
	}
	b.m.next(func() error { return b.fetch(id) })
	return nil
}

// make makes the task as the checkpoint has it, or as new.
func (b *comeback) make(id ft.TaskID, c *ft.Checkpoint) error {
	p := b.tasks[0]
	b.m.c.rec.epoch = b.m.order.Epoch
	t, err := b.m.dep.Build(p.Unit, p.Index)
	if err != nil {
		return err
	}
	r := returned{Task: t}
	b.made = append(b.made, r)
	if c != nil {
		r.gen, r.from = c.Generation, c.Position
		b.made[len(b.made)-1] = r
		if err := t.Restore(c, b.m.c.pool); err != nil {
			return fmt.Errorf("checkpoint %d of %v, which %v has fetched: %w", c.Generation, id, b.m, err)
		}
	}
	b.tasks = b.tasks[1:]
	b.m.c.report.Restores++
	if b.m.life == alive && b.m.order == b.m.c.boss.order { // else it does not know whom to ask by now, and is not heeded
		if err := b.m.c.guard.restored(b.m.c, id, r.from); err != nil {
			return err
		}
	}
	b.step = Ordered
	return b.ask()
}

// install puts the tasks in their places.
func (b *comeback) install() error {
	for _, r := range b.made {
		b.m.dep.Install(r.Task)
		b.m.own[rewirePlace{Unit: r.Unit, Index: r.Index}] = true
	}
	return b.enter(Installed, b.join)
}

// join connects them.
func (b *comeback) join() error {
	back := map[*deploy.Task]bool{}
	for _, r := range b.made {
		back[r.Task] = true
	}
	for _, r := range b.made {
		if err := rewire.Join(b.m.dep, b.m, r.Task, r.from, func(t *deploy.Task) bool { return back[t] }); err != nil {
			return b.m.c.guard.failed(b.m, err)
		}
	}
	return b.enter(Joined, b.run)
}

// run has them take their turns.
func (b *comeback) run() error {
	m := b.m
	for _, r := range b.made {
		if err := m.activate(r.Task, r.gen); err != nil {
			return err
		}
		id := m.dep.ID(r.Task)
		m.taker.Renew(func(t ft.TaskID) bool { return t == id })
		m.c.guard.told[id] = max(m.c.guard.told[id], r.from) // those who feed it have heard by now
	}
	m.back = nil
	if m.started {
		m.stir()
		return m.c.reached(m, Watching)
	}
	m.c.later(m, func() error { m.started = true; m.stir(); return nil })
	return nil
}

// discard throws away what was made and is not in its place.
func (b *comeback) discard() (err error) {
	if b.step >= Installed {
		return nil
	}
	for _, r := range b.made {
		err = errors.Join(err, r.Discard())
	}
	b.made = nil
	return err
}
