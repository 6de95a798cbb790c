package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// resumed says where a job has gone on from what another has left.
type resumed struct {
	tasks   int       // that have
	from    wire.Time // the least position from which a source has; 0 for the beginning
	reached wire.Time // the greatest position of any task
	sources bool      // there was one already
}

// add counts a task that goes on from a checkpoint, or begins, with nil. At its end it is where the input ended.
func (r *resumed) add(c *ft.Checkpoint, source bool) {
	at := wire.Time(0)
	if c != nil {
		r.tasks++
		if at = c.Position; c.Ending {
			at = min(at, c.EndOf)
		}
	}
	r.reached = max(r.reached, at)
	if source && (!r.sources || at < r.from) {
		r.from, r.sources = at, true
	}
}

// passed is how long the input takes by the pace that an earlier run has reached. The clock goes on from there: sources give
// again at once what was due then, and the rest at the pace.
func (r *resumed) passed(pace float64) time.Duration {
	if pace <= 0 {
		return 0
	}
	return time.Duration(float64(r.reached.Millis()) * float64(time.Millisecond) / pace)
}

// restore sets the tasks to where an earlier run has left them, if one has.
func (j *Job) restore(cfg Config) (err error) {
	if cfg.Savepoint != "" {
		if err := j.fromSavepoint(cfg.Savepoint); err != nil {
			return fmt.Errorf("savepoint %s: %w", cfg.Savepoint, err)
		}
		return nil
	}
	j.resumed, err = j.keep.restore(j.dep, j.pool)
	return err
}

// fromSavepoint sets all tasks to a savepoint. What they are set to is their first checkpoint.
func (j *Job) fromSavepoint(dir string) error {
	s, err := ft.OpenSavepoint(nil, dir)
	if err != nil {
		return err
	}
	info := s.Info()
	if err := errors.Join(compareJobs(&info.Job, &j.info), j.checkKey(&info), j.keep.checkBare()); err != nil {
		return err
	}
	for u := range j.dep.Plan.Units {
		if err := j.restoreUnit(s, u); err != nil {
			return err
		}
	}
	j.log.Info("restored", "savepoint", dir, "position", info.Position, "tasks", j.resumed.tasks)
	return nil
}

func (j *Job) checkKey(info *ft.SavepointInfo) error {
	if info.Key != j.key {
		return errors.New("it is of a job that computes something else, such as over other inputs or with other parameters: the graph is the same, Config.CheckpointKey is not")
	}
	return nil
}

// checkBare refuses a directory with checkpoints from which a job can go on.
func (k *keeping) checkBare() error {
	if k == nil {
		return nil
	}
	kept, err := k.dir.Tasks(context.Background())
	if err == nil && len(kept) > 0 {
		err = fmt.Errorf("%s has checkpoints already: start without the savepoint to go on from those, or with another directory for checkpoints", k.cfg.CheckpointDir)
	}
	return err
}

// restoreUnit sets the tasks of one operator to its part of a savepoint.
func (j *Job) restoreUnit(s *ft.Savepoint, u int) error {
	unit := j.dep.Plan.Units[u]
	host := unit.Host()
	pieces, err := s.Read(host.ID)
	if err != nil {
		return err
	}
	at := s.Info().Position
	if len(pieces) == 0 { // it was fused into another, and so has no state
		if !host.Stateless() {
			return fmt.Errorf("it has no tasks of operator %q", host.ID)
		}
		for _, r := range unit.Ranges {
			pieces = append(pieces, &ft.Checkpoint{Operator: host.ID, Range: r, Position: at})
		}
	}
	checks, err := ft.Repartition(pieces, unit.Ranges)
	if err != nil {
		return err
	}
	if host.Kind == task.Source {
		if err := spreadSplits(checks, host); err != nil {
			return fmt.Errorf("source %q: %w", host.ID, err)
		}
	}
	for i, c := range checks {
		if err := j.restoreAt(j.dep.Units[u][i], c); err != nil {
			return fmt.Errorf("%v: %w", c.Task(), err)
		}
		j.resumed.add(c, host.Kind == task.Source)
	}
	return nil
}

// restoreAt sets a task to a checkpoint without logs: those begin where it is.
func (j *Job) restoreAt(t *deploy.Task, c *ft.Checkpoint) error {
	c.Logs, c.Generation = nil, 1
	for _, name := range t.LogNames() {
		c.Logs = append(c.Logs, ft.LogImage{LogName: name, Trim: c.Position, Frontier: c.Position})
	}
	if err := t.Restore(c, j.pool); err != nil {
		return err
	}
	return j.keep.first(t, c)
}

// first keeps the checkpoint that a task begins with, so that a job that ends before it has taken one goes on from it.
func (k *keeping) first(t *deploy.Task, c *ft.Checkpoint) error {
	if k == nil {
		return nil
	}
	k.gens[t.Task] = c.Generation
	return k.dir.Put(context.Background(), idOf(t.Task), c.Generation, 0, c.Append(nil))
}

// spreadSplits gives the tasks of a source the splits that they read, of those that are all in the first. Whether their input
// has ended they find out by themselves.
func spreadSplits(checks []*ft.Checkpoint, host *graph.Operator) error {
	states := checks[0].Splits
	var errs []error
	for _, s := range states {
		if !slices.ContainsFunc(host.Reading.Splits, func(h task.Split) bool { return h.Ordinal == s.Ordinal }) {
			errs = append(errs, fmt.Errorf("the savepoint has a split %d that the source does not have", s.Ordinal))
		}
	}
	for i, splits := range graph.Spread(host.Reading.Splits, len(checks)) {
		c := checks[i]
		c.Splits, c.Ending, c.EndOf = nil, false, 0
		for _, split := range splits {
			n := slices.IndexFunc(states, func(s ft.SplitState) bool { return s.Ordinal == split.Ordinal })
			if n < 0 {
				errs = append(errs, fmt.Errorf("split %d (%s) is not in the savepoint", split.Ordinal, split.Name))
				continue
			}
			c.Splits = append(c.Splits, states[n])
		}
	}
	return errors.Join(errs...)
}
