package sim

import (
	"time"

	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// The kinds of decisions.
const (
	turn          = iota // a task takes a turn
	carry                // a link sends or delivers
	checkpointing        // a checkpoint makes a step
	amnesia              // operator objects are built again
	hold                 // a task is held at a time, or let go
	crash                // tasks are lost, or come back
	transfer             // something happens to a connection between workers
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
	case transfer:
		moved, err := w.net.act(w.rand)
		if moved {
			w.moves++
		}
		return err
	case checkpointing:
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
