package linearroad

import (
	"context"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/engine"
)

// Run runs the benchmark: generator, query, and validation of a sample, as often as asked. It returns an error if a run
// did not come to its end, with the result of those before it, if there are any; whether the answers were right is in the
// result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("linear road: %w", err)
	}
	cfg = cfg.withDefaults()
	tr, err := traffic.New(cfg.traffic())
	if err != nil {
		return nil, err
	}
	r := &Result{Config: cfg}
	for i := range cfg.Repeat {
		b := &benchmark{cfg: cfg, traffic: tr, run: i + 1}
		began := time.Now()
		if err := b.measure(ctx); err != nil {
			return r, fmt.Errorf("linear road: %w", err)
		}
		r.began, r.ended = append(r.began, began), append(r.ended, time.Now())
		r.Runs = append(r.Runs, b.measures)
		r.Validations = append(r.Validations, b.report)
		r.Responses = append(r.Responses, b.meters.histograms())
	}
	return r, nil
}

// advancer is a sink task whose tap is told how far it has come.
type advancer interface{ advance(second int) }

// benchmark is one run.
type benchmark struct {
	cfg      Config
	traffic  *traffic.Traffic
	run      int
	meters   meters
	tally    tally
	online   *validator.Online
	sinks    map[sinkTask]advancer
	report   *validator.Report
	measures Measures
}

// sinkTask names a task of a sink.
type sinkTask struct {
	id   string
	task int
}

// origin is the logical time of second 0: logical time begins with the first second of the run.
func (b *benchmark) origin() time.Duration { return -time.Duration(b.cfg.From) * time.Second }

func (b *benchmark) measure(ctx context.Context) error {
	sample := validator.Sample(b.cfg.Salt, b.cfg.Xways, xwayGroup, b.cfg.Share)
	if !b.cfg.NoValidation {
		var err error
		if b.online, err = b.newOnline(sample); err != nil {
			return err
		}
	}
	w, err := b.start(ctx)
	if err != nil {
		b.finishOnline()
		return err
	}
	err = w.follow()
	b.finishOnline()
	if err != nil {
		return err
	}
	m := &b.measures
	w.finish(&m.Performance)
	m.count(&b.meters, &b.tally)
	m.respond(b.meters.histograms())
	if b.report != nil {
		m.Valid, m.Validated = b.report.Valid(), len(sample)
	}
	return nil
}

func (b *benchmark) finishOnline() {
	if b.online != nil {
		b.report = b.online.Finish()
	}
}

// start builds the graph and starts the job.
func (b *benchmark) start(ctx context.Context) (*watch, error) {
	warm := time.Duration(b.cfg.Warm) * time.Second
	b.meters = meters{pace: b.cfg.Engine.Pace, from: warm}
	b.sinks = make(map[sinkTask]advancer)
	g := engine.NewGraph("linearroad")
	tuples := query.Generated(g, b.traffic, b.cfg.Xways, b.cfg.From, b.cfg.To, b.origin())
	roads := query.RoadWeights(b.cfg.Xways)
	s := query.Build(g, tuples, query.Config{Rules: b.cfg.Rules, Origin: b.origin(), Roads: roads, BuiltIn: b.toll})
	observe(b, g, TollsID, s.Tolls, format.Position,
		func(n *query.Notice) bool { return n.Excess != 0 }, (*query.Notice).Answer).SetWeights(roads)
	observe(b, g, AlertsID, s.Alerts, format.Accident,
		func(*query.Notice) bool { return false }, (*query.Notice).AlertAnswer).SetWeights(roads)
	observe(b, g, BalancesID, s.Balances, format.Balance,
		func(a *query.BalanceAnswer) bool { return a.Balance > 0 }, (*query.BalanceAnswer).Answer)
	observe(b, g, ExpendituresID, s.Expenditures, format.Expenditure,
		func(e *query.ExpenditureAnswer) bool { return e.Toll > 0 }, (*query.ExpenditureAnswer).Answer)
	b.tally.attach(g, s)

	job, err := engine.Start(ctx, g, b.cfg.Engine)
	if err != nil {
		return nil, err
	}
	return &watch{job: job, warm: warm, look: b.look}, nil
}

