package coordinator

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/control"
)

// relocation gives the tasks of lost workers to others, so that all have about as many. What it starts from is shared with
// orders that are on their way, and is not changed.
type relocation struct {
	m      *Machine
	j      *job
	deploy control.Deploy
	hosts  []int                // who may take tasks, by index of deploy.Workers
	tasks  map[control.Slot]int // how many there are on each loop
	heirs  map[string]int       // who has taken the first of tasks that are to stay together, by what these are
	moves  map[int][]int        // from each lost worker to others, by index
}

// relocate finds a new place for every task that is on a lost worker. Workers that have had no part in the job come into it for
// those that it has lost, so that it has as many as it was submitted with; whoever has the fewest tasks is given the next. It
// returns nil if there is nobody.
func (m *Machine) relocate(j *job) *relocation {
	r := &relocation{m: m, j: j, deploy: j.deploy, tasks: map[control.Slot]int{}, heirs: map[string]int{}, moves: map[int][]int{}}
	r.deploy.Workers, r.deploy.Slots = slices.Clone(j.deploy.Workers), slices.Clone(j.deploy.Slots)
	r.deploy.Recovers, r.deploy.Gone = true, j.gone()
	r.survivors()
	for _, w := range m.spares(j) {
		if len(r.hosts) < max(j.deploy.Spec.Workers, 1) {
			r.add(w)
		}
	}
	if len(r.hosts) == 0 {
		return nil
	}
	r.count()
	r.move()
	return r
}

// survivors are the workers whose parts go on and that are there, or may be back in time.
func (r *relocation) survivors() {
	for i, p := range r.j.parts {
		if w := r.m.host(p); !p.over() && w != nil && (w.state == WorkerReady || w.state == WorkerAway) {
			r.hosts = append(r.hosts, i)
		}
	}
}

// add has a worker take part in the job.
func (r *relocation) add(w *member) {
	index := len(r.deploy.Workers)
	r.hosts = append(r.hosts, index)
	r.deploy.Workers = append(r.deploy.Workers, control.Host{Worker: w.id, Incarnation: w.incarnation, Addr: w.addr})
	for loop := range w.loops {
		r.deploy.Slots = append(r.deploy.Slots, control.Slot{Worker: index, Loop: loop})
	}
}

// count counts the tasks on each loop of those who may take more.
func (r *relocation) count() {
	for _, s := range r.deploy.Slots {
		if slices.Contains(r.hosts, s.Worker) {
			r.tasks[s] = 0
		}
	}
	for _, unit := range r.deploy.Place {
		for _, slot := range unit {
			if s := r.deploy.Slots[slot]; slices.Contains(r.hosts, s.Worker) {
				r.tasks[s]++
			}
		}
	}
}

// move puts every task of a lost worker in the slot where it is to be.
func (r *relocation) move() {
	place := make([][]int, len(r.deploy.Place))
	for u, unit := range r.deploy.Place {
		place[u] = slices.Clone(unit)
		for i, slot := range unit {
			lost := r.deploy.Slots[slot].Worker
			if !slices.Contains(r.deploy.Gone, lost) {
				continue
			}
			to := r.heir(r.together(u, i))
			place[u][i] = slices.Index(r.deploy.Slots, to)
			if !slices.Contains(r.moves[lost], to.Worker) {
				r.moves[lost] = append(r.moves[lost], to.Worker)
			}
		}
	}
	r.deploy.Place = place
}

// together names what a task has to stay together with: tasks of the same number of operators that are placed alike, and all
// those of an operator that is pinned to a worker. It is empty for most.
func (r *relocation) together(unit, task int) string {
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

// heir is the loop that takes a task: that of the worker with the fewest which has the fewest itself.
func (r *relocation) heir(together string) control.Slot {
	worker, known := r.heirs[together]
	if !known || together == "" {
		worker = r.least()
		r.heirs[together] = worker
	}
	best := control.Slot{Worker: -1}
	for _, s := range r.deploy.Slots {
		if s.Worker == worker && (best.Worker < 0 || r.tasks[s] < r.tasks[best]) {
			best = s
		}
	}
	r.tasks[best]++
	return best
}

// least is the worker that has the fewest tasks.
func (r *relocation) least() int {
	sums := map[int]int{}
	for s, n := range r.tasks {
		sums[s.Worker] += n
	}
	return slices.MinFunc(r.hosts, func(a, b int) int { return cmp.Compare(sums[a], sums[b]) })
}

// topology is the job's with the tasks where they are to be.
func (r *relocation) topology() Topology {
	t := Topology{Name: r.j.topology.Name, Operators: slices.Clone(r.j.topology.Operators)}
	for o := range t.Operators {
		op := &t.Operators[o]
		op.Tasks = slices.Clone(op.Tasks)
		for i := range op.Tasks {
			s := r.deploy.Slots[r.deploy.Place[op.Unit][i]]
			op.Tasks[i].Worker, op.Tasks[i].Part, op.Tasks[i].Loop = r.deploy.Workers[s.Worker].Worker, s.Worker, s.Loop
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
