package sim

import (
	"slices"

	"github.com/fullspate/spate/ft"
)

// reached is called when a worker comes to a step: now and then something befalls it right there. The steps in which a task
// is brought back are few, so they are hit more often.
func (c *crew) reached(m *member, s Step) error {
	often := 1
	switch {
	case s >= Built && s <= Joined:
		often = 16
	case s == Ending, s == Watching:
		often = 40
	case s == Ordered || s == Fetching:
		often = 4
	}
	if c.rand.IntN(1000) >= c.nature.hits*often {
		return nil
	}
	return c.hit(m)
}

// hit has a fault befall a worker.
func (c *crew) hit(m *member) error {
	f, s := Fault(c.rand.IntN(int(Faults))), m.where()
	rare := s == Running || s >= Installed // there deaths are worth more than what else there is
	if c.rand.IntN(3) == 0 || rare && c.rand.IntN(2) == 0 {
		f = Fault(c.rand.IntN(int(Zombie) + 1))
	}
	if m.life == dead || m.c.done() {
		return nil
	}
	befell, err := c.befall(m, f)
	if befell {
		c.report.Census[f][s]++
		c.mix(uint64(m.index), uint64(f), uint64(s))
		c.moves++
	}
	return err
}

// befall does what a fault does. It says whether there was anything for it to do.
func (c *crew) befall(m *member, f Fault) (bool, error) {
	switch f {
	case Death:
		return c.kill(append([]*member{m}, c.others(m, pick(c.rand, 0, 0, 0, 1, 2))...)...)
	case DeathOfTwo:
		h := c.holderOf(m)
		if h == nil {
			return false, nil
		}
		return c.kill(m, h)
	case Zombie:
		return c.giveUp(m)
	case Cut:
		return m.cut(), nil
	case Damage:
		return c.damage(m), nil
	case Unreachable:
		m.hidden = c.report.Steps + c.rand.IntN(2000)
	case OldOrder:
		c.tell(m.index, c.boss.orders[c.rand.IntN(len(c.boss.orders))])
		c.tell(m.index, m.order)
	case Forgetting:
		for _, a := range m.active {
			a.Bind()
		}
		c.report.Amnesias++
		return len(m.active) > 0, nil
	}
	return true, nil
}

// others are up to n other workers that live.
func (c *crew) others(m *member, n int) (list []*member) {
	for _, o := range c.running() {
		if o != m {
			list = append(list, o)
		}
	}
	c.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

// holderOf is a worker that keeps checkpoints of one of a worker's tasks, nil if there is none.
func (c *crew) holderOf(m *member) *member {
	for _, id := range c.tasksOf(m) {
		for _, h := range m.backups.Holders[id] {
			if o := c.memberOf(h); o != nil && o != m && o.life == alive {
				return o
			}
		}
	}
	return nil
}

// tasksOf are the tasks of a worker, and those that are being brought back there.
func (c *crew) tasksOf(m *member) (ids []ft.TaskID) {
	for _, p := range c.places() {
		if c.boss.order.Slots[c.boss.order.Place[p.Unit][p.Index]].Worker == m.index {
			ids = append(ids, m.dep.ID(m.dep.Units[p.Unit][p.Index]))
		}
	}
	return ids
}

// kill ends workers at once. Some time it is noticed.
func (c *crew) kill(list ...*member) (bool, error) {
	if c.report.Deaths+len(list) > c.nature.deaths {
		return false, nil
	}
	c.guard.loses(c, len(list))
	c.report.Deaths += len(list)
	for _, m := range list {
		if err := m.die(); err != nil {
			return true, err
		}
	}
	c.later(nil, func() error { c.boss.reassign(c); return nil })
	return true, nil
}

// giveUp has a worker declared dead that lives. Later it learns that.
func (c *crew) giveUp(m *member) (bool, error) {
	if m.life != alive || c.report.Deaths >= c.nature.deaths {
		return false, nil
	}
	c.guard.loses(c, 1)
	c.report.Deaths++
	c.report.Zombies++
	m.life = zombie
	c.boss.reassign(c)
	c.errands = append(c.errands, &errand{due: c.report.Steps + c.rand.IntN(3000), of: m, do: m.die})
	return true, nil
}

// cut breaks a worker's connections. Of what was under way a part arrives: as many bytes as the network had delivered.
func (m *member) cut() (any bool) {
	for _, e := range slices.Clone(m.links) {
		if e.conn != nil {
			m.c.report.Cuts++
			e.broken()
			any = true
		}
	}
	return any
}

// damage changes a bit of what one of those has who keep checkpoints of a worker's tasks.
func (c *crew) damage(m *member) bool {
	ids := c.tasksOf(m)
	if len(ids) == 0 {
		return false
	}
	id := ids[c.rand.IntN(len(ids))]
	for _, o := range c.others(nil, len(c.members)) {
		if o.safe.damage(id, c.rand.IntN) {
			c.report.Damages++
			return true
		}
	}
	return false
}
