package task

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// reading is a source task's side of its splits.
type reading struct {
	spec   *SourceSpec
	clock  Clock
	splits []splitReading
	open   int           // splits that have not ended
	stop   bool          // read no more: what has been read is all there is
	hurry  bool          // what is left is read as fast as possible
	due    time.Duration // as in Measure

	released time.Duration // when a record was, last
	records  Records       // those that are being sent along
}

type splitReading struct {
	Split
	reader  SplitReader
	block   Block
	i       int // next record of the block
	at      ft.SplitState
	next    wire.Time // of the next record, or a lower bound for it
	waiting bool      // it had nothing when it was last asked in this turn
}

func newReading(spec *SourceSpec, splits []Split, clock Clock) (*reading, error) {
	r := &reading{spec: spec, clock: clock, open: len(splits)}
	for _, s := range splits {
		if s.Ordinal > wire.SplitMax {
			return nil, fmt.Errorf("split %q has the ordinal %d, want at most %d", s.Name, s.Ordinal, wire.SplitMax)
		}
		r.splits = append(r.splits, splitReading{Split: s, at: ft.SplitState{Ordinal: s.Ordinal}, next: wire.At(0, s.Ordinal, 1)})
	}
	return r, nil
}

func (r *reading) close() error {
	var errs []error
	for i := range r.splits {
		if rd := r.splits[i].reader; rd != nil {
			errs = append(errs, rd.Close())
			r.splits[i].reader = nil
		}
	}
	return errors.Join(errs...)
}

// StopReading makes a source treat what it has emitted so far as its whole input; or what it has accepted, where it has
// promised somebody to process that (see SourceSpec.OnStop).
func (t *Task) StopReading() {
	r := t.reading
	switch {
	case r == nil:
	case r.spec.OnStop == nil:
		r.stop = true
	case !r.hurry:
		r.hurry = true
		r.spec.OnStop()
	}
}

// runSource emits records of all splits in order of τ.
func (t *Task) runSource(budget int, p *Progress) (worked bool) {
	r, c := t.reading, &t.ctx
	c.at = t.insts[0]
	if r.stop {
		for i := range r.splits {
			r.end(&r.splits[i])
		}
	}
	for i := range r.splits {
		r.splits[i].waiting = false
	}
	if r.hurry {
		r.clock = Clock{}
	}
	limit := min(r.clock.limit(t.now), t.hold)
	for budget > 0 && c.err == nil && r.open > 0 {
		if c.full && !t.room() {
			p.Blocked = true
			t.stats.Blocked++
			break
		}
		s, second := r.choose()
		if s == nil || s.next >= limit {
			break
		}
		if s.i == s.block.N {
			if err := r.fill(s, t.now); err != nil {
				c.tau = s.next
				c.Fail(fmt.Errorf("split %d (%s): %w", s.Ordinal, s.Name, err))
			}
			continue
		}
		n := t.emit(s, min(limit, second), budget)
		budget -= n
		worked = worked || n > 0
	}
	t.level = budget > 0 || p.Blocked || r.clock.Pace == 0 // one that is not paced would always have more
	if worked {
		r.released = t.now
	}
	r.clock.tick = tickFor(len(t.logs), t.now-r.released)
	bound := r.clock.bound(t.now)
	if worked { // what was released is to be processed, and is to move anyway
		bound = max(bound, r.clock.limit(t.now))
	}
	t.sourcePosition(min(bound, t.hold), p)
	return worked
}

// sourcePosition moves the task's position up to what no split will go below any more, as far as bound. It does so
// for a blocked task too: what was emitted must become visible for the log to be drained.
func (t *Task) sourcePosition(bound wire.Time, p *Progress) {
	r := t.reading
	pos, earliest := bound, Never
	for i := range r.splits {
		s := &r.splits[i]
		if s.at.Ended {
			t.eoi = max(t.eoi, s.at.Last+1, s.at.Promise)
			continue
		}
		pos = min(pos, s.next)
		if s.waiting {
			earliest = min(earliest, r.clock.nextTick(t.now))
		} else if due := r.clock.due(s.next); due > t.now {
			earliest = min(earliest, due)
		}
	}
	p.Until, r.due = min(p.Until, earliest), 0
	if earliest != Never && !p.Blocked {
		r.due = earliest
		if pos == bound && pos < t.hold { // whoever has more waits for this frontier
			p.Until = min(p.Until, r.clock.boundUntil(t.now))
		}
	}
	if r.open == 0 {
		t.allEnding = true
		pos = t.hold
	}
	t.pos = max(t.pos, pos)
}

