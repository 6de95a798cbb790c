package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/loop"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire/slab"
)

// JobError is what ended a job: an operator's error or panic, with operator, task, τ, key, and the stack of a panic.
type JobError = task.Error

// Job is a query that is running in this process.
type Job struct {
	pool  *slab.Pool
	dep   *deploy.Deployment
	loops []*loop.Loop
	keep  *keeping // nil where no checkpoints are taken
	saves
	start time.Time
	done  chan struct{}
	// passed is by how much the clock of a job with a pace that goes on is ahead: see resumed.passed.
	passed  time.Duration
	resumed resumed

	stop   atomic.Bool // give up at once: a task has failed
	ending atomic.Int32
	mu     sync.Mutex
	err    error // guarded by mu
	end    time.Duration
}

// How a job was asked to end early.
const (
	running int32 = iota
	draining
	cancelling
)

// Run runs a query to its end: until its sources have ended and everything is processed, an operator has failed, or ctx is
// done, in which case what was read is still processed and ctx's error is returned.
func Run(ctx context.Context, g *Graph, cfg Config) (Stats, error) {
	j, err := Start(ctx, g, cfg)
	if err != nil {
		return Stats{}, err
	}
	err = j.Wait()
	return j.Stats(), err
}

// Start starts a query. When ctx is done the job is cancelled: see Cancel.
func Start(ctx context.Context, g *Graph, cfg Config) (*Job, error) {
	if err := errors.Join(g.Validate(), cfg.Validate()); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	plan, err := graph.NewPlan(&g.g, graph.PlanConfig{
		Parallelism: cfg.Parallelism, Default: cfg.Loops, NoFuse: cfg.NoFuse,
	})
	if err != nil {
		return nil, err
	}
	place, err := plan.Place(make([]int, cfg.Loops), cfg.Pins)
	if err != nil {
		return nil, err
	}
	j := &Job{done: make(chan struct{}), saves: saves{info: describe(&g.g), key: cfg.keyHash(), log: cfg.Logger}}
	j.pool = slab.New(slab.Config{Budget: cfg.Memory, HugePages: true, Prefault: true})
	if err := j.deploy(plan, cfg); err != nil {
		return nil, errors.Join(err, j.pool.Close())
	}
	if err := j.makeLoops(cfg, place); err != nil {
		return nil, errors.Join(err, j.dep.Close(), j.keep.close(), j.pool.Close())
	}
	cfg.Logger.Info("job started", "graph", g.g.Name, "loops", cfg.Loops, "tasks", j.taskCount())
	j.run(ctx, cfg)
	return j, nil
}

// deploy makes the tasks, and sets them to where an earlier run has left them.
func (j *Job) deploy(plan *graph.Plan, cfg Config) (err error) {
	if cfg.CheckpointDir != "" {
		if j.keep, err = keepIn(cfg, &j.info); err != nil {
			return err
		}
	}
	j.dep, err = deploy.Make(plan, deploy.Config{
		Pool: j.pool, Clock: task.Clock{Pace: cfg.Pace}, LogBytes: cfg.LogBytes, StepBytes: cfg.StepBytes, FrameBytes: cfg.FrameBytes,
		SpillDir: cfg.SpillDir, TrimOnAck: j.keep == nil,
	})
	if err != nil {
		return errors.Join(err, j.keep.close())
	}
	if err = j.restore(cfg); err == nil {
		j.passed = j.resumed.passed(cfg.Pace)
		err = j.dep.ConnectAll()
	}
	if err != nil {
		return errors.Join(err, j.dep.Close(), j.keep.close())
	}
	return nil
}

// makeLoops gives each loop its tasks.
func (j *Job) makeLoops(cfg Config, place [][]int) error {
	sets := make([][]*task.Task, cfg.Loops)
	for u, slots := range place {
		for i, slot := range slots {
			sets[slot] = append(sets[slot], j.dep.Units[u][i].Task)
		}
	}
	for _, set := range sets {
		j.loops = append(j.loops, loop.New(set, loop.TurnBudget, cfg.ProfileLabels))
	}
	if err := j.keep.watch(j, place); err != nil {
		return err
	}
	j.watchCuts()
	for _, u := range j.dep.Plan.Units {
		if r := u.Host().Reading; r != nil && r.OnWake != nil {
			r.OnWake(j.wakeAll)
		}
	}
	return nil
}

func (j *Job) wakeAll() {
	for _, l := range j.loops {
		l.Wake()
	}
}

func (j *Job) taskCount() (n int) {
	j.dep.Tasks(func(*deploy.Task) { n++ })
	return n
}

// run starts the loops' goroutines and the one that waits for them.
func (j *Job) run(ctx context.Context, cfg Config) {
	j.start = time.Now()
	var wg sync.WaitGroup
	for i, l := range j.loops {
		d := &loop.Driver{Loop: l, Clock: func() time.Duration { return j.passed + time.Since(j.start) }, Stop: j.stop.Load}
		for k, p := range j.loops {
			if k != i {
				d.Peers = append(d.Peers, p)
			}
		}
		d.Between = j.ender(j.cutters[i])
		wg.Go(func() {
			err := errGoexit
			defer func() {
				if err != nil {
					j.fail(err)
				}
			}()
			err = d.Run()
		})
	}
	unhook := context.AfterFunc(ctx, func() { j.Cancel() })
	go func() {
		wg.Wait()
		unhook()
		j.endCuts()
		j.mu.Lock()
		j.end = time.Since(j.start)
		if err := errors.Join(j.keep.end(j.err == nil && j.ending.Load() != cancelling), j.dep.Close()); err != nil && j.err == nil {
			j.err = fmt.Errorf("closing: %w", err)
		}
		if err := j.pool.Close(); err != nil && j.err == nil {
			j.err = err
		}
		if j.err == nil && j.ending.Load() == cancelling {
			j.err = context.Canceled
			if ctx.Err() != nil {
				j.err = context.Cause(ctx)
			}
		}
		err := j.err
		j.mu.Unlock()
		cfg.Logger.Info("job ended", "after", j.end, "error", err)
		close(j.done)
	}()
}

// errGoexit is what is left where a loop's goroutine has neither returned nor panicked.
var errGoexit = errors.New("an operator has ended the goroutine of its loop: runtime.Goexit was called, as testing.T.FailNow does")

// ender is run between turns of a loop: it passes on that the job is to end early, once.
func (j *Job) ender(c *cutter) func() {
	seen := running
	return func() {
		now := j.ending.Load()
		if now == seen {
			return
		}
		seen = now
		c.refuse(errEnding)
		c.loop.Each(func(t *task.Task) {
			t.StopReading()
			if now == cancelling {
				t.Cancel()
			}
		})
	}
}

func (j *Job) fail(err error) {
	j.mu.Lock()
	if j.err == nil {
		j.err = err
	}
	j.mu.Unlock()
	j.stop.Store(true)
	j.wakeAll()
}

// Drain ends the input now: what has been read is processed, pending timers fire, results are committed.
func (j *Job) Drain() { j.finish(draining) }

// Cancel ends the job in good order but early: what has been read is processed and results are committed, but timers that
// are pending do not fire, since the input has not really ended. Wait returns context.Canceled.
func (j *Job) Cancel() { j.finish(cancelling) }

func (j *Job) finish(how int32) {
	if j.ending.CompareAndSwap(running, how) {
		j.wakeAll()
	}
}

// Done is closed once the job has ended.
func (j *Job) Done() <-chan struct{} { return j.done }

// Wait waits for the end of the job and returns what it failed with.
func (j *Job) Wait() error {
	<-j.done
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}
