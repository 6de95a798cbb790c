package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

const (
	// heldMost bounds how long a task waits for the others that one is to be made of together with it.
	heldMost = time.Second
	// cutFor is how long is waited for the checkpoint that a new task is made of.
	cutFor = 30 * time.Second
	// muteLogBytes is what a log may hold that leads to a task which is being made, or from one that nobody reads yet: half a
	// minute of 200,000 tuples of 80 bytes each second.
	muteLogBytes = 512 << 20
	// muteBudget is how many tuples a mute task may process in a turn: what it has to catch up with must not hold up those whom
	// others wait for.
	muteBudget = 256
)

// leave takes a task out of its place that is to be nowhere. What others here have yet to read of its output stays until they
// have.
func (j *job) leave(p rewire.Place) {
	t := j.dep.Units[p.Unit][p.Index]
	l := j.own[p]
	j.dismiss(t, true)
	j.held = slices.DeleteFunc(j.held, func(h *deploy.Task) bool { return h == t })
	l.on(func() { l.retired = append(l.retired, t) })
}

// dismiss ends a task that another one goes on for, and takes it out of its place, which with ends is nobody's any more.
func (j *job) dismiss(t *deploy.Task, ends bool) {
	l := j.laneOf(t)
	l.on(func() {
		l.loop.Remove(t.Task)
		l.taker.Remove(t.Task)
		t.Abdicate()
		l.mute = slices.DeleteFunc(l.mute, func(m *deploy.Task) bool { return m == t })
	})
	rewire.Leave(j.dep, j, t, ends)
	delete(j.own, placeOf(t))
}

// Withdraw takes back a channel that a task here sends.
func (j *job) Withdraw(here *deploy.Task, channel uint32) {
	for _, p := range j.laneOf(here).order {
		p.link.Withdraw(channel)
	}
}

// forgetRetired gives back tasks that have left, once nobody reads what they have emitted.
func (l *lane) forgetRetired() {
	l.retired = slices.DeleteFunc(l.retired, func(t *deploy.Task) bool {
		if !t.Idle() || l.taker.Holds(t.Task) {
			return false
		}
		l.job.work.Go(func() { // it may be gigabytes
			if err := t.Discard(); err != nil {
				l.job.w.log.Error("closing a task that has left", "job", l.job.name, "error", err)
			}
		})
		return true
	})
}

// prepare has the old tasks of reassignments that are here checkpoint, as the phase wants it. Those that one is to be made of
// together with others wait before: that is left to ready, which returns their greatest position.
func (j *job) prepare(order *control.Deploy) (ready func(context.Context) (wire.Time, error), err error) {
	held := j.held
	j.held = nil
	var together []*deploy.Task
	var ending []stopping
	for i := range order.Reassign {
		r := &order.Reassign[i]
		for _, index := range r.Old {
			t := j.dep.Units[r.Unit][index]
			if !t.Local() {
				continue
			}
			if r.Joins {
				j.held = append(j.held, t)
			}
			switch {
			case r.Phase == control.Registering && r.Joins:
				together = append(together, t)
			case r.Phase == control.Stopping:
				ending = append(ending, stopping{t, r.Cut})
				err = errors.Join(err, j.cut(t, r))
			case r.Phase == control.Restoring && !r.Stops:
				err = errors.Join(err, j.cut(t, r))
			}
		}
	}
	for _, t := range held {
		if !slices.Contains(j.held, t) {
			j.letGo(t)
		}
	}
	return func(ctx context.Context) (wire.Time, error) {
		if err := j.await(ctx, order, ending); err != nil {
			return 0, err
		}
		return j.gather(ctx, order, together)
	}, err
}

// stopping is a task that is to end once it has a checkpoint at a time or beyond it.
type stopping struct {
	*deploy.Task
	cut wire.Time
}

