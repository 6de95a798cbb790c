package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// A running job is looked at as often as a progress bar wants, and so rarely that the allocations of a look, a dozen or two,
// are not seen in what is measured; during the warm-up more often, so that the measurement begins close to its end.
const (
	watchEvery = engine.WatchEvery
	awaitEvery = 50 * time.Millisecond
)

// Watch runs a job once and measures what comes after the warm-up, from the last look before its end on. It belongs to one
// goroutine.
type Watch struct {
	Operator string         // whose tuples are counted, and whose position says how far the job is
	Warm     time.Duration  // logical time at which the warm-up ends
	Length   time.Duration  // logical time at which the input ends; 0 if that is not known
	Look     func(Progress) // is called some four times a second or more, with Fraction as of this run; may be nil
	// Done is the part of the input that is done at a logical time, 0…1; nil for that of Length.
	Done func(s *engine.Stats, at time.Duration) float64
	// Started is called once with the counters of the job as it begins; may be nil.
	Started func(s engine.Stats)
	// Running is called once with the job as it begins; may be nil.
	Running func(job engine.Running)

	job      engine.Running
	began    mark // before the job did
	last     mark // of the last look
	start    mark // of the measurement, once it has one
	warmed   bool // the warm-up is over
	stateMax int64
	rssMax   int64
	waited   uint64 // looks at which nothing was to be expected
}

// mark is what the counters said at one moment.
type mark struct {
	at              time.Time
	tuples, handled int64
	linkBytes       uint64
	processes       processes
}

// processes are counters of processes by worker.
type processes map[string]engine.ProcessStats

// meet notes the counters of processes that have not been seen: a worker's come with its first report.
func (ps processes) meet(list []engine.ProcessStats) {
	for _, p := range list {
		if _, met := ps[p.Worker]; !met {
			ps[p.Worker] = p
		}
	}
}

// Part is what the measured part of a run came to; StateBytes, RSSBytes, Handled and Workers are of the whole run.
type Part struct {
	Whole      bool  // it is the whole run, warm-up included: there was no look at it between its beginning and its end
	Tuples     int64 // of the operator that is counted
	AllHandled int64 // by all operators
	Seconds    float64
	Mallocs    uint64        // objects allocated on the Go heaps of all processes
	CPU        time.Duration // processor time of all processes, generator and validation included
	LinkBytes  uint64        // sent from process to process
	StateBytes int64         // slabs of all operators' state, at most
	RSSBytes   int64         // of all processes, at most
	Handled    map[string]int64
	Workers    int // processes that ran the job; 0 if the calling one did
	// Checkpoints are those of the whole run; nil if none were tried.
	Checkpoints *Checkpoints
}

// Checkpoints is what taking checkpoints came to.
type Checkpoints struct {
	Taken     int64   `json:"taken"`
	Failed    int64   `json:"failed"`      // each was tried again
	Bytes     int64   `json:"bytes"`       // of those taken, as they were written
	HeldMaxMS float64 `json:"held_max_ms"` // the longest that a loop was held up at once
}

func checkpointsOf(c *engine.Checkpoints) *Checkpoints {
	if c.Taken+c.Failed == 0 {
		return nil
	}
	return &Checkpoints{int64(c.Taken), int64(c.Failed), int64(c.Bytes), float64(c.SliceMax) / float64(time.Millisecond)}
}

// Rate is a count of the part per second of it.
func (p *Part) Rate(n int64) float64 {
	if p.Seconds <= 0 {
		return 0
	}
	return float64(n) / p.Seconds
}

// PerTuple is an amount of the part per tuple of it.
func (p *Part) PerTuple(amount float64) float64 {
	if p.Tuples == 0 {
		return 0
	}
	return amount / float64(p.Tuples)
}

// Run runs a program with parameters that are marshalled to JSON, and returns when it has ended, with what it has ended with.
func (w *Watch) Run(ctx context.Context, r engine.Runner, p engine.Program, params any, cfg engine.Config) error {
	text, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	runtime.GC() // what earlier runs have left behind is not this one's
	w.began = mark{at: time.Now(), processes: make(processes)}
	w.began.processes.meet([]engine.ProcessStats{engine.ThisProcess()})
	w.last = w.began
	if w.job, err = r.Start(ctx, p, text, cfg); err != nil {
		return err
	}
	if w.Started != nil {
		w.Started(w.job.Stats())
	}
	if w.Running != nil {
		w.Running(w.job)
	}
	return w.follow()
}

// Results are what the processes of the job had to tell, once it has ended.
func (w *Watch) Results() []engine.Result { return w.job.Results() }

