package network

import (
	"fmt"
	"sync"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// sinks are the sink tasks of one process.
type sinks struct {
	pace     float64   // 0: nothing is timed
	warm     wire.Time // where the warm-up ends
	farewell wire.Time // where the keys begin to come up a last time
	last     wire.Time // beginning of the last millisecond with tuples

	links engine.LinkStats // of this process; written while the job runs, read when it has ended

	mu  sync.Mutex
	all []*tally // guarded by mu
}

// tally is what one sink task comes to. Its loop writes it; it is read when the job has ended.
type tally struct {
	tuples int64
	keys   uint64 // sum
	watch  stopwatch
}

// add counts n tuples of a key.
func (t *tally) add(n, key uint64) {
	t.tuples += int64(n)
	t.keys += n * key
}

// stopwatch notes when the first tuple after the warm-up came, and when the last one. see is called at next and beyond.
type stopwatch struct {
	next, last wire.Time
	began      time.Duration // on the job's clock; 0: not yet
	ended      time.Duration // 0 for a task that has none of the tuples of the last millisecond
	pace       float64
	response   *measure.Responses // nil: nothing is timed
}

// see notes the arrival of a step.
func (w *stopwatch) see(c *engine.Ctx) {
	now := c.Elapsed()
	if w.began == 0 {
		w.began = max(now, 1)
		if w.response == nil {
			w.next = w.last
		}
	}
	if c.Time() >= w.last {
		w.ended = now
	}
	if w.response != nil {
		w.response.Record(now - time.Duration(float64(c.Now())/w.pace))
	}
}

// open makes a sink task's tally.
func (s *sinks) open() *tally {
	t := &tally{watch: stopwatch{next: s.warm, last: s.last, pace: s.pace}}
	if s.pace > 0 {
		t.watch.response = measure.NewResponses()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, t)
	return t
}

func (s *sinks) openArrivals(engine.SinkPart) (engine.SinkWriter[Tuple], error) {
	return &arrivals{tally: s.open()}, nil
}

func (s *sinks) openCounts(engine.SinkPart) (engine.SinkWriter[Count], error) {
	return &counts{tally: s.open(), from: s.farewell}, nil
}

// arrivals is a sink task of hop and hops.
type arrivals struct {
	quiet
	*tally
	last wire.Time // of the latest tuple
	next [2]uint64 // the least number that may come, by split
}

// Write takes a tuple.
func (a *arrivals) Write(c *engine.Ctx, t *Tuple) {
	verify(c, t)
	tau := c.Time()
	next := &a.next[tau.Split()%uint16(len(a.next))]
	if tau <= a.last || t.Number < *next {
		c.Fail(fmt.Errorf("number %d at %v comes after a tuple at %v, where number %d or a later one was due", t.Number, tau, a.last, *next))
	}
	a.last, *next = tau, t.Number+1
	a.add(1, t.Key)
	if tau >= a.watch.next {
		a.watch.see(c)
	}
}

// counts is a sink task of keyed.
type counts struct {
	quiet
	*tally
	from wire.Time // counts told before are not the last of their key
}

// Write takes a count.
func (s *counts) Write(c *engine.Ctx, n *Count) {
	if c.Time() >= s.from {
		s.add(n.Count, n.Key)
	}
	if c.Time() >= s.watch.next {
		s.watch.see(c)
	}
}

// quiet is the part of a sink writer that has nothing to do: what was counted is not undone.
type quiet struct{}

// Commit, Restore, Flush and Close do nothing.
func (quiet) Commit(wire.Time) ([]byte, error) { return nil, nil }
func (quiet) Restore([]byte) error             { return nil }
func (quiet) Flush() error                     { return nil }
func (quiet) Close() error                     { return nil }
