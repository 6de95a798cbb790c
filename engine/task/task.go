package task

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Task is one partition of an operator, with the stateless operators that are fused into it. It is passive: Run does
// what can be done now. It belongs to one goroutine at a time; only Stats may be called from others.
type Task struct {
	Index int             // among the operator's tasks
	Range partition.Range // of key hashes; a source's task owns splits instead, and has a range for the order of ties alone

	insts    []*Instance // the host operator first, then what is fused into it
	channels []*Channel
	heads    []wire.Time // of the channels, for scanning
	logs     []*buffers.Log
	names    []ft.LogName // of the logs
	reading  *reading
	trail    *trail // of a source: where it notes how far it is; nil for nowhere
	writer   SinkWriter
	syncs    syncs

	pos       wire.Time // every effect of everything below is in the state
	published wire.Time
	durable   wire.Time // of the last checkpoint that is durable
	flow
	timers timers
	ctx    Ctx
	steps
	now       time.Duration
	stats     Stats
	latencies latencies
}

// steps is room for the step at hand.
type steps struct {
	items  []item
	places []place
	keys   []byte // keys that nothing else holds
}

// flow is what bounds a task's progress from outside.
type flow struct {
	hold      wire.Time // process nothing at or beyond
	paused    wire.Time // nor this
	level     bool      // the last turn has processed whatever had come
	eoi       wire.Time // logical end of the input
	allEnding bool      // it is known, since all channels, or all splits, have told theirs
	noFinal   bool      // the job is being cancelled: pending timers do not fire at the end
	closed    bool      // the sink has made its last commit
	idle      bool      // the sink has been flushed since it last wrote
	mark      []byte    // of the sink's last commit
}

// Instance is one operator object within a task: the bound handlers, tables and outputs.
type Instance struct {
	Spec     *Spec
	Handlers []Handler // by port; set by Spec.Bind
	Outs     []*Output

	task *Task
	// Emit, of a source, sends records' values along the output, each at its time, until the Ctx is Stopped or there are no
	// more. It returns how many, which is at least one.
	Emit func(*Ctx, *Records) int

	tables []*state.Map
	in     uint64
	random random
}

// Config says how to make a task.
type Config struct {
	Index   int // among the operator's tasks
	Nth, Of int // its place among those that share the operator's key space, by range, and how many these are
	Range   partition.Range
	Heir    bool    // it takes the place of a task that is lost
	Specs   []*Spec // the host operator first; then those fused into it, each after the one that feeds it
	Pool    *slab.Pool
	Splits  []Split // the splits that a source's task reads
	Clock   Clock   // when a source may release what
	Ages    *Ages   // where latencies come from, shared by the job's tasks; nil: they are not taken
}

// New makes a task at position 0 with empty state. Outputs and channels are connected afterwards, then Open is called.
func New(cfg Config) (*Task, error) {
	t := &Task{Index: cfg.Index, Range: cfg.Range}
	t.hold, t.paused = wire.TimeMax, wire.TimeMax
	t.ctx.task = t
	if cfg.Specs[0].Kind != Source {
		t.latencies.ages = cfg.Ages
	}
	t.timers.init()
	for _, s := range cfg.Specs {
		in := &Instance{Spec: s, task: t, Handlers: make([]Handler, len(s.Ports))}
		for range s.Outs {
			in.Outs = append(in.Outs, &Output{inst: in})
		}
		t.insts = append(t.insts, in)
	}
	host := cfg.Specs[0]
	if err := t.makeTables(host, cfg); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	t.Bind()
	var err error
	switch host.Kind {
	case Source:
		t.reading, err = newReading(host.Reading, cfg.Splits, cfg.Clock)
		t.trail = cfg.Ages.of(cfg.Splits)
	case Sink:
		part := SinkPart{Index: cfg.Nth, Of: cfg.Of, Range: cfg.Range, Heir: cfg.Heir}
		var h Handler
		t.writer, h, err = host.Writing.Open(part)
		t.insts[0].Handlers[0] = h
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("operator %q, task %d: %w", host.ID, cfg.Index, err), t.Close())
	}
	return t, nil
}

// makeTables makes the tables of the host operator, and after them those of its timers.
func (t *Task) makeTables(s *Spec, cfg Config) error {
	for _, schema := range s.AllTables() {
		m, err := state.New(state.Config{Schema: schema, Range: cfg.Range, Pool: cfg.Pool, Owner: s.ID + "/" + schema.Name})
		if err != nil {
			return fmt.Errorf("operator %q, table %q: %w", s.ID, schema.Name, err)
		}
		t.insts[0].tables = append(t.insts[0].tables, m)
	}
	return nil
}

