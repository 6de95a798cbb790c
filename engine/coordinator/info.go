package coordinator

import (
	"slices"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire/slab"
)

// ClusterInfo says how the whole is.
type ClusterInfo struct {
	Cluster string
	Epoch   uint64
	Started time.Time // this run of the coordinator
	Timing  Timing
	Workers map[WorkerState]int
	Jobs    map[State]int
	// Ready says whether a job could be submitted and would have all workers: some are there and none is still expected.
	Ready bool
}

// WorkerInfo says how a worker is.
type WorkerInfo struct {
	ID          string
	Incarnation uint64
	PID         int
	Addr        string
	Loops       int
	Memory      int64 // bytes; 0: no bound
	Build       control.Build
	State       WorkerState
	Since       time.Time // when it registered first
	Heard       time.Time // last
	RSS         int64     // bytes, like the two below as of the last report
	CPU         float64   // cores
	Late        time.Duration
	Tasks       []TaskRef // of jobs that have not ended
	Drain       *Drainage // nil unless it is, or was, to be emptied
}

// TaskRef names a task of a job.
type TaskRef struct {
	Job, Operator string
	Task, Loop    int
}

// JobSummary says how a job is, in short.
type JobSummary struct {
	ID        string
	Program   string
	Epoch     uint64
	State     State
	Workers   []string
	TaskCount int
	Submitted time.Time
	Begun     time.Time // zero before
	Ended     time.Time // zero before
	Failure   *control.Failure
}

// JobInfo says all about a job. What it points to is shared and must not be changed.
type JobInfo struct {
	JobSummary
	Spec     control.JobSpec
	Topology Topology
	Parts    []PartInfo
	Tasks    []TaskInfo      // in the order of workers' reports
	Losses   []Loss          // the last 64
	Results  []engine.Result // of the parts that have ended
	Events   []Event

	Recoveries    Recoveries
	Reassignments []Reassignment // the last 32 that have ended, and the one that is under way
}

// Reassignment is one of the job's by its id.
func (j *JobInfo) Reassignment(id uint64) (Reassignment, error) {
	for _, re := range j.Reassignments {
		if re.ID == id {
			return re, nil
		}
	}
	return Reassignment{}, errorf(NotFound, "job %q has had no reassignment %d lately", j.ID, id)
}

// PartInfo says how a worker's part of a job is.
type PartInfo struct {
	Worker      string
	Incarnation uint64
	Phase       string    // asked, deployed, running, recovering, ended or lost
	Reported    time.Time // zero before the first report
	Elapsed     time.Duration
	Processes   []engine.ProcessStats
	Slabs       slab.Stats
	SlabsMax    int64 // bytes
	Links       []control.LinkReport
	Checkpoints engine.Checkpoints
}

// TaskInfo are the counters of a task, and what follows from how they have moved between the last two reports; for a part
// that has ended, since its start.
type TaskInfo struct {
	engine.TaskStats
	In, Out float64 // tuples per second
	True    float64 // tuples per second spent processing; 0 where nothing was
	Busy    float64 // share of time spent processing, 0 to 1
}

// Info says how the whole is.
func (m *Machine) Info() ClusterInfo {
	i := ClusterInfo{
		Cluster: m.cluster, Epoch: m.epoch, Started: m.started, Timing: m.timing,
		Workers: map[WorkerState]int{}, Jobs: map[State]int{},
	}
	for _, w := range m.members {
		i.Workers[w.state]++
	}
	for _, j := range m.jobs {
		i.Jobs[j.state()]++
	}
	i.Ready = i.Workers[WorkerReady] > 0 && i.Workers[WorkerExpected] == 0
	return i
}

// Workers are all workers that are known, in order of registration.
func (m *Machine) Workers() []WorkerInfo {
	list := make([]WorkerInfo, 0, len(m.members))
	for _, w := range m.members {
		list = append(list, m.worker(w))
	}
	return list
}

// worker says how a worker is.
func (m *Machine) worker(w *member) WorkerInfo {
	i := WorkerInfo{
		ID: w.id, Incarnation: w.incarnation, PID: w.pid, Addr: w.addr, Loops: w.loops, Memory: w.memory, Build: w.build,
		State: w.state, Since: w.since, Heard: w.heard, RSS: w.rss, CPU: w.cpu, Late: w.late,
	}
	for _, j := range m.jobs {
		if p := j.part(w.id, w.incarnation); p != nil && !j.over() && !p.over() {
			j.eachTask(p, func(op string, task int, at Place) {
				i.Tasks = append(i.Tasks, TaskRef{j.id, op, task, at.Loop})
			})
		}
	}
	if w.drain != nil {
		d := w.drain.Drainage
		d.Left = slices.DeleteFunc(slices.Clone(d.Left), func(t LeftTask) bool { return !slices.Contains(i.Tasks, t.TaskRef) })
		i.Drain = &d
	}
	return i
}

// Jobs are all jobs that are remembered, oldest first.
func (m *Machine) Jobs() []JobSummary {
	list := make([]JobSummary, len(m.jobs))
	for i, j := range m.jobs {
		list[i] = j.summary()
	}
	return list
}

