package ft

import (
	"cmp"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Checkpoint is all that a task has to remember: state, timers, position and untrimmed output, how far a source has read,
// and what a sink has committed. It shares nothing with the task.
type Checkpoint struct {
	Operator string
	Range    partition.Range
	// Generation numbers the task's checkpoints within the job: 1, 2, 3…, ascending, not necessarily without gaps. 0 is one
	// that no store has to tell from others.
	Generation uint64
	// Follows is the generation upon whose tables the deltas in Tables build, 0 if there is none among them. Everything else
	// in a checkpoint is complete by itself.
	Follows  uint64
	Position wire.Time  // every effect of everything below is in it
	EndOf    wire.Time  // logical end of the input, if Ending
	Ending   bool       // it is known
	Kind     state.Kind // state.Delta if it follows another, else state.Base; a table of a delta may yet be a base
	Tables   [][]byte   // an image for each declared table, then for each timer
	Logs     []LogImage // no two of one name
	Splits   []SplitState
	Mark     []byte // of the sink's commit
}

// Task is whose checkpoint it is.
func (c *Checkpoint) Task() TaskID { return TaskID{c.Operator, c.Range} }

// LogImage is the untrimmed part of a log.
type LogImage struct {
	LogName
	Trim, Frontier wire.Time
	Frames         []byte // as buffers.Log.Load takes them
}

// LogName says which of a task's logs one is: whom it leads to, along which edge. Consumers come and go while a job runs.
type LogName struct {
	Edge  uint16          // among those that lead out of the task, in order
	Task  uint32          // index of the consumer among the tasks of its operator
	Range partition.Range // of the consumer
}

// Compare orders by edge, then range, then task.
func (n LogName) Compare(o LogName) int {
	return cmp.Or(cmp.Compare(n.Edge, o.Edge), cmp.Compare(n.Range.First, o.Range.First), cmp.Compare(n.Range.Last, o.Range.Last), cmp.Compare(n.Task, o.Task))
}

// Offset is a place in a split. It means something to the split's reader alone.
type Offset struct{ Place, Skip int64 }

// SplitState is how far a split has been read: it is reopened at Offset, where Skip records are passed over. The next
// record gets a time above Last and not below Promise. An ended split has ended at the later of the two.
type SplitState struct {
	Ordinal uint16
	Offset  Offset
	Skip    int
	Last    wire.Time
	Promise wire.Time
	Ended   bool
}
