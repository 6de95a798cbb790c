package rewire

import (
	"slices"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/ft"
)

// Place names a task by its unit and its index there.
type Place struct{ Unit, Index int }

// Places are all tasks of a job, units in the plan's order: producers before consumers.
func Places(order *control.Deploy) (list []Place) {
	for u, slots := range order.Place {
		for i, slot := range slots {
			if slot != control.Nowhere {
				list = append(list, Place{u, i})
			}
		}
	}
	return list
}

// Slot is where an order has a task.
func Slot(order *control.Deploy, p Place) control.Slot {
	return order.Slots[order.Place[p.Unit][p.Index]]
}

// has says whether there is a task of that place in an order.
func has(order *control.Deploy, p Place) bool {
	return p.Unit < len(order.Place) && p.Index < len(order.Place[p.Unit]) && order.Place[p.Unit][p.Index] != control.Nowhere
}

// Mute says whether a task is one of the new ones of a reassignment, and of which.
func Mute(order *control.Deploy, p Place) (*control.Reassignment, bool) {
	for i := range order.Reassign {
		if r := &order.Reassign[i]; r.Unit == p.Unit && slices.Contains(r.New, p.Index) {
			return r, true
		}
	}
	return nil, false
}

// Namesake says whether a mute task has the range of a task that it is to take over from, whose name in all stores it bears:
// it keeps no checkpoints before it speaks.
func Namesake(order *control.Deploy, p Place) bool {
	r, mute := Mute(order, p)
	return mute && slices.ContainsFunc(r.Old, func(i int) bool { return order.Ranges[p.Unit][i] == order.Ranges[p.Unit][p.Index] })
}

// Stopped says whether a task is one of the old ones of a reassignment that have ended by now, or are to.
func Stopped(order *control.Deploy, p Place) bool {
	return slices.ContainsFunc(order.Reassign, func(r control.Reassignment) bool {
		return r.Stops && r.Unit == p.Unit && r.Phase != control.Registering && slices.Contains(r.Old, p.Index)
	})
}

// Shape is what tasks there are by an order.
func Shape(order *control.Deploy) deploy.Shape {
	s := make(deploy.Shape, len(order.Place))
	for u, slots := range order.Place {
		for i := range slots {
			p := Place{u, i}
			_, mute := Mute(order, p)
			s[u] = append(s[u], deploy.Part{Keys: order.Ranges[u][i], Gone: !has(order, p), Mute: mute})
		}
	}
	return s
}

// Hosts are the workers of an order that are not gone.
func Hosts(order *control.Deploy) (list []control.Host) {
	for i, h := range order.Workers {
		if !slices.Contains(order.Gone, i) {
			list = append(list, h)
		}
	}
	return list
}

// Changes is what an order changes for a worker that has followed another one before.
type Changes struct {
	Order *control.Deploy
	Going []Place // tasks that it has and that are to be nowhere
	Here  []Place // that are to be brought back on it, or made of those that they take over from
	moved []Place // that come back elsewhere than they were
	come  []Place // that there were not before
	spoke []Place // that were mute
	left  bool    // there were some that there are not any more
}

// shape says whether there are others than before.
func (c *Changes) shape() bool { return c.left || len(c.come) > 0 }

// Compare finds what an order changes for the worker with index self, which has the tasks that own says.
func Compare(before, after *control.Deploy, self int, own func(Place) bool) Changes {
	c := Changes{Order: after}
	for _, p := range Places(before) {
		if !has(after, p) {
			c.left = true
			if own(p) {
				c.Going = append(c.Going, p)
			}
		}
	}
	for _, p := range Places(after) {
		r, mute := Mute(after, p)
		if Slot(after, p).Worker == self && !own(p) && (!mute || r.Phase == control.Restoring) && !Stopped(after, p) {
			c.Here = append(c.Here, p)
		}
		if !has(before, p) {
			c.come = append(c.come, p)
			continue
		}
		if Slot(before, p) != Slot(after, p) {
			c.moved = append(c.moved, p)
		}
		if _, before := Mute(before, p); before && !mute {
			c.spoke = append(c.spoke, p)
		}
	}
	return c
}

// Backups is who keeps the checkpoints of whose tasks.
type Backups struct {
	Owners  map[ft.TaskID]uint64         // the incarnation that runs each task, and alone may put its checkpoints
	Readers map[ft.TaskID][]uint64       // the incarnations with tasks that are to take over from it
	Holders map[ft.TaskID][]control.Host // best first
}

// Assign decides about the backups of an order: everybody who follows the order comes to the same result. The deployment has
// the order's shape.
func Assign(d *deploy.Deployment, order *control.Deploy) Backups {
	b := Backups{Owners: map[ft.TaskID]uint64{}, Readers: map[ft.TaskID][]uint64{}, Holders: map[ft.TaskID][]control.Host{}}
	byName, names := map[string]control.Host{}, []string{}
	for _, h := range Hosts(order) {
		byName[h.Worker] = h
		names = append(names, h.Worker)
	}
	replicas := max(order.Spec.Config.Replicas, 1)
	for _, p := range Places(order) {
		host := order.Workers[Slot(order, p).Worker]
		if r, mute := Mute(order, p); mute {
			for _, i := range r.Old {
				old := d.ID(d.Units[p.Unit][i])
				b.Readers[old] = append(b.Readers[old], host.Incarnation)
			}
		}
		if Namesake(order, p) {
			continue
		}
		id := d.ID(d.Units[p.Unit][p.Index])
		b.Owners[id] = host.Incarnation
		own := host.Worker
		if mutant.Active == mutant.OwnHolder {
			own = ""
		}
		for _, name := range ft.Holders(id, own, upstream(d, order, p), names, replicas) {
			b.Holders[id] = append(b.Holders[id], byName[name])
		}
		if len(b.Holders[id]) == 0 { // there is no other: at least the logs can be trimmed
			b.Holders[id] = []control.Host{host}
		}
	}
	return b
}

// upstream are the workers of the tasks that feed a task.
func upstream(d *deploy.Deployment, order *control.Deploy, p Place) (names []string) {
	for _, c := range d.Inbound(d.Units[p.Unit][p.Index]) {
		name := order.Workers[Slot(order, Place{c.From.Unit, c.From.Index}).Worker].Worker
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Same says whether a task's checkpoints are kept by the same workers as by other backups.
func (b Backups) Same(other Backups, id ft.TaskID) bool {
	return slices.Equal(b.Holders[id], other.Holders[id])
}
