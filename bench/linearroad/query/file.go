package query

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/engine"
)

// FileInput is files as the data feeder: the history first, so that it is loaded before the run, and then the tuples. The
// i-th of the n lines of second t has the time 1000·t + ⌊1000·i/n⌋ ms (§2), plus the origin. The process that hosts the
// source opens them.
type FileInput struct {
	Path    string
	History string        // empty: none
	SkipBad bool          // count bad lines and go on: see format.Reader
	Origin  time.Duration // after the HistorySpan of the history's rows

	reports int64
	skipped int64
	first   *format.FieldError
	loaded  Loaded
}

// The splits of a FileInput, by ordinal. That of the history is beyond any expressway that is loaded from a file.
const (
	tupleSplit   = 0
	historySplit = 1
)

// Reports returns how many position reports this process read, after the job has ended. Like the other counts it includes what
// an earlier run read, after which this one went on, unless that had come to the end of the file: see CountTuples.
func (f *FileInput) Reports() int64 { return f.reports }

// CountTuples reads all of the tuples for the counts alone.
func (f *FileInput) CountTuples() error {
	r, err := f.open(engine.Offset{})
	if err != nil {
		return err
	}
	defer r.Close()
	for r.fill(); len(r.tuples) > 0; r.fill() {
		r.count(r.tuples)
	}
	if r.err != io.EOF {
		return r.err
	}
	return nil
}

// Skipped returns how many lines this process passed over, and what was wrong with the first of them, after the job has
// ended.
func (f *FileInput) Skipped() (lines int64, first *format.FieldError) { return f.skipped, f.first }

// Source adds the data feeder to a graph: one task, which reads its splits in order of time.
func (f *FileInput) Source(g *engine.Graph) engine.Stream[format.Tuple] {
	splits := []engine.Split{{Ordinal: tupleSplit, Name: f.Path, Weight: 1}}
	if f.History != "" {
		splits = append(splits, engine.Split{Ordinal: historySplit, Name: f.History, Weight: 1})
	}
	tuples := engine.Source(g, FeederID, engine.SourceSpec[format.Tuple]{
		Splits: splits,
		Open: func(s engine.Split, at engine.Offset) (engine.Reader[format.Tuple], error) {
			if s.Ordinal == historySplit {
				return f.openRows(at)
			}
			return f.open(at)
		},
	})
	tuples.Op().SetParallelism(1)
	return tuples
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
	f.reports = 0
	for r.passed+int64(len(r.tuples)) < at.Place {
		r.count(r.tuples)
		r.fill()
		if len(r.tuples) == 0 {
			file.Close()
			return nil, fmt.Errorf("%s ends before tuple %d, from which it should be read", f.Path, at.Place)
		}
	}
	r.next = int(at.Place - r.passed)
	r.count(r.tuples[:r.next])
	return r, nil
}

// count counts the position reports among tuples.
func (r *fileReader) count(tuples []format.Tuple) {
	for i := range tuples {
		if tuples[i].Type == format.Position {
			r.from.reports++
		}
	}
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
	r.count(r.tuples[r.next : r.next+n])
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
