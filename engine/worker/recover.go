package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/background"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// recovering is what of a job has to do with tasks that are brought back.
type recovering struct {
	work     sync.WaitGroup    // checkpoints being kept, tasks being brought back
	answer   *control.Deployed // to the newest order, once it is given
	caughtUp *control.CaughtUp // once that is so
	held     []*deploy.Task    // that wait so that one can be made of them and others
	latest   chan struct{}     // closed when those who bring back tasks by the order before are done; nil if there are none
	stop     context.CancelFunc
}

// restored is a task that was brought back and is not in its place yet.
type restored struct {
	*deploy.Task
	generation uint64
	from       wire.Time
}

// durable says that the job takes checkpoints.
func (j *job) durable() bool { return j.order.Spec.Config.CheckpointInterval > 0 }

// recoveryOf says how a job comes back from a loss.
func recoveryOf(c control.JobConfig) engine.Recovery {
	if c.CheckpointInterval > 0 {
		return engine.StateManagement
	}
	return engine.NoRecovery
}

// carryOn follows an order that carries the job on: tasks that are to be nowhere leave, channels are led to where tasks are now,
// and those that are to be here are brought back, or made, beside the loops.
func (j *job) carryOn(order *control.Deploy) {
	began := time.Now()
	before := j.order
	j.order, j.answer, j.caughtUp = order, nil, nil
	j.epoch.Store(order.Epoch)
	changes := rewire.Compare(before, order, j.self, func(p rewire.Place) bool { return j.own[p] != nil })
	j.each(func(l *lane) { l.lose(order.Gone) })
	for _, p := range changes.Going {
		j.leave(p)
	}
	left := time.Now()
	reached, err := rewire.Follow(j.dep, j, changes)
	followed := time.Now()
	if err != nil {
		j.w.fail(j, err)
		return
	}
	j.assignBackups()
	ready, late := j.prepare(order)
	if err := j.heed(order); err != nil {
		j.w.fail(j, err)
		return
	}
	j.w.log.Debug("order followed", "job", j.name, "epoch", order.Epoch, "left", left.Sub(began), "followed", followed.Sub(left), "rest", time.Since(followed))
	j.bringBack(changes.Here, &control.Deployed{Job: j.name, Epoch: order.Epoch, Reached: reached}, ready, late)
}

// on runs fn on a lane's reactor and waits. If the reactor has stopped, nothing runs any more, and fn is run here.
func (l *lane) on(fn func()) {
	done := make(chan struct{})
	if l.reactor.Do(func() { defer close(done); fn() }) {
		<-done
		return
	}
	fn()
}

// laneOf is the lane of a task that is here, or whose place is.
func (j *job) laneOf(t *deploy.Task) *lane {
	if l := j.own[placeOf(t)]; l != nil {
		return l
	}
	return j.lanes[j.slot(t.Unit, t.Index).Loop]
}

func placeOf(t *deploy.Task) rewire.Place { return rewire.Place{Unit: t.Unit, Index: t.Index} }

// lose gives up the connections to workers that are gone. What they brought can be consumed still.
func (l *lane) lose(gone []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.broken = l.counts[:0], l.broken[:0] // they are by order
	l.order = slices.DeleteFunc(l.order, func(p *peer) bool {
		if !slices.Contains(gone, p.far.worker) {
			return false
		}
		p.gone.Store(true)
		p.hangUp()
		p.link.Abandon()
		delete(l.links, p.far)
		l.lost = append(l.lost, p)
		return true
	})
}

// forgetLost gives back what is left of connections to workers that are gone, once it is consumed.
func (l *lane) forgetLost() {
	l.lost = slices.DeleteFunc(l.lost, func(p *peer) bool {
		if !p.link.Released() {
			return false
		}
		p.link.Close()
		return true
	})
}

// Here says whether a task's place is on this worker.
func (j *job) Here(t *deploy.Task) bool { return j.slot(t.Unit, t.Index).Worker == j.self }

// On runs fn on the reactor of a task of this worker, and has the links say what there is to say thereafter: the tasks of the lane
// may have nothing to do any more.
func (j *job) On(t *deploy.Task, fn func()) {
	l := j.laneOf(t)
	l.on(func() {
		fn()
		l.stir()
	})
}

// Link is the link to a task's loop on another worker.
func (j *job) Link(here, far *deploy.Task) *link.Link {
	return j.laneOf(here).to(j.slot(far.Unit, far.Index)).link
}

// bringBack brings tasks back from their newest checkpoints, or makes new ones of those that they take over from, beside the
// loops, and then has them put in their places. What was begun by an order before is given up, and waited for: it may have the
// files of a sink. ready is waited for as well, and late is what has failed already.
func (j *job) bringBack(tasks []rewire.Place, answer *control.Deployed, ready func(context.Context) (wire.Time, error), late error) {
	if j.stop != nil {
		j.stop()
	}
	ctx, cancel := context.WithCancel(j.ctx)
	order, before, done := j.order, j.latest, make(chan struct{})
	j.stop, j.latest = cancel, done
	ids := make([]ft.TaskID, len(tasks))
	var back []int
	for i, t := range tasks {
		ids[i] = j.dep.ID(j.dep.Units[t.Unit][t.Index])
		if _, mute := rewire.Mute(order, t); !mute {
			back = append(back, i)
		}
	}
	successions := j.successions(order, tasks)
	hosts := rewire.Hosts(order)
	j.work.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		var list []restored
		err := late
		for _, i := range back {
			if err != nil {
				break
			}
			var r restored
			if r, err = j.restore(ctx, tasks[i], ids[i], hosts); err == nil {
				list = append(list, r)
			}
		}
		for _, s := range successions {
			if err != nil {
				break
			}
			var made []restored
			background.Run(func() { made, err = j.succeed(ctx, s, hosts) }) // the old tasks go on meanwhile
			list = append(list, made...)
		}
		if err == nil {
			var at wire.Time
			at, err = ready(ctx)
			answer.Reached = max(answer.Reached, at)
		}
		j.w.post(func() { j.broughtBack(order, answer, list, err) })
	})
}

