package task

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fullspate/spate/buffers"
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
	flush func() error // of the sink's writer, nil for none
	logs  []frozenLog

	mu    sync.Mutex
	began bool // Finish, or Abort before it; guarded by mu
}

// frozenLog is the untrimmed part of a log. Its frames stay where they are, however the log is trimmed meanwhile, until they
// are copied beside the loop.
type frozenLog struct {
	cursor *buffers.Cursor
	bytes  int64
	at     int // in Checkpoint.Logs
}

// Freeze begins a checkpoint between two turns. kind is state.Base or state.Delta; tables without a snapshot to build
// upon are written as a base whatever is asked for. A task at the end of its input has no use for its tables any more: they
// are left out.
func (t *Task) Freeze(kind state.Kind) (*Freeze, error) {
	f := t.newFreeze(kind, t.pos)
	t.publish()
	if err := f.freezeLogs(t); err != nil {
		return nil, err
	}
	if err := f.freeze(t, kind, t.tablesToKeep()); err != nil {
		return nil, err
	}
	return f, nil
}

// FreezeAt begins the checkpoint of a cut of the whole job at τ = at: complete, and without logs, since whoever consumes the
// task is cut there too. The task is at it, or at the end of its input and has emitted nothing from there on (see Emitted), so
// that it may as well be there: what it has yet to do leaves no trace.
func (t *Task) FreezeAt(at wire.Time) (*Freeze, error) {
	if t.pos != at && (t.pos != wire.TimeMax || t.Emitted() >= at) {
		panic(fmt.Sprintf("BUG: operator %q, task %d is at %v and has emitted something at %v; it cannot be cut at %v", t.Operator(), t.Index, t.pos, t.Emitted(), at))
	}
	f := t.newFreeze(state.Base, at)
	if err := f.freeze(t, state.Base, t.insts[0].tables); err != nil {
		return nil, err
	}
	return f, nil
}

// Emitted is the time of the last tuple that the task has published, 0 if there was none since it was made or restored.
func (t *Task) Emitted() (last wire.Time) {
	for _, l := range t.logs {
		last = max(last, l.Last())
	}
	return last
}

func (t *Task) newFreeze(kind state.Kind, at wire.Time) *Freeze {
	return &Freeze{check: &ft.Checkpoint{
		Operator: t.Operator(), Range: t.Range, Position: at, EndOf: t.eoi, Ending: t.allEnding, Kind: kind,
	}}
}

// freeze fixes how far a source has read and what the sink has committed, and freezes tables.
func (f *Freeze) freeze(t *Task, kind state.Kind, tables []*state.Map) error {
	if t.reading != nil {
		f.check.Splits = t.reading.splitStates()
	}
	if t.writer != nil {
		if !t.closed {
			mark, err := t.writer.Commit(t.pos)
			if err != nil {
				f.Abort()
				return fmt.Errorf("commit at %v: %w", t.pos, err)
			}
			t.mark = bytes.Clone(mark)
			f.flush = t.syncOf()
		}
		f.check.Mark = t.mark
	}
	for _, m := range tables {
		s, err := m.Freeze(kind, f.check.Position)
		if err != nil {
			f.Abort()
			return err
		}
		f.snaps = append(f.snaps, s)
	}
	return nil
}

// freezeLogs keeps hold of what the logs have.
func (f *Freeze) freezeLogs(t *Task) error {
	order := make([]int, len(t.logs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return t.names[a].Compare(t.names[b]) }) // the same in all tasks of an operator
	for i, n := range order {
		l := t.logs[n]
		f.check.Logs = append(f.check.Logs, ft.LogImage{LogName: t.names[n], Trim: l.TrimPoint(), Frontier: l.Frontier()})
		if l.Bytes() == 0 {
			continue
		}
		cur, err := l.OpenBystander(l.TrimPoint())
		if err != nil {
			f.Abort()
			return fmt.Errorf("BUG: reading a log from its trim point: %w", err)
		}
		f.logs = append(f.logs, frozenLog{cur, l.Bytes(), i})
	}
	return nil
}

// copyLogs copies what the logs had when they were frozen. What was emitted since is at or beyond the position.
func (f *Freeze) copyLogs() error {
	defer f.letGo()
	for _, l := range f.logs {
		frames := make([]byte, 0, l.bytes)
		for {
			fr, ok := l.cursor.Next()
			if !ok || wire.HeaderOf(fr.Data).First >= f.check.Position {
				break
			}
			if mutant.Active != mutant.NoOutput {
				frames = append(frames, fr.Data...)
			}
		}
		if err := l.cursor.Err(); err != nil {
			return fmt.Errorf("reading the log back: %w", err)
		}
		f.check.Logs[l.at].Frames = frames
	}
	return nil
}

// letGo of the logs.
func (f *Freeze) letGo() {
	for _, l := range f.logs {
		l.cursor.Close()
	}
	f.logs = nil
}

// begin says whether the caller is the first to end the checkpoint, by Finish or by Abort.
func (f *Freeze) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.began
	f.began = true
	return first
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
	if !f.begin() {
		return nil, state.ErrAborted
	}
	if err := f.copyLogs(); err != nil {
		return nil, err
	}
	if f.flush != nil {
		if err := f.flush(); err != nil {
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

// Abort gives the checkpoint up, or what has become of it. It is called where Step is; a Finish under way fails.
func (f *Freeze) Abort() {
	if f.begin() {
		f.letGo()
	}
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
// channels are: these are to begin at the checkpoint's position. A log that the checkpoint does not know begins there, too, and
// one that the task does not have is left out: consumers may have come, and gone, since it was taken. Where they have not,
// Fits sees to that.
func (t *Task) Restore(c *ft.Checkpoint, pool *slab.Pool) error {
	host := t.insts[0]
	tables := host.Spec.AllTables()
	switch {
	case c.Operator != host.Spec.ID:
		return fmt.Errorf("the checkpoint is of operator %q, the task of %q", c.Operator, host.Spec.ID)
	case len(c.Tables) != len(tables) && c.Position < wire.TimeMax:
		return fmt.Errorf("the checkpoint of operator %q has %d tables, the operator %d", c.Operator, len(c.Tables), len(tables))
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
		image := ft.LogImage{Trim: c.Position, Frontier: c.Position} // of a consumer that has come since, and wants nothing below
		if n := slices.IndexFunc(c.Logs, func(o ft.LogImage) bool { return o.LogName == t.names[i] }); n >= 0 {
			image = c.Logs[n]
		}
		if mutant.Active == mutant.LogForgotten {
			image.Frames = nil
		}
		if err := l.Load(image.Trim, image.Frontier, image.Frames); err != nil {
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

// LogNames are the names of the task's logs.
func (t *Task) LogNames() []ft.LogName { return slices.Clone(t.names) }

// Fits says why the logs of a checkpoint are not those of the task.
func (t *Task) Fits(c *ft.Checkpoint) error {
	for _, l := range c.Logs {
		if !slices.Contains(t.names, l.LogName) {
			return fmt.Errorf("a checkpoint of operator %q has a log for task %d along edge %d, %v, which there is not: the job was deployed in another way", c.Operator, l.Task, l.Edge, l.Range)
		}
	}
	if len(c.Logs) != len(t.logs) {
		return fmt.Errorf("a checkpoint of operator %q has %d logs, the task %d: the job was deployed in another way", c.Operator, len(c.Logs), len(t.logs))
	}
	return nil
}
