package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/fullspate/spate/bench"
	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/cluster"
)

// recoveryFlags are those of the experiments of package recovery.
type recoveryFlags struct {
	Interval []time.Duration `default:"5s" placeholder:"D,…" help:"Time between two checkpoints of a task; several are measured one after the other (default: 5s)."`
	State    byteSize        `placeholder:"BYTES" help:"Size of the counter's state: a dictionary of entries of 256 bytes, that is loaded before anything is measured (default: the words of a window)."`
	Load     int             `default:"15" placeholder:"N" help:"Seconds that loading the dictionary takes (default: 15)."`
	Words    int             `default:"${recovery_words}" placeholder:"N" help:"Words that occur in the text, if there is no --state (default: ${recovery_words})."`
	Workers  int             `default:"3" placeholder:"N" help:"Worker processes that have a part in the query; one more is spare (default: 3)."`
	Replicas int             `default:"1" placeholder:"N" help:"How many other workers keep each checkpoint (default: 1)."`
	Network  string          `default:"tcp" enum:"tcp,unix" placeholder:"tcp|unix" help:"What data goes over (default: tcp)."`
	Warm     time.Duration   `default:"${recovery_warm}" placeholder:"D" help:"How long the query runs before anything is measured (default: ${recovery_warm})."`
	Seed     uint64          `default:"${seed}" placeholder:"S" help:"Seed of the input, and of the moments of kills (default: ${seed})."`
}

// check is called by the Validate of the commands that have the flags.
func (f *recoveryFlags) check() error {
	faults := []error{atLeast("--load", f.Load, 1), atLeast("--words", f.Words, 1), within("--workers", f.Workers, recovery.Workers-1, cluster.LocalWorkersMax-1),
		atLeast("--replicas", f.Replicas, 1)}
	for _, d := range f.Interval {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("--interval is %v, want more than 0", d))
		}
	}
	if f.Warm < 0 {
		faults = append(faults, fmt.Errorf("--warm is %v, want 0 or more", f.Warm))
	}
	return errors.Join(faults...)
}

// config returns what the flags say of an experiment at a rate.
func (f *recoveryFlags) config(out *output, rate int, interval time.Duration) recovery.Config {
	c := recovery.Defaults()
	c.Input = recovery.Input{Seed: f.Seed, Rate: rate, Words: f.Words}
	if f.State > 0 {
		c.Input.Words, c.Input.Load = max(1, int(f.State/recovery.EntryBytes)), f.Load
	}
	c.Interval, c.Replicas, c.Warm = interval, f.Replicas, f.Warm
	c.Local = cluster.LocalConfig{
		Workers: f.Workers + 1, Loops: 1, Network: f.Network, Programs: bench.Programs(), Build: thisBuild(), Output: out.Stderr, Logger: out.errors(),
	}
	return c
}

type benchRecoveryCommand struct {
	Rate  []int `default:"1000" placeholder:"N,…" help:"Fragments per second, or words with --state; several are measured one after the other (default: 1000)."`
	Kills int   `default:"10" placeholder:"N" help:"How often the counter's worker is killed, each time after an interval and a few seconds (default: 10)."`
	recoveryFlags
}

// Help shows examples.
func (benchRecoveryCommand) Help() string {
	return `Runs the word frequency query of the paper on worker processes and kills the one that has the counter (SIGKILL), again and again.
It says how long it took until that was detected, until the counter was somewhere else, until its counts arrived again, and until
they came as quickly as before; and checks every count. Recovery is by state management; the engine has neither upstream backup
nor source replay.

	spate bench recovery
	spate bench recovery --rate 100,500,1000 --interval 1s,5s --kills 10 --json > recovery.json
	spate bench recovery --state 1GiB --rate 200000 --kills 3
	spate bench figures --out recovery.html recovery.json`
}

// Validate checks the flags.
func (c *benchRecoveryCommand) Validate() error {
	faults := []error{atLeast("--kills", c.Kills, 1), c.check()}
	for _, rate := range c.Rate {
		faults = append(faults, atLeast("--rate", rate, 1))
	}
	return errors.Join(faults...)
}

