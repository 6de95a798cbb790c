package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type runCommand struct {
	Input   string   `required:"" placeholder:"FILE" help:"Traffic to run, as lr generate writes it; workers read it by the same name."`
	History string   `placeholder:"FILE" help:"Toll history, as lr history writes it (default: no rows, every expenditure is 0)."`
	Out     string   `required:"" placeholder:"DIR" help:"Folder for the answers, made if it is not there; workers write to it by the same name."`
	Rules   string   `default:"paper" enum:"paper,official" placeholder:"paper|official" help:"How long a cleared accident stays in force (default: paper)."`
	SkipBad bool     `help:"Count bad lines and go on: those that are no tuples, and those whose time is before the one of a line before, or after that of most of the ${lookahead} lines behind it."`
	Memory  byteSize `placeholder:"BYTES" help:"Bound on state and logs, such as 4GiB; a run that needs more fails (default: none)."`
	engineFlags
	checkpointFlags
	savepointFlags
	profileFlags
}

// Help shows examples.
func (runCommand) Help() string {
	return `Answers every tuple of a file. Writes tolls.csv, accidents.csv, balances.csv and expenditures.csv, each in order of input,
and summary.json. Workers open the files themselves: they run on this machine, or share its file system.

With --checkpoints a run that was interrupted or killed goes on where it was when it is started again with the same flags, and in
the end has written what one run writes. A savepoint is of one moment of the input, and stays; runs can start from it again and
again.

	spate lr run --input traffic.dat --history history.csv --out results
	spate lr run --input traffic.dat --out results --checkpoints checkpoints --checkpoint-interval 1s
	spate lr run --input traffic.dat --out results --savepoint monday --savepoint-at 600
	spate lr run --input traffic.dat --out results --from-savepoint monday --parallelism calculator=4
	spate lr run --input traffic.dat --out results --pace 20 --loops 1 --rules official`
}

// Validate checks the flags.
func (c *runCommand) Validate() error {
	return errors.Join(needs("--input", c.Input), needs("--out", c.Out), c.engineFlags.check(),
		c.checkpointFlags.check(&c.whereFlags), c.savepointFlags.check(&c.whereFlags), c.apart("--out", c.Out), c.checkProfiles(&c.profileFlags), distinct(c.read(), append(c.written(), c.profileFlags.files()...)))
}

// Run runs the query.
func (c *runCommand) Run(ctx context.Context, out *output) error {
	rules, err := query.ParseRules(c.Rules)
	if err != nil {
		return usageError{err}
	}
	config := linearroad.FileConfig{Input: c.Input, History: c.History, Out: c.Out, Rules: rules, SkipBad: c.SkipBad,
		Engine: c.config(&c.profileFlags, c.Memory)}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	c.checkpointFlags.configure(&config.Engine, out)
	c.savepointFlags.configure(&config)
	config.Resumed = func(second int) { fmt.Fprintf(out.Stderr, "spate: going on at second %d of the input\n", second) }
	if err := removeOld(c.stale()); err != nil {
		return err
	}
	at, err := c.open(ctx, out, c.loops(), c.Memory)
	if err != nil {
		return err
	}
	config.Runner = at.runner
	o, err := c.observe(out, "run "+filepath.Base(c.Input), c.Pace)
	if err != nil {
		return at.close(err)
	}
	config.Progress = o.progress
	summary, err := linearroad.RunFile(ctx, config)
	err = at.close(o.stop(err))
	if summary == nil {
		return err
	}
	printed := out.result(summary, func(w io.Writer) error { return c.text(w, summary) })
	return errors.Join(err, printed)
}

// read returns the files that a run reads.
func (c *runCommand) read() []named {
	return []named{{"--input", c.Input}, {"--history", c.History}, {"--secret-file", c.Secret}}
}

// written returns the files that a run makes in its folder.
func (c *runCommand) written() []named {
	files := []named{{"--out", filepath.Join(c.Out, linearroad.SummaryFile)}}
	for _, k := range []format.Type{format.Position, format.Accident, format.Balance, format.Expenditure} {
		files = append(files, named{"--out", filepath.Join(c.Out, format.AnswerFile(k))})
	}
	return files
}

// stale returns the files of an earlier run that go before this one begins. Answers may be needed to go on behind them: with
// checkpoints, or from a savepoint, whoever writes them removes them, once it is known that nobody else does.
func (c *runCommand) stale() []named {
	if c.Checkpoints != "" || c.FromSavepoint != "" {
		return c.written()[:1]
	}
	return c.written()
}

// writeHistory prints what loading the history took.
func writeHistory(w io.Writer, s *linearroad.Summary) {
	if s.HistoryRows == 0 {
		return
	}
	when := "before the run"
	if s.WarmMeasured {
		when = "which was too short to be told from the run"
	}
	fmt.Fprintf(w, "history      %s rows in %s, %s\n", report.Count(s.HistoryRows), report.Seconds(s.HistorySeconds), when)
	if s.HistoryLate > 0 {
		fmt.Fprintf(w, "LATE         the run began %s late, when the history had been loaded\n", report.Seconds(s.HistoryLate))
	}
}

// howToGoOn says how to go on after an interruption.
func (c *runCommand) howToGoOn() string {
	if c.Checkpoints == "" {
		return ""
	}
	return ": the same command goes on from the last checkpoints"
}

func (c *runCommand) text(w io.Writer, s *linearroad.Summary) error {
	fmt.Fprintf(w, "%s: %s position reports in %s, %s/s, %s, %s rules\n",
		c.Input, report.Count(s.Reports), report.Seconds(s.Seconds), report.Number(s.ReportsPerS), places(s.Workers, s.Loops), s.Rules)
	writeHistory(w, s)
	writeAnswers(w, &s.Performance)
	writeLinks(w, s.Workers, s.LinkBytesPerRep, "report")
	writeResponses(w, "type ", s.ResponseMS)
	writeCheckpoints(w, s.Checkpoints)
	c.savepointFlags.write(w)
	if s.ResumedAt != nil {
		fmt.Fprintf(w, "resumed      at second %d of the input: counts and response times are of all parts of the run, the rest of the last one\n", *s.ResumedAt)
	}
	if s.Skipped > 0 {
		fmt.Fprintf(w, "skipped      %s bad lines; the first: %s\n", report.Count(s.Skipped), s.FirstSkipped)
	}
	if s.Interrupted {
		fmt.Fprintf(w, "INTERRUPTED  the input was not read to its end%s\n", c.howToGoOn())
	}
	_, err := fmt.Fprintf(w, "written      %s\n", c.Out)
	return err
}