// await waits until tasks that are to end have the checkpoint that others are made of. It runs beside the desk.
func (j *job) await(ctx context.Context, order *control.Deploy, tasks []stopping) error {
	for _, t := range tasks {
		l := j.lanes[rewire.Slot(order, placeOf(t.Task)).Loop]
		for began, done := time.Now(), false; ; {
			l.on(func() { done = t.DurableAt() >= t.cut && !l.taker.Holds(t.Task.Task) })
			if done {
				break
			}
			if time.Since(began) > cutFor {
				return fmt.Errorf("operator %q, task %d: no checkpoint at %v within %v", t.Operator(), t.Index, t.cut, cutFor)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

// endOld ends the old tasks here that the phase has end: what they have written is for their successors from then on.
func (j *job) endOld(order *control.Deploy) error {
	var errs []error
	for i := range order.Reassign {
		r := &order.Reassign[i]
		if r.Phase != control.Stopping {
			continue
		}
		for _, index := range r.Old {
			if t := j.dep.Units[r.Unit][index]; j.own[placeOf(t)] != nil {
				j.dismiss(t, false)
				errs = append(errs, t.Discard())
			}
		}
	}
	return errors.Join(errs...)
}

// cut has a task take the checkpoint that others are to be made of.
func (j *job) cut(t *deploy.Task, r *control.Reassignment) (err error) {
	l := j.laneOf(t)
	l.on(func() {
		if r.Joins && !t.Hold(r.Cut) {
			err = fmt.Errorf("operator %q, task %d, was to checkpoint at %v together with those that it is to be joined with, waited for them for %v, and went on to %v: try again",
				t.Operator(), t.Index, r.Cut, heldMost, t.Position())
			return
		}
		l.taker.Cut(t.Task, r.Cut, r.Joins, func() { t.Hold(wire.TimeMax) })
		l.taker.Resume(func(*task.Task) bool { return false })
		l.reactor.Wake()
	})
	return err
}

// gather has tasks wait where they are, so that they can checkpoint at one position: as soon as no checkpoint is under way, which
// would have to be waited for then. It returns the greatest position. It runs beside the desk.
func (j *job) gather(ctx context.Context, order *control.Deploy, tasks []*deploy.Task) (reached wire.Time, err error) {
	for _, t := range tasks {
		for rests := false; !rests; {
			l := j.lanes[rewire.Slot(order, placeOf(t)).Loop]
			l.on(func() { rests = l.taker.Rest() && !l.taker.Busy() })
			if rests {
				break
			}
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
	}
	for _, t := range tasks {
		l := j.lanes[rewire.Slot(order, placeOf(t)).Loop]
		l.on(func() {
			if ctx.Err() == nil { // else it has been let go
				t.Hold(t.Position())
			}
			reached = max(reached, t.Position())
		})
	}
	if len(tasks) > 0 {
		time.AfterFunc(heldMost, func() { j.w.post(func() { j.waited(order) }) })
	}
	return reached, nil
}

// waited lets tasks go on that have waited for too long.
func (j *job) waited(order *control.Deploy) {
	if j.order == order && !j.closed {
		for _, t := range j.held {
			j.letGo(t)
		}
	}
}

// letGo ends what is special about an old task: it neither waits nor keeps a checkpoint for others.
func (j *job) letGo(t *deploy.Task) {
	l := j.laneOf(t)
	l.on(func() {
		t.Hold(wire.TimeMax)
		l.taker.Release(t.Task)
		l.taker.Resume(func(*task.Task) bool { return false })
	})
	l.reactor.Wake()
}

// heed notes which of the tasks here are mute by an order: those that were and are not any more have checkpoints taken.
func (j *job) heed(order *control.Deploy) (err error) {
	for _, l := range j.lanes {
		if l == nil {
			continue
		}
		l.on(func() {
			l.level = false
			l.mute = slices.DeleteFunc(l.mute, func(t *deploy.Task) bool {
				if _, mute := rewire.Mute(order, placeOf(t)); mute {
					return false
				}
				l.loop.Throttle(t.Task, 0)
				if !l.taker.Has(t.Task) {
					err = errors.Join(err, j.keepOf(l, t, 0))
				}
				return true
			})
		})
	}
	return err
}

// succession is what tasks here are to be made of.
type succession struct {
	id    uint64 // of the reassignment
	old   []ft.TaskID
	cut   wire.Time
	joins bool
	all   []partition.Range // of all tasks that take over from those
	made  []heir
}

// heir is a task that is to be made.
type heir struct {
	place    rewire.Place
	id       ft.TaskID
	namesake bool
}

// successions are what has to be done for the new tasks among some: where each comes from one old task, one for each of those.
func (j *job) successions(order *control.Deploy, tasks []rewire.Place) (list []succession) {
	for i := range order.Reassign {
		r := &order.Reassign[i]
		ranges := order.Ranges[r.Unit]
		groups := [][]int{r.Old}
		if !r.Joins {
			groups = nil
			for _, old := range r.Old {
				groups = append(groups, []int{old})
			}
		}
		for _, group := range groups {
			s := succession{id: r.ID, cut: r.Cut, joins: r.Joins}
			for _, old := range group {
				s.old = append(s.old, j.dep.ID(j.dep.Units[r.Unit][old]))
			}
			for _, index := range r.New {
				if !r.Joins && !ranges[group[0]].Covers(ranges[index]) {
					continue
				}
				s.all = append(s.all, ranges[index])
				if p := (rewire.Place{Unit: r.Unit, Index: index}); slices.Contains(tasks, p) {
					s.made = append(s.made, heir{p, j.dep.ID(j.dep.Units[p.Unit][p.Index]), rewire.Namesake(order, p)})
				}
			}
			slices.SortFunc(s.all, func(a, b partition.Range) int {
				if a.First < b.First {
					return -1
				}
				return 1
			})
			if len(s.made) > 0 {
				list = append(list, s)
			}
		}
	}
	return list
}

// succeed makes tasks of the checkpoints of those that they take over from. What they are made of is their own first checkpoint.
func (j *job) succeed(ctx context.Context, s succession, hosts []control.Host) (list []restored, err error) {
	began := time.Now()
	pieces := make([]*ft.Checkpoint, len(s.old))
	for i, id := range s.old {
		if pieces[i], err = j.cutOf(ctx, id, s, hosts); err != nil {
			return nil, err
		}
	}
	fetched := time.Now()
	if len(s.all) > 1 || len(pieces) > 1 {
		if pieces, err = ft.Repartition(pieces, s.all); err != nil {
			return nil, err
		}
	}
	for _, h := range s.made {
		c := pieces[slices.Index(s.all, h.id.Range)]
		r := restored{generation: c.Generation, from: c.Position}
		if r.Task, err = j.dep.Build(h.place.Unit, h.place.Index); err != nil {
			return list, err
		}
		list = append(list, r)
		if err := r.Restore(c, j.pool); err != nil {
			return list, fmt.Errorf("checkpoint %d of %v, cut for %v: %w", c.Generation, s.old, h.id, err)
		}
		if h.namesake {
			continue
		}
		c.Follows = 0
		kept := checkpoint.Kept{Task: h.id, Generation: c.Generation, Position: c.Position, Encoded: c.Append(nil)}
		if err := j.w.backups.Put(ctx, j.name, j.backups.Load().Holders[h.id], kept); err != nil {
			return list, fmt.Errorf("first checkpoint of %v: %w", h.id, err)
		}
	}
	j.w.log.Info("tasks made of others", "job", j.name, "old", s.old, "new", len(s.made), "position", list[0].from, "fetched", fetched.Sub(began), "took", time.Since(began))
	return list, nil
}

// cutOf fetches the checkpoint of an old task that new ones are made of.
func (j *job) cutOf(ctx context.Context, id ft.TaskID, s succession, hosts []control.Host) (*ft.Checkpoint, error) {
	wanted := func(i ft.Info) bool { return i.Position == s.cut || i.Position > s.cut && !s.joins }
	for began := time.Now(); ; {
		c, err := j.w.backups.Wanted(ctx, j.name, hosts, id, wanted)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil || time.Since(began) > cutFor:
			return nil, fmt.Errorf("the checkpoint of %v at %v: %w", id, s.cut, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// lookLevel looks whether the lane's mute tasks have processed whatever has come, and tells the desk when they have.
func (l *lane) lookLevel() {
	if l.level || slices.ContainsFunc(l.mute, func(t *deploy.Task) bool { return !t.Level() }) {
		return
	}
	l.level = true
	l.job.w.post(l.job.tellCaughtUp)
}

// tellCaughtUp tells the coordinator that the new tasks here are where the old ones are, once that holds for all of them.
func (j *job) tellCaughtUp() {
	if j.closed || len(j.order.Reassign) == 0 {
		return
	}
	for _, l := range j.lanes {
		if l == nil {
			continue
		}
		level := true
		l.on(func() { level = l.level || len(l.mute) == 0 })
		if !level {
			return
		}
	}
	r := &j.order.Reassign[0]
	j.caughtUp = &control.CaughtUp{Job: j.name, Epoch: j.order.Epoch, Reassignment: r.ID}
	j.w.tell(j.caughtUp)
}
