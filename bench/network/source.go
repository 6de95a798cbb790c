package network

import (
	"fmt"
	"io"

	"github.com/fullspate/spate/engine"
)

// source declares the source of the splits in a graph that has no other. The weight of a split is its rate.
func source(g *engine.Graph, splits []split) engine.Stream[Tuple] {
	spec := engine.SourceSpec[Tuple]{Open: func(s engine.Split, from engine.Offset) (engine.Reader[Tuple], error) {
		return &reader{split: &splits[s.Ordinal], next: from.Place}, nil
	}}
	for i := range splits {
		spec.Splits = append(spec.Splits, engine.Split{
			Ordinal: uint16(i), Name: fmt.Sprintf("%s %d", TuplesID, i), Weight: float64(splits[i].rate),
		})
	}
	return engine.Source(g, TuplesID, spec)
}

// reader reads a split. Tuples that share their millisecond and their kind are made by one plain loop.
type reader struct {
	split *split
	next  int64 // number of the next record
	ms    int64 // its time, if it is below turn
	turn  int64 // the first number of a later millisecond
}

// Read makes the next records.
func (r *reader) Read(dst []engine.Record[Tuple]) (int, error) {
	first := r.next
	n := int(min(int64(len(dst)), r.split.end-first))
	if n == 0 {
		return 0, io.EOF
	}
	for rest := dst[:n]; len(rest) > 0; {
		if r.next >= r.turn {
			r.ms = r.split.millis(r.next)
			r.turn = r.split.begin(r.ms + 1)
		}
		run := rest[:min(int64(len(rest)), r.turn-r.next)]
		r.fill(run)
		r.next += int64(len(run))
		rest = rest[len(run):]
	}
	if m := r.split.mark - first; 0 <= m && m < int64(n) {
		r.split.makeTold(&dst[m].Value, r.split.mark)
	}
	return n, nil
}

// fill makes records of one millisecond. The first number that is not drawn begins one.
func (r *reader) fill(run []engine.Record[Tuple]) {
	if r.next >= r.split.drawn {
		for i := range run {
			run[i].Millis = r.ms
			r.split.makeTold(&run[i].Value, r.next+int64(i))
		}
		return
	}
	for i := range run {
		run[i].Millis = r.ms
		r.split.make(&run[i].Value, r.next+int64(i))
	}
}

// Peek returns the time of the next record.
func (r *reader) Peek() (int64, bool) { return r.split.millis(r.next), r.next < r.split.end }

// Offset is the number of the next record.
func (r *reader) Offset() engine.Offset { return engine.Offset{Place: r.next} }

// Close has nothing to close.
func (r *reader) Close() error { return nil }
