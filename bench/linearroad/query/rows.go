package query

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/engine"
)

// rowType is the type of the tuple as which a row of the history goes from the data feeder to the forwarder: with the toll
// in Pos and the number of its line in QID.
const rowType format.Type = 255

// rowsPerMilli is how many rows of a loaded history go into a millisecond of logical time: fewer than the sequence of a
// logical time holds.
const rowsPerMilli = 16_000

// HistorySpan returns how much logical time the rows of a loaded history take. The run's second 0 must come after it:
// see Config.Origin.
func HistorySpan(rows int64) time.Duration {
	return time.Duration(rows/rowsPerMilli+1) * time.Millisecond
}

// Loaded says what became of a history.
type Loaded struct {
	Rows    int64   `json:"rows"`
	Seconds float64 `json:"seconds"` // from the first row to the last
}

// Loaded returns what this process has loaded, after the job has ended.
func (f *FileInput) Loaded() Loaded { return f.loaded }

func (f *FileInput) openRows(at engine.Offset) (*rowReader, error) {
	file, err := os.Open(f.History)
	if err != nil {
		return nil, err
	}
	r := &rowReader{from: f, file: file, rows: history.NewReader(file, f.History), origin: f.Origin.Milliseconds(), began: time.Now()}
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

// CountRows reads all of the history for its count alone.
func (f *FileInput) CountRows() error {
	r, err := f.openRows(engine.Offset{})
	if err != nil {
		return err
	}
	defer r.Close()
	var row history.Row
	for {
		switch err := r.rows.Next(&row); err {
		case nil:
			f.loaded.Rows++
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// rowReader reads a history file, all of it within HistorySpan of the number of its rows.
type rowReader struct {
	from   *FileInput
	file   *os.File
	rows   *history.Reader
	next   int64 // rows read
	origin int64 // ms
	began  time.Time
}

// Read fills dst with rows.
func (r *rowReader) Read(dst []engine.Record[format.Tuple]) (int, error) {
	var row history.Row
	for i := range dst {
		if err := r.rows.Next(&row); err != nil {
			if err == io.EOF {
				r.from.loaded = Loaded{Rows: r.next, Seconds: time.Since(r.began).Seconds()}
			}
			return i, err
		}
		ms := r.next / rowsPerMilli
		if ms >= r.origin {
			return i, fmt.Errorf("%s has more than the %d rows that can be loaded in the %d ms before the run's second 0",
				r.from.History, r.next, r.origin)
		}
		dst[i].Millis = ms
		dst[i].Value = format.Tuple{Type: rowType, VID: row.VID, Day: row.Day, Xway: row.Xway, Pos: row.Toll, QID: uint32(r.rows.Line())}
		r.next++
	}
	return len(dst), nil
}

// Offset returns how many rows precede the next one.
func (r *rowReader) Offset() engine.Offset { return engine.Offset{Place: r.next} }

// Close closes the file.
func (r *rowReader) Close() error { return r.file.Close() }
