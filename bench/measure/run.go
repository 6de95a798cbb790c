package measure

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/engine"
)

// Benchmark is a query, with answers of type A, over an input.
type Benchmark[A comparable] struct {
	Name    string
	Seconds int // of input
	// Build declares source and query in g and returns the stream of answers.
	Build  func(g *engine.Graph) engine.Stream[A]
	Source string // id of the source, whose tuples are counted
	Sink   string // id for the sink of answers
	// Due is the logical time, in ms, at which an answer is due.
	Due func(a *A) int64
	// Order tells answers to different questions apart and orders them; for one question there is one answer.
	Order func(a, b A) int
	// Reference computes the right answers, in any order. Now and then it calls tick with the part that is done, 0…1,
	// and gives up, with any result, if that returns false.
	Reference func(tick func(done float64) bool) []A
}

// Run runs a benchmark. With an error the result is that of the runs that came to their end, none of them checked.
// Settings must be valid.
func Run[A comparable](ctx context.Context, b Benchmark[A], s Settings) (*Result, error) {
	s = s.Defaulted()
	r := &Result{tag: b.Sink}
	var answers [][]A
	report := reporter{settings: &s, parts: s.Repeat}
	if !s.NoValidation {
		report.parts++
	}
	for range s.Repeat {
		t := &trial[A]{benchmark: &b, settings: &s, report: &report}
		began := time.Now()
		if err := t.run(ctx); err != nil {
			return r, fmt.Errorf("%s: %w", b.Name, err)
		}
		report.done++
		r.spans = append(r.spans, span{began, time.Now()})
		r.Runs = append(r.Runs, t.measures)
		if s.Engine.Pace > 0 {
			r.Responses = append(r.Responses, t.response)
		}
		answers = append(answers, t.answers)
	}
	if s.NoValidation {
		return r, nil
	}
	want := b.Reference(func(done float64) bool { return report.validating(done) && ctx.Err() == nil })
	if ctx.Err() != nil {
		return r, fmt.Errorf("%s: validation: %w", b.Name, context.Cause(ctx))
	}
	slices.SortFunc(want, b.Order)
	for i, got := range answers {
		r.Checks = append(r.Checks, Compare(got, want, b.Order))
		r.Runs[i].Valid = r.Checks[i].Valid()
	}
	return r, nil
}

// trial is one run.
type trial[A comparable] struct {
	benchmark *Benchmark[A]
	settings  *Settings
	report    *reporter
	sinks     []*collector[A]

	measures Measures
	answers  []A
	response *hdrhistogram.Histogram
}

func (t *trial[A]) run(ctx context.Context) error {
	b, s := t.benchmark, t.settings
	g := engine.NewGraph(b.Name)
	engine.Sink(g, b.Sink, b.Build(g), func(engine.SinkPart) (engine.SinkWriter[A], error) {
		c := newCollector(b, s)
		t.sinks = append(t.sinks, c) // by the goroutine that starts the job
		return c, nil
	})
	runtime.GC() // what earlier runs have left behind is not this one's
	job, err := engine.Start(ctx, g, s.Engine)
	if err != nil {
		return err
	}
	w := &watch{
		job: job, source: b.Source, report: t.report,
		warm: time.Duration(s.Warm) * time.Second, length: time.Duration(b.Seconds) * time.Second,
	}
	if err := w.follow(); err != nil {
		return err
	}
	w.finish(&t.measures)
	t.collect()
	return nil
}

// collect brings together what the sinks have, after the job has ended.
func (t *trial[A]) collect() {
	m := &t.measures
	if t.settings.Engine.Pace > 0 {
		t.response = newHistogram()
	}
	for _, c := range t.sinks {
		t.answers = append(t.answers, c.answers...)
		m.Answers += c.count
		if t.response != nil {
			t.response.Merge(c.response)
		}
	}
	if t.response != nil && t.response.TotalCount() > 0 {
		m.ResponseMS = map[string]Times{t.benchmark.Sink: timesOf(t.response)}
	}
}