// AllTables are the declared tables followed by one for each timer.
func (s *Spec) AllTables() []state.Schema {
	all := slices.Clone(s.Tables)
	for _, tm := range s.Timers {
		schema, err := state.SchemaOf[uint64]("timer "+tm.Name, state.Uint64, state.None)
		if err != nil {
			panic(fmt.Sprintf("BUG: timer %q of operator %q: %v", tm.Name, s.ID, err))
		}
		if s.Key == KeyBytes {
			schema.Key = state.Bytes
		}
		all = append(all, schema)
	}
	return all
}

// Bind builds the operator objects: at first, and again whenever they are to be forgotten ("amnesia"). Nothing that they
// keep outside declared state survives it.
func (t *Task) Bind() {
	t.timers.tables = t.timers.tables[:0]
	for i, in := range t.insts {
		if i == 0 {
			t.bindTimers()
		}
		if in.Spec.Bind != nil {
			in.Spec.Bind(in)
		}
	}
}

func (t *Task) bindTimers() {
	in := t.insts[0]
	for i, decl := range in.Spec.Timers {
		m := in.tables[len(in.Spec.Tables)+i]
		tt := timerTable{name: decl.Name, keyed: in.Spec.Key == KeyBytes}
		var err error
		if tt.keyed {
			tt.bytes, err = state.NewFixedKeyed[uint64](m)
		} else {
			tt.u64, err = state.NewFixed[uint64](m)
		}
		if err != nil {
			panic(fmt.Sprintf("BUG: timer %q of operator %q: %v", decl.Name, in.Spec.ID, err))
		}
		t.timers.tables = append(t.timers.tables, tt)
	}
}

// Table is the instance's i-th declared table.
func (in *Instance) Table(i int) *state.Map { return in.tables[i] }

// OnTimer sets what the i-th declared timer does when it is due.
func (in *Instance) OnTimer(i int, fire func(*Ctx)) { in.task.timers.tables[i].fire = fire }

// Instance is the i-th operator of the task: 0 is the host.
func (t *Task) Instance(i int) *Instance { return t.insts[i] }

// Operator is the id of the host operator.
func (t *Task) Operator() string { return t.insts[0].Spec.ID }

// Position is the time below which every effect of everything is in the task's state.
func (t *Task) Position() wire.Time { return t.pos }

// Hold lets the task run exactly up to τ, where it waits; TimeMax lets it go on. It reports whether the task has not
// passed τ yet: one that has cannot be held there.
func (t *Task) Hold(tau wire.Time) bool {
	if t.pos > tau {
		return false
	}
	t.hold = tau
	return true
}

// Level says that the task's last turn has processed whatever had come by then; a source's, that there was nothing to read.
func (t *Task) Level() bool { return t.level || t.pos == wire.TimeMax }

// Cancel keeps pending timers from firing at the end of the input.
func (t *Task) Cancel() { t.noFinal = true }

// Connect adds an input channel, between two turns.
func (t *Task) Connect(ch *Channel) {
	if t.durable > 0 {
		ch.feed.Trim(t.durable)
	}
	t.channels = append(t.channels, ch)
	slices.SortStableFunc(t.channels, func(a, b *Channel) int {
		switch {
		case a.ID.Port != b.ID.Port:
			return a.ID.Port - b.ID.Port
		case a.ID.Up != b.ID.Up:
			return cmp(a.ID.Up, b.ID.Up)
		}
		return cmp(uint64(a.Start), uint64(b.Start))
	})
	t.heads = make([]wire.Time, len(t.channels))
}

// Durable says that everything below position is in a checkpoint that the task can be brought back from. Those who feed it
// need not keep it any longer.
func (t *Task) Durable(position wire.Time) {
	t.durable = max(t.durable, position)
	for _, ch := range t.channels {
		ch.feed.Trim(t.durable)
	}
}

// DurableAt is the position of the last checkpoint that is durable, 0 for none.
func (t *Task) DurableAt() wire.Time { return t.durable }

// Output is how many bytes the task's logs hold, for consumers that may come back for them.
func (t *Task) Output() (bytes int64) {
	for _, l := range t.logs {
		bytes += l.Bytes()
	}
	return bytes
}

// Asked says that a log which feeds the task waits for a checkpoint.
func (t *Task) Asked() bool {
	for _, ch := range t.channels {
		if ch.feed.HalfFull() {
			return true
		}
	}
	return false
}

// Channels are the input channels, in order of port, upstream range and start.
func (t *Task) Channels() []*Channel { return t.channels }

// Open are the channels of a port that have not been ended.
func (t *Task) Open(port int) (list []*Channel) {
	for _, ch := range t.channels {
		if ch.ID.Port == port && ch.End == wire.TimeMax && !ch.replaced {
			list = append(list, ch)
		}
	}
	return list
}

// Complete is the time below which everything of all the given channels has come, whose senders are gone: from there on their
// successors have to take over. Where there are no channels, or everything has come, that is TimeMax: then the successors only
// have to hear what is durable.
func (t *Task) Complete(broken []*Channel) wire.Time {
	complete := wire.TimeMax // without any: of a task that came back at its end
	for _, ch := range broken {
		ch.poll()
		complete = min(complete, ch.front)
		if mutant.Active == mutant.BrokenForgotten {
			ch.End = t.pos
		}
	}
	return complete
}

