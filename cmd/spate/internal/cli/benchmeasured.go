package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/bench/topk"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

// measuredFlags are those of the benchmarks that package measure runs.
type measuredFlags struct {
	Repeat int    `default:"${repeat}" placeholder:"K" help:"Number of runs, for median and spread (default: ${repeat})."`
	HDR    string `name:"hdr" placeholder:"FILE" help:"Write the response times as an HdrHistogram log; needs --pace."`
	engineFlags
	checkpointFlags
	profileFlags
}

func (f *measuredFlags) check() error {
	faults := []error{atLeast("--repeat", f.Repeat, 1), f.engineFlags.check(), f.checkpointFlags.check(&f.whereFlags), f.checkProfiles(&f.profileFlags),
		distinct([]named{{"--secret-file", f.Secret}}, append(f.profileFlags.files(), hdrFiles(f.HDR)...))}
	if f.HDR != "" && f.Pace == 0 {
		faults = append(faults, errors.New("--hdr needs --pace: a run as fast as possible has no response times"))
	}
	return errors.Join(faults...)
}

// settings returns what the flags say to package measure about an input of so many seconds.
func (f *measuredFlags) settings(seconds, warmMax int) measure.Settings {
	return measure.Settings{Repeat: f.Repeat, Warm: min(warmMax, seconds/warmPart), Engine: f.config(&f.profileFlags, 0)}
}

// measured is a benchmark that package measure runs, and what its result says of it.
type measured struct {
	name, title string         // as in spate.bench.name/1; for people
	seed        uint64         // of the input
	input       map[string]any // what it is made of, the seed included
	settings    measure.Settings
	run         func(ctx context.Context, s measure.Settings) (*measure.Result, error)
}

// perform runs the benchmark and prints its result.
func (f *measuredFlags) perform(ctx context.Context, out *output, m measured) error {
	hdr, err := createHDR(ctx, f.HDR)
	if err != nil {
		return err
	}
	r, err := f.measure(ctx, out, &m)
	if r == nil || len(r.Runs) == 0 {
		return finishHDR(hdr, err)
	}
	if hdr != nil {
		err = errors.Join(err, finishHDR(hdr, r.WriteHDR(hdr)))
	}
	result, fault := m.resultOf(r)
	if fault == nil {
		fault = out.result(result, result.text)
	}
	if err = errors.Join(err, fault); err == nil && !result.Valid {
		return errWrong
	}
	return err
}

// measure runs the benchmark where the flags say, and looks at it.
func (f *measuredFlags) measure(ctx context.Context, out *output, m *measured) (*measure.Result, error) {
	at, err := f.open(ctx, out, f.loops(), 0)
	if err != nil {
		return nil, err
	}
	m.settings.Runner = at.runner
	end, err := f.configureAnew(&m.settings.Engine, out)
	if err != nil {
		return nil, at.close(err)
	}
	o, err := f.observe(out, "bench "+m.name, f.Pace)
	if err != nil {
		return nil, at.close(end(err))
	}
	m.settings.Progress = o.progress
	r, err := m.run(ctx, m.settings)
	return r, at.close(end(o.stop(err)))
}

// measuredResult is the result of such a benchmark in JSON. The measures are those of the run with the median rate.
type measuredResult struct {
	report.Origin
	Seed        uint64         `json:"seed"`
	Input       map[string]any `json:"input"`
	Warm        int            `json:"warm"` // seconds of the input that are not measured
	Pace        float64        `json:"pace"` // 0: as fast as possible
	Loops       int            `json:"loops"`
	Workers     int            `json:"workers"` // processes that ran the query, 0: this one
	Parallelism map[string]int `json:"parallelism"`
	Repeat      int            `json:"repeat"`
	measure.Measures
	Valid    bool                     `json:"valid"` // of all runs
	Settings []string                 `json:"settings"`
	Spread   map[string]report.Spread `json:"spread"`
	Runs     []measure.Measures       `json:"runs"`
	Checks   []measure.Check          `json:"checks"`
	title    string
}

func (m *measured) resultOf(r *measure.Result) (*measuredResult, error) {
	spread, err := report.Spreads(r.Runs)
	return &measuredResult{
		Origin: report.OriginOf("spate.bench." + m.name + "/1"), Seed: m.seed, Input: m.input, Warm: m.settings.Warm, Pace: m.settings.Engine.Pace,
		Loops: m.settings.Engine.Loops, Workers: r.Workers, Parallelism: m.settings.Engine.Parallelism, Repeat: len(r.Runs), Measures: *r.Median(),
		Valid: r.Valid(), Settings: []string{"input", "warm", "pace", "loops", "workers", "parallelism"}, Spread: spread, Runs: r.Runs,
		Checks: r.Checks, title: m.title,
	}, err
}

