package task

import (
	"time"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
)

// Kind says what an operator is to its task.
type Kind uint8

// The kinds of operator.
const (
	Process Kind = iota // consumes and produces; stateless where it declares no table and no timer
	Source              // reads splits
	Sink                // hands results to the outside world and commits them
)

// String names the kind as messages and graphs show it.
func (k Kind) String() string { return [...]string{"process", "source", "sink"}[k] }

// KeyKind says how an operator's inputs are keyed.
type KeyKind uint8

// The kinds of key.
const (
	Unkeyed   KeyKind = iota // tuples keep the hash of the step that emitted them
	KeyUint64                // hash = partition.HashUint64(key): equal hash means equal key
	KeyBytes                 // hash = partition.HashBytes(key): keys compare as bytes where hashes are equal
)

// Port is an input of an operator. Ports are numbered in the order in which they are declared, which is also the order
// in which tuples of one time and key are handled.
type Port struct {
	From        string // "operator.output", for messages
	Stream      wire.StreamID
	PayloadSize int // bytes; 0 where payloads vary in size
}

// Out is a declared output.
type Out struct {
	Name        string
	Stream      wire.StreamID
	PayloadSize int    // bytes; 0 where payloads vary in size
	Fingerprint uint64 // of the payload's layout
}

// TimerDecl is a declared timer; Name orders timers that are due at one time for one key.
type TimerDecl struct{ Name string }

// Spec is everything that a task must know of its operator. It is shared by all tasks of the operator and never changes
// once the graph is complete.
type Spec struct {
	ID     string
	Kind   Kind
	Key    KeyKind
	Ports  []Port
	Outs   []Out
	Tables []state.Schema
	Timers []TimerDecl

	// Bind builds the operator object of one task: it sets the handlers of the instance (and may be called again at
	// any time between two steps, on the same instance: "amnesia").
	Bind func(*Instance)

	Reading *SourceSpec // sources only
	Writing *SinkSpec   // sinks only
}

// Split is one part of a source's input, fixed by the input and never by parallelism.
type Split struct {
	Ordinal uint16  // 0…4095, unique within the job, never reused: it is part of every τ
	Name    string  // for messages
	Weight  float64 // relative amount of work, for spreading splits over tasks; 0 counts as 1
}

// Offset is a place in a split. It means something to the reader alone.
type Offset = ft.Offset

// Block is a run of records handed over by a split's reader: N records of Stride bytes from Base, each an int64 of
// milliseconds followed by the payload. It is borrowed until the next Read.
type Block struct {
	Base   Ptr
	Stride uintptr
	N      int
}

// SplitReader reads one split. A reader belongs to one task.
type SplitReader interface {
	// Read returns the next records. io.EOF (with no records) ends the split; an empty block without an error means
	// that there is nothing now.
	Read() (Block, error)
	// Next returns a lower bound for the time of the next record, in ms, and false where the reader cannot tell
	// without reading.
	Next() (int64, bool)
	// Offset is the place of the record that the next Read begins with.
	Offset() Offset
	Close() error
}

// SourceSpec says how a source reads.
type SourceSpec struct {
	Splits []Split
	Open   func(Split, Offset) (SplitReader, error)
	// Live is true for a source whose records arrive as time goes by: while it has none its frontier follows the clock.
	Live bool
	// OnWake, if set, is handed the function that makes a sleeping source look again.
	OnWake func(wake func())
	// OnStop, if set, is called when the input is to end early. The source is then read to the end that its readers come to
	// by themselves, at once. Otherwise the input ends with what has been emitted.
	OnStop func()
}

// SinkPart tells a sink's writer which part of the whole it is.
type SinkPart struct {
	Index, Of int
	Range     partition.Range
	Heir      bool // the task was on another worker, which was given up and may not be dead
}

// SinkWriter takes results out of the engine. It belongs to one task and is called by one goroutine at a time.
type SinkWriter interface {
	// Commit makes everything durable that was written below position; the mark it returns is kept in the checkpoint.
	Commit(position wire.Time) (mark []byte, err error)
	// Restore forgets whatever was written after the mark.
	Restore(mark []byte) error
	// Flush hands on what is buffered; it is called when the task has nothing to do.
	Flush() error
	// Close ends the writer, after its last Commit or when the job is given up.
	Close() error
}

// Syncer is a SinkWriter for which making results durable takes time. Its Commit hands over what was written, and returns
// at once; Sync, called after it on another goroutine while results go on being written, returns once all that is durable.
type Syncer interface{ Sync() error }

// SinkSpec says how a sink writes. Open returns the writer and the handler that feeds it.
type SinkSpec struct {
	Open func(SinkPart) (SinkWriter, Handler, error)
}

// Handler is the bound entry of one port. Exactly one of Fixed and Bytes is set, by the stream's payloads.
type Handler struct {
	Fixed func(*Ctx, Ptr)
	Bytes func(*Ctx, []byte)
	// Ahead, if set, sees every tuple of the port once, up to AheadMax at a time, before it is handled: base is the first
	// of them (with its header), stride the distance to the next. Fixed payloads only.
	Ahead func(base Ptr, stride uintptr, n int)
	// KeyOf returns the key of a payload where the operator is keyed by bytes.
	KeyOf func(payload []byte) []byte
}

// Handlers' callbacks see tuples up to AheadMax before they are handled, aheadStep at a time: far enough for a cache miss
// of 200 ns to be over when its tuple's turn comes, near enough for what it brought to be in the first-level cache still,
// and in steps whose misses a core can have under way at once, so that it goes on handling meanwhile.
const (
	AheadMax  = 32
	aheadStep = 8
)

// Never is the deadline of a task that waits for input alone.
const Never = time.Duration(1<<63 - 1)
