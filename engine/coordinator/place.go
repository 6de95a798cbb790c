package coordinator

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/control"
)

// relocate drafts an order by which every task that is on a lost worker is elsewhere, so that all have about as many. Workers
// that have had no part in the job come into it for those that it has lost, so that it has as many as it was submitted with;
// whoever has the fewest tasks is given the next. New tasks of a reassignment are not brought back: it is given up. It returns
// nil if there is nobody.
func (m *Machine) relocate(j *job) *draft {
	r := m.draft(j)
	r.withdraw()
	if !r.bereft() {
		return r
	}
	r.survivors()
	for _, w := range m.spares(j) {
		if len(r.hosts) < max(j.deploy.Spec.Workers, 1) {
			r.add(w)
		}
	}
	if len(r.hosts) == 0 {
		return nil
	}
	r.count(0, nil)
	r.move()
	return r
}

// lost is the lost worker that a task is on, if it is on one.
func (r *draft) lost(slot int) (worker int, is bool) {
	if slot == control.Nowhere {
		return 0, false
	}
	worker = r.deploy.Slots[slot].Worker
	return worker, slices.Contains(r.deploy.Gone, worker)
}

// bereft says whether there are tasks on lost workers.
func (r *draft) bereft() bool {
	return slices.ContainsFunc(r.deploy.Place, func(unit []int) bool {
		return slices.ContainsFunc(unit, func(slot int) bool { _, is := r.lost(slot); return is })
	})
}

// survivors are the workers whose parts go on and that are there, or may be back in time.
func (r *draft) survivors() {
	for i, p := range r.j.parts {
		if w := r.m.host(p); !p.over() && w != nil && !w.drained && (w.state == WorkerReady || w.state == WorkerAway) {
			r.hosts = append(r.hosts, i)
		}
	}
}

// move puts every task of a lost worker in the slot where it is to be.
func (r *draft) move() {
	for u, unit := range r.deploy.Place {
		for i, slot := range unit {
			lost, is := r.lost(slot)
			if !is {
				continue
			}
			to := r.heir(r.together(u, i))
			unit[i] = r.loop(to)
			if !slices.Contains(r.moves[lost], to) {
				r.moves[lost] = append(r.moves[lost], to)
			}
		}
	}
}

// together names what a task has to stay together with: tasks of the same number of operators that are placed alike, and all
// those of an operator that is pinned to a worker. It is empty for most.
func (r *draft) together(unit, task int) string {
	op := r.j.topology.host(unit)
	if op == nil {
		return ""
	}
	_, pinned := r.deploy.Spec.Pins[op.ID]
	switch {
	case pinned:
		return "operator " + op.ID
	case op.Group != "":
		return fmt.Sprintf("group %s, task %d", op.Group, task)
	}
	return ""
}

// heir is the worker that takes a task: that with the fewest.
func (r *draft) heir(together string) int {
	worker, known := r.heirs[together]
	if !known || together == "" {
		worker = r.least()
		r.heirs[together] = worker
	}
	return worker
}

// spares are the workers that are there, have the job's program, and had no part in the job, those with least to do first.
func (m *Machine) spares(j *job) []*member {
	able := m.able(j.deploy.Spec.Program)
	able = slices.DeleteFunc(able, func(w *member) bool { return j.part(w.id, w.incarnation) != nil })
	load := m.load()
	slices.SortStableFunc(able, func(a, b *member) int { return cmp.Compare(load[a], load[b]) })
	return able
}

// able are the workers that are there, have a program, and take tasks.
func (m *Machine) able(program string) (list []*member) {
	for _, w := range m.members {
		if w.state == WorkerReady && !w.drained && slices.Contains(w.build.Programs, program) {
			list = append(list, w)
		}
	}
	return list
}

// load is how many parts of jobs the workers have.
func (m *Machine) load() map[*member]int {
	load := map[*member]int{}
	for _, j := range m.jobs {
		for _, p := range j.parts {
			if w := m.host(p); w != nil && !j.over() && !p.over() {
				load[w]++
			}
		}
	}
	return load
}
