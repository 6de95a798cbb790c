package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type benchLinearCommand struct {
	Xways     int    `default:"${xways}" placeholder:"N" help:"Expressways, the load factor L (default: ${xways})."`
	From      second `default:"${from}" placeholder:"D" help:"First second of the traffic, such as 9000 or 150m (default: ${from})."`
	To        second `default:"${to}" placeholder:"D" help:"First second that is not run any more (default: ${to})."`
	Seed      uint64 `default:"${seed}" placeholder:"S" help:"Seed of the traffic (default: ${seed})."`
	Repeat    int    `default:"${repeat}" placeholder:"K" help:"Number of runs, for median and spread (default: ${repeat})."`
	Hostile   bool   `help:"Add the cases that programs get wrong."`
	Replicate bool   `help:"One expressway, repeated with other vehicles."`
	HDR       string `name:"hdr" placeholder:"FILE" help:"Write the response times as an HdrHistogram log; needs --pace."`
	engineFlags
	checkpointFlags
	profileFlags
}

// Help shows examples.
func (benchLinearCommand) Help() string {
	return `Generates traffic, runs the query and validates the answers of at least 4 % of the expressways, in one process and without files.
A first part of the traffic, a fifth and at most six minutes of it, warms up and is not measured.
Only a run at --pace 1 is a rating, and has response times that mean anything to a driver.
With --checkpoints the run shows what checkpoints cost: they go into a new folder there, which is removed afterwards. A benchmark
does not go on from them.

	spate bench lr
	spate bench lr --xways 20 --from 170m --pace 1 --repeat 1 --hdr response.hlog
	spate bench lr --xways 50 --repeat 5 --json > result.json`
}

// Validate checks the flags.
func (c *benchLinearCommand) Validate() error {
	faults := []error{within("--xways", c.Xways, 1, format.XwayMax+1), fromTo(c.From, c.To), atLeast("--repeat", c.Repeat, 1),
		c.engineFlags.check(), c.checkpointFlags.check(&c.whereFlags), c.checkProfiles(&c.profileFlags),
		distinct([]named{{"--secret-file", c.Secret}}, append(c.profileFlags.files(), hdrFiles(c.HDR)...))}
	if c.HDR != "" && c.Pace == 0 {
		faults = append(faults, errors.New("--hdr needs --pace: a run as fast as possible has no response times"))
	}
	return errors.Join(faults...)
}

// warmPart is the part of the traffic that warms up, if that is not more than what the default benchmark takes.
const warmPart = 5

// Run runs the benchmark.
func (c *benchLinearCommand) Run(ctx context.Context, out *output) error {
	config := linearroad.Config{
		Xways: c.Xways, From: int(c.From), To: int(c.To), Seed: c.Seed, Hostile: c.Hostile, Replicate: c.Replicate,
		Warm:   min(linearroad.Defaults().Warm, int(c.To-c.From)/warmPart),
		Repeat: c.Repeat,
		Salt:   rand.Uint64(), // not known before, so that nothing can be made to fit it
		Engine: c.config(&c.profileFlags, 0),
	}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	hdr, err := createHDR(ctx, c.HDR)
	if err != nil {
		return err
	}
	r, err := c.run(ctx, out, config)
	if r == nil || len(r.Runs) == 0 {
		return finishHDR(hdr, err)
	}
	if hdr != nil {
		err = errors.Join(err, finishHDR(hdr, r.WriteHDR(hdr)))
	}
	return errors.Join(err, c.print(out, r))
}

// run runs it where the flags say, and looks at it.
func (c *benchLinearCommand) run(ctx context.Context, out *output, config linearroad.Config) (*linearroad.Result, error) {
	at, err := c.open(ctx, out, c.loops(), 0)
	if err != nil {
		return nil, err
	}
	config.Runner = at.runner
	end, err := c.configureAnew(&config.Engine, out)
	if err != nil {
		return nil, at.close(err)
	}
	o, err := c.observe(out, "bench lr", c.Pace)
	if err != nil {
		return nil, at.close(end(err))
	}
	config.Progress = o.progress
	r, err := linearroad.Run(ctx, config)
	return r, at.close(end(o.stop(err)))
}

// createHDR opens the latency log before the run, so that a name that can't be written is known at once. Without a name
// there is none.
func createHDR(ctx context.Context, name string) (*outFile, error) {
	if name == "" {
		return nil, nil
	}
	return createFile(context.WithoutCancel(ctx), name)
}

func finishHDR(hdr *outFile, err error) error {
	if hdr == nil {
		return err
	}
	return hdr.finish(err)
}

// print prints the result and returns errWrong if the answers were.
func (c *benchLinearCommand) print(out *output, r *linearroad.Result) error {
	l, err := linearResultOf(r)
	if err != nil {
		return err
	}
	if err := out.result(l, func(w io.Writer) error { return l.text(w, r) }); err != nil {
		return err
	}
	if !l.Valid {
		return errWrong
	}
	return nil
}

