package enginetest

import (
	"fmt"
	"io"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/sim"
	"github.com/fullspate/spate/wire"
)

// Feed declares a source whose splits are slices. Unlike engine.SliceSource it is read a few records at a time, so that
// schedules cut it in many places.
func Feed[T any](g *engine.Graph, id string, splits ...[]engine.Record[T]) engine.Stream[T] {
	spec := engine.SourceSpec[T]{Block: 5}
	first := nextOrdinal(g)
	for i := range splits {
		spec.Splits = append(spec.Splits, engine.Split{Ordinal: first + uint16(i), Name: fmt.Sprintf("%s-%d", id, i)})
	}
	spec.Open = func(s engine.Split, at engine.Offset) (engine.Reader[T], error) {
		return &reader[T]{rows: splits[s.Ordinal-first], at: int(at.Place)}, nil
	}
	return engine.Source(g, id, spec)
}

func nextOrdinal(g *engine.Graph) (next uint16) {
	for _, op := range g.Untyped().Operators {
		if op.Reading == nil {
			continue
		}
		for _, s := range op.Reading.Splits {
			next = max(next, s.Ordinal+1)
		}
	}
	return next
}

type reader[T any] struct {
	rows []engine.Record[T]
	at   int
}

// Read copies the next records.
func (r *reader[T]) Read(dst []engine.Record[T]) (int, error) {
	if r.at == len(r.rows) {
		return 0, io.EOF
	}
	n := copy(dst, r.rows[r.at:])
	r.at += n
	return n, nil
}

// Offset is the index of the next record.
func (r *reader[T]) Offset() engine.Offset { return engine.Offset{Place: int64(r.at)} }

// Close does nothing.
func (r *reader[T]) Close() error { return nil }

// Every makes records of values that follow each other at a distance, which is whole milliseconds; the first is at 0.
func Every[T any](distance time.Duration, values ...T) []engine.Record[T] {
	rows := make([]engine.Record[T], len(values))
	for i, v := range values {
		rows[i] = engine.Record[T]{Millis: int64(i) * distance.Milliseconds(), Value: v}
	}
	return rows
}

// Collect declares a sink that does nothing: simulation keeps what sinks are given.
func Collect[T any](g *engine.Graph, id string, in engine.Stream[T]) {
	engine.SinkFunc(g, id, in, func(*engine.Ctx, *T) {})
}

// Result is a tuple that a sink was given, and its logical time since the job's epoch.
type Result[T any] struct {
	At    time.Duration
	Value T
}

// Results are what a sink was given, typed. T is a struct without pointers; it panics where T is not what the sink takes.
func Results[T any](all sim.Results, sink string) []Result[T] {
	codec := wire.MustFixed[T]()
	list := make([]Result[T], len(all[sink]))
	for i, r := range all[sink] {
		list[i].At = time.Duration(r.Time.Millis()) * time.Millisecond
		if err := codec.Decode(r.Payload, &list[i].Value); err != nil {
			panic(fmt.Sprintf("sink %q was not given a %T: %v", sink, list[i].Value, err))
		}
	}
	return list
}

// Reference is what the sinks are given by a plain run: one task for each operator, nothing late and nothing lost.
func Reference(build sim.Build) (sim.Results, error) {
	rep, err := sim.Reference(build, sim.Config{})
	return rep.Results, err
}
