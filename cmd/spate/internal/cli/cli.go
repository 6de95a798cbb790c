package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/network"
	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/bench/topk"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator/api"
	"github.com/fullspate/spate/ft"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
	exitWrong  = 3
)

// Console is where a command talks to its user.
type Console struct {
	Stdout, Stderr io.Writer
	Terminal       bool // Stderr is one, so progress may be drawn there
	Screen         bool // Stdout is one, so it may be taken over
}

// errWrong ends a command whose answers were wrong; what was wrong has been printed.
var errWrong = errors.New("the answers are wrong")

// errInterrupted ends a command that was interrupted; what there was of a result has been printed.
var errInterrupted = errors.New("interrupted")

// usageError is a fault of the flags that only shows once files or the machine have been looked at.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

type grammar struct {
	JSON bool `name:"json" help:"Print the result as one JSON object."`

	LR struct {
		Generate generateCommand `cmd:"" help:"Write traffic to a file."`
		History  historyCommand  `cmd:"" help:"Write the toll history of generated traffic to a file."`
		Run      runCommand      `cmd:"" help:"Run the query over a file."`
		Validate validateCommand `cmd:"" help:"Check the answers of a run against its input."`
	} `cmd:"" name:"lr" help:"Linear Road: variable tolling on expressways."`

	Bench struct {
		LR        benchLinearCommand   `cmd:"" name:"lr" help:"Linear Road: generator, query and validation in one process."`
		Wordcount wordcountCommand     `cmd:"" help:"Word frequency in windows of 30 seconds."`
		TopK      topkCommand          `cmd:"" name:"topk" help:"Top k of page views in windows of 30 seconds."`
		Hop       hopCommand           `cmd:"" help:"One hop between two processes, beside a bare sender."`
		Keyed     keyedCommand         `cmd:"" help:"Counting by key, from one process to another."`
		Hops      hopsCommand          `cmd:"" help:"Response times over three hops between two processes."`
		Recovery  benchRecoveryCommand `cmd:"" help:"How long recovery takes when a worker is killed."`
		Rescale   benchRescaleCommand  `cmd:"" help:"What scaling out, in, and moving a task do to latency."`
		Overhead  benchOverheadCommand `cmd:"" help:"What checkpoints do to latency."`
		Figures   figuresCommand       `cmd:"" help:"Draw recovery and the cost of checkpoints beside the paper's numbers."`
		Compare   compareCommand       `cmd:"" help:"Put two results side by side."`
		Plot      plotCommand          `cmd:"" help:"Draw the throughput of Linear Road results."`
	} `cmd:"" help:"Measure."`

	Savepoint savepointCommand `cmd:"" help:"Savepoints of jobs."`
	State     stateCommand     `cmd:"" help:"State of operators."`

	Coordinator coordinatorCommand `cmd:"" help:"Be the coordinator of a cluster."`
	Worker      workerCommands     `cmd:"" help:"Be a worker of a cluster, or have one emptied."`
	Submit      submitCommand      `cmd:"" help:"Have a cluster run a program."`
	Status      statusCommand      `cmd:"" help:"Say how a cluster or a job is."`
	Top         topCommand         `cmd:"" help:"Watch a job on the terminal."`
	Events      eventsCommand      `cmd:"" help:"Tell what has happened to a job."`
	Profile     profileCommand     `cmd:"" help:"Take one profile of all workers."`
	Rescale     rescaleCommand     `cmd:"" help:"Have an operator run in another number of tasks, while its job goes on."`
	Rebalance   rebalanceCommand   `cmd:"" help:"Cut an operator's key space anew, while its job goes on."`
	Migrate     migrateCommand     `cmd:"" help:"Have a task go on on another worker."`
	Drain       drainCommand       `cmd:"" help:"End a job's input, and let it come to its end."`
	Cancel      cancelCommand      `cmd:"" help:"End a job early."`

	Sim     simCommand     `cmd:"" help:"Run a graph by random schedules, with faults."`
	Version versionCommand `cmd:"" help:"Print version, commit and platform."`
}

const description = `A low-level dataflow engine for stateful stream queries.

Exit codes: 0 fine, 1 failed, 2 usage, 3 answers wrong.`

