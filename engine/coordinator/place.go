package coordinator

import (
	"cmp"
	"slices"

	"github.com/fullspate/spate/engine/control"
)

// relocation gives the tasks of lost workers to others, all of one worker to the same, so that what was together stays so. What
// it starts from is shared with orders that are on their way, and is not changed.
type relocation struct {
	m      *Machine
	j      *job
	deploy control.Deploy
	tasks  []int       // by index of deploy.Workers: how many it has
	loops  map[int]int // the same: how many of its loops are in deploy.Slots
	moves  map[int]int // from lost worker to new one, by index
}

// relocate finds a new place for every task that is on a lost worker: with a worker that has had no part in the job, if there
// is one, else with the survivor that has the fewest tasks. It returns nil if there is nobody.
func (m *Machine) relocate(j *job) *relocation {
	r := &relocation{m: m, j: j, deploy: j.deploy, loops: map[int]int{}, moves: map[int]int{}}
	r.deploy.Workers, r.deploy.Slots = slices.Clone(j.deploy.Workers), slices.Clone(j.deploy.Slots)
	r.deploy.Recovers, r.deploy.Gone = true, j.gone()
	r.count()
	spares := m.spares(j)
	for _, lost := range r.deploy.Gone {
		if r.tasks[lost] == 0 {
			continue
		}
		var to int
		if len(spares) > 0 {
			to = r.add(spares[0])
			spares = spares[1:]
		} else if to = r.survivor(); to < 0 {
			return nil
		}
		r.moves[lost] = to
		r.tasks[to] += r.tasks[lost]
	}
	r.move()
	return r
}

// count counts the tasks of each worker.
func (r *relocation) count() {
	r.tasks = make([]int, len(r.deploy.Workers))
	for _, unit := range r.deploy.Place {
		for _, slot := range unit {
			r.tasks[r.deploy.Slots[slot].Worker]++
		}
	}
}

// add has a worker take part in the job.
func (r *relocation) add(w *member) (index int) {
	index = len(r.deploy.Workers)
	r.deploy.Workers = append(r.deploy.Workers, control.Host{Worker: w.id, Incarnation: w.incarnation, Addr: w.addr})
	for loop := range w.loops {
		r.deploy.Slots = append(r.deploy.Slots, control.Slot{Worker: index, Loop: loop})
	}
	r.tasks = append(r.tasks, 0)
	return index
}

// survivor is the worker that has the fewest tasks, of those whose parts go on and that are there, or may be back in time; -1
// if there is none.
func (r *relocation) survivor() int {
	best := -1
	for i := range r.deploy.Workers {
		if i < len(r.j.parts) {
			p := r.j.parts[i]
			w := r.m.host(p)
			if p.over() || w == nil || w.state != WorkerReady && w.state != WorkerAway {
				continue
			}
		}
		if best < 0 || r.tasks[i] < r.tasks[best] {
			best = i
		}
	}
	return best
}

// move puts every task of a lost worker in the slot where it is to be.
func (r *relocation) move() {
	slots := make(map[control.Slot]int, len(r.deploy.Slots))
	for i, s := range r.deploy.Slots {
		slots[s] = i
		r.loops[s.Worker]++
	}
	place := make([][]int, len(r.deploy.Place))
	for u, unit := range r.deploy.Place {
		place[u] = make([]int, len(unit))
		for i, slot := range unit {
			place[u][i] = slots[r.at(r.deploy.Slots[slot])]
		}
	}
	r.deploy.Place = place
}

// at is where a task is to be that is in a slot: on the same loop of another worker, as far as that has so many.
func (r *relocation) at(s control.Slot) control.Slot {
	if to, lost := r.moves[s.Worker]; lost {
		return control.Slot{Worker: to, Loop: s.Loop % r.loops[to]}
	}
	return s
}

// topology is the job's with the tasks where they are to be.
func (r *relocation) topology() Topology {
	t := Topology{Name: r.j.topology.Name, Operators: slices.Clone(r.j.topology.Operators)}
	for o := range t.Operators {
		op := &t.Operators[o]
		op.Tasks = slices.Clone(op.Tasks)
		for i := range op.Tasks {
			at := r.at(control.Slot{Worker: op.Tasks[i].Part, Loop: op.Tasks[i].Loop})
			op.Tasks[i].Worker, op.Tasks[i].Part, op.Tasks[i].Loop = r.deploy.Workers[at.Worker].Worker, at.Worker, at.Loop
		}
	}
	return t
}

// spares are the workers that are there, have the job's program, and had no part in the job, those with least to do first.
func (m *Machine) spares(j *job) []*member {
	able := m.able(j.deploy.Spec.Program)
	able = slices.DeleteFunc(able, func(w *member) bool { return j.part(w.id, w.incarnation) != nil })
	load := m.load()
	slices.SortStableFunc(able, func(a, b *member) int { return cmp.Compare(load[a], load[b]) })
	return able
}

// able are the workers that are there and have a program.
func (m *Machine) able(program string) (list []*member) {
	for _, w := range m.members {
		if w.state == WorkerReady && slices.Contains(w.build.Programs, program) {
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
