package deploy

import (
	"errors"
	"fmt"
	"slices"
	"sync"

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
	// MuteLogBytes is the capacity of the logs that lead to a mute task, or from one: nobody reads these for a while. 0 for
	// LogBytes.
	MuteLogBytes int64
	// Shape says which tasks there are; nil for those of the plan.
	Shape Shape
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
	Part          // its range, and what there is of it
	Number uint32 // that no other task has
	Life   uint64 // changes when it is somewhere else: then its consumers need a new channel from it
	Logs   []Edge // in the order of the task's own logs
	outs   []*outgoing
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
	Units [][]*Task // by unit and index; those that are Gone are no tasks
	cfg   Config
	ages  *task.Ages
	edges int          // bits of a channel's number for the edge
	shape sync.RWMutex // held for writing while Units change, so that Build may read them
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
	d := &Deployment{Plan: plan, cfg: cfg, ages: task.NewAges(cfg.Clock), edges: plan.EdgeBits()}
	if cfg.Shape == nil {
		cfg.Shape = ShapeOf(plan)
	}
	d.Reshape(cfg.Shape)
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

func (d *Deployment) local(t *Task) bool {
	return !t.Gone && (d.cfg.Local == nil || d.cfg.Local(t.Unit, t.Index))
}

// fill makes the task itself, without logs and channels.
func (d *Deployment) fill(t *Task, heir bool) (err error) {
	u := d.Plan.Units[t.Unit]
	nth, of := d.order(t)
	cfg := task.Config{
		Index: t.Index, Nth: nth, Of: of, Range: t.Keys, Heir: heir,
		Specs: u.Specs(), Pool: d.cfg.Pool, Clock: d.cfg.Clock, Ages: d.ages,
	}
	if host := u.Host(); host.Kind == task.Source {
		if t.Mute {
			cfg.Ages = nil // who reads the splits now notes how far it is
		}
		cfg.Splits = graph.Spread(host.Reading.Splits, of)[nth]
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

// Build makes a task anew, to take the place of one that is gone, or one that nobody has had: without state and channels, and
// with empty logs. Any goroutine may call it; the deployment knows nothing of the task before Install.
func (d *Deployment) Build(unit, index int) (*Task, error) {
	d.shape.RLock()
	defer d.shape.RUnlock()
	place := *d.Units[unit][index]
	t := &place
	t.Logs, t.outs = nil, nil
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
	d.shape.Lock()
	defer d.shape.Unlock()
	d.Units[t.Unit][t.Index] = t
	d.Tasks(func(up *Task) { d.relink(up) }) // its own, too: of others that were installed since it was built
}

// relink has a task's logs lead to the tasks that are in their places now.
func (d *Deployment) relink(t *Task) {
	for _, o := range t.outs {
		for i := range o.logs {
			to := o.logs[i].To
			o.logs[i].To = d.Units[to.Unit][to.Index]
		}
	}
	t.list()
}

// list has Logs list the logs of all edges.
func (t *Task) list() {
	t.Logs = t.Logs[:0]
	for _, o := range t.outs {
		t.Logs = append(t.Logs, o.logs...)
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

// outputs calls fn for each edge that leads from tasks of a unit to those of another, in order; from is not set.
func (d *Deployment) outputs(unit int, fn func(edge)) {
	n := 0
	for m, member := range d.Plan.Units[unit].Members {
		for o, out := range member.Op.Outs {
			for _, c := range d.Plan.Graph.Consumers(member.Op, o) {
				if to, at := d.Plan.Where(c.Op); at == 0 { // else it is fused
					fn(edge{member: m, out: o, decl: out, to: c, unit: to, number: n})
					n++
				}
			}
		}
	}
}

// edgesOf calls fn for each edge that leads from a task.
func (d *Deployment) edgesOf(t *Task, fn func(edge)) {
	d.outputs(t.Unit, func(e edge) {
		e.from = t
		fn(e)
	})
}

// Inbound are the channels that lead to a task, those from mute tasks included.
func (d *Deployment) Inbound(t *Task) (list []Link) {
	for u := range d.Units {
		d.outputs(u, func(e edge) {
			if e.unit != t.Unit {
				return
			}
			for _, up := range d.Units[u] {
				if e.from = up; !up.Gone {
					list = append(list, d.link(e, t))
				}
			}
		})
	}
	return list
}

// Outbound are the channels that lead from a task, those to mute tasks included.
func (d *Deployment) Outbound(t *Task) (list []Link) {
	d.edgesOf(t, func(e edge) {
		for _, to := range d.Units[e.unit] {
			if !to.Gone {
				list = append(list, d.link(e, to))
			}
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
	for _, consumer := range d.Units[e.unit] {
		if !consumer.Gone && !d.local(consumer) {
			link := d.link(e, consumer)
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
	unit        int // of the consumer
	number      int // among the edges of the unit that it leads from
}

// outgoing is an edge of a task of this process, with its logs.
type outgoing struct {
	edge
	at   int // among the edges of the output
	logs []Edge
}

// link is the channel to a task of the consumer.
func (d *Deployment) link(e edge, to *Task) Link {
	return Link{From: e.from, To: to, Port: e.to.Port, Channel: d.channel(e, to)}
}

// channel is the number of a channel, which depends on its two ends alone: whoever comes later, or has gone, changes nothing
// about the others.
func (d *Deployment) channel(e edge, to *Task) uint32 {
	n := uint32(e.from.Unit)<<d.edges | uint32(e.number)
	return (n<<graph.IndexBits|uint32(e.from.Index))<<graph.IndexBits | uint32(to.Index)
}

// receive connects the local tasks that an edge of a task in another process leads to.
func (d *Deployment) receive(e edge) {
	for _, to := range d.Units[e.unit] {
		if d.local(to) {
			link := d.link(e, to)
			to.Connect(d.ChannelOf(link, d.cfg.In(link, d.Port(link)), 0))
		}
	}
}

// overrun is the hard bound of a log, which a step may reach that begins when the log is all but full.
func (d *Deployment) overrun(from, to *Task) int64 {
	if d.cfg.StepBytes == 0 {
		return 0
	}
	return d.cfg.StepBytes + d.capacity(from, to)
}

// makeLogs makes an edge of a task of this process, with a log for each consumer that is there.
func (d *Deployment) makeLogs(e edge) error {
	in := e.to.Op.Inputs[e.to.Port]
	o := &outgoing{edge: e, at: e.from.AddEdge(e.member, e.out, e.to.Op.ID, in.HashFixed, in.HashBytes)}
	e.from.outs = append(e.from.outs, o)
	for _, to := range d.Units[e.unit] {
		if to.Gone {
			continue
		}
		if _, err := d.addLog(o, to); err != nil {
			return err
		}
	}
	e.from.list()
	return d.route(o)
}

// addLog makes the log of one more consumer of an edge.
func (d *Deployment) addLog(o *outgoing, to *Task) (*buffers.Log, error) {
	t := o.from
	l, err := buffers.New(buffers.Config{
		Stream: o.decl.Stream, PayloadSize: o.decl.PayloadSize, FrameBytes: d.cfg.FrameBytes,
		CapacityBytes: d.capacity(t, to), OverrunBytes: d.overrun(t, to), Pool: d.cfg.Pool, Owner: t.Operator() + "." + o.decl.Name,
		TrimOnAck: d.cfg.TrimOnAck, SpillDir: d.cfg.SpillDir,
	})
	if err != nil {
		return nil, fmt.Errorf("log of %s.%s: %w", t.Operator(), o.decl.Name, err)
	}
	link := d.link(o.edge, to)
	o.logs = append(o.logs, Edge{l, to, link.Port, link.Channel})
	return l, nil
}

// capacity is that of the log from one task to another.
func (d *Deployment) capacity(from, to *Task) int64 {
	if (from.Mute || to.Mute) && d.cfg.MuteLogBytes > 0 {
		return d.cfg.MuteLogBytes
	}
	return d.cfg.LogBytes
}

// route has the tuples of an edge go to the logs that there are: to those of mute consumers besides the others.
func (d *Deployment) route(o *outgoing) error {
	routes, logs, consumers := make([]partition.Route, len(o.logs)), make([]*buffers.Log, len(o.logs)), make([]task.Consumer, len(o.logs))
	for i, e := range o.logs {
		routes[i] = partition.Route{Range: e.To.Keys, Target: uint16(i)}
		if e.To.Mute {
			routes[i].Gen = 1
		}
		logs[i], consumers[i] = e.Log, task.Consumer{Index: e.To.Index, Range: e.To.Keys}
	}
	table, err := partition.NewTable(1, routes)
	if err != nil {
		return err
	}
	o.from.Route(o.member, o.out, o.at, table, logs, consumers)
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
	ch := task.NewChannel(d.ChannelID(link), d.Port(link).PayloadSize, feed, from, wire.TimeMax)
	ch.Sender = link.From.Sender()
	return ch
}

// ChannelID names a channel within its consumer.
func (d *Deployment) ChannelID(link Link) task.ChannelID {
	return task.ChannelID{Port: link.Port, Up: link.From.Keys.First}
}

// ID names a task as stores of checkpoints do.
func (d *Deployment) ID(t *Task) ft.TaskID {
	return ft.TaskID{Operator: d.Plan.Units[t.Unit].Host().ID, Range: t.Keys}
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
		if ranks[u] != m.Rank {
			continue
		}
		for i, other := range tasks {
			if u == t.Unit && i == t.Index {
				m.Index = m.Count
			}
			if !other.Gone {
				m.Count++
			}
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
