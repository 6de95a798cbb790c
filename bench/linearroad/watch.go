package linearroad

import (
	"runtime"
	"time"

	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// watchEvery is how often a running job is looked at: often enough for a progress bar and for taps to advance, and so rare
// that the allocations of a look, some dozens, are not seen in the run's.
const watchEvery = 250 * time.Millisecond

// watch follows a job while it runs.
type watch struct {
	job  *engine.Job
	warm time.Duration                  // logical time at which the measurement begins
	look func(s engine.Stats, w *watch) // is called each time with the job's counters

	started      bool // the measurement has
	startReports int64
	startTime    time.Time
	startAllocs  uint64
	startCPU     time.Duration
	last         sample
	rate         float64 // reports/s between the last two looks
	stateMax     int64
}

// sample is what was seen when the job was looked at.
type sample struct {
	reports int64
	at      time.Time
}

// follow returns when the job has ended, with what it has ended with.
func (w *watch) follow() error {
	w.last.at = time.Now()
	if w.warm <= 0 {
		w.begin(0, w.last.at)
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.job.Done():
			return w.job.Wait()
		case <-ticker.C:
			w.sample(w.job.Stats())
		}
	}
}

func (w *watch) begin(reports int64, at time.Time) {
	w.started, w.startReports, w.startTime = true, reports, at
	w.startAllocs, w.startCPU = allocs(), processorTime()
}

func (w *watch) sample(s engine.Stats) {
	now := sample{reports: reportsOf(s), at: time.Now()}
	if !w.started && slowest(s, query.CalculatorID) >= w.warm {
		w.begin(now.reports, now.at)
	}
	state := int64(0)
	for i := range s.Tasks {
		state += s.Tasks[i].StateBytes
	}
	w.stateMax = max(w.stateMax, state)
	w.rate = float64(now.reports-w.last.reports) / now.at.Sub(w.last.at).Seconds()
	w.last = now
	w.look(s, w)
}

// finish fills in what was measured, after the job has ended in good order.
func (w *watch) finish(m *Performance) {
	end, mallocs, cpu := time.Now(), allocs(), processorTime()
	reports := reportsOf(w.job.Stats())
	if !w.started { // it was over before anybody looked
		w.begin(0, end)
		w.startTime, w.startAllocs, w.startCPU = end.Add(-w.job.Stats().Elapsed), mallocs, cpu
	}
	m.Reports = reports - w.startReports
	m.Seconds = end.Sub(w.startTime).Seconds()
	if m.Reports > 0 && m.Seconds > 0 {
		m.ReportsPerS = float64(m.Reports) / m.Seconds
		m.AllocsPerRep = float64(mallocs-w.startAllocs) / float64(m.Reports)
		m.CPUPerRep = float64(cpu-w.startCPU) / float64(m.Reports)
	}
	m.StateBytes = w.stateMax
	m.RSSBytes = residentBytes()
}

// allocs is how many objects the process has allocated on the heap so far.
func allocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// reportsOf is how many position reports the calculator has handled.
func reportsOf(s engine.Stats) (n int64) {
	for i := range s.Tasks {
		if s.Tasks[i].Operator == query.CalculatorID {
			n += int64(s.Tasks[i].TuplesIn)
		}
	}
	return n
}

// slowest is the logical time that every task of an operator has passed.
func slowest(s engine.Stats, id string) time.Duration {
	least := wire.TimeMax
	for i := range s.Tasks {
		if t := &s.Tasks[i]; t.Operator == id && !t.Fused {
			least = min(least, t.Position)
		}
	}
	if least == wire.TimeMax { // no task has counted anything yet, or all have come to the end
		return 0
	}
	return logical(least)
}

// logical is a position as logical time.
func logical(position wire.Time) time.Duration {
	return time.Duration(position.Millis()) * time.Millisecond
}

// moved grows as long as anything is processed.
func moved(s engine.Stats) (n uint64) {
	for i := range s.Tasks {
		n += s.Tasks[i].TuplesIn + s.Tasks[i].TuplesOut
	}
	return n
}
