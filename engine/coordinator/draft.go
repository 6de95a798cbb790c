package coordinator

import (
	"cmp"
	"slices"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/partition"
)

// draft is an order in the making. What it starts from is shared with orders that are on their way, and is not changed.
type draft struct {
	m      *Machine
	j      *job
	deploy control.Deploy
	given  []int                // the index after the one that each unit has given last, to a new task
	hosts  []int                // who may take tasks, by index of deploy.Workers
	fresh  []*member            // who may, too, and has had no part in the job, those with least to do first
	tasks  map[control.Slot]int // how many there are on each loop of the hosts
	heirs  map[string]int       // who has taken the first of tasks that are to stay together, by what these are
	moves  map[int][]int        // from each lost worker to others, by index
}

// draft starts from the newest order of a job.
func (m *Machine) draft(j *job) *draft {
	r := &draft{
		m: m, j: j, deploy: j.deploy, given: slices.Clone(j.given), tasks: map[control.Slot]int{}, heirs: map[string]int{}, moves: map[int][]int{},
	}
	r.deploy.Workers, r.deploy.Slots = slices.Clone(j.deploy.Workers), slices.Clone(j.deploy.Slots)
	r.deploy.Place, r.deploy.Ranges = cloneAll(j.deploy.Place), cloneAll(j.deploy.Ranges)
	r.deploy.Reassign = slices.Clone(j.deploy.Reassign)
	r.deploy.Recovers, r.deploy.Gone = true, j.gone()
	return r
}

func cloneAll[T any](lists [][]T) [][]T {
	all := make([][]T, len(lists))
	for i, l := range lists {
		all[i] = slices.Clone(l)
	}
	return all
}

// withdraw ends the reassignments that are under way: their new tasks go.
func (r *draft) withdraw() {
	for _, re := range r.deploy.Reassign {
		r.remove(re.Unit, re.New)
	}
	r.deploy.Reassign = nil
}

// handOver ends the reassignments that are under way: their old tasks go.
func (r *draft) handOver() {
	for _, re := range r.deploy.Reassign {
		r.remove(re.Unit, re.Old)
	}
	r.deploy.Reassign = nil
}

// remove has tasks be nowhere.
func (r *draft) remove(unit int, tasks []int) {
	for _, i := range tasks {
		r.deploy.Place[unit][i] = control.Nowhere
	}
}

// add has a worker take part in the job, and returns its index.
func (r *draft) add(w *member) int {
	index := len(r.deploy.Workers)
	r.hosts = append(r.hosts, index)
	r.deploy.Workers = append(r.deploy.Workers, control.Host{Worker: w.id, Incarnation: w.incarnation, Addr: w.addr})
	for loop := range w.loops {
		s := control.Slot{Worker: index, Loop: loop}
		r.deploy.Slots = append(r.deploy.Slots, s)
		r.tasks[s] = 0
	}
	return index
}

// count counts the tasks on each loop of the hosts, but for some of a unit, which are to leave.
func (r *draft) count(unit int, leaving []int) {
	clear(r.tasks)
	for _, s := range r.deploy.Slots {
		if slices.Contains(r.hosts, s.Worker) {
			r.tasks[s] = 0
		}
	}
	for u, places := range r.deploy.Place {
		for i, slot := range places {
			if slot == control.Nowhere || u == unit && slices.Contains(leaving, i) {
				continue
			}
			if s := r.deploy.Slots[slot]; slices.Contains(r.hosts, s.Worker) {
				r.tasks[s]++
			}
		}
	}
}

// sums are how many tasks the hosts have.
func (r *draft) sums() map[int]int {
	sums := map[int]int{}
	for s, n := range r.tasks {
		sums[s.Worker] += n
	}
	return sums
}

// least is the host that has the fewest tasks.
func (r *draft) least() int {
	sums := r.sums()
	return slices.MinFunc(r.hosts, func(a, b int) int { return cmp.Compare(sums[a], sums[b]) })
}

// loop is the slot for one more task on a host: its loop that has the fewest.
func (r *draft) loop(host int) int {
	best := -1
	for i, s := range r.deploy.Slots {
		if s.Worker == host && (best < 0 || r.tasks[s] < r.tasks[r.deploy.Slots[best]]) {
			best = i
		}
	}
	r.tasks[r.deploy.Slots[best]]++
	return best
}

// index is one for a new task: the next that no task has had, or, if there are no more of these, one that has been nowhere for
// long. It is -1 if as many tasks are there as there may be.
func (r *draft) index(unit int) int {
	place := r.deploy.Place[unit]
	if n := len(place); n < graph.TasksMax {
		r.deploy.Place[unit] = append(place, control.Nowhere)
		r.deploy.Ranges[unit] = append(r.deploy.Ranges[unit], partition.Range{})
		r.given[unit] = n + 1
		return n
	}
	for range graph.TasksMax {
		i := r.given[unit] % graph.TasksMax
		r.given[unit] = i + 1
		if place[i] == control.Nowhere {
			return i
		}
	}
	return -1
}

// bring adds a task with a key range on a host, and returns its index, or -1 if there are too many.
func (r *draft) bring(unit int, keys partition.Range, host int) int {
	i := r.index(unit)
	if i >= 0 {
		r.deploy.Ranges[unit][i], r.deploy.Place[unit][i] = keys, r.loop(host)
	}
	return i
}

// topology is the job's with the tasks where they are to be.
func (r *draft) topology() Topology {
	t := Topology{Name: r.j.topology.Name, Operators: slices.Clone(r.j.topology.Operators)}
	for o := range t.Operators {
		op := &t.Operators[o]
		before := op.Tasks
		op.Tasks = make([]Place, len(r.deploy.Place[op.Unit]))
		for i := range op.Tasks {
			op.Tasks[i] = r.place(op.Unit, i)
			for _, p := range before {
				if op.Tasks[i].There() && p.There() && p.Range == op.Tasks[i].Range {
					op.Tasks[i].Splits = p.Splits // they go with the range
				}
			}
		}
	}
	return t
}

// place says where a task is.
func (r *draft) place(unit, index int) Place {
	p := Place{Part: control.Nowhere, Loop: control.Nowhere, Range: r.deploy.Ranges[unit][index]}
	if slot := r.deploy.Place[unit][index]; slot != control.Nowhere {
		s := r.deploy.Slots[slot]
		p.Worker, p.Part, p.Loop = r.deploy.Workers[s.Worker].Worker, s.Worker, s.Loop
	}
	for _, re := range r.deploy.Reassign {
		p.Mute = p.Mute || re.Unit == unit && slices.Contains(re.New, index)
	}
	return p
}
