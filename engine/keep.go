package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire/slab"
)

// keeping is how a job in this process takes checkpoints, into a directory. All methods may be called on nil, and then do
// nothing.
type keeping struct {
	dir    *ft.Dir
	cfg    Config
	log    *slog.Logger
	gens   map[*task.Task]uint64 // the last generation used
	takers []*keeper             // by loop
	at     sync.WaitGroup        // checkpoints being written
}

// keeper takes the checkpoints of a loop's tasks, and shows others what it has done.
type keeper struct {
	*checkpoint.Taker
	cancelled func() bool
	mu        sync.Mutex
	shown     checkpoint.Stats // guarded by mu
}

// Step is the Taker's. It stops that once the job is cancelled, even if this loop has not acted upon it: what comes from loops
// that have may be the end of their input, which is not the input's end.
func (t *keeper) Step(now time.Duration) (worked bool, until time.Duration, err error) {
	if t.cancelled() {
		t.Stop()
	}
	worked, until, err = t.Taker.Step(now)
	t.mu.Lock()
	t.shown = t.Taker.Stats()
	t.mu.Unlock()
	return worked, until, err
}

// keepIn opens the directory.
func keepIn(cfg Config, job *ft.JobInfo) (*keeping, error) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%x %s", uint64(job.Fingerprint), cfg.CheckpointKey)
	dir, err := ft.OpenDir(ft.DirConfig{Path: cfg.CheckpointDir, Graph: h.Sum64(), Job: job, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return &keeping{dir: dir, cfg: cfg, log: cfg.Logger, gens: map[*task.Task]uint64{}}, nil
}

// restore sets the tasks of a deployment, which are not connected yet, to the newest checkpoints that fit together.
func (k *keeping) restore(d *deploy.Deployment, pool *slab.Pool) (r resumed, err error) {
	if k == nil {
		return r, nil
	}
	ctx := context.Background()
	tasks, lines, err := k.lines(ctx, d)
	if err != nil {
		return r, err
	}
	for i, gen := range ft.Choose(lines) {
		t := tasks[i]
		for _, c := range lines[i].Candidates {
			k.gens[t.Task] = max(k.gens[t.Task], c.Generation)
		}
		var c *ft.Checkpoint // none: from the beginning
		if gen > 0 {
			if c, err = k.restoreTask(t, gen, pool); err != nil {
				return r, fmt.Errorf("checkpoint %d of %v: %w", gen, idOf(t.Task), err)
			}
		}
		r.add(c, d.Plan.Units[t.Unit].Host().Kind == task.Source)
	}
	return r, nil
}

// restoreTask sets a task to one of its checkpoints.
func (k *keeping) restoreTask(t *deploy.Task, gen uint64, pool *slab.Pool) (*ft.Checkpoint, error) {
	c, err := k.dir.Get(context.Background(), idOf(t.Task), gen)
	if err == nil {
		if err = t.Fits(c); err == nil {
			err = t.Restore(c, pool)
		}
	}
	if err == nil {
		k.log.Info("restored", "task", idOf(t.Task), "generation", gen, "position", c.Position)
	}
	return c, err
}

// stats adds up what has been done for all loops.
func (k *keeping) stats() (s Checkpoints) {
	if k == nil {
		return s
	}
	for _, t := range k.takers {
		t.mu.Lock()
		one := t.shown
		t.mu.Unlock()
		s.Taken, s.Failed, s.Bytes = s.Taken+one.Taken, s.Failed+one.Failed, s.Bytes+one.Bytes
		s.SliceMax = max(s.SliceMax, one.SliceMax)
	}
	return s
}

// lines are the tasks, and what each can go back to.
func (k *keeping) lines(ctx context.Context, d *deploy.Deployment) (tasks []*deploy.Task, lines []ft.Line, err error) {
	index, known := map[*deploy.Task]int{}, map[ft.TaskID]bool{}
	d.Tasks(func(t *deploy.Task) { index[t], tasks, known[idOf(t.Task)] = len(tasks), append(tasks, t), true })
	kept, err := k.dir.Tasks(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range kept {
		if !known[id] {
			return nil, nil, fmt.Errorf("%s has a checkpoint of %v, and this run has no such task: go on with the parallelism of the run that wrote it, or begin anew with another directory",
				k.cfg.CheckpointDir, id)
		}
	}
	for _, t := range tasks {
		infos, err := k.dir.Generations(ctx, idOf(t.Task))
		if err != nil {
			return nil, nil, err
		}
		var line ft.Line
		for _, e := range t.Logs {
			line.Consumers = append(line.Consumers, index[e.To])
		}
		for _, i := range infos {
			line.Candidates = append(line.Candidates, ft.CandidateOf(i))
		}
		lines = append(lines, line)
	}
	return tasks, lines, nil
}

func idOf(t *task.Task) ft.TaskID { return ft.TaskID{Operator: t.Operator(), Range: t.Range} }

// watch has checkpoints taken of every loop's tasks.
func (k *keeping) watch(j *Job, place [][]int) error {
	if k == nil {
		return nil
	}
	for _, l := range j.loops {
		made, err := checkpoint.New(checkpoint.Config{
			Schedule: ft.ScheduleConfig{Interval: k.cfg.CheckpointInterval}, Keep: k.put, Wake: l.Wake, Logger: k.log,
			Go: func(fn func()) { k.at.Go(fn) }, EndsAlone: true,
		})
		if err != nil {
			return err
		}
		t := &keeper{Taker: made, cancelled: func() bool { return j.ending.Load() == cancelling }}
		l.Keep(t)
		k.takers = append(k.takers, t)
	}
	for u, slots := range slices.Backward(place) {
		for i, slot := range slots {
			t := j.dep.Units[u][i]
			if err := k.takers[slot].Add(t.Task, j.dep.Member(t), k.gens[t.Task]); err != nil {
				return err
			}
		}
	}
	return nil
}

// put writes a checkpoint into the directory.
func (k *keeping) put(c checkpoint.Kept, done func(error)) {
	ctx := context.Background()
	err := k.dir.Put(ctx, c.Task, c.Generation, c.Follows, c.Encoded)
	done(err)
	if err != nil {
		return
	}
	if err := k.dir.Fold(ctx, c.Task); err != nil {
		k.log.Warn("folding checkpoints", "task", c.Task, "error", err)
	}
}

// end closes the directory after the loops have ended. If it has come to its end there is nothing to go on with.
func (k *keeping) end(completed bool) error {
	if k == nil {
		return nil
	}
	for _, t := range k.takers {
		t.Stop()
	}
	k.at.Wait()
	var errs []error
	if completed {
		ctx := context.Background()
		tasks, err := k.dir.Tasks(ctx)
		errs = append(errs, err)
		for _, id := range tasks {
			errs = append(errs, k.dir.Drop(ctx, id))
		}
	}
	return errors.Join(append(errs, k.close())...)
}

func (k *keeping) close() error {
	if k == nil {
		return nil
	}
	return k.dir.Close()
}
