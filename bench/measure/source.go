package measure

import (
	"fmt"
	"io"

	"github.com/fullspate/spate/engine"
)

// Generator makes the records of an input, each without those before it. Its functions are called by several goroutines.
type Generator[T any] struct {
	Splits int
	Len    func(split int) int64                         // records of a split, 0…Splits−1
	Make   func(split int, i int64, v *T) (millis int64) // record i, 0…Len(split)−1, in place
	Millis func(split int, i int64) int64                // the time of record i
}

// Source declares a source of generated records in a graph that has no other.
func Source[T any](g *engine.Graph, id string, gen Generator[T]) engine.Stream[T] {
	spec := engine.SourceSpec[T]{
		Open: func(s engine.Split, from engine.Offset) (engine.Reader[T], error) {
			r := &reader[T]{gen: &gen, split: int(s.Ordinal), at: from.Place}
			r.end = gen.Len(r.split)
			return r, nil
		},
	}
	for i := range gen.Splits {
		spec.Splits = append(spec.Splits, engine.Split{Ordinal: uint16(i), Name: fmt.Sprintf("%s %d", id, i)})
	}
	return engine.Source(g, id, spec)
}

// reader reads one split.
type reader[T any] struct {
	gen     *Generator[T]
	split   int
	at, end int64
}

// Read makes the next records.
func (r *reader[T]) Read(dst []engine.Record[T]) (int, error) {
	n := int(min(int64(len(dst)), r.end-r.at))
	if n == 0 {
		return 0, io.EOF
	}
	for i := range dst[:n] {
		dst[i].Millis = r.gen.Make(r.split, r.at+int64(i), &dst[i].Value)
	}
	r.at += int64(n)
	return n, nil
}

// Peek returns the time of the next record.
func (r *reader[T]) Peek() (int64, bool) { return r.gen.Millis(r.split, r.at), r.at < r.end }

// Offset is the number of the next record.
func (r *reader[T]) Offset() engine.Offset { return engine.Offset{Place: r.at} }

// Close has nothing to close.
func (r *reader[T]) Close() error { return nil }
