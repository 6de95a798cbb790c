package deploy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Config is what a deployment needs besides the plan.
type Config struct {
	Pool       *slab.Pool
	Clock      task.Clock
	LogBytes   int64 // capacity of each log
	StepBytes  int64 // that a log may hold in any case, however much a step emits; 0 for no bound
	FrameBytes int   // 0 for the default
	SpillDir   string
	// TrimOnAck lets consumption trim logs; otherwise they keep what checkpoints have not covered.
	TrimOnAck bool
	// Feed, if set, stands between a log and the channel that reads it.
	Feed func(Link, *buffers.Cursor) task.Feed

	// Local says which tasks are made; nil for all. The others are in other processes. Out is given the log of every
	// channel that leads to one of those, and In makes the feed of every channel that comes from one.
	Local func(unit, index int) bool
	Out   func(Link, *buffers.Log)
	In    func(Link, task.Port) task.Feed
}

// Link names a channel by its two ends, and by its number, which is the same in every process that deploys the plan.
type Link struct {
	From, To *Task
	Port     int
	Channel  uint32
}

// Task is a deployed task and where it stands in the plan. One that is not local has no task.Task.
type Task struct {
	*task.Task
	Unit   int
	Index  int
	Number uint32 // over all tasks of the plan
	Logs   []Edge // in the order of the task's own logs
	first  uint32 // number of its first outgoing channel
}

// Local says whether the task is in this process.
func (t *Task) Local() bool { return t.Task != nil }

// Edge is a log and whom it feeds.
type Edge struct {
	Log     *buffers.Log
	To      *Task
	Port    int
	Channel uint32
}

// Deployment is all tasks of a plan, connected.
type Deployment struct {
	Plan  *graph.Plan
	Units [][]*Task // by unit and index
	cfg   Config
	ages  *task.Ages
}

