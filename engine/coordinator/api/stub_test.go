package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// stub is a coordinator that knows one job, j1, and does nothing.
type stub struct {
	err      error // of everything
	panics   bool
	job      coordinator.JobInfo
	profiles []coordinator.Profile

	asked   coordinator.Request
	moved   string // what was to be reassigned
	later   time.Time
	drained string
	kind    string
	took    time.Duration
}

var when = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

func (s *stub) Submit(_ context.Context, r coordinator.Request) (string, error) {
	s.asked = r
	return "j1", s.err
}

func (s *stub) Drain(_ context.Context, id string) error {
	s.drained = id
	return s.err
}

func (s *stub) Cancel(ctx context.Context, id string) error { return s.Drain(ctx, "not "+id) }

func (s *stub) Rescale(_ context.Context, job, operator string, tasks int) (coordinator.Reassignment, error) {
	s.moved = fmt.Sprintf("%s %s to %d", job, operator, tasks)
	return reassignment(coordinator.Registering), s.err
}

func (s *stub) Rebalance(_ context.Context, job, operator string, cuts []uint64) (coordinator.Reassignment, error) {
	s.moved = fmt.Sprintf("%s %s at %x", job, operator, cuts)
	return reassignment(coordinator.Registering), s.err
}

func (s *stub) Migrate(_ context.Context, job, operator string, task int, to string) (coordinator.Reassignment, error) {
	s.moved = fmt.Sprintf("%s %s/%d to %q", job, operator, task, to)
	return reassignment(coordinator.Registering), s.err
}

func (s *stub) Reassigned(_ context.Context, job string, id uint64) (coordinator.Reassignment, error) {
	return reassignment(coordinator.Done), s.err
}

func (s *stub) DrainWorker(_ context.Context, id string) (coordinator.WorkerInfo, error) {
	s.moved = "worker " + id
	return coordinator.WorkerInfo{ID: id, State: coordinator.WorkerReady, Loops: 1, Since: when, Heard: when, Drain: new(coordinator.Drainage)}, s.err
}

func (s *stub) Drained(_ context.Context, id string) (coordinator.WorkerInfo, error) {
	left := []coordinator.LeftTask{{TaskRef: coordinator.TaskRef{Job: "j1", Operator: "out"}, Reason: "a sink"}}
	return coordinator.WorkerInfo{
		ID: id, State: coordinator.WorkerReady, Loops: 1, Since: when, Heard: when, Drain: &coordinator.Drainage{Done: true, Moved: 2, Left: left},
	}, s.err
}

// Follow has one more event to tell, 55 s later.
func (s *stub) Follow(ctx context.Context, id string, after uint64) ([]coordinator.Event, error) {
	info, err := s.Job(ctx, id)
	switch {
	case err != nil || after == 0:
		return info.Events, err
	case after == 2 && s.later.IsZero():
		s.later = time.Now().Add(55 * time.Second)
		fallthrough
	case after == 2:
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(s.later)):
			return []coordinator.Event{{Seq: 3, At: when, Kind: coordinator.JobCompleted, Job: id}}, nil
		}
	}
	return nil, nil
}

func reassignment(state coordinator.ReassignState) coordinator.Reassignment {
	full := partition.Full()
	halves, _ := full.Cut(1 << 63) // which is within it
	re := coordinator.Reassignment{
		ID: 7, Kind: coordinator.Rescale, Operator: "count", State: state, Begun: when,
		Old: []coordinator.ReassignedTask{{Task: 0, Worker: "w1", Range: full}},
		New: []coordinator.ReassignedTask{{Task: 1, Worker: "w1", Range: halves[0]}, {Task: 2, Worker: "w2", Range: halves[1]}},
	}
	if state.Over() {
		re.Ended, re.Register, re.Restore, re.CatchUp, re.Switch = when.Add(time.Second), time.Millisecond, 2*time.Millisecond, 3*time.Millisecond, 4*time.Millisecond
	}
	return re
}

