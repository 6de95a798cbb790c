package network

import (
	"context"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// Run runs a benchmark. With an error the result holds the runs that came to their end, none of them checked, if the
// configuration is valid; whether what arrived was right is in the result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	cfg = cfg.defaulted()
	r := &runner{cfg: &cfg, result: &Result{Config: cfg}, splits: cfg.Input.splits(cfg.Kind, cfg.Warm)}
	r.parts = cfg.Repeat * len(r.steps())
	for range cfg.Repeat {
		m := new(Measures)
		for _, step := range r.steps() {
			if err := step(ctx, m); err != nil {
				return r.result, fmt.Errorf("%s: %w", cfg.Kind, err)
			}
			r.done, r.before = r.done+1, r.moved+1
		}
		r.result.Runs = append(r.result.Runs, *m)
	}
	if cfg.NoValidation {
		return r.result, nil
	}
	want, err := r.expect(ctx)
	if err != nil {
		return r.result, fmt.Errorf("%s: validation: %w", cfg.Kind, err)
	}
	r.result.judge(want)
	return r.result, nil
}

// runner runs a benchmark, part by part.
type runner struct {
	cfg         *Config
	result      *Result
	splits      []split
	parts, done int
	fraction    float64 // as last reported
	moved       uint64  // as last reported
	before      uint64  // by parts that are over
}

// steps are the parts of one repeat.
func (r *runner) steps() []func(context.Context, *Measures) error {
	switch {
	case r.cfg.NoBaseline || r.cfg.Kind == Hops:
		return []func(context.Context, *Measures) error{r.query}
	case r.cfg.Kind == Keyed:
		return []func(context.Context, *Measures) error{r.alone, r.query}
	}
	return []func(context.Context, *Measures) error{r.alone, r.bare, r.query}
}

// report passes on the progress of a part.
func (r *runner) report(p measure.Progress) {
	if r.cfg.Progress == nil {
		return
	}
	per := r.parts / r.cfg.Repeat
	// A job's tasks report one by one, and the first ones may be ahead of the others.
	r.fraction = max(r.fraction, min((float64(r.done)+p.Fraction)/float64(r.parts), 1))
	p.Fraction = r.fraction
	p.Run, p.Runs = r.done/per+1, r.cfg.Repeat
	r.moved = r.before + p.Moved
	p.Moved = r.moved
	r.cfg.Progress(p)
}

// query runs the query itself.
func (r *runner) query(ctx context.Context, m *Measures) error {
	cfg := r.cfg
	w := r.watch(cfg.Input.Seconds, cfg.Warm)
	params := Params{Input: cfg.Input, Warm: cfg.Warm, Pace: cfg.Engine.Pace}
	began := time.Now()
	if err := w.Run(ctx, cfg.Runner, program(cfg.Kind), params, cfg.Engine); err != nil {
		return err
	}
	all, err := measure.Gather(w.Results(), toldResult, (*told).merge)
	if err != nil {
		return err
	}
	part := w.Measured()
	m.take(&part, &all, r.splits, cfg.Warm)
	res := r.result
	res.Workers, res.arrived, res.spans = part.Workers, append(res.arrived, all), append(res.spans, measure.Span{Began: began, Ended: time.Now()})
	if all.Response != nil {
		res.Responses = append(res.Responses, all.Response)
	}
	return nil
}

func (r *runner) watch(seconds, warm int) *measure.Watch {
	return &measure.Watch{
		Operator: TuplesID, Warm: time.Duration(warm) * time.Second, Length: time.Duration(seconds) * time.Second, Look: r.report,
	}
}

// take takes what a run came to.
func (m *Measures) take(part *measure.Part, all *told, splits []split, warm int) {
	made := float64(from(splits, 0))
	m.Tuples = from(splits, warm)
	if all.Ended <= all.Began { // all came in one turn, at the beginning of which the clock was read: the warm-up counts too
		m.Tuples, all.Began = from(splits, 0), 0
	}
	if m.Seconds = (all.Ended - all.Began).Seconds(); m.Seconds > 0 {
		m.TuplesPerS = float64(m.Tuples) / m.Seconds
	}
	m.Crossings, m.LinkBytesPer = float64(all.Links.TuplesOut)/made, float64(all.Links.BytesOut)/made
	m.LinkBytesPerS = m.LinkBytesPer * m.TuplesPerS
	m.AllocsPerTuple, m.CPUPerTuple, m.RSSBytes = part.PerTuple(float64(part.Mallocs)), part.PerTuple(float64(part.CPU)), part.RSSBytes
	if all.Response != nil && all.Response.Count() > 0 {
		times := all.Response.Times()
		m.ResponseMS = &times
	}
	if m.BarePerS > 0 {
		m.OfBare = m.LinkBytesPerS / m.BarePerS
	}
}

// The baselines take about half a second each.
const (
	aloneSeconds = 5 // of input, at most
	bareBytes    = 2 << 30
	bareBuffer   = 64 << 10
)

// alone runs the source with nothing behind it, on one loop of this process.
func (r *runner) alone(ctx context.Context, m *Measures) error {
	in := r.cfg.Input
	in.Seconds = min(in.Seconds, aloneSeconds)
	w := r.watch(in.Seconds, 0)
	if err := w.Run(ctx, engine.Embedded{}, alone(r.cfg.Kind), Params{Input: in}, engine.Config{Loops: 1}); err != nil {
		return fmt.Errorf("the source alone: %w", err)
	}
	part := w.Measured()
	m.SourcePerS = part.Rate(part.Tuples)
	return nil
}

// bare runs the bare sender where the query runs. It sends as many bytes as the query does, bareBytes at most.
func (r *runner) bare(ctx context.Context, m *Measures) error {
	w := &measure.Watch{Operator: receiverID, Look: r.report}
	p := BareParams{Network: r.cfg.Network, Bytes: min(from(r.splits, 0)*tupleBytes, bareBytes), Buffer: bareBuffer}
	if err := w.Run(ctx, r.cfg.Runner, bareProgram(), p, r.cfg.apart()); err != nil {
		return fmt.Errorf("the bare sender: %w", err)
	}
	all, err := measure.Gather(w.Results(), bareResult, (*sent).merge)
	if err != nil {
		return err
	}
	m.BarePerS = float64(all.Bytes) / all.Took.Seconds()
	return nil
}

// tupleBytes is the size of a tuple with its header.
const tupleBytes = 40

// expect is what has to arrive.
func (r *runner) expect(ctx context.Context) (want told, err error) {
	const every = 1 << 20 // numbers between two looks at ctx
	for i := range r.splits {
		s := &r.splits[i]
		want.Tuples += s.end
		for n := range s.end {
			if n%every == 0 && ctx.Err() != nil {
				return want, context.Cause(ctx)
			}
			want.Keys += s.key(n)
		}
	}
	return want, nil
}
