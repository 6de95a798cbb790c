package sim

import (
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/control"
)

// boss is what takes the coordinator's place: it knows who is dead, and says who is to have the tasks. (The real one has a
// simulation of its own.)
type boss struct {
	order  *control.Deploy
	orders []*control.Deploy // all that there were
}

func hostOf(i int) control.Host {
	return control.Host{Worker: fmt.Sprintf("w%d", i), Incarnation: uint64(1000 + i), Addr: fmt.Sprintf("w%d:1", i)}
}

// first makes the order by which the job begins. Each worker has one loop, so that its slot has its own index.
func (b *boss) first(c *crew) *control.Deploy {
	o := &control.Deploy{Job: "job", Epoch: 1}
	o.Spec.Config.Replicas = c.nature.replicas
	for range c.nature.workers {
		hire(o)
	}
	for _, u := range c.plan.Units {
		slots := make([]int, u.Tasks)
		for i := range slots {
			slots[i] = c.rand.IntN(c.nature.workers)
		}
		o.Place, o.Ranges = append(o.Place, slots), append(o.Ranges, u.Ranges)
	}
	b.give(o)
	return o
}

// hire adds a worker to an order, and returns its index.
func hire(o *control.Deploy) int {
	i := len(o.Workers)
	o.Workers = append(slices.Clip(o.Workers), hostOf(i))
	o.Slots = append(slices.Clip(o.Slots), control.Slot{Worker: i})
	return i
}

func (b *boss) give(o *control.Deploy) {
	b.order = o
	b.orders = append(b.orders, o)
}

// gone says whether a worker is given up.
func (b *boss) gone(i int) bool { return slices.Contains(b.order.Gone, i) }

// reassign gives the tasks of workers that were lost to others, and has everybody told.
func (b *boss) reassign(c *crew) {
	o := *b.order
	o.Epoch++
	o.Recovers, o.Gone = true, nil
	var left []int
	for i := range o.Workers {
		if m := c.members[i]; m != nil && m.life != alive {
			o.Gone = append(o.Gone, i)
		} else {
			left = append(left, i)
		}
	}
	if len(o.Gone) == len(b.order.Gone) {
		return // what was lost is reassigned
	}
	heirs := left
	if len(left) == 0 || c.chance(c.nature.hire) {
		fresh := hire(&o)
		left = append(left, fresh)
		heirs = pick2(c, []int{fresh}, left)
		c.members = append(c.members, nil)
	}
	o.Place = make([][]int, len(b.order.Place))
	for u, slots := range b.order.Place {
		o.Place[u] = slices.Clone(slots)
		for i, s := range slots {
			if slices.Contains(o.Gone, s) {
				o.Place[u][i] = heirs[c.rand.IntN(len(heirs))]
			}
		}
	}
	b.give(&o)
	c.mix(o.Epoch, uint64(len(o.Workers)))
	for _, i := range left {
		c.tell(i, &o)
	}
}

func pick2[T any](c *crew, a, b T) T {
	if c.rand.IntN(2) == 0 {
		return a
	}
	return b
}

// tell has a worker told an order, some time.
func (c *crew) tell(i int, o *control.Deploy) {
	var hear func() error
	hear = func() error {
		m := c.members[i]
		switch {
		case m == nil:
			_, err := c.born(i, o)
			return err
		case m.life == dead:
			return nil
		case m.busy():
			c.errands = append(c.errands, &errand{do: hear})
			return nil
		}
		return m.follow(o)
	}
	c.later(nil, hear)
}
