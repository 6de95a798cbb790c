package task

import (
	"time"

	"github.com/fullspate/spate/wire"
)

// Stats counts what a task has done. It belongs to the task's loop; Snapshot copies it for others.
type Stats struct {
	Useful  time.Duration // spent in turns that processed something
	Blocked uint64        // turns cut short by a full log
	Turns   uint64
}

// Measure is a task's state of affairs at one moment, for its loop to publish.
type Measure struct {
	Operators  []OperatorCount
	Useful     time.Duration
	Turns      uint64
	Blocked    uint64
	QueueBytes int64
	StateBytes int64
	Position   wire.Time
	Frontier   wire.Time // the time below which all input has arrived
	// Due is until when a source has nothing to release by its clock, as time since the run began; 0 if it has, and for others.
	Due     time.Duration
	Latency Latency // none of a source
}

// OperatorCount is how many tuples one operator of a task (the host, or one fused into it) took in and emitted.
type OperatorCount struct {
	Operator string
	In, Out  uint64
}

// Worked adds the time of a turn that processed something, and takes the latency of what was processed last.
func (t *Task) Worked(d time.Duration) {
	t.latencies.take(t.ctx.tau, t.now+d)
	t.stats.Useful += d
	t.stats.Turns++
}

// Measure reports the task's counters. It is called by the task's own loop, between turns; m is written over.
func (t *Task) Measure(m *Measure) {
	m.Operators = m.Operators[:0]
	for _, in := range t.insts {
		oc := OperatorCount{Operator: in.Spec.ID, In: in.in}
		for _, o := range in.Outs {
			oc.Out += o.Count
		}
		m.Operators = append(m.Operators, oc)
	}
	m.Useful, m.Turns, m.Blocked, m.Position = t.stats.Useful, t.stats.Turns, t.stats.Blocked, t.pos
	m.QueueBytes, m.StateBytes = 0, 0
	for _, l := range t.logs {
		m.QueueBytes += l.Bytes()
	}
	for _, tab := range t.insts[0].tables {
		m.StateBytes += tab.MemoryBytes()
	}
	m.Frontier = wire.TimeMax
	for _, ch := range t.channels {
		m.Frontier = min(m.Frontier, ch.front)
	}
	if len(t.channels) == 0 {
		m.Frontier = t.pos
	}
	m.Latency = t.latencies.latest(t.now, t.pos == wire.TimeMax)
	m.Due = 0
	if t.reading != nil {
		m.Due = t.reading.due
	}
}
