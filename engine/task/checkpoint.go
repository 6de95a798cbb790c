package task

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Freeze begins a checkpoint: it fixes position, logs, splits and what the sink has committed, and freezes the tables.
// The task may go on at once; Step copies the frozen state between turns, and Finish encodes it.
type Freeze struct {
	check *ft.Checkpoint
	snaps []*state.Snapshot
	step  int
	sync  func() error // of the sink's writer, nil for none
}

// Freeze begins a checkpoint between two turns. kind is state.Base or state.Delta; tables without a snapshot to build
// upon are written as a base whatever is asked for. A task at the end of its input has no use for its tables any more: they
// are left out.
func (t *Task) Freeze(kind state.Kind) (*Freeze, error) {
	f := &Freeze{check: &ft.Checkpoint{
		Operator: t.Operator(), Range: t.Range, Position: t.pos, EndOf: t.eoi, Ending: t.allEnding, Kind: kind,
	}}
	t.publish()
	for _, l := range t.logs {
		img := ft.LogImage{Trim: l.TrimPoint(), Frontier: l.Frontier(), Frames: make([]byte, 0, l.Bytes())}
		for fr, err := range l.Frames(img.Trim) {
			if err != nil {
				return nil, fmt.Errorf("reading the log back: %w", err)
			}
			if mutant.Active != mutant.NoOutput {
				img.Frames = append(img.Frames, fr.Data...)
			}
		}
		f.check.Logs = append(f.check.Logs, img)
	}
	if t.reading != nil {
		f.check.Splits = t.reading.splitStates()
	}
	if t.writer != nil {
		if !t.closed {
			mark, err := t.writer.Commit(t.pos)
			if err != nil {
				return nil, fmt.Errorf("commit at %v: %w", t.pos, err)
			}
			t.mark = bytes.Clone(mark)
			f.sync = syncOf(t.writer)
		}
		f.check.Mark = t.mark
	}
	for _, m := range t.tablesToKeep() {
		s, err := m.Freeze(kind, t.pos)
		if err != nil {
			f.Abort()
			return nil, err
		}
		f.snaps = append(f.snaps, s)
	}
	return f, nil
}

// tablesToKeep are the tables that a checkpoint has to hold.
func (t *Task) tablesToKeep() []*state.Map {
	if t.pos == wire.TimeMax {
		return nil
	}
	return t.insts[0].tables
}

// SetBacklog has Step pause while so many bytes of a table, copied, await Finish, which must be running by then; 0, as at
// first, for no bound.
func (f *Freeze) SetBacklog(bytes int64) {
	for _, s := range f.snaps {
		s.SetBacklog(bytes)
	}
}

// Step copies frozen state for about budget and says whether all of it is copied. A budget of 0 copies everything.
func (f *Freeze) Step(budget time.Duration, now func() time.Time) (done bool) {
	for ; f.step < len(f.snaps); f.step++ {
		if !f.snaps[f.step].Step(budget, now) {
			return false
		}
		if budget > 0 {
			f.step++
			return f.step == len(f.snaps)
		}
	}
	return true
}

// Finish encodes what is copied, has the sink's commit made durable, and returns the checkpoint. It may run on any goroutine,
// while Step is still being called as well as after it is done; it waits for what is not copied yet.
func (f *Freeze) Finish(codec state.Codec) (*ft.Checkpoint, error) {
	if f.sync != nil {
		if err := f.sync(); err != nil {
			return nil, fmt.Errorf("commit at %v: %w", f.check.Position, err)
		}
	}
	for _, s := range f.snaps {
		var b bytes.Buffer
		if _, err := s.Encode(&b, codec); err != nil {
			return nil, err
		}
		f.check.Tables = append(f.check.Tables, b.Bytes())
	}
	return f.check, nil
}

// Abort gives the checkpoint up.
func (f *Freeze) Abort() {
	for _, s := range f.snaps {
		s.Abort()
	}
}

// Checkpoint takes a whole checkpoint at once.
func (t *Task) Checkpoint() (*ft.Checkpoint, error) {
	f, err := t.Freeze(state.Base)
	if err != nil {
		return nil, err
	}
	f.Step(0, time.Now)
	for _, s := range f.snaps {
		if err := s.Err(); err != nil {
			return nil, err
		}
	}
	return f.Finish(state.S2)
}

// Restore sets a task that has not run to what a checkpoint says, after its outputs are connected and before its
// channels are: these are to begin at the checkpoint's position.
func (t *Task) Restore(c *ft.Checkpoint, pool *slab.Pool) error {
	host := t.insts[0]
	tables := host.Spec.AllTables()
	switch {
	case c.Operator != host.Spec.ID:
		return fmt.Errorf("the checkpoint is of operator %q, the task of %q", c.Operator, host.Spec.ID)
	case len(c.Tables) != len(tables) && c.Position < wire.TimeMax:
		return fmt.Errorf("the checkpoint of operator %q has %d tables, the operator %d", c.Operator, len(c.Tables), len(tables))
	case len(c.Logs) != len(t.logs):
		return fmt.Errorf("the checkpoint of operator %q has %d logs, the task %d", c.Operator, len(c.Logs), len(t.logs))
	}
	for i, schema := range tables[:len(c.Tables)] {
		cfg := state.Config{Schema: schema, Range: t.Range, Pool: pool, Owner: c.Operator + "/" + schema.Name}
		m, err := state.Restore(cfg, c.Tables[i])
		if err != nil {
			return fmt.Errorf("table %q of operator %q: %w", schema.Name, c.Operator, err)
		}
		old := host.tables[i]
		host.tables[i] = m
		if err := old.Close(); err != nil {
			return err
		}
	}
	for i, l := range t.logs {
		if err := l.Load(c.Logs[i].Trim, c.Logs[i].Frontier, c.Logs[i].Frames); err != nil {
			return fmt.Errorf("log %d of operator %q: %w", i, c.Operator, err)
		}
		if c.Ending {
			l.Ending(c.EndOf)
		}
	}
	t.pos, t.eoi, t.allEnding = c.Position, c.EndOf, c.Ending
	t.published, t.durable = 0, c.Position
	t.Bind()
	if mutant.Active != mutant.NoAgenda {
		t.timers.rebuild()
	}
	var errs []error
	if t.reading != nil {
		errs = append(errs, t.reading.restore(c.Splits))
	}
	if t.writer != nil {
		errs = append(errs, t.writer.Restore(c.Mark))
	}
	return errors.Join(errs...)
}
