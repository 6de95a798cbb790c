package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/wire/slab"
)

// Manager is a coordinator as those see it who want jobs run.
type Manager interface {
	// Submit has a job deployed and returns its id.
	Submit(ctx context.Context, r coordinator.Request) (id string, err error)
	// Job says all about a job.
	Job(ctx context.Context, id string) (coordinator.JobInfo, error)
	// Wait waits until a job has ended, and says all about it.
	Wait(ctx context.Context, id string) (coordinator.JobInfo, error)
	// Drain ends a job's input; Cancel does so without firing pending timers.
	Drain(ctx context.Context, id string) error
	Cancel(ctx context.Context, id string) error
}

var _ Manager = (*coordinator.Server)(nil)

// Runner runs programs on the workers of a cluster.
type Runner struct {
	Manager Manager
	// Workers is how many of them take part; 0 for all.
	Workers int
}

var _ engine.Runner = Runner{}

// lookEvery is how often a job is looked at.
const lookEvery = 100 * time.Millisecond

// patience is how long a coordinator may be away that is being asked to end a job.
const patience = 10 * time.Second

// JobError is what a job on workers has failed with.
type JobError struct {
	Job     string
	Failure *control.Failure
	Losses  []coordinator.Loss // that were not made good
}

// Error says which job, and why; more about a worker that was lost is in Losses.
func (e *JobError) Error() string {
	if len(e.Losses) > 0 {
		return fmt.Sprintf("job %s: worker %s is lost", e.Job, e.Losses[0].Worker)
	}
	return fmt.Sprintf("job %s: %v", e.Job, e.Failure)
}

// Unwrap is the failure.
func (e *JobError) Unwrap() error {
	if e.Failure == nil {
		return nil
	}
	return e.Failure
}

// Start submits the program. When ctx is done the job is cancelled. What is in cfg that is for one process alone, its loops
// and its logger, is the workers' affair.
func (r Runner) Start(ctx context.Context, p engine.Program, params json.RawMessage, cfg engine.Config) (engine.Running, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	id, err := r.Manager.Submit(ctx, coordinator.Request{
		Program: p.Name, Params: params, Parallelism: cfg.Parallelism, Workers: r.Workers, Pins: cfg.Pins,
		Config: jobConfig(cfg),
	})
	if err != nil {
		return nil, err
	}
	j := &running{manager: r.Manager, id: id, ctx: ctx, done: make(chan struct{}), begun: time.Now()}
	go j.follow()
	return j, nil
}

// jobConfig is the part of cfg that goes to the workers.
func jobConfig(cfg engine.Config) control.JobConfig {
	c := control.JobConfig{
		Pace: cfg.Pace, LogBytes: cfg.LogBytes, StepBytes: cfg.StepBytes, FrameBytes: cfg.FrameBytes, Memory: cfg.Memory, NoFuse: cfg.NoFuse,
		Window: cfg.Window, Labels: true, // profiles are asked for while the job runs
	}
	if cfg.Recovery == engine.StateManagement {
		c.CheckpointInterval, c.Replicas = cfg.WithDefaults().CheckpointInterval, cfg.Replicas
	}
	return c
}

// running is a job on workers.
type running struct {
	manager Manager
	id      string
	ctx     context.Context
	begun   time.Time
	done    chan struct{}

	mu   sync.Mutex
	info coordinator.JobInfo // as last seen; guarded by mu
	err  error               // guarded by mu
}

// follow looks at the job until it has ended.
func (j *running) follow() {
	defer close(j.done)
	ended := make(chan struct{})
	unhook := context.AfterFunc(j.ctx, j.Cancel)
	defer unhook()
	var last coordinator.JobInfo
	var err error
	go func() {
		defer close(ended)
		last, err = j.manager.Wait(context.WithoutCancel(j.ctx), j.id)
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			j.settle(last, err)
			return
		case <-ticker.C:
			if info, err := j.manager.Job(j.ctx, j.id); err == nil {
				j.mu.Lock()
				j.info = info
				j.mu.Unlock()
			}
		}
	}
}

// settle notes how the job has ended.
func (j *running) settle(info coordinator.JobInfo, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.info = info
	switch {
	case err != nil:
		j.err = err
	case info.State == coordinator.Failed:
		j.err = &JobError{Job: j.id, Failure: info.Failure, Losses: LossesOf(info)}
	case info.State == coordinator.Cancelled:
		j.err = context.Canceled
		if j.ctx.Err() != nil {
			j.err = context.Cause(j.ctx)
		}
	}
}

// Done is closed once the job has ended.
func (j *running) Done() <-chan struct{} { return j.done }

// Wait waits for the end and returns what the job has failed with: a *JobError, or context.Canceled.
func (j *running) Wait() error {
	<-j.done
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Results are what the workers had to tell.
func (j *running) Results() []engine.Result {
	<-j.done
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.info.Results
}

// Drain ends the input.
func (j *running) Drain() { j.end(j.manager.Drain) }

// Cancel ends the job early.
func (j *running) Cancel() { j.end(j.manager.Cancel) }

// end asks until the coordinator has heard it, or it is of no use.
func (j *running) end(ask func(context.Context, string) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.ctx), patience)
	defer cancel()
	for {
		var refused *coordinator.Error
		err := ask(ctx, j.id)
		if err == nil || errors.As(err, &refused) && refused.Code != coordinator.Unavailable {
			return
		}
		select {
		case <-j.done:
			return
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// Stats are the counters of all workers as of their last reports.
func (j *running) Stats() engine.Stats {
	j.mu.Lock()
	info := j.info
	j.mu.Unlock()
	return statsOf(info)
}

// statsOf puts the counters of a job's parts together.
func statsOf(info coordinator.JobInfo) (s engine.Stats) {
	owners := map[string]int{}
	for _, p := range info.Parts {
		s.Elapsed = max(s.Elapsed, p.Elapsed)
		s.Processes = append(s.Processes, p.Processes...)
		s.SlabBytesMax += p.SlabsMax
		s.Checkpoints.Add(p.Checkpoints)
		addSlabs(&s.Slabs, owners, p.Slabs)
		for _, l := range p.Links {
			s.Links.Add(engine.LinkStats{BytesOut: l.BytesOut, BytesIn: l.BytesIn, TuplesOut: l.TuplesOut, TuplesIn: l.TuplesIn})
		}
	}
	for _, t := range info.Tasks {
		s.Tasks = append(s.Tasks, t.TaskStats)
	}
	return s
}

// LossesOf are the losses that a job was not carried on after.
func LossesOf(info coordinator.JobInfo) (losses []coordinator.Loss) {
	for _, l := range info.Losses {
		if !l.Recovered {
			losses = append(losses, l)
		}
	}
	return losses
}

func addSlabs(sum *slab.Stats, owners map[string]int, s slab.Stats) {
	sum.Mapped += s.Mapped
	sum.Committed += s.Committed
	sum.InUse += s.InUse
	sum.Peak += s.Peak
	sum.Slabs += s.Slabs
	sum.Gets += s.Gets
	sum.ColdGets += s.ColdGets
	sum.Prefaulted += s.Prefaulted
	for _, o := range s.Owners {
		i, ok := owners[o.Name]
		if !ok {
			i = len(sum.Owners)
			owners[o.Name] = i
			sum.Owners = append(sum.Owners, slab.OwnerStats{Name: o.Name})
		}
		sum.Owners[i].InUse += o.InUse
		sum.Owners[i].Peak += o.Peak
		sum.Owners[i].Slabs += o.Slabs
	}
}