// Pause keeps the task from processing anything at or beyond τ, until it is called with TimeMax.
func (t *Task) Pause(tau wire.Time) {
	if tau == wire.TimeMax {
		t.paused = tau
		return
	}
	t.paused = min(t.paused, tau)
}

// Disconnect closes all channels of a task that is not to run any more.
func (t *Task) Disconnect() {
	for _, ch := range t.channels {
		ch.feed.Close()
	}
	t.channels, t.heads = nil, nil
}

// Switch ends the given channels at τ = at, where their successors take over. What came at or after at is dropped and
// must come again from the successors. It fails with *PassedError where the task has gone beyond at.
func (t *Task) Switch(at wire.Time, ended []*Channel, successors []*Channel) error {
	if t.pos > at {
		return &PassedError{Position: t.pos, At: at}
	}
	open, told, eoi := 0, 0, wire.Time(0)
	for _, ch := range ended {
		ch.poll() // it may have come since the last turn
		if ch.End == wire.TimeMax {
			open++
			if ch.ending {
				told++
			}
		}
		ch.End, ch.replaced = min(ch.End, at), true
		if ch.front >= ch.End {
			ch.front = wire.TimeMax
		}
		eoi = max(eoi, ch.eoi)
	}
	for _, ch := range successors {
		if open > 0 && told == open {
			ch.ending, ch.eoi = true, eoi // what their predecessors have told of the input's end holds for them
		}
		t.Connect(ch)
	}
	t.prune()
	return nil
}

// PassedError says that a task has gone beyond the time at which something was to happen.
type PassedError struct{ Position, At wire.Time }

// Error says where the task is and where it was wanted.
func (e *PassedError) Error() string {
	return fmt.Sprintf("the task is at %v, beyond %v: a later time is wanted", e.Position, e.At)
}

// prune closes and forgets channels whose validity is over.
func (t *Task) prune() {
	t.channels = slices.DeleteFunc(t.channels, func(ch *Channel) bool {
		// One that is open to the end has to hear what is durable, unless its successor does.
		over := ch.End < wire.TimeMax && (ch.End <= t.pos || ch.Start >= ch.End) || ch.replaced && t.pos == wire.TimeMax
		if over {
			ch.feed.Close()
		}
		return over
	})
	t.heads = make([]wire.Time, len(t.channels))
}

// Consumer is a task that a log leads to: its index among those of its operator, and its key range.
type Consumer struct {
	Index int
	Range partition.Range
}

// Route sets where the tuples of one edge of one output of one instance go, between two turns: to whom each log leads says
// consumers.
func (t *Task) Route(instance, out, edge int, table *partition.Table, logs []*buffers.Log, consumers []Consumer) {
	t.insts[instance].Outs[out].Edges[edge].Route(table, logs, consumers)
	t.logs, t.names = t.logs[:0], t.names[:0]
	n := uint16(0)
	for _, in := range t.insts {
		for _, o := range in.Outs {
			for i := range o.Edges {
				e := &o.Edges[i]
				if e.Into != nil {
					continue
				}
				t.logs = append(t.logs, e.logs...)
				for _, c := range e.consumers {
					t.names = append(t.names, ft.LogName{Edge: n, Task: uint32(c.Index), Range: c.Range})
				}
				n++
			}
		}
	}
	if len(t.names) != len(t.logs) {
		panic(fmt.Sprintf("BUG: operator %q, task %d: %d logs lead to %d consumers", t.Operator(), t.Index, len(t.logs), len(t.names)))
	}
	t.room()
}

// Begin makes an empty log that the task is to have from now on one of that: from where it stands. Whoever reads it finds
// everything from there on.
func (t *Task) Begin(l *buffers.Log) error {
	if err := l.Load(t.pos, t.pos, nil); err != nil {
		return err
	}
	if t.allEnding {
		l.Ending(t.eoi)
	}
	if t.pos == wire.TimeMax {
		l.End(t.eoi)
	}
	return nil
}

// Fuse leads an output straight into port 0 of a fused instance of the same task.
func (t *Task) Fuse(instance, out, into int) {
	in := t.insts[into]
	e := Edge{Into: &in.Handlers[0], inst: in}
	o := t.insts[instance].Outs[out]
	o.Edges = append(o.Edges, e)
}

// Close releases the state and ends readers and writers. Logs belong to who made them.
func (t *Task) Close() error {
	var errs []error
	for _, in := range t.insts {
		for _, m := range in.tables {
			errs = append(errs, m.Close())
		}
		in.tables = nil
	}
	if t.reading != nil {
		errs = append(errs, t.reading.close())
	}
	if t.writer != nil && !t.closed {
		t.closed = true
		errs = append(errs, t.writer.Close())
	}
	return errors.Join(errs...)
}
