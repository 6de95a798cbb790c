package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// The kinds of decisions.
const (
	turn       = iota // a task takes a turn
	carry             // a link sends or delivers
	checkpoint        // a checkpoint makes a step
	amnesia           // operator objects are built again
	hold              // a task is held at a time, or let go
	crash             // tasks are lost, or come back
	actions
)

// act takes one decision of a kind.
func (w *world) act(kind int) error {
	w.now += time.Duration(w.rand.IntN(40)) * time.Microsecond
	n := w.nodes[w.rand.IntN(len(w.nodes))]
	switch kind {
	case turn:
		for i := 0; i < tries && n.idle; i++ {
			n = w.nodes[w.rand.IntN(len(w.nodes))]
		}
		p, err := w.turn(n, 1+w.rand.IntN(w.nature.budget))
		if !p.Worked && p.Until > w.now && p.Until != task.Never && w.rand.IntN(4) == 0 {
			w.now = p.Until + time.Duration(w.rand.IntN(5000))*time.Microsecond // else one would wait for long
		}
		return err
	case carry:
		if len(w.links) == 0 { // all tasks are lost
			return nil
		}
		l := w.links[w.rand.IntN(len(w.links))]
		for i := 0; i < tries && !l.busy(); i++ {
			l = w.links[w.rand.IntN(len(w.links))]
		}
		moved, err := l.act(w.rand)
		if moved {
			w.moves++
		}
		return err
	case checkpoint:
		if n = w.urgent(n); !n.busy() && w.rand.IntN(8) > 0 {
			return nil
		}
		return w.checkpoint(n)
	case amnesia:
		if !n.down {
			n.t.Bind()
			w.report.Amnesias++
		}
	case hold:
		w.hold(n)
	case crash:
		if w.rand.IntN(8) > 0 { // rarer than anything else
			return nil
		}
		return w.crash()
	}
	return nil
}

// tries is how often a decision that would come to nothing is taken again: most, but not all, should come to something.
const tries = 4

// urgent prefers a task that is at a checkpoint, or asked for one.
func (w *world) urgent(n *node) *node {
	for i := 0; i < 2*tries && !n.busy(); i++ {
		n = w.nodes[w.rand.IntN(len(w.nodes))]
	}
	return n
}

// hold lets a task run to a time that is not far, or lets it go on.
func (w *world) hold(n *node) {
	if n.down || n.done {
		return
	}
	if n.held {
		n.release()
		return
	}
	pos := n.t.Position()
	at := pos + wire.Time(w.rand.Uint64N(uint64(wire.TimerTime(50))))
	if w.rand.IntN(4) == 0 {
		at = pos
	}
	n.held = n.t.Hold(at)
}

func (n *node) release() {
	if n.held {
		n.t.Hold(wire.TimeMax)
		n.held = false
	}
}

// ask asks a task for a checkpoint. One that has not moved answers with the last; one that is down not at all.
func (w *world) ask(n *node) {
	switch {
	case n.down:
	case n.durable.Position == n.t.Position():
		n.trimming = true
	case !n.asked:
		n.asked = true
		w.report.Asked++
	}
}

// checkpoint makes one step of a task's checkpoint: freeze, copy a slice, encode, become durable, trim.
func (w *world) checkpoint(n *node) error {
	switch {
	case n.down || w.nature.trimOnAck:
	case n.trimming:
		w.trim(n)
	case n.taken != nil:
		return w.persist(n)
	case n.freeze == nil:
		kind := state.Delta
		if w.rand.IntN(4) == 0 {
			kind = state.Base
		}
		f, err := n.t.Freeze(kind)
		if err != nil {
			return fmt.Errorf("checkpoint of %v: %w", n, err)
		}
		n.freeze, n.asked = f, false
	default:
		ticks := time.Time{}
		clock := func() time.Time { ticks = ticks.Add(time.Second); return ticks }
		budget := time.Duration(w.rand.IntN(3)) * time.Second // 0: all at once
		if !n.freeze.Step(budget, clock) {
			return nil
		}
		c, err := n.freeze.Finish(state.Raw)
		if err != nil {
			return fmt.Errorf("checkpoint of %v: %w", n, err)
		}
		n.freeze, n.taken = nil, c
	}
	return nil
}

