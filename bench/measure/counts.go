package measure

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// Counts are what the sink tasks of one process count, a C each. The zero Counts is ready.
type Counts[C any] struct {
	mu  sync.Mutex
	all map[sinkTask]*C // guarded by mu
}

// sinkTask names a task of a sink.
type sinkTask struct {
	sink string
	task int
}

// Add begins the count of a sink's task, which takes the place of the one that it had before, if it is opened again.
func (cs *Counts[C]) Add(sink string, part engine.SinkPart, c *C) *C {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.all == nil {
		cs.all = make(map[sinkTask]*C)
	}
	cs.all[sinkTask{sink, part.Index}] = c
	return c
}

// All returns the counts, in no order. They are to be read when the sinks have ended.
func (cs *Counts[C]) All() []*C {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Values(cs.all))
}

// Counting makes what a sink's writer counts survive a crash: counts, a pointer that goes through JSON without loss, is part of
// every mark, behind that of w, is set to what the mark says on Restore, and to zero on Leave. The task's loop writes it.
//
//	mark: bytes of w's mark, uvarint │ w's mark │ counts in JSON
func Counting[T any](w engine.SinkWriter[T], counts any) engine.SinkWriter[T] {
	return &counting[T]{SinkWriter: w, counts: counts}
}

// CountSink declares a sink that does nothing but count.
func CountSink[T, C any](g *engine.Graph, id string, in engine.Stream[T], counts *Counts[C], add func(counts *C, v *T)) *engine.Op {
	return engine.Sink(g, id, in, func(part engine.SinkPart) (engine.SinkWriter[T], error) {
		c := counts.Add(id, part, new(C))
		return Counting(adder[T, C]{counts: c, add: add}, c), nil
	})
}

type counting[T any] struct {
	engine.SinkWriter[T]
	counts any
}

// Commit is the writer's, and adds the counts to its mark.
func (w *counting[T]) Commit(position wire.Time) ([]byte, error) {
	inner, err := w.SinkWriter.Commit(position)
	if err != nil {
		return nil, err
	}
	mark := append(binary.AppendUvarint(nil, uint64(len(inner))), inner...)
	counts, err := json.Marshal(w.counts)
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	return append(mark, counts...), nil
}

// Sync is the writer's, where it has one.
func (w *counting[T]) Sync() error {
	if s, ok := w.SinkWriter.(interface{ Sync() error }); ok {
		return s.Sync()
	}
	return nil
}

// Leave is the writer's, where it has one, and forgets the counts: they are with a task elsewhere now.
func (w *counting[T]) Leave() {
	if l, ok := w.SinkWriter.(task.Leaver); ok {
		l.Leave()
	}
	reflect.ValueOf(w.counts).Elem().SetZero()
}

// Restore is the writer's, and restores the counts.
func (w *counting[T]) Restore(mark []byte) error {
	size, n := binary.Uvarint(mark)
	if n <= 0 || size > uint64(len(mark)-n) {
		return errors.New("the mark is too short: it is not that of a sink that counts")
	}
	inner, counts := mark[n:n+int(size)], mark[n+int(size):]
	if err := w.SinkWriter.Restore(inner); err != nil {
		return err
	}
	if err := json.Unmarshal(counts, w.counts); err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	return nil
}

// adder counts what is written to it.
type adder[T, C any] struct {
	Volatile
	counts *C
	add    func(*C, *T)
}

// Write counts one.
func (a adder[T, C]) Write(_ *engine.Ctx, v *T) { a.add(a.counts, v) }

// Volatile is for a writer to embed that holds nothing outside its process: there is nothing to commit, flush or close.
type Volatile struct{}

// Commit has nothing to do.
func (Volatile) Commit(wire.Time) ([]byte, error) { return nil, nil }

// Restore has nothing to do.
func (Volatile) Restore([]byte) error { return nil }

// Flush has nothing to do.
func (Volatile) Flush() error { return nil }

// Close has nothing to do.
func (Volatile) Close() error { return nil }