// observe adds a sink whose answers are counted, and validated where they are in the sample.
func observe[T any](b *benchmark, g *engine.Graph, id string, in engine.Stream[T], kind format.Type, above func(*T) bool, answer func(*T) format.Answer) *engine.Op {
	return engine.Sink(g, id, in, func(part engine.SinkPart) (engine.SinkWriter[T], error) {
		o := &observed[T]{meter: b.meters.add(kind), above: above, answer: answer}
		if b.online != nil {
			o.online, o.tap = b.online, b.online.Tap()
			b.sinks[sinkTask{id, part.Index}] = o
		}
		return o, nil
	})
}

// look lets the taps of sinks advance that have nothing to answer, and reports progress.
func (b *benchmark) look(s engine.Stats, w *watch) {
	for i := range s.Tasks {
		t := &s.Tasks[i]
		if sink := b.sinks[sinkTask{t.Operator, t.Task}]; sink != nil {
			second := (logical(t.Position) - b.origin()) / time.Second
			sink.advance(int(min(second, time.Duration(b.cfg.To))))
		}
	}
	if b.cfg.Progress == nil {
		return
	}
	done := float64(slowest(s, query.CalculatorID)) / float64(time.Duration(b.cfg.To-b.cfg.From)*time.Second)
	b.cfg.Progress(Progress{
		Fraction: (float64(b.run-1) + min(done, 1)) / float64(b.cfg.Repeat),
		Reports:  w.last.reports, ReportsPerS: w.rate, Run: b.run, Runs: b.cfg.Repeat, Warming: !w.started, Moved: moved(s),
		Slabs: s.Slabs,
	})
}

// xwayGroup is how many neighbouring expressways a vehicle may drive on: balances are complete for all of them together.
const xwayGroup = 2

// newOnline starts the validation of sampled expressways. It generates their input again by itself.
func (b *benchmark) newOnline(sample []uint16) (*validator.Online, error) {
	again := make(map[uint16]*traffic.Xway, len(sample))
	for _, x := range sample {
		again[x] = b.traffic.Xway(int(x))
	}
	return validator.NewOnline(validator.OnlineOptions{
		Options: validator.Options{
			Rules: validator.Rules(b.cfg.Rules), Pace: b.cfg.Engine.Pace, From: b.cfg.From, Xways: b.cfg.Xways, Carried: true,
			History: b.lookup, Require: b.coverage(),
		},
		Sample: sample,
		To:     b.cfg.To,
		Generate: func(xway uint16, second int, dst []format.Tuple) []format.Tuple {
			x := again[xway]
			if x.Time() != second {
				x.Seek(second)
			}
			return x.Second(dst)
		},
	})
}

// lookup is the built-in history as the validator asks for it.
func (b *benchmark) lookup(vid uint32, day uint8, xway uint16) (int64, bool) {
	home, toll, ok := history.Lookup(b.cfg.Seed, vid, day)
	return int64(toll), ok && home == xway
}

// toll is the built-in history as the query asks for it.
func (b *benchmark) toll(vid uint32, day uint8, xway uint16) int64 {
	return int64(history.Toll(b.cfg.Seed, vid, day, xway))
}

// Traffic is dense enough for tolls from about the second denseFrom on; they take an LAV of a complete minute, and being
// charged takes a vehicle a segment more. Accidents happen every accidentEvery seconds.
const (
	denseFrom     = 5400
	denseSpan     = 360
	accidentEvery = 1200
)

// coverage is what traffic of this length and density must have had for the run to prove anything.
func (b *benchmark) coverage() (c validator.Coverage) {
	if b.cfg.To-max(b.cfg.From, denseFrom) >= denseSpan {
		c |= validator.CoverTolls | validator.CoverCharges
	}
	if b.cfg.To-b.cfg.From > 2*accidentEvery {
		c |= validator.CoverAccidents
	}
	return c
}
