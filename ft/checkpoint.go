package ft

import (
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Checkpoint is all that a task has to remember: state, timers, position and untrimmed output, how far a source has read,
// and what a sink has committed. It shares nothing with the task.
type Checkpoint struct {
	Operator string
	Range    partition.Range
	Position wire.Time  // every effect of everything below is in it
	EndOf    wire.Time  // logical end of the input, if Ending
	Ending   bool       // it is known
	Kind     state.Kind // of the tables: state.Base, or state.Delta upon those of an earlier checkpoint
	Tables   [][]byte   // an image for each declared table, then for each timer
	Logs     []LogImage // in the order of the task's logs
	Splits   []SplitState
	Mark     []byte // of the sink's commit
}

// LogImage is the untrimmed part of a log.
type LogImage struct {
	Trim, Frontier wire.Time
	Frames         []byte // as buffers.Log.Load takes them
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
