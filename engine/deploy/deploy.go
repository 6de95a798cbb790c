package deploy

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Config is what a deployment needs besides the plan.
type Config struct {
	Pool       *slab.Pool
	Clock      task.Clock
	LogBytes   int64 // capacity of each log
	FrameBytes int   // 0 for the default
	SpillDir   string
	// TrimOnAck lets consumption trim logs; otherwise they keep what checkpoints have not covered.
	TrimOnAck bool
	// Feed, if set, stands between a log and the channel that reads it.
	Feed func(Link, *buffers.Cursor) task.Feed
}

// Link names a channel by its two ends.
type Link struct {
	From, To *Task
	Port     int
}

// Task is a deployed task and where it stands in the plan.
type Task struct {
	*task.Task
	Unit  int
	Index int
	Logs  []Edge // in the order of the task's own logs
}

// Edge is a log and whom it feeds.
type Edge struct {
	Log  *buffers.Log
	To   *Task
	Port int
}

// Deployment is all tasks of a plan, connected.
type Deployment struct {
	Plan  *graph.Plan
	Units [][]*Task // by unit and index
	cfg   Config
}

// New makes and connects the tasks of a plan. On an error nothing is left behind.
func New(plan *graph.Plan, cfg Config) (*Deployment, error) {
	d := &Deployment{Plan: plan, cfg: cfg}
	for u := range plan.Units {
		var tasks []*Task
		for i := range plan.Units[u].Tasks {
			t, err := d.Make(u, i)
			if err != nil {
				d.Units = append(d.Units, tasks)
				return nil, errors.Join(err, d.Close())
			}
			tasks = append(tasks, t)
		}
		d.Units = append(d.Units, tasks)
	}
	for u := range d.Units {
		for _, t := range d.Units[u] {
			if err := d.makeLogs(t); err != nil {
				return nil, errors.Join(err, d.Close())
			}
		}
	}
	for _, tasks := range d.Units {
		for _, t := range tasks {
			if err := d.Connect(t, 0); err != nil {
				return nil, errors.Join(err, d.Close())
			}
		}
	}
	return d, nil
}

// Make makes task i of a unit, without logs and channels.
func (d *Deployment) Make(unit, i int) (*Task, error) {
	u := d.Plan.Units[unit]
	cfg := task.Config{
		Index: i, Of: u.Tasks, Range: u.Ranges[i],
		Specs: u.Specs(), Pool: d.cfg.Pool, Clock: d.cfg.Clock,
	}
	if host := u.Host(); host.Kind == task.Source {
		cfg.Splits = graph.Spread(host.Reading.Splits, u.Tasks)[i]
	}
	t, err := task.New(cfg)
	if err != nil {
		return nil, err
	}
	for m, member := range u.Members {
		if m > 0 {
			t.Fuse(member.Feeder, member.Out, m)
		}
	}
	return &Task{Task: t, Unit: unit, Index: i}, nil
}

// Replace puts a new task in the place of one that is gone: without state and channels, and with empty logs.
func (d *Deployment) Replace(old *Task) (*Task, error) {
	t, err := d.Make(old.Unit, old.Index)
	if err != nil {
		return nil, err
	}
	d.Units[t.Unit][t.Index] = t
	d.Tasks(func(up *Task) {
		for i := range up.Logs {
			if up.Logs[i].To == old {
				up.Logs[i].To = t
			}
		}
	})
	if err := d.makeLogs(t); err != nil {
		return nil, errors.Join(err, t.Discard())
	}
	return t, nil
}

// Discard throws a task away with all that it has, its logs too; no cursor on these may be used any more.
func (t *Task) Discard() error {
	errs := []error{t.Task.Close()}
	for _, e := range t.Logs {
		errs = append(errs, e.Log.Close())
	}
	return errors.Join(errs...)
}

// makeLogs gives a task a log for every task that consumes one of its outputs.
func (d *Deployment) makeLogs(t *Task) error {
	for m, member := range d.Plan.Units[t.Unit].Members {
		for o, out := range member.Op.Outs {
			for _, c := range d.Plan.Graph.Consumers(member.Op, o) {
				if err := d.makeEdge(t, m, o, out, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *Deployment) makeEdge(t *Task, member, o int, out task.Out, c graph.Consumer) error {
	unit, at := d.Plan.Where(c.Op)
	if at > 0 {
		return nil // fused
	}
	to := d.Units[unit]
	var logs []*buffers.Log
	for _, consumer := range to {
		l, err := buffers.New(buffers.Config{
			Stream: out.Stream, PayloadSize: out.PayloadSize, FrameBytes: d.cfg.FrameBytes,
			CapacityBytes: d.cfg.LogBytes, Pool: d.cfg.Pool, Owner: t.Operator() + "." + out.Name,
			TrimOnAck: d.cfg.TrimOnAck, SpillDir: d.cfg.SpillDir,
		})
		if err != nil {
			return fmt.Errorf("log of %s.%s: %w", t.Operator(), out.Name, err)
		}
		logs = append(logs, l)
		t.Logs = append(t.Logs, Edge{l, consumer, c.Port})
	}
	routes := make([]partition.Route, len(to))
	for i, r := range d.Plan.Units[unit].Ranges {
		routes[i] = partition.Route{Range: r, Target: uint16(i)}
	}
	table, err := partition.NewTable(1, routes)
	if err != nil {
		return err
	}
	in := c.Op.Inputs[c.Port]
	edge := t.AddEdge(member, o, in.HashFixed, in.HashBytes)
	t.Route(member, o, edge, table, logs)
	return nil
}

// Connect opens a channel of t for every log that feeds it, from a time on.
func (d *Deployment) Connect(t *Task, from wire.Time) error {
	for _, tasks := range d.Units {
		for _, up := range tasks {
			for _, e := range up.Logs {
				if e.To != t {
					continue
				}
				if err := d.Open(Link{up, t, e.Port}, e.Log, from); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Open adds one channel to a task, from a time on.
func (d *Deployment) Open(link Link, l *buffers.Log, from wire.Time) error {
	ch, err := d.Channel(link, l, from)
	if err != nil {
		return err
	}
	link.To.Task.Connect(ch)
	return nil
}

// Channel makes the receiving end of a log, from a time on.
func (d *Deployment) Channel(link Link, l *buffers.Log, from wire.Time) (*task.Channel, error) {
	if mutant.Active == mutant.ResumeLate && from > 0 && from < wire.TimeMax {
		from++
	}
	cur, err := l.OpenCursor(from)
	if err != nil {
		return nil, err
	}
	var feed task.Feed = cur
	if d.cfg.Feed != nil {
		feed = d.cfg.Feed(link, cur)
	}
	id := task.ChannelID{Port: link.Port, Up: link.From.Range.First}
	size := d.Plan.Units[link.To.Unit].Host().Ports[link.Port].PayloadSize
	return task.NewChannel(id, size, feed, from, wire.TimeMax), nil
}

// Tasks calls fn for every task, producers before consumers.
func (d *Deployment) Tasks(fn func(*Task)) {
	for _, tasks := range d.Units {
		for _, t := range tasks {
			fn(t)
		}
	}
}

// Close releases tasks and logs; nobody may be running them.
func (d *Deployment) Close() error {
	var errs []error
	d.Tasks(func(t *Task) { errs = append(errs, t.Task.Close()) })
	d.Tasks(func(t *Task) {
		for _, e := range t.Logs {
			errs = append(errs, e.Log.Close())
		}
	})
	return errors.Join(errs...)
}
