package api

import (
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
)

func clusterOf(i coordinator.ClusterInfo) Cluster {
	return Cluster{
		ID: i.Cluster, Epoch: i.Epoch, Started: i.Started, Ready: i.Ready, HeartbeatTimeoutMS: ms(i.Timing.HeartbeatTimeout),
		Workers: i.Workers, Jobs: i.Jobs,
	}
}

func workerOf(w coordinator.WorkerInfo) Worker {
	return Worker{
		ID: w.ID, State: w.State, PID: w.PID, Address: w.Addr, Incarnation: hex(w.Incarnation), Loops: w.Loops,
		MemoryBytes: w.Memory, Version: w.Build.Version, Commit: w.Build.Commit, Since: w.Since, Heard: w.Heard,
		RSSBytes: w.RSS, CPUCores: w.CPU, LateMS: ms(w.Late),
		Tasks: list(w.Tasks, func(t coordinator.TaskRef) WorkerTask { return WorkerTask(t) }), Drain: drainOf(w.Drain),
	}
}

func drainOf(d *coordinator.Drainage) *Drain {
	if d == nil {
		return nil
	}
	return &Drain{d.Done, d.Moved, list(d.Left, func(t coordinator.LeftTask) LeftTask { return LeftTask{t.Job, t.Operator, t.Task, t.Reason} })}
}

func summaryOf(j coordinator.JobSummary) JobSummary {
	return JobSummary{
		ID: j.ID, Graph: j.Program, Epoch: j.Epoch, State: j.State, Workers: j.Workers, TaskCount: j.TaskCount,
		Submitted: j.Submitted, Started: moment(j.Begun), Ended: moment(j.Ended), Failure: failureOf(j.Failure),
	}
}

func jobOf(j coordinator.JobInfo) Job {
	return Job{
		JobSummary: summaryOf(j.JobSummary), Params: j.Spec.Params, Parallelism: j.Spec.Parallelism, Config: ConfigOf(j.Spec.Config),
		Fingerprint: hex(j.Spec.Fingerprint), Operators: list(j.Topology.Operators, operatorOf), Tasks: tasksOf(j),
		Parts: list(j.Parts, partOf), Losses: list(j.Losses, LossOf),
		Reassignments: list(j.Reassignments, reassignmentOf),
		Recoveries:    Recoveries{j.Recoveries.Count, j.Recoveries.Attempts, ms(j.Recoveries.Last)},
		Results:       list(j.Results, func(r engine.Result) engine.Result { return r }), Events: list(j.Events, eventOf),
	}
}

func operatorOf(op coordinator.Operator) Operator {
	return Operator{
		ID: op.ID, Kind: op.Kind, Host: op.Host,
		Inputs: list(op.Inputs, func(in coordinator.Input) coordinator.Input { return in }),
	}
}

// tasksOf lists all tasks, by operator and number, also those of which there is no report so far.
func tasksOf(j coordinator.JobInfo) []Task {
	type name struct {
		operator string
		task     int
	}
	counters := map[name]coordinator.TaskInfo{}
	for _, t := range j.Tasks {
		counters[name{t.Operator, t.Task}] = t
	}
	all := make([]Task, 0, j.TaskCount)
	for _, op := range j.Topology.Operators {
		for i, place := range op.Tasks {
			if !place.There() {
				continue
			}
			t := Task{
				Operator: op.ID, Task: i, Worker: place.Worker, Loop: place.Loop, Fused: op.Host != op.ID, Role: Speaking,
				Range: rangeOf(place.Range), Splits: place.Splits,
			}
			if place.Mute {
				t.Role = Mute
			}
			if c, ok := counters[name{op.ID, i}]; ok {
				t.count(c)
			}
			all = append(all, t)
		}
	}
	return all
}

// count fills in what a worker has reported.
func (t *Task) count(c coordinator.TaskInfo) {
	if !t.Fused { // the host has it
		t.Position, t.PositionMS = position(c.Position)
	}
	t.FrontierLagMS, t.Latency = ms(c.FrontierLag), latencyOf(c.Latency)
	t.TuplesIn, t.TuplesOut, t.QueueBytes, t.StateBytes = c.TuplesIn, c.TuplesOut, c.QueueBytes, c.StateBytes
	t.RateIn, t.RateOut, t.TrueRate, t.Busy = c.In, c.Out, c.True, c.Busy
}

func partOf(p coordinator.PartInfo) Part {
	return Part{Worker: p.Worker, Incarnation: hex(p.Incarnation), Phase: p.Phase, Reported: moment(p.Reported)}
}

func failureOf(f *control.Failure) *Failure {
	if f == nil {
		return nil
	}
	v := &Failure{Worker: f.Worker, Operator: f.Operator, Sender: f.Sender, Task: f.Task, Key: f.Key, Message: f.Message, Stack: f.Stack}
	if f.Time != 0 {
		tau, millis := position(f.Time)
		v.Time, v.TimeMS = *tau, millis
	}
	return v
}

// LossOf is a loss as the API tells it.
func LossOf(l coordinator.Loss) Loss {
	return Loss{
		Worker: l.Worker, Incarnation: hex(l.Incarnation), PID: l.PID, Address: l.Addr, Cause: l.Cause, Reason: l.Reason,
		Heard: l.Heard, Detected: l.Detected, AfterMS: ms(l.After), Tasks: list(l.Tasks, lostTaskOf), Recovered: l.Recovered,
	}
}

func lostTaskOf(t coordinator.LostTask) LostTask {
	v := LostTask{Operator: t.Operator, Task: t.Task}
	if t.Reported {
		v.Position, v.PositionMS = position(t.Position)
	}
	return v
}

func eventOf(e coordinator.Event) Event {
	return Event{Seq: e.Seq, At: e.At, Kind: e.Kind, Job: e.Job, Worker: e.Worker, TookMS: ms(e.Took), Text: e.Text}
}
