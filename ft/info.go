package ft

import (
	"fmt"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// TaskID names a task whatever worker it runs on: its operator, and the hashes that it is responsible for.
type TaskID struct {
	Operator string
	Range    partition.Range
}

// String returns the task as "operator[first-last]", in hexadecimal.
func (t TaskID) String() string {
	return fmt.Sprintf("%s[%016x-%016x]", t.Operator, t.Range.First, t.Range.Last)
}

// Info is what an encoded checkpoint says about itself.
type Info struct {
	Task       TaskID
	Generation uint64
	Follows    uint64 // 0: complete by itself
	Kind       state.Kind
	Position   wire.Time
	EndOf      wire.Time // if Ending
	Ending     bool
	Tables     []TableInfo
	Logs       []LogInfo
	Splits     int
	MarkBytes  int64
	Bytes      int64 // of all of it, encoded
}

// TableInfo is what a checkpoint says about the image of a table.
type TableInfo struct {
	Fingerprint uint64 // of the schema
	Kind        state.Kind
	Parent      wire.Time // position of the checkpoint that a delta is to be applied to, 0 in a base
	Records     int64
	Deletions   int64 // 0 in a base
	RawBytes    int64 // decompressed
	Bytes       int64 // as they are
}

// LogInfo is what a checkpoint says about the untrimmed part of a log.
type LogInfo struct {
	LogName
	Trim, Frontier wire.Time
	Bytes          int64
}

// TableBytes is how much of the checkpoint is images of tables.
func (i *Info) TableBytes() (sum int64) {
	for _, t := range i.Tables {
		sum += t.Bytes
	}
	return sum
}

// LogBytes is how much of the checkpoint is untrimmed output.
func (i *Info) LogBytes() (sum int64) {
	for _, l := range i.Logs {
		sum += l.Bytes
	}
	return sum
}