func (m *measuredResult) text(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s\n\n", m.title, paceText(m.Pace))
	m.Origin.Text(w)
	fmt.Fprintf(w, "settings     %s, seed %d, %s, %d s warm-up\n\n",
		places(m.Workers, m.Loops), m.Seed, report.Plural(m.Repeat, "run"), m.Warm)
	rate := m.Spread["tuples_per_s"]
	fmt.Fprintf(w, "throughput   %s tuples/s  ±%.1f %%  (%s … %s), %s handled/s by all operators\n", report.Number(rate.Median),
		100*rate.Relative(), report.Number(rate.Min), report.Number(rate.Max), report.Number(m.HandledPerS))
	fmt.Fprintf(w, "measured     %s tuples in %s, the run with the median rate%s\n",
		report.Count(m.Tuples), report.Seconds(m.Seconds), warmText(m.WarmMeasured))
	for _, id := range slices.Sorted(maps.Keys(m.Handled)) {
		fmt.Fprintf(w, "handled      %s by %s\n", report.Count(m.Handled[id]), id)
	}
	writeResponses(w, "", m.ResponseMS)
	fmt.Fprintf(w, "memory       state %s, process %s\n", report.Bytes(m.StateBytes), report.Bytes(m.RSSBytes))
	fmt.Fprintf(w, "allocations  %s per tuple\n", report.Number(m.AllocsPerTuple))
	writeLinks(w, m.Workers, m.LinkBytesPerTuple, "tuple")
	writeCheckpoints(w, m.Checkpoints)
	for i := range m.Checks {
		fmt.Fprintf(w, "validated    %v\n", &m.Checks[i])
	}
	return nil
}

type wordcountCommand struct {
	Rate       int    `default:"${wordcount_rate}" placeholder:"N" help:"Fragments per second of input (default: ${wordcount_rate})."`
	Seconds    int    `default:"${wordcount_seconds}" placeholder:"N" help:"Seconds of input (default: ${wordcount_seconds})."`
	Vocabulary int    `default:"${wordcount_vocabulary}" placeholder:"N" help:"Words that occur (default: ${wordcount_vocabulary})."`
	Seed       uint64 `default:"${seed}" placeholder:"S" help:"Seed of the text (default: ${seed})."`
	measuredFlags
}

// Help shows examples.
func (wordcountCommand) Help() string {
	return `Counts how often each word occurs in every 30 seconds of a stream of text fragments of 140 bytes, and checks every count.
With --checkpoints it shows what they cost: they go into a new folder there, which is removed afterwards.

	spate bench wordcount
	spate bench wordcount --rate 5000 --seconds 60 --pace 1 --repeat 1`
}

// Validate checks the flags.
func (c *wordcountCommand) Validate() error {
	return errors.Join(atLeast("--rate", c.Rate, 1), atLeast("--seconds", c.Seconds, 1), atLeast("--vocabulary", c.Vocabulary, 1), c.check())
}

// Run runs the benchmark.
func (c *wordcountCommand) Run(ctx context.Context, out *output) error {
	config := wordcount.Defaults()
	in := &config.Input
	in.Rate, in.Seconds, in.Vocabulary, in.Seed = c.Rate, c.Seconds, c.Vocabulary, c.Seed
	config.Settings = c.settings(c.Seconds, config.Warm)
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	return c.perform(ctx, out, measured{
		name: "wordcount", seed: in.Seed, settings: config.Settings,
		title: fmt.Sprintf("Word frequency, %s fragments/s for %d s of input", report.Count(c.Rate), c.Seconds),
		input: map[string]any{"seed": in.Seed, "rate": in.Rate, "seconds": in.Seconds, "vocabulary": in.Vocabulary, "splits": in.Splits},
		run: func(ctx context.Context, s measure.Settings) (*measure.Result, error) {
			config.Settings = s
			r, err := wordcount.Run(ctx, config)
			if r == nil {
				return nil, err
			}
			return &r.Result, err
		},
	})
}

type topkCommand struct {
	Rate    int    `default:"${topk_rate}" placeholder:"N" help:"Page views per second of input (default: ${topk_rate})."`
	Seconds int    `default:"${topk_seconds}" placeholder:"N" help:"Seconds of input (default: ${topk_seconds})."`
	K       int    `name:"k" default:"${topk_k}" placeholder:"N" help:"Places of a ranking, 1…${topk_k_max} (default: ${topk_k})."`
	Seed    uint64 `default:"${seed}" placeholder:"S" help:"Seed of the views (default: ${seed})."`
	measuredFlags
}

// Help shows examples.
func (topkCommand) Help() string {
	return `Ranks the language versions of an encyclopedia by their page views in every 30 seconds, and checks every ranking.
With --checkpoints it shows what they cost: they go into a new folder there, which is removed afterwards.

	spate bench topk
	spate bench topk --rate 50000 --seconds 60 --pace 1 --repeat 1`
}

// Validate checks the flags.
func (c *topkCommand) Validate() error {
	return errors.Join(atLeast("--rate", c.Rate, 1), atLeast("--seconds", c.Seconds, 1), within("--k", c.K, 1, topk.RanksMax), c.check())
}

// Run runs the benchmark.
func (c *topkCommand) Run(ctx context.Context, out *output) error {
	config := topk.Defaults()
	in := &config.Input
	in.Rate, in.Seconds, in.K, in.Seed = c.Rate, c.Seconds, c.K, c.Seed
	config.Settings = c.settings(c.Seconds, config.Warm)
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	return c.perform(ctx, out, measured{
		name: "topk", seed: in.Seed, settings: config.Settings,
		title: fmt.Sprintf("Top %d of %d languages, %s page views/s for %d s of input", c.K, in.Languages, report.Count(c.Rate), c.Seconds),
		input: map[string]any{"seed": in.Seed, "rate": in.Rate, "seconds": in.Seconds, "languages": in.Languages, "pages": in.Pages,
			"users": in.Users, "k": in.K, "splits": in.Splits},
		run: func(ctx context.Context, s measure.Settings) (*measure.Result, error) {
			config.Settings = s
			r, err := topk.Run(ctx, config)
			if r == nil {
				return nil, err
			}
			return &r.Result, err
		},
	})
}
