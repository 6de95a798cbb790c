package rewire

import (
	"slices"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/ft"
)

// Place names a task by its place in the plan.
type Place struct{ Unit, Index int }

// Places are all tasks of a job, in the plan's order: producers before consumers.
func Places(order *control.Deploy) (list []Place) {
	for u, slots := range order.Place {
		for i := range slots {
			list = append(list, Place{u, i})
		}
	}
	return list
}

// Slot is where an order has a task.
func Slot(order *control.Deploy, p Place) control.Slot {
	return order.Slots[order.Place[p.Unit][p.Index]]
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

// Changes is what an order changes for the worker with index self, which has followed the order before and has the tasks that
// own says: moved are tasks whose place is another than before, here those that are to be brought back on this worker.
func Changes(before, after *control.Deploy, self int, own func(Place) bool) (moved, here []Place) {
	for _, p := range Places(after) {
		slot := Slot(after, p)
		switch {
		case slot.Worker == self && !own(p):
			here = append(here, p)
		case Slot(before, p) != slot:
			moved = append(moved, p)
		}
	}
	return moved, here
}

// Follow leads channels as Changes says.
func Follow(d *deploy.Deployment, s Site, moved, here []Place) error {
	for _, p := range moved {
		if err := Lead(d, s, d.Units[p.Unit][p.Index]); err != nil {
			return err
		}
	}
	for _, p := range here {
		Expect(d, s, d.Units[p.Unit][p.Index])
	}
	return nil
}

// Backups is who keeps the checkpoints of whose tasks.
type Backups struct {
	Owners  map[ft.TaskID]uint64         // the incarnation that runs each task, and alone may put its checkpoints
	Holders map[ft.TaskID][]control.Host // best first
}

// Assign decides about the backups of an order: everybody who follows the order comes to the same result.
func Assign(d *deploy.Deployment, order *control.Deploy) Backups {
	b := Backups{Owners: map[ft.TaskID]uint64{}, Holders: map[ft.TaskID][]control.Host{}}
	byName, names := map[string]control.Host{}, []string{}
	for _, h := range Hosts(order) {
		byName[h.Worker] = h
		names = append(names, h.Worker)
	}
	replicas := max(order.Spec.Config.Replicas, 1)
	for _, p := range Places(order) {
		id, host := d.ID(d.Units[p.Unit][p.Index]), order.Workers[Slot(order, p).Worker]
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
