package sim

import (
	"bytes"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

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
	if len(c.Tables) == 0 { // at its end a task has no use for them
		clear(n.deltas)
	}
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