// Job says all about one job.
func (m *Machine) Job(id string) (JobInfo, error) {
	j := m.job(id)
	if j == nil {
		return JobInfo{}, errorf(NotFound, "there is no job %q", id)
	}
	i := JobInfo{
		JobSummary: j.summary(), Spec: j.deploy.Spec, Topology: j.topology,
		Losses: slices.Clone(j.losses), Events: slices.Clone(j.events.list),
		Recoveries: j.recoveries, Reassignments: slices.Clone(j.reassigned),
	}
	if j.reassign != nil {
		i.Reassignments = append(i.Reassignments, j.reassign.Reassignment)
	}
	elsewhere := j.elsewhere()
	for _, p := range j.parts {
		i.Parts = append(i.Parts, p.info(j))
		i.Tasks = append(i.Tasks, slices.DeleteFunc(p.tasks(), func(t TaskInfo) bool { return elsewhere(p, t) })...)
		if p.ended != nil {
			i.Results = append(i.Results, p.ended.Results...)
		}
	}
	return i, nil
}

func (j *job) summary() JobSummary {
	s := JobSummary{
		ID: j.id, Program: j.deploy.Spec.Program, Epoch: j.epoch, State: j.state(),
		Submitted: j.submitted, Begun: j.begun, Ended: j.ended, Failure: j.failure,
	}
	for _, p := range j.parts {
		tasks := 0
		j.eachTask(p, func(string, int, Place) { tasks++ })
		s.TaskCount += tasks
		if tasks > 0 || p.phase != partLost { // otherwise others have what it had
			s.Workers = append(s.Workers, p.host.Worker)
		}
	}
	return s
}

// elsewhere says of a task that a part has reported whether it is in another part by now.
func (j *job) elsewhere() func(*part, TaskInfo) bool {
	type name struct {
		operator string
		task     int
	}
	parts := map[name]int{}
	for _, op := range j.topology.Operators {
		for i, at := range op.Tasks {
			parts[name{op.ID, i}] = at.Part
		}
	}
	return func(p *part, t TaskInfo) bool {
		at, known := parts[name{t.Operator, t.Task}]
		return known && at != p.index
	}
}

// eachTask calls fn for every task of a part; fused operators have none of their own.
func (j *job) eachTask(p *part, fn func(operator string, task int, at Place)) {
	for _, op := range j.topology.Operators {
		if op.Host != op.ID {
			continue
		}
		for i, at := range op.Tasks {
			if at.Part == p.index {
				fn(op.ID, i, at)
			}
		}
	}
}

// tasksOf are the tasks of a part that speak, and how far each is known to have come.
func (j *job) tasksOf(p *part) []LostTask {
	var list []LostTask
	j.eachTask(p, func(op string, task int, at Place) {
		if at.Mute {
			return // another one speaks
		}
		l := LostTask{Operator: op, Task: task}
		for _, t := range p.last.Stats.Tasks {
			if t.Operator == op && t.Task == task {
				l.Position, l.Reported = t.Position, true
			}
		}
		list = append(list, l)
	})
	return list
}

func (p *part) info(j *job) PartInfo {
	stats, links := p.stats()
	return PartInfo{
		Worker: p.host.Worker, Incarnation: p.host.Incarnation, Phase: p.word(j), Reported: p.reported(),
		Elapsed: stats.Elapsed, Processes: stats.Processes, Slabs: stats.Slabs, SlabsMax: stats.SlabBytesMax, Links: links,
		Checkpoints: stats.Checkpoints,
	}
}

// word is the part's phase for people.
func (p *part) word(j *job) string {
	switch {
	case p.phase == partLost:
		return "lost"
	case p.phase == partEnded:
		return "ended"
	case p.phase == partAsked && p.made:
		return "recovering"
	case p.phase == partAsked:
		return "asked"
	case j.begun.IsZero():
		return "deployed"
	}
	return "running"
}

// stats are the latest counters.
func (p *part) stats() (engine.Stats, []control.LinkReport) {
	if p.ended != nil {
		return p.ended.Stats, p.ended.Links
	}
	return p.last.Stats, p.last.Links
}

func (p *part) reported() time.Time {
	if p.ended != nil {
		return p.at
	}
	return p.last.at
}

// tasks are the counters of the part's tasks, with rates.
func (p *part) tasks() []TaskInfo {
	now, _ := p.stats()
	var before engine.Stats
	if p.ended == nil {
		before = p.before.Stats
	}
	dt := (now.Elapsed - before.Elapsed).Seconds()
	var list []TaskInfo
	for _, t := range now.Tasks {
		t.Worker = p.host.Worker
		list = append(list, rates(t, earlier(before.Tasks, t), dt))
	}
	return list
}

// earlier are the same task's counters in another list, zeros if they are not there.
func earlier(list []engine.TaskStats, t engine.TaskStats) engine.TaskStats {
	for _, b := range list {
		if b.Operator == t.Operator && b.Task == t.Task {
			return b
		}
	}
	return engine.TaskStats{}
}

// rates says how counters have moved in dt seconds. Those that a restarted worker counts anew do not move.
func rates(now, before engine.TaskStats, dt float64) TaskInfo {
	i := TaskInfo{TaskStats: now}
	if dt <= 0 || now.TuplesIn < before.TuplesIn || now.TuplesOut < before.TuplesOut || now.Useful < before.Useful {
		return i
	}
	in, useful := float64(now.TuplesIn-before.TuplesIn), (now.Useful - before.Useful).Seconds()
	i.In, i.Out = in/dt, float64(now.TuplesOut-before.TuplesOut)/dt
	i.Busy = min(useful/dt, 1)
	if useful > 0 {
		i.True = in / useful
	}
	return i
}
