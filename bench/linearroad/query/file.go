package query

import (
	"fmt"
	"os"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/engine"
)

// FileInput is a file as the data feeder. The i-th of the n lines of second t has the time 1000·t + ⌊1000·i/n⌋ ms (§2),
// plus the origin. The process that hosts the source opens it.
type FileInput struct {
	Path    string
	SkipBad bool // count lines that are no tuples and go on
	Origin  time.Duration

	skipped int64
	first   *format.FieldError
}

// Skipped returns how many lines this process passed over, and what was wrong with the first of them, after the job has
// ended.
func (f *FileInput) Skipped() (lines int64, first *format.FieldError) { return f.skipped, f.first }

// Source adds the data feeder to a graph: one split.
func (f *FileInput) Source(g *engine.Graph) engine.Stream[format.Tuple] {
	return engine.Source(g, FeederID, engine.SourceSpec[format.Tuple]{
		Splits: []engine.Split{{Ordinal: 0, Name: f.Path, Weight: 1}},
		Open: func(_ engine.Split, at engine.Offset) (engine.Reader[format.Tuple], error) {
			return f.open(at)
		},
	})
}

// fileReader reads a second ahead, since a tuple's time depends on how many there are in its second.
type fileReader struct {
	from   *FileInput
	file   *os.File
	lines  *format.Reader
	tuples []format.Tuple // of one second
	next   int
	passed int64 // tuples before those
	err    error // that comes after them
	origin int64
}

func (f *FileInput) open(at engine.Offset) (*fileReader, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	r := &fileReader{from: f, file: file, origin: f.Origin.Milliseconds()}
	r.lines = format.NewReader(file, format.ReaderConfig{File: f.Path, SkipBad: f.SkipBad})
	for r.passed+int64(len(r.tuples)) < at.Place {
		r.fill()
		if len(r.tuples) == 0 {
			file.Close()
			return nil, fmt.Errorf("%s ends before tuple %d, from which it should be read", f.Path, at.Place)
		}
	}
	r.next = int(at.Place - r.passed)
	return r, nil
}

// fill reads the next second; at the end, and after an error, there are no tuples.
func (r *fileReader) fill() {
	r.passed += int64(len(r.tuples))
	r.tuples, r.next = r.tuples[:0], 0
	if r.err == nil {
		r.tuples, r.err = r.lines.ReadSecond(r.tuples)
		r.from.skipped, r.from.first = r.lines.Skipped(), r.lines.FirstSkipped()
	}
}

// Read fills dst with the tuples of one second, as far as they go.
func (r *fileReader) Read(dst []engine.Record[format.Tuple]) (int, error) {
	if r.next == len(r.tuples) {
		if r.fill(); len(r.tuples) == 0 {
			return 0, r.err
		}
	}
	n := min(len(dst), len(r.tuples)-r.next)
	all := int64(len(r.tuples))
	for i, t := range r.tuples[r.next : r.next+n] {
		dst[i].Millis = r.origin + 1000*int64(t.Time) + 1000*int64(r.next+i)/all
		dst[i].Value = t
	}
	r.next += n
	return n, nil
}

// Offset returns how many tuples precede the next one.
func (r *fileReader) Offset() engine.Offset { return engine.Offset{Place: r.passed + int64(r.next)} }

// Close closes the file.
func (r *fileReader) Close() error { return r.file.Close() }

// historySplit is the ordinal of a loaded history's split, beyond any expressway that is loaded from a file.
const historySplit = 1

// HistoryFile adds a source with the rows of a history file to a graph, all of them within HistorySpan of their number,
// which must end before the origin of the run. It goes with a FileInput, since generated expressways have a history built in.
func HistoryFile(g *engine.Graph, path string, origin time.Duration) engine.Stream[history.Row] {
	return engine.Source(g, HistoryID, engine.SourceSpec[history.Row]{
		Splits: []engine.Split{{Ordinal: historySplit, Name: path, Weight: 1}},
		Open: func(_ engine.Split, at engine.Offset) (engine.Reader[history.Row], error) {
			return openRows(path, origin, at)
		},
	})
}

func openRows(path string, origin time.Duration, at engine.Offset) (*rowReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &rowReader{file: file, rows: history.NewReader(file, path), origin: origin.Milliseconds()}
	for r.next < at.Place {
		var row history.Row
		if err := r.rows.Next(&row); err != nil {
			file.Close()
			return nil, fmt.Errorf("read history from row %d: %w", at.Place, err)
		}
		r.next++
	}
	return r, nil
}

// rowReader reads a history file.
type rowReader struct {
	file   *os.File
	rows   *history.Reader
	next   int64 // rows read
	origin int64 // ms
}

// Read fills dst with rows.
func (r *rowReader) Read(dst []engine.Record[history.Row]) (int, error) {
	for i := range dst {
		if err := r.rows.Next(&dst[i].Value); err != nil {
			return i, err
		}
		if dst[i].Millis = r.next / rowsPerMilli; dst[i].Millis >= r.origin {
			return i, fmt.Errorf("%s has more than the %d rows that can be loaded in the %d ms before the run's second 0",
				r.file.Name(), r.next, r.origin)
		}
		r.next++
	}
	return len(dst), nil
}

// Offset returns how many rows precede the next one.
func (r *rowReader) Offset() engine.Offset { return engine.Offset{Place: r.next} }

// Close closes the file.
func (r *rowReader) Close() error { return r.file.Close() }