// fetchFor is how long holders of checkpoints that do not answer are asked again.
const fetchFor = 5 * time.Second

// restore makes a task as its newest checkpoint has it, or as new where it never had one.
func (j *job) restore(ctx context.Context, t rewire.Place, id ft.TaskID, hosts []control.Host) (r restored, err error) {
	began := time.Now()
	var c *ft.Checkpoint
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		c, err = j.w.backups.Newest(ctx, j.name, hosts, id)
		if err == nil || errors.Is(err, ft.ErrNotFound) || time.Since(began) > fetchFor {
			break
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(pause):
		}
	}
	if err != nil && !errors.Is(err, ft.ErrNotFound) {
		return r, fmt.Errorf("the newest checkpoint of %v: %w", id, err)
	}
	if r.Task, err = j.dep.Build(t.Unit, t.Index); err != nil {
		return r, err
	}
	if c == nil {
		return r, nil // from the beginning; if its input is not there any more, those who fed it will say so
	}
	if err := r.Restore(c, j.pool); err != nil {
		return r, errors.Join(fmt.Errorf("checkpoint %d of %v: %w", c.Generation, id, err), r.Discard())
	}
	r.generation, r.from = c.Generation, c.Position
	j.w.log.Info("task restored", "job", j.name, "task", id, "generation", c.Generation, "position", c.Position, "took", time.Since(began))
	return r, nil
}

// broughtBack puts tasks in their places that were brought back by an order, and answers it, unless there is a newer one. What
// fails of a reassignment is for that alone.
func (j *job) broughtBack(order *control.Deploy, answer *control.Deployed, list []restored, err error) {
	stale := j.order != order || j.closed
	if stale || err != nil { // all of them, or none
		for _, r := range list {
			err = errors.Join(err, r.Discard())
		}
		list = nil
	}
	if stale {
		j.w.log.Debug("tasks brought back by an order that is over", "job", j.name, "error", err)
		return
	}
	if err == nil {
		err = errors.Join(j.install(list), j.endOld(order))
	}
	if err != nil {
		answer.Error = failure(j.w.id, err)
		if len(order.Reassign) > 0 {
			answer.Reassignment = order.Reassign[0].ID
		}
	}
	j.answer = answer
	j.w.tell(answer)
	if err == nil && len(list) == 0 && j.ended != nil {
		j.ended.Epoch = order.Epoch
		j.takeResults() // a sink may have left by this order: what it has written is told where it went
		j.w.tell(j.ended)
	}
}

// install puts tasks in their places, connects them, and has them run.
func (j *job) install(list []restored) error {
	back := map[*deploy.Task]bool{}
	for _, r := range list {
		j.dep.Install(r.Task)
		j.own[placeOf(r.Task)] = j.laneOf(r.Task)
		back[r.Task] = true
	}
	for _, r := range list {
		if err := rewire.Join(j.dep, j, r.Task, r.from, func(t *deploy.Task) bool { return back[t] }); err != nil {
			return err
		}
	}
	for _, r := range list {
		if err := j.run(r); err != nil {
			return err
		}
	}
	return nil
}

// run has a task that was brought back take its turns.
func (j *job) run(r restored) (err error) {
	l := j.laneOf(r.Task)
	place := placeOf(r.Task)
	_, mute := rewire.Mute(j.order, place)
	namesake := rewire.Namesake(j.order, place)
	l.on(func() {
		if l.done {
			l.done = false
			j.going++
		}
		l.ran = false
		l.loop.Add(r.Task.Task)
		if mute {
			l.loop.Throttle(r.Task.Task, muteBudget)
			l.mute, l.level = append(l.mute, r.Task), false
		}
		if !namesake {
			err = j.keepOf(l, r.Task, r.generation)
		}
	})
	if j.phase == control.PhaseEnded { // it had ended before it was given something to do
		j.phase, j.ended = control.PhaseRunning, nil
	}
	l.reactor.Wake()
	return err
}

// keepOf has checkpoints taken of a task that is new on a lane. Their generations are above all that were used by orders before,
// by whomever.
func (j *job) keepOf(l *lane, t *deploy.Task, generation uint64) error {
	err := l.taker.Add(t.Task, j.dep.Member(t), max(generation, j.order.Epoch<<generationBits))
	l.taker.Renew(func(id ft.TaskID) bool { return id == j.dep.ID(t) }) // not all of those who are to keep it have it
	return err
}

// generationBits leaves four thousand million checkpoints of a task to each order.
const generationBits = 32
