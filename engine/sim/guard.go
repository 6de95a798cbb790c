package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// guard knows what must not be lost. It is told what tasks were told, and looks into every safe, as nobody in the job can.
type guard struct {
	told   map[ft.TaskID]wire.Time // what is below may be trimmed by those who feed the task
	behind map[ft.TaskID]wire.Time // tasks that came back from below that
	lost   int                     // workers, since all was safe
	cover  int                     // as many could be lost then
}

// LostError says that a job cannot go on, since what a task needs is not there any more, at none of those who kept it.
type LostError struct {
	Tasks []string // that came back from further back than those who feed them reach, or from the beginning
	Why   error
}

// Error says which tasks, and who could not serve them.
func (e *LostError) Error() string {
	return fmt.Sprintf("lost: the checkpoints of %v: %v", e.Tasks, e.Why)
}

// Unwrap returns Why.
func (e *LostError) Unwrap() error { return e.Why }

// durable notes what the tasks of a worker have been told. As many others as there should be must have it.
func (g *guard) durable(m *member) error {
	for _, a := range m.active {
		at := a.DurableAt()
		if at <= g.told[a.id] {
			continue
		}
		g.told[a.id] = at
		if n := m.c.keepers(m, a.id, at, m.backups.Holders[a.id]); n > 0 && m.c.report.Damages == 0 && m.life == alive && m.order == m.c.boss.order {
			return fmt.Errorf("%v at %v was told that it is durable at %v, but %d of those who keep its checkpoints have not got that: %v",
				a.id, m, at, n, m.backups.Holders[a.id])
		}
	}
	return nil
}

// keepers counts the holders who live and have not got a checkpoint of a task at or beyond a position.
func (c *crew) keepers(_ *member, id ft.TaskID, at wire.Time, holders []controlHost) (without int) {
	for _, h := range holders {
		if o := c.memberOf(h); o != nil && o.life != dead && o.safe.intact(id) < at {
			without++
		}
	}
	return without
}

// loses notes that workers are about to be lost.
func (g *guard) loses(c *crew, n int) {
	if n, whole := g.whole(c); whole {
		g.lost, g.cover = 0, n
	}
	g.lost += n
}

// whole says whether every task is where it should be, and everything that it was told is kept by as many others as there
// should be, and how many these are.
func (g *guard) whole(c *crew) (cover int, whole bool) {
	if c.recovering() {
		return 0, false
	}
	var left []*member
	for _, m := range c.running() {
		if m.life == alive {
			left = append(left, m)
		}
	}
	cover = min(c.nature.replicas, len(left)-1)
	for _, p := range c.places() {
		m := c.members[rewire.Slot(c.boss.order, p).Worker]
		if m.life != alive {
			return 0, false
		}
		id, n := m.dep.ID(m.dep.Units[p.Unit][p.Index]), 0
		for _, o := range left {
			if o != m && (g.told[id] == 0 || o.safe.intact(id) >= g.told[id]) {
				n++
			}
		}
		if n < cover {
			return 0, false
		}
	}
	return cover, true
}

// places are all tasks.
func (c *crew) places() []rewirePlace { return rewire.Places(c.boss.order) }

// restored notes from where a task comes back. That may be further back than what it was told is durable only where there is
// nothing better, and where this is no wonder.
func (g *guard) restored(c *crew, id ft.TaskID, from wire.Time) error {
	delete(g.behind, id)
	if from >= g.told[id] {
		return nil
	}
	if g.behind == nil {
		g.behind = map[ft.TaskID]wire.Time{}
	}
	g.behind[id] = from
	for _, m := range c.running() {
		if m.life == alive && m.safe.intact(id) >= g.told[id] {
			return fmt.Errorf("%v came back at %v, but was told that it is durable at %v, and %v has that", id, from, g.told[id], m)
		}
	}
	if g.lost <= g.cover && c.report.Damages == 0 {
		return fmt.Errorf("%v came back at %v, but was told that it is durable at %v: since all was safe %d workers were lost, and %d may be",
			id, from, g.told[id], g.lost, g.cover)
	}
	return nil
}

// failed judges what a worker's part of the job has failed with. A zombie's failures are nobody's business.
func (g *guard) failed(m *member, err error) error {
	if m.life != alive {
		return nil
	}
	if trimmed := (*buffers.TrimmedError)(nil); errors.As(err, &trimmed) && len(g.behind) > 0 {
		var ids []string
		for _, id := range slices.SortedFunc(maps.Keys(g.behind), byTask) {
			ids = append(ids, id.String())
		}
		return &LostError{ids, err}
	}
	return fmt.Errorf("%v: %w", m, err)
}

func byTask(a, b ft.TaskID) int {
	if a.Operator != b.Operator {
		return map[bool]int{true: -1, false: 1}[a.Operator < b.Operator]
	}
	return map[bool]int{true: -1, false: 1}[a.Range.First < b.Range.First]
}

// atEnd sees whether the ends of all tasks are kept as they should be.
func (g *guard) atEnd(c *crew) error {
	if _, whole := g.whole(c); !whole && c.report.Damages == 0 {
		return fmt.Errorf("the job has come to its end, but not everything that is durable is kept by %d others:\n%s", c.nature.replicas, c.dump())
	}
	return nil
}
