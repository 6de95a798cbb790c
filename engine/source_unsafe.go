package engine

import (
	"fmt"
	"unsafe"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// Split is a part of a source's input, fixed by the input and never by parallelism.
type Split = task.Split

// Offset is a place in a split; it means something to the split's reader alone.
type Offset = task.Offset

// Record is one record of a split: its time in ms since the job's epoch, which does not go back within a split, and its
// value.
type Record[T any] struct {
	Millis int64
	Value  T
}

// Reader reads one split. It belongs to one task.
type Reader[T any] interface {
	// Read fills dst with the next records and returns how many. io.EOF, with or without records, ends the split; no
	// records and no error means that there is nothing now.
	Read(dst []Record[T]) (n int, err error)
	// Offset is the place of the record that the next Read begins with: a reader opened there continues with it, and
	// gives the same records at the same times again.
	Offset() Offset
	Close() error
}

// Peeker is a Reader that knows a lower bound for the time of its next record, in ms, without reading it. Splits of a task
// are then read only when their turn comes, and share a smaller part of the cache.
type Peeker interface {
	Peek() (millis int64, ok bool)
}

// SourceSpec says how a source reads its splits.
type SourceSpec[T any] struct {
	Codec  wire.Codec[T] // the zero Codec stands for wire.Fixed
	Splits []Split
	Open   func(s Split, from Offset) (Reader[T], error)
	// Block is how many records are read at a time; 0 for 512, or fewer where there are many splits.
	Block int
	// Live is for sources whose records arrive as time goes by: while there are none, their frontier follows the clock.
	Live bool
	// OnWake, if set, is handed the function that makes a sleeping source look again.
	OnWake func(wake func())
	// OnStop, if set, is called when the job is drained or cancelled. The source is then read to the end that its readers come
	// to by themselves, without regard to pace. Otherwise the input ends with what has been emitted.
	OnStop func()
}

// A block is large enough to hide what a Read costs; all splits together keep no more than blocksRecords, as far as their
// number allows.
const (
	blockRecords    = 512
	blockRecordsMin = 16
	blocksRecords   = 1 << 17
)

// Source declares a source.
func Source[T any](g *Graph, id string, s SourceSpec[T]) Stream[T] {
	op := g.g.Add(&graph.Operator{Spec: task.Spec{ID: id, Kind: task.Source}})
	codec := s.Codec
	if !codec.Valid() {
		var err error
		if codec, err = wire.Fixed[T](); err != nil {
			g.g.Fail("source %q: %w", id, err)
		}
	}
	if s.Open == nil {
		g.g.Fail("source %q has no Open function", id)
	}
	block := s.Block
	if block <= 0 {
		block = max(blockRecordsMin, min(blockRecords, blocksRecords/max(len(s.Splits), 1)))
	}
	op.Reading = &task.SourceSpec{
		Splits: s.Splits, Live: s.Live, OnWake: s.OnWake, OnStop: s.OnStop,
		Open: func(split task.Split, from task.Offset) (task.SplitReader, error) {
			r, err := s.Open(split, from)
			if err != nil {
				return nil, err
			}
			b := &blockReader[T]{Reader: r, block: make([]Record[T], block)}
			b.peeker, _ = r.(Peeker)
			return b, nil
		},
	}
	var out Stream[T]
	declare(op, func(d *Decl) {
		port := OutputOf(d, "out", codec)
		if d.recording() {
			out = Stream[T]{from: op, codec: codec}
			return
		}
		d.in.Emit = port.emitRecords
	})
	return out
}

// blockReader hands records over in blocks.
type blockReader[T any] struct {
	Reader[T]
	peeker Peeker
	block  []Record[T]
	err    error // comes after the block
}

// Read returns the next block.
func (b *blockReader[T]) Read() (task.Block, error) {
	if b.err != nil {
		return task.Block{}, b.err
	}
	n, err := b.Reader.Read(b.block)
	if n < 0 || n > len(b.block) {
		return task.Block{}, fmt.Errorf("the reader says that it read %d records into room for %d", n, len(b.block))
	}
	if n == 0 {
		return task.Block{}, err
	}
	b.err = err
	return task.Block{Base: unsafe.Pointer(unsafe.SliceData(b.block)), Stride: unsafe.Sizeof(b.block[0]), N: n}, nil
}

// Next is a lower bound for the time of the next record.
func (b *blockReader[T]) Next() (int64, bool) {
	if b.peeker == nil || b.err != nil {
		return 0, false
	}
	return b.peeker.Peek()
}

// The value of a record lies right behind its time, whatever T is: values are at most 8-aligned.
var _ = [1]struct{}{}[unsafe.Offsetof(Record[uint64]{}.Value)-8]