// Main runs the command that args name and returns the exit code of the process. Canceling ctx interrupts the command.
func Main(ctx context.Context, args []string, console Console) int {
	var g grammar
	helped, help := false, &faultKeeper{Writer: console.Stdout}
	parser, err := kong.New(&g,
		kong.Name("spate"),
		kong.Description(description),
		kong.Writers(help, console.Stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		defaults(),
	)
	if err != nil {
		panic(fmt.Sprintf("BUG: the grammar of the command line: %v", err))
	}
	command, err := parser.Parse(args)
	if help.err != nil {
		return exitCode(console.Stderr, fmt.Errorf("writing the help: %w", help.err))
	}
	if helped {
		return exitFine
	}
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run(&output{Console: console, json: g.JSON})
		if ctx.Err() != nil && !errors.Is(err, errWrong) && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
			err = errInterrupted
		}
	}
	return exitCode(console.Stderr, err)
}

// defaults are the values that help texts and flags take from elsewhere.
func defaults() kong.Vars {
	linear, words, views := linearroad.Defaults(), wordcount.Defaults(), topk.Defaults()
	kills := recovery.Defaults()
	hop, keyed, hops := network.Defaults(network.Hop), network.Defaults(network.Keyed), network.Defaults(network.Hops)
	return kong.Vars{
		"cores":     strconv.Itoa(min(runtime.GOMAXPROCS(0), loopsMax)),
		"lookahead": strconv.Itoa(format.Lookahead),

		"xways":  strconv.Itoa(linear.Xways),
		"from":   strconv.Itoa(linear.From),
		"to":     strconv.Itoa(linear.To),
		"seed":   strconv.FormatUint(linear.Seed, 10),
		"repeat": strconv.Itoa(linear.Repeat),

		"checkpoint_interval": ft.IntervalDefault.String(),

		"local_heartbeats": cluster.LocalHeartbeatTimeout.String(),
		"http":             api.AddrDefault,
		"profile_file":     "spate.pb.gz",

		"wordcount_rate":       strconv.Itoa(words.Input.Rate),
		"wordcount_seconds":    strconv.Itoa(words.Input.Seconds),
		"wordcount_vocabulary": strconv.Itoa(words.Input.Vocabulary),
		"topk_rate":            strconv.Itoa(views.Input.Rate),
		"topk_seconds":         strconv.Itoa(views.Input.Seconds),
		"topk_k":               strconv.Itoa(views.Input.K),
		"topk_k_max":           strconv.Itoa(topk.RanksMax),
		"hop_tuples":           strconv.Itoa(hop.Input.Seconds * hop.Input.Rate),
		"keyed_tuples":         strconv.Itoa(keyed.Input.Seconds * keyed.Input.Rate),
		"keyed_keys":           strconv.Itoa(keyed.Input.Keys),
		"hops_rate":            strconv.Itoa(hops.Input.Rate),
		"hops_seconds":         strconv.Itoa(hops.Input.Seconds),
		"recovery_words":       strconv.Itoa(kills.Input.Words),
		"recovery_warm":        kills.Warm.String(),
		"hops_keys":            strconv.Itoa(hops.Input.Keys),
	}
}

// exitCode says what went wrong, if anything, and returns the exit code for it.
func exitCode(stderr io.Writer, err error) int {
	var parse *kong.ParseError
	var usage usageError
	var line *format.FieldError
	var job *cluster.JobError
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &parse):
		say(stderr, err)
		fmt.Fprintf(stderr, "See %s --help.\n", selected(parse.Context))
		return exitUsage
	case errors.As(err, &usage):
		say(stderr, err)
		return exitUsage
	case errors.Is(err, errWrong):
		say(stderr, err)
		return exitWrong
	case errors.Is(err, syscall.EPIPE):
		return exitFailed
	case errors.As(err, &line):
		// Whoever mends a line wants to know where it is, and not how the query came across it.
		err = line
	}
	say(stderr, err)
	if errors.As(err, &job) {
		writeLosses(stderr, job.Losses)
	}
	return exitFailed
}

// selected returns the words of the command as far as they were understood.
func selected(c *kong.Context) string {
	if node := c.Selected(); node != nil {
		return node.FullPath()
	}
	return c.Model.Name
}
