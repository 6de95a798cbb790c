package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

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
	t, err := w.dep.Build(n.t.Unit, n.t.Index)
	if err != nil {
		return err
	}
	w.dep.Install(t)
	n.t, n.down, n.idle, n.last = t, false, false, n.durable.Position
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
