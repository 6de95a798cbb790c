package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/partition"
)

// Rescale has an operator run in another number of tasks, 1 to graph.TasksMax, while the job goes on: for more the heaviest key
// ranges are halved, for fewer the lightest neighbours are joined; all others stay as they are. What is wrong is an *Error.
func (m *Machine) Rescale(now time.Time, job, operator string, tasks int) (Reassignment, error) {
	j, op, err := m.changeable(job, operator, "rescaled")
	if err != nil {
		return Reassignment{}, err
	}
	if tasks < 1 || tasks > graph.TasksMax {
		return Reassignment{}, errorf(Invalid, "parallelism of %q is to be %d, want 1 to %d", operator, tasks, graph.TasksMax)
	}
	speaking := op.speaking()
	if len(speaking) == tasks {
		return Reassignment{}, errorf(Conflict, "operator %q has %d tasks already", operator, tasks)
	}
	after, err := partition.PlanRescale(j.weigh(op, speaking), tasks)
	if err != nil {
		return Reassignment{}, errorf(Invalid, "%v", err)
	}
	return m.reshape(now, j, op, Rescale, after)
}

// Rebalance cuts the key space of an operator anew while the job goes on, at the hashes given, each the first of a range; without
// any it is cut evenly into as many ranges as there are tasks. What is wrong is an *Error.
func (m *Machine) Rebalance(now time.Time, job, operator string, cuts []uint64) (Reassignment, error) {
	j, op, err := m.changeable(job, operator, "rebalanced")
	if err != nil {
		return Reassignment{}, err
	}
	if len(cuts) >= graph.TasksMax {
		return Reassignment{}, errorf(Invalid, "%d cuts make %d tasks, want at most %d", len(cuts), len(cuts)+1, graph.TasksMax)
	}
	after := partition.Even(len(op.speaking()))
	if len(cuts) > 0 {
		if after, err = partition.Full().Cut(cuts...); err != nil {
			return Reassignment{}, errorf(Invalid, "%v", err)
		}
	}
	return m.reshape(now, j, op, Rebalance, after)
}

// Migrate has a task go on on another worker while the job goes on; without a name on the one with the fewest tasks. What is wrong
// is an *Error.
func (m *Machine) Migrate(now time.Time, job, operator string, task int, to string) (Reassignment, error) {
	j, op, err := m.movable(job, operator, "migrated")
	if err != nil {
		return Reassignment{}, err
	}
	if task < 0 || task >= len(op.Tasks) || !op.Tasks[task].There() {
		return Reassignment{}, errorf(NotFound, "operator %q has no task %d, but %v", operator, task, op.speaking())
	}
	if _, pinned := j.deploy.Spec.Pins[op.ID]; pinned {
		return Reassignment{}, errorf(Invalid, "operator %q is pinned to a worker: its tasks stay there", operator)
	}
	r := m.draft(j)
	host, err := r.destination(op, task, to)
	if err != nil {
		return Reassignment{}, err
	}
	index := r.bring(op.Unit, op.Tasks[task].Range, host)
	if index < 0 {
		return Reassignment{}, tooMany(op, 1)
	}
	r.deploy.Reassign = []control.Reassignment{{Unit: op.Unit, Old: []int{task}, New: []int{index}, Stops: j.topology.writes(op.Unit) != ""}}
	return m.beginReassign(now, r, Migrate), nil
}

// movable is a job that goes on and one of its operators, whose tasks can be elsewhere.
func (m *Machine) movable(job, operator, verb string) (*job, *Operator, error) {
	j := m.job(job)
	switch {
	case j == nil:
		return nil, nil, errorf(NotFound, "there is no job %q", job)
	case j.over():
		return nil, nil, errorf(Conflict, "job %q has ended: it is %s", job, j.outcome)
	case j.deploy.Spec.Config.CheckpointInterval == 0:
		return nil, nil, errorf(Invalid, "job %q takes no checkpoints, of which other tasks could be made: it was submitted without an interval", job)
	}
	op, err := j.operator(operator)
	if err != nil {
		return nil, nil, err
	}
	if err := j.ready(); err != nil {
		return nil, nil, err
	}
	return j, op, nil
}

