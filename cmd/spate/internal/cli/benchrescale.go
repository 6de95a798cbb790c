package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"
	"time"

	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/cmd/spate/internal/figure"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type benchRescaleCommand struct {
	Rate   []int  `default:"1000" placeholder:"N,…" help:"Fragments per second, or words with --state; several are measured one after the other (default: 1000)."`
	Rounds int    `default:"3" placeholder:"N" help:"How often the counter is scaled out to two tasks, in again, and moved: 18 s each (default: 3)."`
	Plot   string `placeholder:"FILE" help:"Draw how the latency went while the counter was split for the first time, in SVG."`
	recoveryFlags
}

// Help shows examples.
func (benchRescaleCommand) Help() string {
	return `Runs the word frequency query of the paper on worker processes and, while it goes on, splits the counter in two, joins the two
again, and moves the one to another worker. It says how long each took, phase by phase, what that did to the latency of counts in the
10 s from then on, beside the 5 s before, and for how long no count arrived; and checks every count.

	spate bench rescale
	spate bench rescale --rounds 5 --json > rescale.json
	spate bench rescale --state 1GiB --rate 200000 --rounds 1`
}

// Validate checks the flags.
func (c *benchRescaleCommand) Validate() error {
	faults := []error{atLeast("--rounds", c.Rounds, 1), c.check()}
	for _, rate := range c.Rate {
		faults = append(faults, atLeast("--rate", rate, 1))
	}
	return errors.Join(faults...)
}

// Run runs the experiments.
func (c *benchRescaleCommand) Run(ctx context.Context, out *output) error {
	r := &rescaleResult{Origin: report.OriginOf("spate.bench.rescale/1"), Valid: true}
	err := eachSetting(out, "bench rescale", c.Rate, c.Interval, func(rate int, interval time.Duration, progress func(float64)) error {
		cfg := c.config(out, rate, interval)
		cfg.Rounds, cfg.Progress = c.Rounds, progress
		if err := cfg.Validate(); err != nil {
			return usageError{err}
		}
		one, err := recovery.RunMoves(ctx, cfg)
		if err != nil {
			return err
		}
		r.Series = append(r.Series, rescaleSeries{experimentOf(&one.Config), one.Valid, one.Moves})
		r.Valid = r.Valid && one.Valid
		return nil
	})
	if len(r.Series) == 0 {
		return err
	}
	if c.Plot != "" && err == nil {
		err = r.Series[0].plot(c.Plot)
	}
	if err = errors.Join(err, out.result(r, r.text)); err == nil && !r.Valid {
		return errWrong
	}
	return err
}

// plot draws the course of the first reassignment.
func (s *rescaleSeries) plot(name string) error {
	m := s.Moves[0]
	chart := figure.Chart{Title: fmt.Sprintf("Split in two at %s words/s, %s", report.Count(s.Rate), report.Bytes(s.StateBytes)), X: "ms since it was asked for", Y: "ms from due to arrival"}
	p50, p99 := figure.Line{Name: "p50 of 20 ms", Dense: true}, figure.Line{Name: "p99 of 20 ms", Dense: true}
	least, most := math.Inf(1), 0.0
	for _, x := range m.Course {
		if x.P50 > 0 {
			p50.Points = append(p50.Points, figure.Point{X: x.At, Y: x.P50})
			p99.Points = append(p99.Points, figure.Point{X: x.At, Y: x.P99})
			least, most = min(least, x.P50), max(most, x.P99)
		}
	}
	chart.Lines = []figure.Line{p50, p99}
	at := 0.0
	for _, phase := range []struct {
		name string
		took float64
	}{{"asked for", 0}, {"new tasks made", m.Register + m.Restore}, {"taken over", m.CatchUp + m.Switch}} {
		at += phase.took
		chart.Lines = append(chart.Lines, figure.Line{Name: phase.name, Mark: true, Points: []figure.Point{{X: at, Y: least}, {X: at, Y: most}}})
	}
	svg, err := chart.SVG()
	if err != nil {
		return err
	}
	return os.WriteFile(name, svg, 0o644)
}

// rescaleResult is the result in JSON.
type rescaleResult struct {
	report.Origin
	Valid  bool            `json:"valid"`
	Series []rescaleSeries `json:"series"`
}

// rescaleSeries is what one setting came to.
type rescaleSeries struct {
	experiment
	Valid bool            `json:"valid"`
	Moves []recovery.Move `json:"moves"`
}

func (r *rescaleResult) text(w io.Writer) error {
	return writeExperiments(w, "The counter of word frequencies, its key ranges reassigned while it counts", &r.Origin, len(r.Series), func(i int) error { return r.Series[i].text(w) }, r.Valid)
}

func (s *rescaleSeries) text(w io.Writer) error {
	fmt.Fprintf(w, "\n%v; ms\n", s.experiment)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\ttook\tregister\trestore\tcatch up\tswitch\tp99 before\tp99\tp99.9 before\tp99.9\tworst\tgap before\tgap\tat\t")
	for _, m := range s.Moves {
		fmt.Fprint(t, m.What)
		for _, x := range []float64{m.Took, m.Register, m.Restore, m.CatchUp, m.Switch, m.Before.P99, m.After.P99, m.Before.P999, m.After.P999, m.After.Max, m.GapBefore, m.Gap, m.GapAt} {
			fmt.Fprintf(t, "\t%s", report.Number(x))
		}
		fmt.Fprintln(t, "\t")
	}
	return t.Flush()
}
