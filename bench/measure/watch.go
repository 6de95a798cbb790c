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
// are not seen in what is measured; until the measurement begins more often, so that it begins when it should.
const (
	watchEvery = engine.WatchEvery
	awaitEvery = 50 * time.Millisecond
)

// Watch runs a job once and measures what comes after the warm-up. It belongs to one goroutine.
type Watch struct {
	Operator string         // whose tuples are counted, and whose position says how far the job is
	Warm     time.Duration  // logical time at which the measurement begins
	Length   time.Duration  // logical time at which the input ends; 0 if that is not known
	Look     func(Progress) // is called some four times a second or more, with Fraction as of this run; may be nil

	job      engine.Running
	started  bool // the measurement has
	start    mark
	last     mark      // when the job was looked at
	first    processes // as they were when they were first seen
	base     processes // as they were when the measurement began
	stateMax int64
	rssMax   int64
	waited   uint64 // looks at which nothing was to be expected
}

// mark is what the counters said at one moment.
type mark struct {
	at              time.Time
	tuples, handled int64
	linkBytes       uint64
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
	if w.job, err = r.Start(ctx, p, text, cfg); err != nil {
		return err
	}
	return w.follow()
}

// Results are what the processes of the job had to tell, once it has ended.
func (w *Watch) Results() []engine.Result { return w.job.Results() }

// follow follows the job to its end.
func (w *Watch) follow() error {
	w.first = make(processes)
	s := w.job.Stats()
	w.last = markOf(&s, w.Operator)
	w.first.meet(s.Processes)
	if w.Warm <= 0 {
		w.begin(w.last, s.Processes)
	}
	ticker := time.NewTicker(awaitEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.job.Done():
			return w.job.Wait()
		case <-ticker.C:
			w.look(w.job.Stats())
			if w.started {
				ticker.Reset(watchEvery)
			}
		}
	}
}

// begin begins the measurement.
func (w *Watch) begin(now mark, list []engine.ProcessStats) {
	w.started, w.start, w.base = true, now, make(processes)
	w.base.meet(list)
}

func (w *Watch) look(s engine.Stats) {
	now, at := markOf(&s, w.Operator), w.position(&s)
	if !w.started && at >= w.Warm {
		w.begin(now, s.Processes)
	}
	w.first.meet(s.Processes)
	if w.started {
		w.base.meet(s.Processes)
	}
	w.weigh(&s)
	if waits(&s) {
		w.waited++
	}
	if w.Look != nil {
		p := Progress{
			Tuples: now.tuples, TuplesPerS: float64(now.tuples-w.last.tuples) / now.at.Sub(w.last.at).Seconds(),
			Warming: !w.started, Moved: moved(&s) + w.waited, Slabs: s.Slabs,
		}
		if w.Length > 0 {
			p.Fraction = min(max(float64(at)/float64(w.Length), 0), 1)
		}
		w.Look(p)
	}
	w.last = now
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
	end := markOf(&s, w.Operator)
	if !w.started || end.tuples == w.start.tuples { // it was over before anybody looked: all of it counts
		w.start, w.base = mark{at: end.at.Add(-s.Elapsed)}, w.first
	}
	w.base.meet(s.Processes)
	w.weigh(&s)
	p := Part{
		Tuples: end.tuples - w.start.tuples, AllHandled: end.handled - w.start.handled, Seconds: end.at.Sub(w.start.at).Seconds(),
		LinkBytes: end.linkBytes - w.start.linkBytes, StateBytes: w.stateMax, RSSBytes: w.rssMax, Handled: make(map[string]int64),
	}
	for i := range s.Tasks {
		p.Handled[s.Tasks[i].Operator] += int64(s.Tasks[i].TuplesIn)
	}
	for _, now := range s.Processes {
		p.Mallocs += now.Mallocs - w.base[now.Worker].Mallocs
		p.CPU += now.CPU - w.base[now.Worker].CPU
		if now.Worker != "" {
			p.Workers++
		}
	}
	return p
}

func markOf(s *engine.Stats, operator string) mark {
	m := mark{at: time.Now(), linkBytes: s.Links.BytesOut}
	for i := range s.Tasks {
		t := &s.Tasks[i]
		m.handled += int64(t.TuplesIn)
		if t.Operator == operator {
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