// changeable is the same for an operator whose key ranges may be others.
func (m *Machine) changeable(job, operator, verb string) (*job, *Operator, error) {
	j, op, err := m.movable(job, operator, verb)
	if err != nil {
		return j, op, err
	}
	if id := j.topology.writes(op.Unit); id != "" {
		err = errorf(Invalid, "operator %q writes results, and into how many parts is decided when the job is submitted: a sink can be migrated, but not %s", id, verb)
	}
	if op.Kind == "source" {
		err = errorf(Invalid, "operator %q reads splits, which are as the input fixes them: a source can be migrated, but not %s", operator, verb)
	}
	return j, op, err
}

// writes is the sink among the operators of a unit, "" if there is none.
func (t *Topology) writes(unit int) string {
	for _, op := range t.Operators {
		if op.Unit == unit && op.Kind == "sink" {
			return op.ID
		}
	}
	return ""
}

// operator is one of the job's that has tasks of its own.
func (j *job) operator(id string) (*Operator, error) {
	var ids []string
	for i := range j.topology.Operators {
		op := &j.topology.Operators[i]
		switch {
		case op.ID == id && op.Host != id:
			return nil, errorf(Invalid, "operator %q is fused into %q and runs in its tasks: name that", id, op.Host)
		case op.ID == id:
			return op, nil
		}
		ids = append(ids, op.ID)
	}
	return nil, errorf(NotFound, "job %q has no operator %q, but %s", j.id, id, strings.Join(ids, ", "))
}

// ready says why a job cannot take a reassignment now, nil if it can.
func (j *job) ready() error {
	if s := j.state(); s != Running {
		return errorf(Conflict, "job %q is %s, and its tasks can be reassigned only while it is running", j.id, s)
	}
	if re := j.reassign; re != nil {
		return errorf(Conflict, "job %q is busy with reassignment %d (%v), which is %s: one at a time", j.id, re.ID, re, re.State)
	}
	for _, p := range j.parts {
		if p.phase == partEnded && p.ended != nil {
			return errorf(Conflict, "job %q is coming to its end: what worker %s had of it has ended", j.id, p.host.Worker)
		}
	}
	return nil
}

// speaking are the indexes of the tasks that are there and speak, in the order of their key ranges.
func (op *Operator) speaking() (list []int) {
	for i, t := range op.Tasks {
		if t.There() && !t.Mute {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b int) int {
		if op.Tasks[a].Range.First < op.Tasks[b].Range.First {
			return -1
		}
		return 1
	})
	return list
}

// weigh says what tasks of an operator weigh: the tuples that each has processed per second of late, if that is known of all.
func (j *job) weigh(op *Operator, tasks []int) []partition.Weight {
	rates := map[int]float64{}
	for _, p := range j.parts {
		if p.over() {
			continue
		}
		for _, t := range p.tasks() {
			if t.Operator == op.ID && t.Task < len(op.Tasks) && op.Tasks[t.Task].Part == p.index {
				rates[t.Task] = t.In
			}
		}
	}
	parts := make([]partition.Weight, len(tasks))
	for i, t := range tasks {
		parts[i].Range = op.Tasks[t].Range
		if len(rates) == len(tasks) {
			parts[i].Weight = uint64(rates[t])
		}
	}
	return parts
}

// reshape has new tasks take over wherever an operator's key ranges are to be others.
func (m *Machine) reshape(now time.Time, j *job, op *Operator, kind ReassignKind, after []partition.Range) (Reassignment, error) {
	tasks := op.speaking()
	before := make([]partition.Range, len(tasks))
	for i, t := range tasks {
		before[i] = op.Tasks[t].Range
	}
	change, err := partition.Compare(before, after)
	switch {
	case err != nil:
		panic(fmt.Sprintf("BUG: tasks of %s have ranges %v, and are to have %v: %v", op.ID, before, after, err))
	case len(change.New) == 0:
		return Reassignment{}, errorf(Conflict, "operator %q is cut so already", op.ID)
	case j.topology.channels(op, len(after)) > graph.ChannelsMax:
		return Reassignment{}, errorf(Invalid, "with %d tasks of %q there would be more than %d channels between tasks", len(after), op.ID, graph.ChannelsMax)
	}
	c := control.Reassignment{Unit: op.Unit, Joins: change.Joins}
	for _, i := range change.Old {
		c.Old = append(c.Old, tasks[i])
	}
	r := m.draft(j)
	if err := r.takers(op, c.Old); err != nil {
		return Reassignment{}, err
	}
	for _, keys := range change.New {
		index := r.bring(op.Unit, keys, r.taker())
		if index < 0 {
			return Reassignment{}, tooMany(op, len(change.New))
		}
		c.New = append(c.New, index)
	}
	r.deploy.Reassign = []control.Reassignment{c}
	return m.beginReassign(now, r, kind), nil
}