// follow follows the job to its end.
func (w *Watch) follow() error {
	ticker := time.NewTicker(awaitEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.job.Done():
			return w.job.Wait()
		case <-ticker.C:
			w.look(w.job.Stats())
			if w.warmed {
				ticker.Reset(watchEvery)
			}
		}
	}
}

func (w *Watch) look(s engine.Stats) {
	now, at := w.mark(&s), w.position(&s)
	if !w.warmed && at >= w.Warm {
		w.warmed, w.start = true, w.last
	}
	w.weigh(&s)
	if waits(&s) {
		w.waited++
	}
	if w.Look != nil {
		w.Look(Progress{
			Fraction: w.fraction(&s, at), Tuples: now.tuples,
			TuplesPerS: float64(now.tuples-w.last.tuples) / now.at.Sub(w.last.at).Seconds(),
			Warming:    !w.warmed, Moved: moved(&s) + w.waited, Slabs: s.Slabs,
		})
	}
	w.last = now
}

// fraction is the part of the input that is done.
func (w *Watch) fraction(s *engine.Stats, at time.Duration) (f float64) {
	switch {
	case w.Done != nil:
		f = w.Done(s, at)
	case w.Length > 0:
		f = float64(at) / float64(w.Length)
	}
	return min(max(f, 0), 1)
}

// weigh notes how much memory there is in use.
func (w *Watch) weigh(s *engine.Stats) {
	state, rss := int64(0), int64(0)
	for i := range s.Tasks {
		state += s.Tasks[i].StateBytes
	}
	for i := range s.Processes {
		rss += s.Processes[i].RSSBytes
	}
	w.stateMax, w.rssMax = max(w.stateMax, state), max(w.rssMax, rss)
}

// Measured returns what was measured, after the job has ended in good order and all that it had to tell is there.
func (w *Watch) Measured() Part {
	s := w.job.Stats()
	start, end := w.last, w.mark(&s)
	if w.warmed {
		start = w.start
	}
	p := Part{Handled: make(map[string]int64), Checkpoints: checkpointsOf(&s.Checkpoints)}
	if w.Warm <= 0 || start.tuples == end.tuples || start.at.Equal(w.began.at) {
		p.Whole, start = w.Warm > 0, w.began
		start.at = end.at.Add(-s.Elapsed)
	}
	w.weigh(&s)
	p.StateBytes, p.RSSBytes = w.stateMax, w.rssMax
	p.Tuples, p.AllHandled, p.Seconds = end.tuples-start.tuples, end.handled-start.handled, end.at.Sub(start.at).Seconds()
	p.LinkBytes = end.linkBytes - start.linkBytes
	for i := range s.Tasks {
		p.Handled[s.Tasks[i].Operator] += int64(s.Tasks[i].TuplesIn)
	}
	for _, now := range s.Processes {
		base, met := start.processes[now.Worker]
		if !met { // a worker that reported for the first time after the measurement had begun
			base = w.began.processes[now.Worker]
		}
		p.Mallocs += now.Mallocs - base.Mallocs
		p.CPU += now.CPU - base.CPU
		if now.Worker != "" {
			p.Workers++
		}
	}
	return p
}

// mark notes what the counters say now. Those of a process that is met for the first time are those it began with.
func (w *Watch) mark(s *engine.Stats) mark {
	m := mark{at: time.Now(), linkBytes: s.Links.BytesOut, processes: make(processes)}
	m.processes.meet(s.Processes)
	w.began.processes.meet(s.Processes)
	for i := range s.Tasks {
		t := &s.Tasks[i]
		m.handled += int64(t.TuplesIn)
		if t.Operator == w.Operator {
			m.tuples += int64(t.TuplesIn)
		}
	}
	return m
}

// position is the logical time that every task of the operator has passed, 0 as long as nobody has told of one.
func (w *Watch) position(s *engine.Stats) time.Duration {
	least, told := wire.TimeMax, false
	for i := range s.Tasks {
		if t := &s.Tasks[i]; t.Operator == w.Operator && !t.Fused {
			least, told = min(least, t.Position), true
		}
	}
	if !told {
		return 0
	}
	if at := time.Duration(least.Millis()) * time.Millisecond; w.Length == 0 || at < w.Length {
		return at
	}
	return w.Length
}

// moved grows as long as anything is processed.
func moved(s *engine.Stats) (n uint64) {
	for i := range s.Tasks {
		n += s.Tasks[i].TuplesIn + s.Tasks[i].TuplesOut
	}
	return n
}

// waits says whether nothing is to be expected of the job for the time being: a source waits for its pace, and what was
// released before has been processed.
func waits(s *engine.Stats) (waits bool) {
	for i := range s.Tasks {
		t := &s.Tasks[i]
		if t.FrontierLag > 0 {
			return false
		}
		waits = waits || t.Due > s.Elapsed
	}
	return waits
}