// linearResult is the result of bench lr in JSON. The measures are those of the run with the median rate.
type linearResult struct {
	report.Origin
	linearSettings
	linearroad.Measures
	Valid       bool                     `json:"valid"` // of all runs
	Settings    []string                 `json:"settings"`
	Spread      map[string]report.Spread `json:"spread"`
	Runs        []linearroad.Measures    `json:"runs"`
	Validations []*validation            `json:"validations"`
}

type linearSettings struct {
	Seed        uint64         `json:"seed"`
	Xways       int            `json:"xways"`
	From        int            `json:"from"`
	To          int            `json:"to"`
	Warm        int            `json:"warm"` // seconds of the traffic that are not measured
	Pace        float64        `json:"pace"` // 0: as fast as possible
	Loops       int            `json:"loops"`
	Workers     int            `json:"workers"` // processes that ran the query, 0: this one
	Parallelism map[string]int `json:"parallelism"`
	Rules       string         `json:"rules"`
	Hostile     bool           `json:"hostile"`
	Replicate   bool           `json:"replicate"`
	Repeat      int            `json:"repeat"`
	Salt        uint64         `json:"salt"` // chose the expressways that were validated
}

// linearCompared are the settings without which two results say different things.
var linearCompared = []string{"seed", "xways", "from", "to", "warm", "pace", "loops", "workers", "parallelism", "rules", "hostile", "replicate"}

func linearResultOf(r *linearroad.Result) (*linearResult, error) {
	spread, err := report.Spreads(r.Runs)
	if err != nil {
		return nil, err
	}
	c := &r.Config
	l := &linearResult{
		Origin: report.OriginOf("spate.bench.lr/1"),
		linearSettings: linearSettings{Seed: c.Seed, Xways: c.Xways, From: c.From, To: c.To, Warm: c.Warm, Pace: c.Engine.Pace,
			Loops: c.Engine.Loops, Workers: r.Workers, Parallelism: c.Engine.Parallelism, Rules: c.Rules.String(), Hostile: c.Hostile,
			Replicate: c.Replicate, Repeat: len(r.Runs), Salt: c.Salt},
		Measures: *r.Median(),
		Valid:    r.Valid(),
		Settings: linearCompared,
		Spread:   spread,
		Runs:     r.Runs,
	}
	for _, v := range r.Validations {
		l.Validations = append(l.Validations, validationOf(v))
	}
	return l, nil
}

func (l *linearResult) text(w io.Writer, r *linearroad.Result) error {
	fmt.Fprintf(w, "Linear Road, %s\n\n", l.title())
	l.Origin.Text(w)
	fmt.Fprintf(w, "settings     %s, seed %d, %s rules, %s, %d s warm-up\n\n",
		places(l.Workers, l.Loops), l.Seed, l.Rules, report.Plural(l.Repeat, "run"), l.Warm)
	rate := l.Spread["reports_per_s"]
	fmt.Fprintf(w, "throughput   %s reports/s  ±%.1f %%  (%s … %s)\n",
		report.Number(rate.Median), 100*rate.Relative(), report.Number(rate.Min), report.Number(rate.Max))
	fmt.Fprintf(w, "measured     %s reports in %s, the run with the median rate%s\n",
		report.Count(l.Measures.Reports), report.Seconds(l.Seconds), warmText(l.WarmMeasured))
	writeAnswers(w, &l.Performance)
	writeResponses(w, "type ", l.ResponseMS)
	fmt.Fprintf(w, "memory       state %s, %.0f bytes for each of %s vehicles; process %s\n",
		report.Bytes(l.StateBytes), l.StatePerCar, report.Count(l.Vehicles), report.Bytes(l.RSSBytes))
	fmt.Fprintf(w, "allocations  %s per report\n", report.Number(l.AllocsPerRep))
	writeLinks(w, l.Workers, l.LinkBytesPerRep, "report")
	writeCheckpoints(w, l.Checkpoints)
	fmt.Fprintf(w, "validated    %d of %d expressways, %s\n", l.Validated, l.Xways, verdict(l.Valid))
	return writeFaults(w, r.Validations)
}

func (l *linearResult) title() string {
	kind := "expressways"
	if l.Replicate {
		kind = "times one replicated expressway"
	}
	return fmt.Sprintf("%d %s, seconds %d to %d, %s", l.Xways, kind, l.From, l.To, paceText(l.Pace))
}

func verdict(valid bool) string {
	if valid {
		return "every answer right"
	}
	return "ANSWERS WRONG"
}

// writeFaults prints the report of each validation that found anything.
func writeFaults(w io.Writer, validations []*validator.Report) error {
	for i, v := range validations {
		if v.Valid() {
			continue
		}
		fmt.Fprintf(w, "\nrun %d:\n", i+1)
		if _, err := v.WriteTo(w); err != nil {
			return err
		}
	}
	return nil
}