// persist makes the checkpoint that was taken the one to come back from.
func (w *world) persist(n *node) error {
	c, incremental := n.taken, false
	for i, image := range c.Tables {
		info, err := state.Inspect(image)
		if err != nil {
			return fmt.Errorf("checkpoint of %v: table %d: %w", n, i, err)
		}
		if info.Kind != state.Delta {
			n.deltas[i] = nil
			continue
		}
		incremental = true
		c.Tables[i] = n.durable.Tables[i]
		if mutant.Active != mutant.DeltaLost {
			n.deltas[i] = append(n.deltas[i], image)
		}
	}
	if c.Position > n.durable.Position {
		w.moves++
	}
	n.durable, n.taken, n.trimming = c, nil, true
	w.report.Checkpoints++
	if incremental {
		w.report.Deltas++
	}
	return nil
}

// fold makes the durable checkpoint whole.
func (n *node) fold() error {
	for i, deltas := range n.deltas {
		if len(deltas) == 0 {
			continue
		}
		var b bytes.Buffer
		if _, err := state.Fold(&b, state.Raw, n.durable.Tables[i], deltas...); err != nil {
			return fmt.Errorf("table %d: folding %d deltas: %w", i, len(deltas), err)
		}
		n.durable.Tables[i], n.deltas[i] = b.Bytes(), nil
	}
	return nil
}

// trim tells the logs that feed a task of its last checkpoint.
func (w *world) trim(n *node) {
	n.trimming = false
	at := n.durable.Position
	if mutant.Active == mutant.TrimAhead && at > 0 && at < wire.TimeMax {
		at++
	}
	for _, up := range w.nodes {
		if up.down {
			continue
		}
		for _, e := range up.t.Logs {
			if e.To != n.t {
				continue
			}
			if before := e.Log.Bytes(); at >= e.Log.TrimPoint() {
				e.Log.Trim(at)
				if e.Log.Bytes() < before {
					w.moves++
					up.idle = false
				}
			}
		}
	}
}

