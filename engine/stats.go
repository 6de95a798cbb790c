package engine

import (
	"time"

	"github.com/fullspate/spate/engine/loop"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Stats is the state of affairs of a job at one moment. Counters are at most some 20 ms old while the job runs.
type Stats struct {
	Elapsed time.Duration
	Tasks   []TaskStats
	// Slabs is the memory outside the Go heap, by owner: "operator/table" for state, "operator.output" for logs. Once
	// the job has ended it is empty; what it was at most stays in SlabBytesMax.
	Slabs        slab.Stats
	SlabBytesMax int64
	Processes    []ProcessStats // those that run the job
	Links        LinkStats      // what went between workers, all in all
	Checkpoints  Checkpoints    `json:",omitzero"`
}

// Checkpoints count the checkpoints that a job has taken, and say from where one in the calling process has gone on.
type Checkpoints struct {
	Taken    uint64        // that are durable
	Failed   uint64        // that are not; each is tried again
	Bytes    uint64        // of those taken, as they were written
	SliceMax time.Duration // the longest that taking them held up a loop at once
	Restored int           // tasks that went on from a checkpoint of an earlier run, or a savepoint; 0 for a run from the beginning
	From     wire.Time     // the least position from which a source went on; 0 for the beginning
}

// Add adds what another process has counted.
func (c *Checkpoints) Add(o Checkpoints) {
	c.Taken += o.Taken
	c.Failed += o.Failed
	c.Bytes += o.Bytes
	c.SliceMax = max(c.SliceMax, o.SliceMax)
}

// LinkStats count what went over connections between workers.
type LinkStats struct {
	BytesOut  uint64 // sent, headers, frontiers and acknowledgements included
	BytesIn   uint64 // received
	TuplesOut uint64
	TuplesIn  uint64
}

// Add adds other counters.
func (s *LinkStats) Add(o LinkStats) {
	s.BytesOut += o.BytesOut
	s.BytesIn += o.BytesIn
	s.TuplesOut += o.TuplesOut
	s.TuplesIn += o.TuplesIn
}

// ProcessStats are the counters of a process that runs a job or a part of it.
type ProcessStats struct {
	Worker   string        // empty for the calling process
	RSSBytes int64         // resident memory, 0 where the system does not tell
	CPU      time.Duration // processor time used so far, user and system
	Mallocs  uint64        // objects allocated on the Go heap so far
}

// TaskStats are the counters of one task, or of one operator fused into it.
type TaskStats struct {
	Worker     string // empty where the job runs in the calling process
	Operator   string
	Task       int
	Loop       int
	Fused      bool // into the task before it in the list: it has its own tuple counts, the rest is the host's
	TuplesIn   uint64
	TuplesOut  uint64
	Useful     time.Duration // spent in turns that processed something
	Waiting    time.Duration // the rest of the job's time
	Turns      uint64        // turns that processed something
	Blocked    uint64        // turns cut short by a full log
	QueueBytes int64         // in the task's logs, not yet trimmed
	StateBytes int64
	Position   wire.Time
	// FrontierLag is by how much the task's position is behind what has arrived for it, in logical time.
	FrontierLag time.Duration
	// Due is until when a source has nothing to release by its pace, as time since the run began; 0 if it has, and for what
	// is no source.
	Due time.Duration
	// Latency is how long what the task has processed lately had been on its way. A source has none, and an operator that is
	// fused has its host's.
	Latency Latency `json:",omitzero"`
}

// Latency is how long what a task has processed lately had been on its way: since the moment that the pace of the job gave
// it, or without a pace since its source had emitted it.
type Latency = task.Latency

// Stats reports the job's counters. It may be called at any time from any goroutine.
func (j *Job) Stats() Stats {
	var s Stats
	select {
	case <-j.done:
		s.Elapsed = j.end
	default:
		s.Elapsed = time.Since(j.start)
	}
	s.Slabs = j.pool.Stats()
	s.SlabBytesMax = s.Slabs.Peak
	s.Processes = []ProcessStats{ThisProcess()}
	for i, l := range j.loops {
		s.Tasks = AppendTasks(s.Tasks, "", i, l, s.Elapsed)
	}
	for i := range s.Tasks {
		s.Tasks[i].Due = max(s.Tasks[i].Due-j.passed, 0)
	}
	s.Checkpoints = j.keep.stats()
	s.Checkpoints.Restored, s.Checkpoints.From = j.resumed.tasks, j.resumed.from
	return s
}

// AppendTasks appends the counters of a loop's tasks to a list, given how long the job has been running. It is what makes
// Stats on workers as well.
func AppendTasks(list []TaskStats, worker string, index int, l *loop.Loop, elapsed time.Duration) []TaskStats {
	from := len(list)
	l.Measures(func(t *task.Task, m task.Measure) { list = appendTask(list, index, t, m, elapsed) })
	for i := range list[from:] {
		list[from+i].Worker = worker
	}
	return list
}

func appendTask(list []TaskStats, loop int, t *task.Task, m task.Measure, elapsed time.Duration) []TaskStats {
	for i, oc := range m.Operators {
		ts := TaskStats{Operator: oc.Operator, Task: t.Index, Loop: loop, Fused: i > 0, TuplesIn: oc.In, TuplesOut: oc.Out}
		if i == 0 {
			ts.Useful, ts.Waiting = m.Useful, max(elapsed-m.Useful, 0)
			ts.Turns, ts.Blocked = m.Turns, m.Blocked
			ts.QueueBytes, ts.StateBytes, ts.Position = m.QueueBytes, m.StateBytes, m.Position
			ts.Due, ts.Latency = m.Due, m.Latency
			if m.Frontier != wire.TimeMax && m.Frontier > m.Position {
				ts.FrontierLag = time.Duration(m.Frontier.Millis()-m.Position.Millis()) * time.Millisecond
			}
		}
		list = append(list, ts)
	}
	return list
}
