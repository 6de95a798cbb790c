package format

import (
	"errors"
	"fmt"
	"io"
)

// ReaderConfig says how a Reader reads.
type ReaderConfig struct {
	File    string // the input's name in errors
	SkipBad bool   // count lines that are no tuples and go on, rather than fail at the first
}

// Reader reads the tuples of an input, checks each line and that time never goes back. It does not allocate per line.
type Reader struct {
	lines   *Lines
	cfg     ReaderConfig
	time    uint16 // of the last good tuple
	pending bool   // ahead holds a tuple that ReadSecond has read too early
	ahead   Tuple
	err     error // sticky
	skipped int64
	first   *FieldError // the first that was skipped
}

// NewReader reads in, through a buffer of its own.
func NewReader(in io.Reader, cfg ReaderConfig) *Reader {
	return &Reader{lines: NewLines(in, cfg.File), cfg: cfg}
}

// Next stores the next tuple in t. The error is io.EOF at the end, a *FieldError for a line that is no tuple or goes back in
// time (with SkipBad these are counted and passed over), or the input's, wrapped; after an error there is nothing more.
func (r *Reader) Next(t *Tuple) error {
	if r.pending {
		*t, r.pending = r.ahead, false
		return nil
	}
	for r.err == nil {
		bad := r.nextLine(t)
		if bad == nil && r.err == nil {
			return nil
		}
		if bad != nil {
			r.refuse(bad)
		}
	}
	return r.err
}

// nextLine reads one line into t and returns what is wrong with it; the input's end and errors it leaves in r.err.
func (r *Reader) nextLine(t *Tuple) *FieldError {
	line, err := r.lines.Next()
	if err != nil {
		return r.fail(err)
	}
	bad := parseTuple(line, t)
	if bad == nil && t.Time < r.time {
		bad = badField("time", int64(t.Time), fmt.Sprintf("at least %d, the time of the tuple before", r.time))
	}
	if bad == nil {
		r.time = t.Time
		return nil
	}
	bad.File, bad.Line = r.cfg.File, r.lines.Number()
	return bad
}

// fail tells an error of the input, which it keeps, from one of a line, which it returns.
func (r *Reader) fail(err error) *FieldError {
	var bad *FieldError
	if !errors.As(err, &bad) {
		r.err = err
	}
	return bad
}

// refuse skips a bad line or ends the reading with it.
func (r *Reader) refuse(bad *FieldError) {
	if !r.cfg.SkipBad {
		r.err = bad
		return
	}
	if r.skipped++; r.first == nil {
		r.first = bad
	}
}

// ReadSecond appends all tuples of the next second that has any, so that the i-th of n can be scheduled. The error is as of
// Next; what was read of the second before it is in the result nevertheless.
func (r *Reader) ReadSecond(dst []Tuple) ([]Tuple, error) {
	first := len(dst)
	for {
		var t Tuple
		if err := r.Next(&t); err != nil {
			if err == io.EOF && len(dst) > first {
				return dst, nil
			}
			return dst, err
		}
		if len(dst) > first && dst[first].Time != t.Time {
			r.ahead, r.pending = t, true
			return dst, nil
		}
		dst = append(dst, t)
	}
}

// Line returns the number of lines read so far; after ReadSecond that may be one more than it returned.
func (r *Reader) Line() int { return r.lines.Number() }

// Skipped returns how many lines SkipBad has passed over.
func (r *Reader) Skipped() int64 { return r.skipped }

// FirstSkipped describes the first line that SkipBad has passed over; nil if there was none.
func (r *Reader) FirstSkipped() *FieldError { return r.first }
