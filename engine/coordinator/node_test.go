package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// node is a worker's process with its connection.
type node struct {
	*fakeWorker
	link    *link
	stalled time.Time // until when
}

// link is one connection. What is under way when it breaks is lost.
type link struct {
	id       ConnID
	node     *node
	broken   bool
	up, down time.Time // when the last message each way arrives
}

func (w *world) addWorker(id string) {
	n := &node{fakeWorker: &fakeWorker{id: id, incarnation: w.rng.Uint64() | 1, loops: 1 + w.rng.IntN(2), parts: map[string]*fakePart{}}}
	n.say = func(m control.Message) {
		if e, ends := m.(*control.Ended); ends && e.Error == nil {
			w.natural[partKey(e.Job, n.incarnation)] = fmt.Sprint(n.parts[e.Job].tasks(n.fakeWorker))
		}
		if n.link != nil {
			w.send(n.link, true, m)
			if _, registers := m.(*control.Register); !registers && w.rng.Float64() < w.faults.repeats {
				w.send(n.link, true, m)
			}
		}
	}
	n.refuse = func() bool { return !w.calm && w.rng.Float64() < w.faults.errors }
	n.slow = func() bool { return w.faults.recovers && w.rng.IntN(3) == 0 }
	n.lag = func() bool { return w.rng.IntN(3) > 0 }
	n.hinder = func() string {
		if !w.calm && w.rng.IntN(30) == 0 {
			return "no memory"
		}
		return ""
	}
	n.seen = func(p *fakePart, m control.Message) { w.check(n, p, m) }
	w.workers = append(w.workers, n)
	w.after(w.within(20*time.Millisecond), func() { w.connect(n) })
	w.live(n)
}

// connect opens a worker's connection, again and again until there is a coordinator.
func (w *world) connect(n *node) {
	if n.link != nil || n.over != "" {
		return
	}
	if w.m == nil || n.stalled.After(w.now) {
		w.after(10*time.Millisecond, func() { w.connect(n) })
		return
	}
	w.nextConn++
	n.link = &link{id: w.nextConn, node: n, up: w.now, down: w.now}
	w.links[n.link.id] = n.link
	n.say(n.register())
}

// send brings a message over a link, in order with those before.
func (w *world) send(l *link, up bool, m control.Message) {
	if l == nil || l.broken {
		return
	}
	last := &l.down
	if up {
		last = &l.up
	}
	*last = latest(*last, w.now.Add(w.within(15*time.Millisecond)))
	data, err := control.Append(nil, m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.after(last.Sub(w.now), func() { w.arrive(l, up, data) })
}

func (w *world) arrive(l *link, up bool, data []byte) {
	if l.broken {
		return
	}
	if !up && l.node.stalled.After(w.now) {
		w.after(l.node.stalled.Sub(w.now), func() { w.arrive(l, up, data) })
		return
	}
	m, err := control.Decode(data)
	if err != nil {
		w.t.Fatal(err)
	}
	if !up {
		l.node.take(m)
		return
	}
	w.m.Message(w.now, l.id, m)
	w.do(w.m.Actions())
}

// breakLink breaks a connection. Each end notices some time later.
func (w *world) breakLink(l *link) {
	if l.broken {
		return
	}
	l.broken = true
	delete(w.links, l.id)
	life := w.life
	w.after(w.within(20*time.Millisecond), func() {
		if w.m != nil && w.life == life {
			w.m.Disconnected(w.now, l.id, "broken")
			w.do(w.m.Actions())
		}
	})
	w.after(w.within(20*time.Millisecond), func() {
		l.node.link = nil
		w.connect(l.node)
	})
}

// live has a worker send heartbeats, and its parts run for a while.
func (w *world) live(n *node) {
	w.after(worldTiming.Heartbeat(), func() {
		if n.over != "" {
			return
		}
		if !n.stalled.After(w.now) {
			w.beat(n)
		}
		w.live(n)
	})
}

func (w *world) beat(n *node) {
	h := &control.Heartbeat{}
	for _, id := range sortedKeys(n.parts) {
		p := n.parts[id]
		h.Jobs = append(h.Jobs, control.JobReport{JobState: control.JobState{Job: id, Epoch: p.deploy.Epoch, Phase: p.phase}})
		switch {
		case p.busy && w.rng.IntN(3) == 0:
			n.ready(p)
		case !p.busy:
			n.catchUp(p)
		}
		if p.phase != control.PhaseRunning || w.rng.IntN(8) > 0 {
			continue
		}
		if w.rng.Float64() < w.faults.errors && !w.calm {
			n.end(p, &control.Ended{Error: &control.Failure{Message: "operator failed"}})
			continue
		}
		if w.faults.recovers && len(p.tasks(n.fakeWorker)) == 0 && p.how == "" {
			continue // it may be given some
		}
		n.complete(p)
	}
	n.say(h)
}

func sortedKeys(m map[string]*fakePart) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func jobKey(p *fakePart) string { return fmt.Sprintf("%s@%d", p.deploy.Job, p.deploy.Epoch) }

func partKey(job string, incarnation uint64) string { return fmt.Sprintf("%s of %x", job, incarnation) }

// check looks at what a worker is told about a part that it has.
func (w *world) check(n *node, p *fakePart, m control.Message) {
	key := jobKey(p)
	switch m := m.(type) {
	case *control.Deploy:
		if !slices.ContainsFunc(m.Workers, func(h control.Host) bool { return h.Worker == n.id && h.Incarnation == n.incarnation }) {
			w.t.Errorf("%s is deployed to worker %s, which is none of %+v", key, n.id, m.Workers)
		}
		if w.deployed[key] == nil {
			w.deployed[key] = map[uint64]bool{}
		}
		w.deployed[key][n.incarnation] = true
	case *control.Start:
		if p.deploy.Recovers {
			return // those that are gone may never have had it
		}
		for _, h := range p.deploy.Workers {
			if !w.deployed[key][h.Incarnation] {
				w.t.Errorf("%s is started though worker %s has not deployed it", key, h.Worker)
			}
		}
	case *control.Release:
		if p.phase != control.PhaseEnded {
			w.t.Errorf("%s is released on worker %s while it is %s", key, n.id, p.phase)
		}
	}
}