// Run runs the experiments.
func (c *benchRecoveryCommand) Run(ctx context.Context, out *output) error {
	r := &recoveryResult{Origin: report.OriginOf("spate.bench.recovery/1"), Valid: true}
	err := eachSetting(out, "bench recovery", c.Rate, c.Interval, func(rate int, interval time.Duration, progress func(float64)) error {
		cfg := c.config(out, rate, interval)
		cfg.Kills, cfg.Progress = c.Kills, progress
		if err := cfg.Validate(); err != nil {
			return usageError{err}
		}
		one, err := recovery.RunKills(ctx, cfg)
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

// eachSetting runs an experiment for every rate and interval.
func eachSetting(out *output, what string, rates []int, intervals []time.Duration, run func(rate int, interval time.Duration, progress func(float64)) error) error {
	bar := out.progress(what, barSteps)
	defer bar.Stop()
	n, all := 0, float64(len(rates)*len(intervals))
	for _, rate := range rates {
		for _, interval := range intervals {
			err := run(rate, interval, func(part float64) { bar.Set(int64((float64(n) + part) / all * barSteps)) })
			if err != nil {
				return fmt.Errorf("at %d per second, interval %v: %w", rate, interval, err)
			}
			n++
		}
	}
	return nil
}

// experiment is what settings of an experiment have in common in JSON.
type experiment struct {
	Rate       int     `json:"rate"`
	IntervalS  float64 `json:"interval_s"`
	StateBytes int64   `json:"state"` // that was asked for; 0: the words of a window
	Words      int     `json:"words"`
	Workers    int     `json:"workers"`
	Replicas   int     `json:"replicas"`
}

func experimentOf(c *recovery.Config) experiment {
	e := experiment{Rate: c.Input.Rate, IntervalS: c.Interval.Seconds(), Words: c.Input.Words, Workers: c.Local.Workers - 1, Replicas: c.Replicas}
	if c.Input.Load > 0 {
		e.StateBytes = int64(c.Input.Words) * recovery.EntryBytes
	}
	return e
}

// recoveryResult is the result in JSON.
type recoveryResult struct {
	report.Origin
	Valid  bool             `json:"valid"`
	Series []recoverySeries `json:"series"`
}

// recoverySeries is what one setting came to: the spread over all kills, and each.
type recoverySeries struct {
	experiment
	Valid  bool                     `json:"valid"`
	Spread map[string]report.Spread `json:"spread"`
	Kills  []recovery.Kill          `json:"kills"`
}

func (r *recoveryResult) add(one *recovery.Result) error {
	spread, err := report.Spreads(one.Kills)
	r.Series = append(r.Series, recoverySeries{experimentOf(&one.Config), one.Valid, spread, one.Kills})
	r.Valid = r.Valid && one.Valid
	return err
}

func (r *recoveryResult) text(w io.Writer) error {
	return writeExperiments(w, "Recovery of the counter of word frequencies, its worker killed, by state management", &r.Origin, len(r.Series), func(i int) error { return r.Series[i].text(w) }, r.Valid)
}

// recoveryColumns are what is printed of kills: member in JSON, heading.
var recoveryColumns = [][2]string{
	{"detected_ms", "detected"}, {"ordered_ms", "ordered"}, {"restored_ms", "restored"}, {"caught_up_ms", "caught up"}, {"normal_ms", "normal"},
	{"before_p99_ms", "p99 before"}, {"worst_ms", "worst"},
}

func (s *recoverySeries) text(w io.Writer) error {
	fmt.Fprintf(w, "\n%v, %s; ms from the kill on\n", s.experiment, report.Plural(len(s.Kills), "kill"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range recoveryColumns {
		fmt.Fprintf(t, "\t%s", c[1])
	}
	fmt.Fprintln(t, "\t")
	for _, row := range []struct {
		name string
		of   func(report.Spread) float64
	}{
		{"median", func(s report.Spread) float64 { return s.Median }}, {"least", func(s report.Spread) float64 { return s.Min }},
		{"most", func(s report.Spread) float64 { return s.Max }},
	} {
		fmt.Fprint(t, row.name)
		for _, c := range recoveryColumns {
			fmt.Fprintf(t, "\t%s", report.Number(row.of(s.Spread[c[0]])))
		}
		fmt.Fprintln(t, "\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if slices.ContainsFunc(s.Kills, func(k recovery.Kill) bool { return k.Normal == 0 }) {
		fmt.Fprintln(w, "after a kill with 0 in normal the latency was not normal again before the next one")
	}
	return nil
}

// String says what was measured.
func (e experiment) String() string {
	what := fmt.Sprintf("%s fragments/s, %s words", report.Count(e.Rate), report.Count(e.Words))
	if e.StateBytes > 0 {
		what = fmt.Sprintf("%s words/s, state of %s", report.Count(e.Rate), report.Bytes(e.StateBytes))
	}
	return fmt.Sprintf("%s, checkpoints each %v, %s and a spare one", what, time.Duration(e.IntervalS*float64(time.Second)), report.Plural(e.Workers, "worker"))
}

// writeExperiments prints what n settings came to, and whether all counts were right.
func writeExperiments(w io.Writer, title string, origin *report.Origin, n int, series func(i int) error, valid bool) error {
	fmt.Fprintf(w, "%s\n\n", title)
	origin.Text(w)
	for i := range n {
		if err := series(i); err != nil {
			return err
		}
	}
	verdict := "every count that arrived follows the one before, and all are those of the reference"
	if !valid {
		verdict = "WRONG: what was counted is not what the reference says"
	}
	_, err := fmt.Fprintf(w, "\nvalidated    %s\n", verdict)
	return err
}