// crash loses one to three tasks at once, or brings one back that was lost.
func (w *world) crash() error {
	for _, n := range w.nodes {
		if n.down && w.rand.IntN(2) == 0 {
			return w.restore(n)
		}
	}
	if w.report.Restores >= w.nature.crashes {
		return nil
	}
	for range pick(w.rand, 1, 1, 1, 2, 3) {
		n := w.nodes[w.rand.IntN(len(w.nodes))]
		if n.down {
			continue
		}
		if err := w.lose(n); err != nil {
			return err
		}
		if w.rand.IntN(2) == 0 {
			if err := w.restore(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// lose throws a task away with its logs. What it had sent and its consumers have received stays with these.
func (w *world) lose(n *node) error {
	if n.freeze != nil {
		n.freeze.Abort()
	}
	n.freeze, n.taken, n.asked, n.trimming, n.held, n.done = nil, nil, false, false, false, false
	n.down = true
	w.mix(uint64(n.t.Unit), uint64(n.t.Index))
	for _, l := range n.in {
		l.drop()
	}
	n.in = nil
	w.forget(func(l *link) bool { return l.to == n })
	for _, l := range w.links {
		if l.from == n && l.cursor != nil {
			l.cursor.Close()
			l.cut()
		}
	}
	return n.t.Discard()
}

func (w *world) forget(gone func(*link) bool) { w.links = slices.DeleteFunc(w.links, gone) }

// restore brings a task back from its last durable checkpoint.
func (w *world) restore(n *node) error {
	t, err := w.dep.Replace(n.t)
	if err != nil {
		return err
	}
	n.t, n.down, n.last = t, false, n.durable.Position
	w.report.Restores++
	w.moves++
	if err := errors.Join(n.fold(), t.Restore(n.durable, w.pool)); err != nil {
		return fmt.Errorf("%v comes back from its checkpoint at %v: %w", n, n.durable.Position, err)
	}
	if err := w.feedFrom(n); err != nil {
		return fmt.Errorf("%v comes back at %v: %w", n, n.durable.Position, err)
	}
	for _, e := range t.Logs {
		if err := w.succeed(n, e); err != nil {
			return fmt.Errorf("%v comes back at %v: its consumer %v: %w", n, n.durable.Position, w.node(e.To), err)
		}
	}
	return nil
}

// feedFrom opens a restored task's channels at its position. What feeds it but is down itself is awaited there.
func (w *world) feedFrom(n *node) error {
	from := n.durable.Position
	for _, up := range w.nodes {
		for _, e := range up.t.Logs {
			if e.To != n.t {
				continue
			}
			if !up.down {
				if err := w.dep.Open(deploy.Link{From: up.t, To: n.t, Port: e.Port}, e.Log, from); err != nil {
					return err
				}
				w.links[len(w.links)-1].begin(from)
				continue
			}
			l := w.link(up, n, e.Port, nil)
			l.begin(from)
			size := w.plan.Units[n.t.Unit].Host().Ports[e.Port].PayloadSize
			n.t.Connect(task.NewChannel(task.ChannelID{Port: e.Port, Up: up.t.Range.First}, size, l, from, wire.TimeMax))
		}
	}
	return nil
}

// succeed makes the consumer of a restored task's log read it: from a time on that the task before had completed for it.
func (w *world) succeed(n *node, e deploy.Edge) error {
	to := w.node(e.To)
	if to.down {
		return nil
	}
	at, old := wire.Time(0), (*link)(nil)
	for _, l := range to.in {
		if l.from == n && l.port == e.Port && l.end == wire.TimeMax {
			old = l
		}
	}
	if old == nil {
		return fmt.Errorf("BUG: no link from %v", n)
	}
	pos := to.t.Position()
	at = max(old.front, old.start)
	if w.rand.IntN(3) == 0 && at > pos {
		at = pos + wire.Time(w.rand.Uint64N(uint64(at-pos)))
	}
	if at == wire.TimeMax {
		return nil // it has received everything
	}
	for _, l := range to.in {
		if l.from == n && l.port == e.Port {
			l.end = min(l.end, at)
		}
	}
	var ended []*task.Channel
	for _, ch := range to.t.Channels() {
		if ch.ID.Port == e.Port && ch.ID.Up == n.t.Range.First {
			ended = append(ended, ch)
		}
	}
	ch, err := w.dep.Channel(deploy.Link{From: n.t, To: to.t, Port: e.Port}, e.Log, at)
	if err != nil {
		return err
	}
	w.links[len(w.links)-1].begin(at)
	return to.t.Switch(at, ended, []*task.Channel{ch})
}

// feed makes the link for a channel that is being opened.
func (w *world) feed(dl deploy.Link, cur *buffers.Cursor) task.Feed {
	return w.link(w.node(dl.From), w.node(dl.To), dl.Port, cur)
}

func (w *world) link(from, to *node, port int, cur *buffers.Cursor) *link {
	l := &link{w: w, from: from, to: to, port: port, cursor: cur, end: wire.TimeMax}
	w.links = append(w.links, l)
	to.in = append(to.in, l)
	return l
}

// prune forgets the links whose channels are over.
func (w *world) prune(n *node) {
	over := func(l *link) bool { return l.to == n && l.end < wire.TimeMax && (l.end <= n.last || l.start >= l.end) }
	if !slices.ContainsFunc(n.in, over) {
		return
	}
	for _, l := range n.in {
		if over(l) {
			l.drop()
		}
	}
	n.in = slices.DeleteFunc(n.in, over)
	w.forget(over)
}

// begin sets where the link's channel begins.
func (l *link) begin(from wire.Time) {
	l.start, l.end, l.acked, l.told = from, wire.TimeMax, from, from
}
