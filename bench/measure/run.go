package measure

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Run runs a benchmark. With an error the result is that of the runs that came to their end, none of them checked.
// Settings must be valid.
func Run[P any, A comparable](ctx context.Context, b Benchmark[P, A], in P, s Settings) (*Result, error) {
	s = s.Defaulted()
	r := &Result{tag: b.Sink}
	var answers [][]A
	report := reporter{settings: &s, parts: s.Repeat}
	if !s.NoValidation {
		report.parts++
	}
	for range s.Repeat {
		t := &trial[P, A]{benchmark: &b, input: in, settings: &s, report: &report}
		began := time.Now()
		if err := t.run(ctx); err != nil {
			return r, fmt.Errorf("%s: %w", b.Name, err)
		}
		report.done++
		r.spans = append(r.spans, Span{began, time.Now()})
		r.Runs, r.Workers = append(r.Runs, t.measures), t.workers
		if t.response != nil {
			r.Responses = append(r.Responses, t.response)
		}
		answers = append(answers, t.answers)
	}
	if s.NoValidation {
		return r, nil
	}
	want, err := b.Reference(in, func(done float64) bool { return report.validating(done) && ctx.Err() == nil })
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return r, fmt.Errorf("%s: validation: %w", b.Name, err)
	}
	slices.SortFunc(want, b.Order)
	for i, got := range answers {
		r.Checks = append(r.Checks, Compare(got, want, b.Order))
		r.Runs[i].Valid = r.Checks[i].Valid()
	}
	return r, nil
}

// trial is one run.
type trial[P any, A comparable] struct {
	benchmark *Benchmark[P, A]
	input     P
	settings  *Settings
	report    *reporter

	measures Measures
	workers  int
	answers  []A
	response *Responses
}

func (t *trial[P, A]) run(ctx context.Context) error {
	b, s := t.benchmark, t.settings
	w := &Watch{
		Operator: b.Source, Warm: time.Duration(s.Warm) * time.Second, Length: time.Duration(b.Seconds(t.input)) * time.Second,
		Look: t.report.report,
	}
	params := Params[P]{Input: t.input, Warm: s.Warm, Pace: s.Engine.Pace, Check: !s.NoValidation}
	if err := w.Run(ctx, s.Runner, b.Program(), params, s.Engine); err != nil {
		return err
	}
	part := w.Measured()
	t.measures, t.workers = measuresOf(&part), part.Workers
	all, err := Gather(w.Results(), AnswersResult, (*told).merge)
	if err != nil {
		return err
	}
	return t.take(all)
}

// take takes what all processes had to tell.
func (t *trial[P, A]) take(all told) (err error) {
	m := &t.measures
	m.Answers, t.response = all.Count, all.Response
	if t.response != nil && t.response.Count() > 0 {
		m.ResponseMS = map[string]Times{t.benchmark.Sink: t.response.Times()}
	}
	for _, p := range all.Answers {
		if t.answers, err = unpack(t.answers, p); err != nil {
			return err
		}
	}
	return nil
}