func (s *stub) Info(context.Context) (coordinator.ClusterInfo, error) {
	return coordinator.ClusterInfo{
		Cluster: "00ff", Epoch: 3, Started: when, Timing: coordinator.Timing{HeartbeatTimeout: 200 * time.Millisecond},
		Workers: map[coordinator.WorkerState]int{coordinator.WorkerReady: 1}, Jobs: map[coordinator.State]int{coordinator.Running: 1},
		Ready: true,
	}, s.err
}

func (s *stub) Workers(context.Context) ([]coordinator.WorkerInfo, error) {
	if s.panics {
		panic("no workers")
	}
	return []coordinator.WorkerInfo{{
		ID: "w1", Incarnation: 1<<64 - 1, PID: 7, Addr: "tcp://127.0.0.1:9", Loops: 2, Memory: 1 << 30,
		Build: control.Build{Version: "v1", Commit: "abc"}, State: coordinator.WorkerReady, Since: when, Heard: when,
		RSS: 1 << 20, CPU: 1.5, Late: 250 * time.Microsecond, Tasks: []coordinator.TaskRef{{Job: "j1", Operator: "count", Task: 1, Loop: 1}},
	}, {ID: "w2", State: coordinator.WorkerGone, Loops: 1, Since: when, Heard: when}}, s.err
}

func (s *stub) Jobs(context.Context) ([]coordinator.JobSummary, error) {
	return []coordinator.JobSummary{s.known().JobSummary}, s.err
}

func (s *stub) Job(_ context.Context, id string) (coordinator.JobInfo, error) {
	if s.err == nil && id != s.known().ID {
		return coordinator.JobInfo{}, &coordinator.Error{Code: coordinator.NotFound, Message: "there is no job " + id}
	}
	return s.known(), s.err
}

func (s *stub) Wait(ctx context.Context, id string) (coordinator.JobInfo, error) {
	info, err := s.Job(ctx, id)
	if err == nil && !info.State.Over() {
		<-ctx.Done()
		err = ctx.Err()
	}
	return info, err
}

func (s *stub) Events(context.Context) ([]coordinator.Event, error) { return s.known().Events, s.err }

func (s *stub) Counts(context.Context) (map[coordinator.EventKind]uint64, error) {
	return map[coordinator.EventKind]uint64{coordinator.JobSubmitted: 4}, s.err
}

func (s *stub) Profile(_ context.Context, kind string, d time.Duration) ([]coordinator.Profile, error) {
	s.kind, s.took = kind, d
	return s.profiles, s.err
}

func (s *stub) JournalBytes(context.Context) (int64, error) { return 4096, s.err }

func (s *stub) AuthStats() auth.Stats {
	return auth.Stats{Accepted: 5, Refused: map[auth.Reason]uint64{auth.WrongSecret: 2}}
}

// known is the stub's job: the one it was given, or a running one.
func (s *stub) known() coordinator.JobInfo {
	if s.job.ID != "" {
		return s.job
	}
	return runningJob()
}

