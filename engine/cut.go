package engine

import (
	"context"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/loop"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// cut is a consistent cut of a job that is being taken: every task stops exactly at one τ, is frozen there, and goes on. No
// task waits for another, since all that is below τ, and nothing else, has reached those that are frozen: what they emit from
// there on is no part of the cut, and nothing that is below is on its way.
type cut struct {
	at     wire.Time
	put    func(*ft.Checkpoint) error // keeps what was frozen; it is called by several goroutines
	ctx    context.Context            // done when the cut is given up
	giveUp context.CancelCauseFunc
}

// cutter is a loop's part in cuts. It stands between the loop and what takes its checkpoints, and belongs to the loop's
// goroutine; of others, only send may be called.
type cutter struct {
	job  *Job
	loop *loop.Loop
	keep *keeper     // nil where no checkpoints are taken
	box  chan func() // what is to be done between two turns
	over bool        // the job's input has been ended early: there is nothing consistent to cut any more
	told bool        // the loop has nothing left to do

	cut     *cut                // under way, nil for none
	waiting []*task.Task        // that are not frozen
	frozen  []*task.Freeze      // not copied yet, in order
	tasks   map[*task.Task]bool // that were frozen
	encode  chan *task.Freeze   // to the goroutine that encodes them
	next    time.Duration       // when the next slice may be copied
}

// Slices of copying are as short, and as far apart, as those of checkpoints are.
const (
	cutSlice   = 100 * time.Microsecond
	cutPause   = 400 * time.Microsecond
	cutBacklog = 8 << 20 // bytes of a table that are copied and not encoded yet
)

// Step implements loop.Keeper.
func (c *cutter) Step(now time.Duration) (worked bool, until time.Duration, err error) {
	until = task.Never
	select {
	case fn := <-c.box:
		fn()
		worked = true
	default:
	}
	if c.cut != nil {
		if worked, until, err = c.step(now); err != nil {
			return worked, until, err
		}
	}
	if c.keep == nil {
		return worked, until, nil
	}
	kept, next, err := c.keep.Step(now)
	return worked || kept, min(until, next), err
}

// Done implements loop.Keeper. A loop ends when all do: until then somebody may want a cut of what its tasks have come to.
func (c *cutter) Done() bool {
	if c.cut != nil || c.keep != nil && !c.keep.Done() {
		return false
	}
	if !c.told {
		c.told = true
		if c.job.idle.Add(1) == int32(len(c.job.loops)) {
			c.job.wakeAll()
		}
	}
	return c.job.idle.Load() == int32(len(c.job.loops))
}

// stand has all tasks wait where they are, and returns the least time that a cut of them can be at, and whether any of them is
// yet to reach the end of its input.
func (c *cutter) stand() (least wire.Time, alive bool) {
	c.loop.Each(func(t *task.Task) {
		if t.Position() == wire.TimeMax {
			least = max(least, t.Emitted().After())
			return
		}
		t.Hold(t.Position())
		least, alive = max(least, t.Position()), true
	})
	return least, alive
}

// release lets all tasks go on.
func (c *cutter) release() { c.loop.Each(func(t *task.Task) { t.Hold(wire.TimeMax) }) }

// begin has all tasks, which stand, go on to where the cut is.
func (c *cutter) begin(k *cut) {
	c.cut, c.tasks, c.next = k, make(map[*task.Task]bool), 0
	c.loop.Each(func(t *task.Task) {
		t.Hold(k.at)
		c.waiting = append(c.waiting, t)
	})
	queue := make(chan *task.Freeze, len(c.waiting))
	c.encode = queue
	c.job.encoding.Go(func() { k.keep(queue) })
}

// keep encodes what is frozen and keeps it, until there is nothing more.
func (k *cut) keep(queue chan *task.Freeze) {
	for f := range queue {
		check, err := f.Finish(state.Zstd)
		if err == nil && k.ctx.Err() == nil {
			err = k.put(check)
		}
		if err != nil {
			k.giveUp(err) // those that follow are aborted by their loop, which is when they end
		}
	}
}

// step freezes tasks that are there, and copies some of what is frozen.
func (c *cutter) step(now time.Duration) (worked bool, until time.Duration, err error) {
	if c.cut.ctx.Err() != nil {
		c.abort()
		return true, task.Never, nil
	}
	if worked, err = c.freeze(); err != nil {
		return worked, task.Never, err
	}
	until = c.copy(now)
	if len(c.waiting) == 0 && len(c.frozen) == 0 {
		c.finish()
		return true, task.Never, nil
	}
	return worked, until, nil
}

// freeze freezes the tasks that have come to where the cut is, and lets them go on.
func (c *cutter) freeze() (any bool, err error) {
	k := c.cut
	there := func(t *task.Task) bool { return t.Position() == k.at || t.Position() == wire.TimeMax }
	if !slices.ContainsFunc(c.waiting, there) || c.keep != nil && !c.keep.Rest() {
		return false, nil
	}
	c.waiting = slices.DeleteFunc(c.waiting, func(t *task.Task) bool {
		if err != nil || !there(t) {
			return false
		}
		var f *task.Freeze
		if f, err = t.FreezeAt(k.at); err != nil {
			return false
		}
		f.SetBacklog(cutBacklog)
		c.frozen, c.tasks[t] = append(c.frozen, f), true
		c.encode <- f
		t.Hold(wire.TimeMax)
		return true
	})
	return true, err
}

// copy copies a slice of what is frozen, and returns when to go on.
func (c *cutter) copy(now time.Duration) (until time.Duration) {
	if len(c.frozen) == 0 {
		return task.Never
	}
	if now < c.next {
		return c.next
	}
	for start := time.Now(); len(c.frozen) > 0 && time.Since(start) < cutSlice; c.frozen = c.frozen[1:] {
		if !c.frozen[0].Step(cutSlice, time.Now) {
			break
		}
	}
	if c.next = now + cutPause; len(c.frozen) > 0 {
		return c.next
	}
	c.resume()
	return task.Never
}

// resume has checkpoints taken again.
func (c *cutter) resume() {
	if c.keep != nil {
		c.keep.Resume(func(t *task.Task) bool { return c.tasks[t] })
	}
	clear(c.tasks)
}

// finish ends the loop's part of a cut.
func (c *cutter) finish() {
	close(c.encode)
	c.cut, c.encode = nil, nil
}

// abort gives the loop's part of a cut up, if there is one.
func (c *cutter) abort() {
	if c.cut == nil {
		return
	}
	for _, f := range c.frozen {
		f.Abort()
	}
	c.waiting, c.frozen = nil, nil
	c.resume()
	c.release()
	c.finish()
}

// refuse has no cut taken any more, since the input is ended early. It is called by the loop's goroutine.
func (c *cutter) refuse(why error) {
	c.over = true
	if c.cut != nil {
		c.cut.giveUp(why)
		c.abort()
	}
}

// send has fn called by the loop's goroutine between two turns.
func (c *cutter) send(ctx context.Context, fn func()) error {
	select {
	case c.box <- fn:
		c.loop.Wake()
		return nil
	case <-c.job.done:
		return ErrEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
