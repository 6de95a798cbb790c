package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type benchOverheadCommand struct {
	Rate     []int         `default:"1000" placeholder:"N,…" help:"Fragments per second, or words with --state; several are measured one after the other (default: 1000)."`
	Measured time.Duration `default:"20s" placeholder:"D" help:"How long each run is measured (default: 20s)."`
	Repeat   int           `default:"1" placeholder:"K" help:"Pairs of runs, without checkpoints and with them (default: 1)."`
	recoveryFlags
}

// Help shows examples.
func (benchOverheadCommand) Help() string {
	return `Runs the word frequency query of the paper on worker processes, without checkpoints and with them in turns, and says how long the
counts take to arrive; and checks every count.

	spate bench overhead
	spate bench overhead --words 60 --interval 1s --measured 12s
	spate bench overhead --state 64MiB --rate 200000 --json > overhead.json`
}

// Validate checks the flags.
func (c *benchOverheadCommand) Validate() error {
	faults := []error{atLeast("--repeat", c.Repeat, 1), c.check()}
	for _, rate := range c.Rate {
		faults = append(faults, atLeast("--rate", rate, 1))
	}
	if c.Measured <= 0 {
		faults = append(faults, fmt.Errorf("--measured is %v, want more than 0", c.Measured))
	}
	return errors.Join(faults...)
}

// Run runs the experiments.
func (c *benchOverheadCommand) Run(ctx context.Context, out *output) error {
	r := &overheadResult{Origin: report.OriginOf("spate.bench.overhead/1"), Valid: true}
	err := eachSetting(out, "bench overhead", c.Rate, c.Interval, func(rate int, interval time.Duration, progress func(float64)) error {
		cfg := c.config(out, rate, interval)
		cfg.Measured, cfg.Repeat, cfg.Progress = c.Measured, c.Repeat, progress
		if err := cfg.Validate(); err != nil {
			return usageError{err}
		}
		one, err := recovery.RunOverhead(ctx, cfg)
		if err != nil {
			return err
		}
		return r.add(one)
	})
	if len(r.Series) == 0 {
		return err
	}
	if err = errors.Join(err, out.result(r, r.text)); err == nil && !r.Valid {
		return errWrong
	}
	return err
}

// overheadResult is the result in JSON.
type overheadResult struct {
	report.Origin
	Valid  bool             `json:"valid"`
	Series []overheadSeries `json:"series"`
}

// overheadSeries is what one setting came to: the spread over all pairs of runs, and each.
type overheadSeries struct {
	experiment
	MeasuredS float64                  `json:"measured_s"`
	Valid     bool                     `json:"valid"`
	Spread    map[string]report.Spread `json:"spread"`
	Costs     []recovery.Cost          `json:"costs"`
}

func (r *overheadResult) add(one *recovery.Overhead) error {
	spread, err := report.Spreads(one.Costs)
	r.Series = append(r.Series, overheadSeries{experimentOf(&one.Config), one.Config.Measured.Seconds(), one.Valid, spread, one.Costs})
	r.Valid = r.Valid && one.Valid
	return err
}

func (r *overheadResult) text(w io.Writer) error {
	return writeExperiments(w, "Latency of word frequencies with checkpoints and without", &r.Origin, len(r.Series), func(i int) error { return r.Series[i].text(w) }, r.Valid)
}

func (s *overheadSeries) text(w io.Writer) error {
	fmt.Fprintf(w, "\n%v; %s of %v\n", s.experiment, report.Plural(len(s.Costs), "pair"), time.Duration(s.MeasuredS*float64(time.Second)))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "ms\tp50\tp95\tp99\tp99.9\tworst 100 ms\tmost\t")
	for _, row := range [][2]string{{"without_ms", "without"}, {"with_ms", "with"}, {"ratio", "ratio"}} {
		fmt.Fprint(t, row[1])
		for _, column := range []string{"p50", "p95", "p99", "p999", "worst_100ms", "max"} {
			fmt.Fprintf(t, "\t%s", report.Number(s.Spread[row[0]+"."+column].Median))
		}
		fmt.Fprintln(t, "\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	c := s.Costs[0]
	fmt.Fprintf(w, "state of the counter %s", report.Bytes(c.StateBytes))
	if c.Checkpoints > 0 {
		fmt.Fprintf(w, ", %s checkpoints of all tasks, %s, which held up a loop for %.2f ms at most", report.Count(c.Checkpoints), report.Bytes(c.Bytes), c.Held)
	}
	if c.Changed > 0 {
		fmt.Fprintf(w, "; entries that changed between two, %s", report.Bytes(c.Changed))
	}
	fmt.Fprintln(w)
	return nil
}