func tooMany(op *Operator, more int) error {
	return errorf(Invalid, "operator %q would have %d tasks beside the %d that it has, until these are relieved: want at most %d at a time",
		op.ID, more, len(op.speaking()), graph.TasksMax)
}

// channels is how many there are between tasks if an operator has so many of these.
func (t *Topology) channels(changed *Operator, tasks int) (n int) {
	count := func(unit int) int {
		if unit == changed.Unit {
			return tasks
		}
		return len(t.host(unit).speaking())
	}
	for _, op := range t.Operators {
		if op.Host != op.ID {
			continue
		}
		for _, in := range op.Inputs {
			for _, from := range t.Operators {
				if from.ID == in.Operator {
					n += count(from.Unit) * count(op.Unit)
				}
			}
		}
	}
	return n
}

// takers finds who may take new tasks of an operator, once some of its tasks have left. Whoever is to take one has to be there.
func (r *draft) takers(op *Operator, leaving []int) error {
	_, pinned := r.deploy.Spec.Pins[op.ID]
	for i, p := range r.j.parts {
		w := r.m.host(p)
		if p.over() || w == nil || w.state != WorkerReady || w.drained {
			continue
		}
		if !pinned || slices.ContainsFunc(op.Tasks, func(t Place) bool { return t.Part == i }) {
			r.hosts = append(r.hosts, i)
		}
	}
	if !pinned {
		r.fresh = r.m.spares(r.j)
	}
	r.count(op.Unit, leaving)
	if len(r.hosts)+len(r.fresh) == 0 {
		return errorf(Unavailable, "there is no worker that could take tasks of %q", op.ID)
	}
	return nil
}

// taker is the host for one more task: that with the fewest, which is a worker that has had no part in the job so far if there is
// one and all others have tasks.
func (r *draft) taker() int {
	if len(r.fresh) > 0 && (len(r.hosts) == 0 || r.sums()[r.least()] > 0) {
		w := r.fresh[0]
		r.fresh = r.fresh[1:]
		return r.add(w)
	}
	return r.least()
}

// destination is the host that a task is to go to, by name or, if that is empty, another one than its own, with the fewest tasks.
func (r *draft) destination(op *Operator, task int, to string) (int, error) {
	own := op.Tasks[task]
	if to == own.Worker {
		return 0, errorf(Conflict, "task %d of %q is on worker %q already", task, op.ID, to)
	}
	err := r.takers(op, []int{task})
	r.hosts = slices.DeleteFunc(r.hosts, func(i int) bool { return i == own.Part })
	r.count(op.Unit, []int{task})
	if to == "" {
		if err != nil || len(r.hosts)+len(r.fresh) == 0 {
			return 0, errorf(Unavailable, "there is no other worker than %s that could take task %d of %q", own.Worker, task, op.ID)
		}
		return r.taker(), nil
	}
	for _, i := range r.hosts {
		if r.deploy.Workers[i].Worker == to {
			return i, nil
		}
	}
	for _, w := range r.fresh {
		if w.id == to {
			return r.add(w), nil
		}
	}
	return 0, r.unfit(to)
}

// unfit says why a worker cannot take tasks.
func (r *draft) unfit(name string) error {
	w := r.m.member(name)
	switch {
	case w == nil:
		return errorf(NotFound, "there is no worker %q", name)
	case w.drained:
		return errorf(Conflict, "worker %q is drained: it takes no tasks", name)
	case w.state != WorkerReady:
		return errorf(Unavailable, "worker %q is %s", name, w.state)
	case !slices.Contains(w.build.Programs, r.deploy.Spec.Program):
		return errorf(Invalid, "worker %q has no program %q", name, r.deploy.Spec.Program)
	}
	return errorf(Conflict, "worker %q has lost its part in job %q, and cannot be given another one", name, r.j.id)
}
