package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// SavepointInfo is what a savepoint says about itself.
type SavepointInfo = ft.SavepointInfo

// ErrEnded is why there is no savepoint of a job that has come to its end.
var ErrEnded = errors.New("the job has ended")

var errEnding = errors.New("the job is being drained or cancelled: its input ends where it should not")

// saves is what a job knows of savepoints.
type saves struct {
	info     ft.JobInfo
	key      ft.Hex
	log      *slog.Logger
	cutters  []*cutter      // by loop
	saving   sync.Mutex     // held by who takes a cut
	encoding sync.WaitGroup // loops' parts of the cut that are being encoded
	idle     atomic.Int32   // loops that have nothing left to do
}

// watchCuts lets cuts be taken of every loop's tasks.
func (j *Job) watchCuts() {
	for i, l := range j.loops {
		c := &cutter{job: j, loop: l, box: make(chan func(), 1)}
		if j.keep != nil {
			c.keep = j.keep.takers[i]
		}
		l.Keep(c)
		j.cutters = append(j.cutters, c)
	}
}

// endCuts gives a cut up that is under way when the loops have ended.
func (j *Job) endCuts() {
	for _, c := range j.cutters {
		c.refuse(ErrEnded)
	}
	j.encoding.Wait()
}

// Savepoint writes a savepoint of the job into a directory, which must not be there yet: a consistent cut of all tasks at one
// logical time, the least that none of them has passed. The job goes on meanwhile; each task waits for the others only until
// that time is found. A job started with Config.Savepoint goes on from there, at any parallelism.
//
// When ctx is done before that, or the job ends, is drained or cancelled, there is no savepoint and an error. A source that has
// nothing to read and does not follow the clock may keep others from reaching the cut.
//
// The savepoint of a sink is the mark of its commit: what a FileSink has written beyond it by then stays, and is cut off by the
// job that starts from the savepoint.
func (j *Job) Savepoint(ctx context.Context, dir string) (SavepointInfo, error) {
	return j.SavepointAt(ctx, dir, 0)
}

// SavepointAt is Savepoint at a logical time since the job's epoch, in whole milliseconds: of everything below it, and of
// nothing else. Where a task has passed it already the cut is as early as it can be.
func (j *Job) SavepointAt(ctx context.Context, dir string, at time.Duration) (SavepointInfo, error) {
	if at < 0 || at.Milliseconds() > wire.MillisMax {
		return SavepointInfo{}, fmt.Errorf("savepoint at %v, want 0 to %d ms", at, uint64(wire.MillisMax))
	}
	j.saving.Lock()
	defer j.saving.Unlock()
	if err := ctx.Err(); err != nil {
		return SavepointInfo{}, fmt.Errorf("savepoint %s: %w", dir, context.Cause(ctx))
	}
	w, err := ft.CreateSavepoint(nil, dir, SavepointInfo{Created: time.Now().UTC().Truncate(time.Second), Job: j.info, Key: j.key})
	if err != nil {
		return SavepointInfo{}, err
	}
	k := &cut{put: w.Put}
	k.ctx, k.giveUp = context.WithCancelCause(ctx)
	defer k.giveUp(nil)
	if err := j.cut(k, wire.TimerTime(uint64(at.Milliseconds()))); err != nil {
		return SavepointInfo{}, fmt.Errorf("savepoint %s: %w", dir, errors.Join(err, w.Abort()))
	}
	info, err := w.Commit(k.at)
	if err == nil {
		j.log.Info("savepoint", "directory", dir, "position", k.at, "bytes", info.Bytes)
	}
	return info, err
}

// cut takes a cut at a time or, where tasks have passed it, as soon after it as can be. When it returns nobody is at it any more.
func (j *Job) cut(k *cut, at wire.Time) error {
	var alive bool
	k.at = at
	err := j.onLoops(k.ctx, func(c *cutter) error {
		if c.over {
			return errEnding
		}
		least, any := c.stand()
		k.at, alive = max(k.at, least), alive || any
		return nil
	})
	switch {
	case err == nil && !alive:
		err = ErrEnded
	case err == nil && k.at == wire.TimeMax:
		err = errors.New("an operator has emitted something at the last time that there is")
	}
	if err == nil {
		err = j.onLoops(k.ctx, func(c *cutter) error {
			if c.over {
				return errEnding
			}
			c.begin(k)
			return nil
		})
	}
	if err != nil {
		k.giveUp(err)
		j.onLoops(context.Background(), func(c *cutter) error {
			c.abort()
			c.release()
			return nil
		})
	}
	return j.awaitCut(k, err)
}

// awaitCut waits until all loops have done their parts.
func (j *Job) awaitCut(k *cut, err error) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.encoding.Wait()
	}()
	select {
	case <-ended:
	case <-k.ctx.Done():
		j.wakeAll() // to give it up
		<-ended
	}
	if err == nil && k.ctx.Err() != nil {
		err = context.Cause(k.ctx)
	}
	return err
}

// onLoops calls fn on the goroutine of each loop in turn, between two turns of it. It stops at the first error.
func (j *Job) onLoops(ctx context.Context, fn func(c *cutter) error) error {
	for _, c := range j.cutters {
		var err error
		done := make(chan struct{})
		if err := c.send(ctx, func() { err = fn(c); close(done) }); err != nil {
			return err
		}
		select {
		case <-done:
		case <-j.done:
			return ErrEnded
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keyHash tells jobs of a graph apart by what their configuration says of them.
func (c *Config) keyHash() ft.Hex {
	h := fnv.New64a()
	h.Write([]byte(c.CheckpointKey))
	return ft.Hex(h.Sum64())
}

// describe says of a graph what matters to those who look into its checkpoints, or go on from them.
func describe(g *graph.Graph) ft.JobInfo {
	info := ft.JobInfo{Graph: g.Name, Fingerprint: ft.Hex(g.Fingerprint())}
	for _, op := range g.Operators {
		o := ft.OperatorInfo{ID: op.ID, Kind: op.Kind.String(), Key: [...]string{"none", "uint64", "bytes"}[op.Key]}
		for _, p := range op.Ports {
			o.Inputs = append(o.Inputs, p.From)
		}
		for _, out := range op.Outs {
			o.Outputs = append(o.Outputs, ft.OutputInfo{Name: out.Name, PayloadSize: out.PayloadSize, Fingerprint: ft.Hex(out.Fingerprint)})
		}
		for _, t := range op.AllTables() {
			o.Tables = append(o.Tables, ft.SchemaInfo{
				Name: t.Name, Key: t.Key.String(), Sub: t.Sub.String(), ValueSize: t.ValueSize, Fields: t.Fields, Fingerprint: ft.Hex(t.Fingerprint()),
			})
		}
		info.Operators = append(info.Operators, o)
	}
	return info
}
