package measure

import (
	"runtime"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// watchEvery is how often a running job is looked at: often enough for a progress bar, and rare enough to cost nothing.
const watchEvery = 100 * time.Millisecond

// reporter reports progress over all runs and the validation, each of which is one part.
type reporter struct {
	settings    *Settings
	parts, done int
	moved       uint64
	told        time.Time
}

func (r *reporter) report(fraction float64, p Progress) {
	if r.settings.Progress == nil {
		return
	}
	p.Fraction = min((float64(r.done)+min(max(fraction, 0), 1))/float64(r.parts), 1)
	p.Run, p.Runs = min(r.done+1, r.settings.Repeat), r.settings.Repeat
	r.moved = p.Moved
	r.settings.Progress(p)
}

// validating reports that a part of the reference is done. It returns true, for the caller's convenience.
func (r *reporter) validating(done float64) bool {
	if now := time.Now(); now.Sub(r.told) >= watchEvery {
		r.told = now
		r.report(done, Progress{Validating: true, Moved: r.moved + 1})
	}
	return true
}

// watch follows a job while it runs.
type watch struct {
	job    *engine.Job
	source string
	warm   time.Duration // logical time at which the measurement begins
	length time.Duration // of the input
	report *reporter

	started  bool // the measurement has
	start    mark
	last     mark // when the job was looked at
	stateMax int64
	rssMax   int64
}

// mark is what the counters said at one moment.
type mark struct {
	at              time.Time
	tuples, handled int64
	allocs          uint64
	processor       time.Duration
}

// follow returns when the job has ended, with what it has ended with.
func (w *watch) follow() error {
	w.last.at = time.Now()
	if w.warm <= 0 {
		w.begin(mark{at: w.last.at})
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.job.Done():
			return w.job.Wait()
		case <-ticker.C:
			w.look(w.job.Stats())
		}
	}
}

func (w *watch) begin(m mark) {
	m.allocs, m.processor = allocations(), processorTime()
	w.started, w.start = true, m
}

func (w *watch) look(s engine.Stats) {
	now := w.markOf(s)
	at := w.position(s)
	if !w.started && at >= w.warm {
		w.begin(now)
	}
	state := int64(0)
	for i := range s.Tasks {
		state += s.Tasks[i].StateBytes
	}
	w.stateMax, w.rssMax = max(w.stateMax, state), max(w.rssMax, residentBytes())
	w.report.report(float64(at)/float64(w.length), Progress{
		Tuples: now.tuples, TuplesPerS: float64(now.tuples-w.last.tuples) / now.at.Sub(w.last.at).Seconds(),
		Warming: !w.started, Moved: moved(s), Slabs: s.Slabs,
	})
	w.last = now
}

// finish fills in what was measured, after the job has ended in good order.
func (w *watch) finish(m *Measures) {
	s := w.job.Stats()
	end := w.markOf(s)
	end.allocs, end.processor = allocations(), processorTime()
	if !w.started || end.tuples == w.start.tuples { // it was over before anybody looked: all of it counts
		w.start = mark{at: end.at.Add(-s.Elapsed), allocs: end.allocs, processor: end.processor}
	}
	m.Tuples, m.Seconds = end.tuples-w.start.tuples, end.at.Sub(w.start.at).Seconds()
	m.TuplesPerS = float64(m.Tuples) / m.Seconds
	m.HandledPerS = float64(end.handled-w.start.handled) / m.Seconds
	tuples := float64(max(m.Tuples, 1))
	m.AllocsPerTuple = float64(end.allocs-w.start.allocs) / tuples
	m.CPUPerTuple = float64(end.processor-w.start.processor) / tuples
	m.Handled = make(map[string]int64)
	for i := range s.Tasks {
		m.Handled[s.Tasks[i].Operator] += int64(s.Tasks[i].TuplesIn)
	}
	m.StateBytes, m.RSSBytes = w.stateMax, max(w.rssMax, residentBytes())
}

func (w *watch) markOf(s engine.Stats) mark {
	m := mark{at: time.Now()}
	for i := range s.Tasks {
		t := &s.Tasks[i]
		m.handled += int64(t.TuplesIn)
		if t.Operator == w.source {
			m.tuples += int64(t.TuplesIn)
		}
	}
	return m
}

// position is the logical time that every task of the source has passed.
func (w *watch) position(s engine.Stats) time.Duration {
	least := wire.TimeMax
	for i := range s.Tasks {
		if t := &s.Tasks[i]; t.Operator == w.source {
			least = min(least, t.Position)
		}
	}
	return min(time.Duration(least.Millis())*time.Millisecond, w.length)
}

// moved grows as long as anything is processed.
func moved(s engine.Stats) (n uint64) {
	for i := range s.Tasks {
		n += s.Tasks[i].TuplesIn + s.Tasks[i].TuplesOut
	}
	return n
}

// allocations is how many objects the process has allocated on the heap so far.
func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