// choose finds the split with the least next time, passing over those that have nothing now, and the least of the others.
func (r *reading) choose() (best *splitReading, second wire.Time) {
	head := wire.TimeMax
	second = wire.TimeMax
	for i := range r.splits {
		s := &r.splits[i]
		switch {
		case s.at.Ended:
		case s.waiting || s.next >= head:
			second = min(second, s.next)
		default:
			best, head, second = s, s.next, min(second, head)
		}
	}
	if best != nil && second <= head { // one that waits is before it
		return nil, second
	}
	return best, second
}

// end ends a split where it stands: not before what has been said of its next record's time.
func (r *reading) end(s *splitReading) {
	if !s.at.Ended {
		s.at.Promise = max(s.at.Promise, s.next)
		s.at.Ended, s.i, s.block = true, 0, Block{}
		r.open--
	}
}

// fill asks the reader for a further block.
func (r *reading) fill(s *splitReading, now time.Duration) error {
	if s.reader == nil {
		rd, err := r.spec.Open(s.Split, s.at.Offset)
		if err != nil {
			return err
		}
		s.reader = rd
		if ms, ok := rd.Next(); ok && s.at.Skip == 0 {
			if t := s.timeOf(ms); t > s.next {
				s.next = t // read only when its turn has come
				return nil
			}
		}
	}
	s.at.Offset = s.reader.Offset()
	b, err := s.reader.Read()
	if r.spec.Live {
		s.at.Promise = max(s.at.Promise, r.clock.promise(now))
	}
	s.block, s.i = b, min(s.at.Skip, b.N) // what a reopened split had emitted already is passed over
	s.at.Skip -= s.i
	switch {
	case err == io.EOF && b.N == 0 && s.at.Skip > 0:
		return fmt.Errorf("it ends at %+v, where %d records more were read before", s.at.Offset, s.at.Skip)
	case err == io.EOF && b.N == 0:
		r.end(s)
	case err != nil && err != io.EOF:
		return err
	case b.N == 0:
		s.waiting = true
		s.next = max(s.next, s.lookAhead())
	case s.i == b.N:
		s.next = s.lookAhead()
	default:
		s.next = s.timeOf(recordMillis(s.record()))
	}
	return nil
}

// lookAhead is a lower bound for the split's next time, without reading.
func (s *splitReading) lookAhead() wire.Time {
	if ms, ok := s.reader.Next(); ok {
		return s.timeOf(ms)
	}
	return s.timeOf(0)
}

// splitStates is how far the source has read.
func (r *reading) splitStates() []ft.SplitState {
	states := make([]ft.SplitState, len(r.splits))
	for i := range r.splits {
		s := &r.splits[i]
		states[i] = s.at
		states[i].Skip += s.i
		switch {
		case mutant.Active == mutant.NoLastTime:
			states[i].Last = 0
		case mutant.Active == mutant.SkipOne && s.i > 0 && s.i < s.block.N:
			states[i].Skip++
		}
	}
	return states
}

// restore sets the splits to where a checkpoint had them.
func (r *reading) restore(states []ft.SplitState) error {
	if err := r.close(); err != nil {
		return err
	}
	r.splits, r.open = nil, 0
	for _, at := range states {
		var split Split
		for _, s := range r.spec.Splits {
			if s.Ordinal == at.Ordinal {
				split = s
			}
		}
		if split.Ordinal != at.Ordinal {
			return fmt.Errorf("the checkpoint has a split %d that the source does not have", at.Ordinal)
		}
		s := splitReading{Split: split, at: at}
		s.next = s.timeOf(0)
		if !at.Ended {
			r.open++
		}
		r.splits = append(r.splits, s)
	}
	return nil
}