func runningJob() coordinator.JobInfo {
	full := partition.Full()
	return coordinator.JobInfo{
		JobSummary: coordinator.JobSummary{
			ID: "j1", Program: "count", Epoch: 9, State: coordinator.Running, Workers: []string{"w1"}, TaskCount: 2,
			Submitted: when, Begun: when.Add(time.Second),
		},
		Spec: control.JobSpec{
			Program: "count", Params: json.RawMessage(`{"n":1}`), Parallelism: map[string]int{"count": 1}, Fingerprint: 1<<64 - 1,
			Config: control.JobConfig{Pace: 1},
		},
		Topology: coordinator.Topology{Name: "count", Operators: []coordinator.Operator{
			{ID: "in", Kind: "source", Host: "in", Tasks: []coordinator.Place{{Worker: "w1", Range: full, Splits: []string{"a", "b"}}}},
			{ID: "pass", Kind: "process", Host: "in", Inputs: []coordinator.Input{{Operator: "in", Output: "out"}}, Tasks: []coordinator.Place{{Worker: "w1", Range: full}}},
			{ID: "count", Kind: "process", Host: "count", Inputs: []coordinator.Input{{Operator: "pass", Output: "out"}}, Tasks: []coordinator.Place{
				{Worker: "w1", Loop: 1, Range: full}, {Part: -1, Loop: -1}, {Worker: "w1", Range: full, Mute: true},
			}},
		}},
		Parts: []coordinator.PartInfo{{
			Worker: "w1", Incarnation: 1<<64 - 1, Phase: "running", Reported: when, Elapsed: time.Minute,
			Processes: []engine.ProcessStats{{Worker: "w1", RSSBytes: 1 << 20, CPU: time.Second, Mallocs: 100}},
			Slabs:     slab.Stats{InUse: 5, Owners: []slab.OwnerStats{{Name: "count/table", InUse: 5, Peak: 6}}}, SlabsMax: 6,
			Links: []control.LinkReport{{Peer: "w2", BytesOut: 1, BytesIn: 2, TuplesOut: 3, TuplesIn: 4, Starved: 5, Broken: 6}},
		}},
		Tasks: []coordinator.TaskInfo{
			{TaskStats: engine.TaskStats{Worker: "w1", Operator: "in", TuplesOut: 50, Position: wire.TimeMax}},
			{TaskStats: engine.TaskStats{Worker: "w1", Operator: "pass", Fused: true, TuplesIn: 50, TuplesOut: 49}},
		},
		Reassignments: []coordinator.Reassignment{reassignment(coordinator.Restoring)},
		Events: []coordinator.Event{
			{Seq: 1, At: when, Kind: coordinator.JobSubmitted, Job: "j1", Text: "count on 1 workers"},
			{Seq: 2, At: when, Kind: coordinator.JobStarted, Job: "j1", Took: 1500 * time.Microsecond},
		},
	}
}

// failedJob has all that only a failed one has.
func failedJob() coordinator.JobInfo {
	j := runningJob()
	j.State, j.Ended = coordinator.Failed, when.Add(time.Minute)
	j.Failure = &control.Failure{Worker: "w1", Operator: "count", Task: 1, Time: wire.At(12345, 3, 7), Key: "17", Message: "boom", Stack: "main.go:1"}
	j.Losses = []coordinator.Loss{{
		Worker: "w1", Incarnation: 5, PID: 7, Addr: "unix:///w1", Cause: coordinator.CauseHeartbeats, Reason: "silent", Heard: when,
		Detected: when.Add(time.Second), After: time.Second,
		Tasks:     []coordinator.LostTask{{Operator: "count", Task: 0, Position: wire.At(12345, 3, 7), Reported: true}, {Operator: "in"}},
		Recovered: true,
	}}
	j.Recoveries = coordinator.Recoveries{Count: 2, Attempts: 3, Last: 125 * time.Millisecond}
	j.Results = []engine.Result{{Worker: "w1", Name: "sum", Data: json.RawMessage(`[1]`)}}
	j.Tasks = append(j.Tasks, coordinator.TaskInfo{
		TaskStats: engine.TaskStats{
			Worker: "w1", Operator: "count", TuplesIn: 10, Useful: time.Second, Waiting: 3 * time.Second, Turns: 4, Blocked: 1,
			QueueBytes: 11, StateBytes: 12, Position: wire.At(12345, 3, 7), FrontierLag: 2 * time.Millisecond,
			Latency: engine.Latency{Count: 9, P50: time.Millisecond, P95: 2 * time.Millisecond, P99: 3 * time.Millisecond, Max: 4500 * time.Microsecond},
		},
		In: 2.5, Out: 1, True: 10, Busy: 0.25,
	})
	return j
}