// New makes and connects the tasks of a plan. On an error nothing is left behind.
func New(plan *graph.Plan, cfg Config) (*Deployment, error) {
	d, err := Make(plan, cfg)
	if err != nil {
		return nil, err
	}
	if err := d.ConnectAll(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// ConnectAll opens the channels between tasks of this process, each from where its consumer stands.
func (d *Deployment) ConnectAll() (err error) {
	d.Tasks(func(t *Task) {
		if err == nil {
			err = d.Connect(t, t.Position())
		}
	})
	return err
}

// Make makes the tasks of a plan and their logs, so that they can be restored before they are connected with ConnectAll. On
// an error nothing is left behind.
func Make(plan *graph.Plan, cfg Config) (*Deployment, error) {
	d := &Deployment{Plan: plan, cfg: cfg, ages: task.NewAges(cfg.Clock)}
	d.number()
	d.addSources()
	for _, tasks := range d.Units {
		for _, t := range tasks {
			if !d.local(t) {
				continue
			}
			if err := d.fill(t, false); err != nil {
				return nil, errors.Join(err, d.Close())
			}
		}
	}
	for _, tasks := range d.Units {
		for _, t := range tasks {
			if err := d.makeEdges(t); err != nil {
				return nil, errors.Join(err, d.Close())
			}
		}
	}
	return d, nil
}

// number gives every task and every channel of the plan its number.
func (d *Deployment) number() {
	task, channel := uint32(0), uint32(0)
	for u, unit := range d.Plan.Units {
		out := uint32(0) // channels of each of the unit's tasks
		d.outputs(u, func(e edge) { out += uint32(d.Plan.Units[e.unit].Tasks) })
		tasks := make([]*Task, unit.Tasks)
		for i := range tasks {
			tasks[i] = &Task{Unit: u, Index: i, Number: task, first: channel}
			task++
			channel += out
		}
		d.Units = append(d.Units, tasks)
	}
}

// addSources lets the ages know which source task reads what, in whatever process it is.
func (d *Deployment) addSources() {
	for _, u := range d.Plan.Units {
		if u.Host().Kind == task.Source {
			for _, splits := range graph.Spread(u.Host().Reading.Splits, u.Tasks) {
				d.ages.AddSource(splits)
			}
		}
	}
}

func (d *Deployment) local(t *Task) bool { return d.cfg.Local == nil || d.cfg.Local(t.Unit, t.Index) }

// fill makes the task itself, without logs and channels.
func (d *Deployment) fill(t *Task, heir bool) (err error) {
	u := d.Plan.Units[t.Unit]
	cfg := task.Config{
		Index: t.Index, Of: u.Tasks, Range: u.Ranges[t.Index], Heir: heir,
		Specs: u.Specs(), Pool: d.cfg.Pool, Clock: d.cfg.Clock, Ages: d.ages,
	}
	if host := u.Host(); host.Kind == task.Source {
		cfg.Splits = graph.Spread(host.Reading.Splits, u.Tasks)[t.Index]
	}
	if t.Task, err = task.New(cfg); err != nil {
		return err
	}
	for m, member := range u.Members {
		if m > 0 {
			t.Fuse(member.Feeder, member.Out, m)
		}
	}
	return nil
}

// Build makes a task anew, to take the place of one that is gone: without state and channels, and with empty logs. Any
// goroutine may call it; the deployment knows nothing of the task before Install.
func (d *Deployment) Build(unit, index int) (*Task, error) {
	old := d.Units[unit][index]
	t := &Task{Unit: unit, Index: index, Number: old.Number, first: old.first}
	if err := d.fill(t, true); err != nil {
		return nil, err
	}
	var err error
	d.edgesOf(t, func(e edge) {
		if err == nil {
			err = d.makeLogs(e)
		}
	})
	if err != nil {
		return nil, errors.Join(err, t.Discard())
	}
	return t, nil
}

// Install puts a task that was built in its place.
func (d *Deployment) Install(t *Task) {
	old := d.Units[t.Unit][t.Index]
	d.Units[t.Unit][t.Index] = t
	d.Tasks(func(up *Task) {
		for i := range up.Logs {
			if up.Logs[i].To == old {
				up.Logs[i].To = t
			}
		}
	})
	for i := range t.Logs { // what was installed since it was built
		to := t.Logs[i].To
		t.Logs[i].To = d.Units[to.Unit][to.Index]
	}
}

// Discard throws a task away with all that it has, its logs too; no cursor on these may be used any more.
func (t *Task) Discard() error {
	errs := []error{t.Task.Close()}
	for _, e := range t.Logs {
		errs = append(errs, e.Log.Close())
	}
	return errors.Join(errs...)
}

// makeEdges makes the sending ends of a task's channels: a log for every task that consumes one of its outputs. Of a task
// in another process it makes the receiving ends of those that lead here.
func (d *Deployment) makeEdges(t *Task) error {
	var err error
	d.edgesOf(t, func(e edge) {
		switch {
		case !d.local(t):
			d.receive(e)
		case err == nil:
			if err = d.makeLogs(e); err == nil {
				d.offer(e)
			}
		}
	})
	return err
}

// outputs calls fn for each edge that leads from tasks of a unit to those of another, in order; from and channel are not set.
func (d *Deployment) outputs(unit int, fn func(edge)) {
	for m, member := range d.Plan.Units[unit].Members {
		for o, out := range member.Op.Outs {
			for _, c := range d.Plan.Graph.Consumers(member.Op, o) {
				if to, at := d.Plan.Where(c.Op); at == 0 { // else it is fused
					fn(edge{member: m, out: o, decl: out, to: c, unit: to})
				}
			}
		}
	}
}

// edgesOf calls fn for each edge that leads from a task, in the order of its channels' numbers.
func (d *Deployment) edgesOf(t *Task, fn func(edge)) {
	channel := t.first
	d.outputs(t.Unit, func(e edge) {
		e.from, e.channel = t, channel
		channel += uint32(len(d.Units[e.unit]))
		fn(e)
	})
}

// Inbound are the channels that lead to a task.
func (d *Deployment) Inbound(t *Task) (list []Link) {
	for _, tasks := range d.Units {
		for _, up := range tasks {
			d.edgesOf(up, func(e edge) {
				if e.unit == t.Unit {
					list = append(list, d.link(e, t.Index))
				}
			})
		}
	}
	return list
}

// Outbound are the channels that lead from a task, in the order of its logs.
func (d *Deployment) Outbound(t *Task) (list []Link) {
	d.edgesOf(t, func(e edge) {
		for i := range d.Units[e.unit] {
			list = append(list, d.link(e, i))
		}
	})
	return list
}

// Port is what a channel's receiver knows of it.
func (d *Deployment) Port(l Link) task.Port { return d.Plan.Units[l.To.Unit].Host().Ports[l.Port] }

// Log is the log of one of the task's channels.
func (t *Task) Log(channel uint32) *buffers.Log {
	for _, e := range t.Logs {
		if e.Channel == channel {
			return e.Log
		}
	}
	panic(fmt.Sprintf("BUG: channel %d does not lead from task %d", channel, t.Number))
}

// offer tells of the logs of an edge that lead to other processes.
func (d *Deployment) offer(e edge) {
	for i, consumer := range d.Units[e.unit] {
		if !d.local(consumer) {
			link := d.link(e, i)
			d.cfg.Out(link, e.from.Log(link.Channel))
		}
	}
}

// edge leads from an output of a task to all tasks of a consumer.
type edge struct {
	from        *Task
	member, out int
	decl        task.Out
	to          graph.Consumer
	unit        int    // of the consumer
	channel     uint32 // to its first task
}

// link is the channel to the i-th task of the consumer.
func (d *Deployment) link(e edge, i int) Link {
	return Link{From: e.from, To: d.Units[e.unit][i], Port: e.to.Port, Channel: e.channel + uint32(i)}
}

// receive connects the local tasks that an edge of a task in another process leads to.
func (d *Deployment) receive(e edge) {
	for i, to := range d.Units[e.unit] {
		if d.local(to) {
			link := d.link(e, i)
			to.Connect(d.ChannelOf(link, d.cfg.In(link, d.Port(link)), 0))
		}
	}
}

// overrun is the hard bound of a log, which a step may reach that begins when the log is all but full.
func (d *Deployment) overrun() int64 {
	if d.cfg.StepBytes == 0 {
		return 0
	}
	return d.cfg.StepBytes + d.cfg.LogBytes
}

func (d *Deployment) makeLogs(e edge) error {
	t, to := e.from, d.Units[e.unit]
	var logs []*buffers.Log
	for i, consumer := range to {
		l, err := buffers.New(buffers.Config{
			Stream: e.decl.Stream, PayloadSize: e.decl.PayloadSize, FrameBytes: d.cfg.FrameBytes,
			CapacityBytes: d.cfg.LogBytes, OverrunBytes: d.overrun(), Pool: d.cfg.Pool, Owner: t.Operator() + "." + e.decl.Name,
			TrimOnAck: d.cfg.TrimOnAck, SpillDir: d.cfg.SpillDir,
		})
		if err != nil {
			return fmt.Errorf("log of %s.%s: %w", t.Operator(), e.decl.Name, err)
		}
		logs = append(logs, l)
		link := d.link(e, i)
		t.Logs = append(t.Logs, Edge{l, consumer, link.Port, link.Channel})
	}
	routes := make([]partition.Route, len(to))
	for i, r := range d.Plan.Units[e.unit].Ranges {
		routes[i] = partition.Route{Range: r, Target: uint16(i)}
	}
	table, err := partition.NewTable(1, routes)
	if err != nil {
		return err
	}
	in := e.to.Op.Inputs[e.to.Port]
	at := t.AddEdge(e.member, e.out, e.to.Op.ID, in.HashFixed, in.HashBytes)
	t.Route(e.member, e.out, at, table, logs)
	return nil
}

// Connect opens a channel of t for every log of this process that feeds it, from a time on.
func (d *Deployment) Connect(t *Task, from wire.Time) error {
	for _, tasks := range d.Units {
		for _, up := range tasks {
			for _, e := range up.Logs {
				if e.To != t || !d.local(t) {
					continue
				}
				if err := d.Open(Link{up, t, e.Port, e.Channel}, e.Log, from); err != nil {
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
	return d.ChannelOf(link, feed, from), nil
}

// ChannelOf makes the receiving end of a channel whose frames come from feed, from a time on.
func (d *Deployment) ChannelOf(link Link, feed task.Feed, from wire.Time) *task.Channel {
	return task.NewChannel(d.ChannelID(link), d.Port(link).PayloadSize, feed, from, wire.TimeMax)
}

// ChannelID names a channel within its consumer.
func (d *Deployment) ChannelID(link Link) task.ChannelID {
	return task.ChannelID{Port: link.Port, Up: d.Plan.Units[link.From.Unit].Ranges[link.From.Index].First}
}

// ID names a task as stores of checkpoints do.
func (d *Deployment) ID(t *Task) ft.TaskID {
	u := d.Plan.Units[t.Unit]
	return ft.TaskID{Operator: u.Host().ID, Range: u.Ranges[t.Index]}
}

// Tasks calls fn for every task of this process, producers before consumers.
func (d *Deployment) Tasks(fn func(*Task)) {
	for _, tasks := range d.Units {
		for _, t := range tasks {
			if t.Local() {
				fn(t)
			}
		}
	}
}

// Member is the task's place in the order in which checkpoints are taken.
func (d *Deployment) Member(t *Task) ft.Member {
	ranks := d.Plan.Ranks()
	m := ft.Member{Rank: ranks[t.Unit], Ranks: slices.Max(ranks) + 1}
	for u, tasks := range d.Units {
		if ranks[u] == m.Rank {
			if u == t.Unit {
				m.Index = m.Count + t.Index
			}
			m.Count += len(tasks)
		}
	}
	return m
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
