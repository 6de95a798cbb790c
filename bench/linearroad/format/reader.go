package format

import (
	"errors"
	"fmt"
	"io"
)

// ReaderConfig says how a Reader reads.
type ReaderConfig struct {
	File    string // the input's name in errors
	SkipBad bool   // count bad lines and go on, rather than fail at the first
}

// Reader reads the tuples of an input, checks each line and that time never goes back. It does not allocate per line.
//
// A line is bad if it is no tuple, or its time is before that of the last good one. With SkipBad it is also bad if its time
// is after that of most of the next Lookahead tuples, two at least, which themselves are not before the last good one: a
// single time that is too late would otherwise make bad lines of all that follow. In an input in order there are none such.
type Reader struct {
	lines   *Lines
	cfg     ReaderConfig
	time    uint16 // of the last good tuple
	pending bool   // held is a tuple that ReadSecond has read too early
	held    Tuple
	ahead   [Lookahead + 1]numbered // with SkipBad: tuples that have been read and not judged
	waiting int                     // of them
	err     error                   // sticky; comes after those
	skipped int64
	first   *FieldError // the first in the input that was skipped
}

// Lookahead is how many tuples behind a line are asked whether its time is too late: enough to outvote several that are.
const Lookahead = 8

// numbered is a tuple with the number of its line.
type numbered struct {
	Tuple
	line int
}

// NewReader reads in, through a buffer of its own.
func NewReader(in io.Reader, cfg ReaderConfig) *Reader {
	return &Reader{lines: NewLines(in, cfg.File), cfg: cfg}
}

// Next stores the next tuple in t. The error is io.EOF at the end, a *FieldError for a line that is no tuple or goes back in
// time (with SkipBad these are counted and passed over), or the input's, wrapped; after an error there is nothing more.
func (r *Reader) Next(t *Tuple) error {
	if r.pending {
		*t, r.pending = r.held, false
		return nil
	}
	if r.cfg.SkipBad {
		return r.nextGood(t)
	}
	if r.err != nil {
		return r.err
	}
	bad := r.nextLine(t)
	if bad == nil && r.err == nil {
		bad = r.early(t, r.lines.Number())
	}
	if bad != nil {
		r.err = bad
	}
	if r.err == nil {
		r.time = t.Time
	}
	return r.err
}

// nextGood is Next with SkipBad.
func (r *Reader) nextGood(t *Tuple) error {
	for {
		r.lookAhead()
		if r.waiting == 0 {
			return r.err
		}
		head := r.ahead[0]
		r.waiting--
		copy(r.ahead[:r.waiting], r.ahead[1:])
		bad := r.early(&head.Tuple, head.line)
		if bad == nil {
			bad = r.late(&head)
		}
		if bad == nil {
			*t, r.time = head.Tuple, head.Time
			return nil
		}
		r.skip(bad)
	}
}

// lookAhead reads tuples as far as there is room for them.
func (r *Reader) lookAhead() {
	for r.waiting < len(r.ahead) && r.err == nil {
		n := &r.ahead[r.waiting]
		bad := r.nextLine(&n.Tuple)
		switch {
		case bad != nil:
			r.skip(bad)
		case r.err == nil:
			n.line = r.lines.Number()
			r.waiting++
		}
	}
}

// nextLine reads one line into t and returns what is wrong with it; the input's end and errors it leaves in r.err.
func (r *Reader) nextLine(t *Tuple) *FieldError {
	line, err := r.lines.Next()
	if err != nil {
		return r.fail(err)
	}
	bad := parseTuple(line, t)
	if bad != nil {
		bad.File, bad.Line = r.cfg.File, r.lines.Number()
	}
	return bad
}

// early returns what is wrong with a tuple whose time is before that of the last good one.
func (r *Reader) early(t *Tuple, line int) *FieldError {
	if t.Time >= r.time {
		return nil
	}
	return r.badTime(t, line, fmt.Sprintf("at least %d, the time of the tuple before", r.time))
}

// late returns what is wrong with a tuple whose time most of those after it, in r.ahead, contradict.
func (r *Reader) late(n *numbered) *FieldError {
	contradict, most := 0, uint16(0)
	for _, a := range r.ahead[:r.waiting] {
		if r.time <= a.Time && a.Time < n.Time {
			contradict++
			most = max(most, a.Time)
		}
	}
	if contradict < 2 || 2*contradict <= r.waiting {
		return nil
	}
	return r.badTime(&n.Tuple, n.line, fmt.Sprintf("at most %d, as in %d of the %d tuples after it", most, contradict, r.waiting))
}

func (r *Reader) badTime(t *Tuple, line int, want string) *FieldError {
	bad := badField("time", int64(t.Time), want)
	bad.File, bad.Line = r.cfg.File, line
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

// skip counts a bad line. Those that are no tuples are found before the time of lines before them is judged.
func (r *Reader) skip(bad *FieldError) {
	if r.skipped++; r.first == nil || bad.Line < r.first.Line {
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
			r.held, r.pending = t, true
			return dst, nil
		}
		dst = append(dst, t)
	}
}

// Skipped returns how many lines SkipBad has passed over.
func (r *Reader) Skipped() int64 { return r.skipped }

// FirstSkipped describes the first line that SkipBad has passed over; nil if there was none.
func (r *Reader) FirstSkipped() *FieldError { return r.first }
