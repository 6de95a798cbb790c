package linearroad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/bench/measure"
)

// Run runs the benchmark: generator, query, and validation of a sample, as often as asked. It returns an error if a run
// did not come to its end, with the result of those before it, if there are any; whether the answers were right is in the
// result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("linear road: %w", err)
	}
	cfg = cfg.withDefaults()
	r := &Result{Config: cfg}
	for i := range cfg.Repeat {
		b := &benchmark{cfg: cfg, run: i + 1}
		began := time.Now()
		if err := b.measure(ctx); err != nil {
			return r, fmt.Errorf("linear road: %w", err)
		}
		r.spans = append(r.spans, measure.Span{Began: began, Ended: time.Now()})
		r.Runs, r.Workers = append(r.Runs, b.measures), b.workers
		r.Validations = append(r.Validations, b.outcome.report)
		r.Responses = append(r.Responses, b.outcome.answers.responses())
	}
	return r, nil
}

// benchmark is one run.
type benchmark struct {
	cfg      Config
	run      int
	measures Measures
	workers  int
	outcome  outcome
}

func (b *benchmark) measure(ctx context.Context) error {
	params := b.params()
	w := &measure.Watch{
		Operator: query.CalculatorID, Warm: time.Duration(params.Warm) * time.Second,
		Length: time.Duration(params.To-params.From) * time.Second, Look: b.look,
	}
	if err := w.Run(ctx, b.cfg.Runner, generatedProgram(), params, b.cfg.Engine); err != nil {
		return err
	}
	part := w.Measured()
	var err error
	if b.outcome, err = outcomeOf(w.Results()); err != nil {
		return err
	}
	b.workers = part.Workers
	b.measures.Performance = performanceOf(&part, &b.outcome)
	if len(params.Sample) == 0 {
		return nil
	}
	if b.outcome.report == nil {
		return errors.New("no process told what its validation came to")
	}
	b.measures.Valid, b.measures.Validated = b.outcome.report.Valid(), len(params.Sample)
	return nil
}

// params are what every process has to know of the run. It does not need to know the salt.
func (b *benchmark) params() Params {
	c := &b.cfg
	p := Params{
		Seed: c.Seed, Xways: c.Xways, From: c.From, To: c.To, Hostile: c.Hostile, Replicate: c.Replicate, Rules: c.Rules,
		Warm: c.Warm, Pace: c.Engine.Pace,
	}
	if !c.NoValidation {
		p.Sample = validator.Sample(c.Salt, c.Xways, xwayGroup, c.Share)
	}
	return p
}

// look reports progress.
func (b *benchmark) look(p Progress) {
	if b.cfg.Progress == nil {
		return
	}
	p.Fraction = (float64(b.run-1) + p.Fraction) / float64(b.cfg.Repeat)
	p.Run, p.Runs = b.run, b.cfg.Repeat
	b.cfg.Progress(p)
}
