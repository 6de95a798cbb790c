package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
	"github.com/fullspate/spate/ft"
)

type submitCommand struct {
	Program     string         `arg:"" help:"Program of the binary, such as linearroad."`
	Params      string         `placeholder:"JSON|@FILE" help:"What the program takes, or the file with it (default: nothing)."`
	Parallelism map[string]int `mapsep:"," placeholder:"OP=N,…" help:"Tasks of operators, such as calculator=4 (default: one on each loop)."`
	Workers     int            `placeholder:"N" help:"Workers that take part, those with least to do (default: all)."`
	Pin         map[string]int `mapsep:"," placeholder:"OP=WORKER,…" help:"Operators that have all their tasks on one of the workers, by its number from 0."`
	Pace        float64        `placeholder:"X" help:"Seconds of input per second: 1 is real time (default: as fast as possible)."`
	Memory      byteSize       `placeholder:"BYTES" help:"Bound on state and logs on each worker, such as 4GiB (default: that of the worker)."`
	NoFuse      bool           `help:"Give every operator tasks of its own."`
	Recovery    string         `default:"none" enum:"none,sm" placeholder:"none|sm" help:"What becomes of the job when it loses a worker: none, it fails; sm, state management: other workers bring back what that had from checkpoints that they keep of each other's tasks. Tasks can be reassigned with sm only (default: none)."`
	Interval    time.Duration  `name:"checkpoint-interval" placeholder:"D" help:"Time between two checkpoints of a task (default: ${checkpoint_interval})."`
	Replicas    int            `default:"1" placeholder:"N" help:"How many other workers keep each checkpoint (default: 1)."`
	Wait        bool           `help:"Wait until the job has ended, and print what it has to tell."`
	clusterFlags
}

// Help shows examples.
func (submitCommand) Help() string {
	return `Has a cluster run a program, and prints the job's id. The coordinator remembers the job before this command ends. With --wait
an interrupt ends the waiting, and not the job.

	spate submit linearroad --params '{"seed":1,"xways":2,"from":0,"to":600}' --workers 2
	spate submit wordcount --recovery sm --checkpoint-interval 2s
	spate submit wordcount --params @wordcount.json --parallelism counter=4 --pin output=0 --wait --json`
}

// Validate checks the flags.
func (c *submitCommand) Validate() error {
	faults := []error{needs("PROGRAM", c.Program), atLeast("--workers", c.Workers, 0), atLeast("--replicas", c.Replicas, 1)}
	if c.Interval < 0 {
		faults = append(faults, fmt.Errorf("--checkpoint-interval is %v, want more than 0", c.Interval))
	}
	if (c.Interval != 0 || c.Replicas > 1) && c.Recovery == "none" {
		faults = append(faults, errors.New("--checkpoint-interval and --replicas are for --recovery sm: else no checkpoints are taken"))
	}
	for id, n := range c.Parallelism {
		faults = append(faults, atLeast("--parallelism "+id, n, 1))
	}
	for id, n := range c.Pin {
		faults = append(faults, atLeast("--pin "+id, n, 0))
	}
	if !(c.Pace >= 0) || math.IsInf(c.Pace, 0) {
		faults = append(faults, fmt.Errorf("--pace is %v, want 0 (as fast as possible) or more", c.Pace))
	}
	return errors.Join(faults...)
}

// submitted is the result of the command without --wait.
type submitted struct {
	report.Origin
	ID string `json:"id"`
}

// Run submits the job.
func (c *submitCommand) Run(ctx context.Context, out *output) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	params, err := c.params()
	if err != nil {
		return usageError{err}
	}
	id, err := client.Submit(ctx, coordinator.Request{
		Program: c.Program, Params: params, Parallelism: c.Parallelism, Workers: c.Workers, Pins: c.Pin,
		Config: c.config(),
	})
	if err != nil {
		return asked(err)
	}
	if c.Wait {
		return waitFor(ctx, out, client, id, coordinator.Completed)
	}
	return out.result(&submitted{report.OriginOf("spate.submit/1"), id}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, id)
		return err
	})
}

// config is the job's.
func (c *submitCommand) config() control.JobConfig {
	config := control.JobConfig{Pace: c.Pace, Memory: int64(c.Memory), NoFuse: c.NoFuse, Labels: true}
	if c.Recovery == string(engine.StateManagement) {
		config.Replicas, config.CheckpointInterval = c.Replicas, ft.IntervalDefault
		if c.Interval > 0 {
			config.CheckpointInterval = c.Interval
		}
	}
	return config
}

// params are what the program takes.
func (c *submitCommand) params() (json.RawMessage, error) {
	text := []byte(c.Params)
	if name, ok := strings.CutPrefix(c.Params, "@"); ok {
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("--params: %w", err)
		}
	}
	if len(text) > 0 && !json.Valid(text) {
		return nil, errors.New("--params is not JSON: want an object such as '{\"seed\":1}', or @FILE")
	}
	return text, nil
}

// jobResult is how a job is, or what became of it.
type jobResult struct {
	report.Origin
	Job api.Job `json:"job"`
}

func jobResultOf(job api.Job) *jobResult { return &jobResult{report.OriginOf("spate.job/1"), job} }

// waitFor waits for the end of a job and prints what became of it. Anything but one of the wanted states is an error.
func waitFor(ctx context.Context, out *output, client *cluster.Client, id string, want ...coordinator.State) error {
	info, err := client.Wait(ctx, id)
	if ctx.Err() != nil {
		fmt.Fprintf(out.Stderr, "spate: job %s goes on\n", id)
	}
	if err != nil {
		return err
	}
	job, err := client.Look(ctx, id)
	if err != nil {
		return err
	}
	if err := out.result(jobResultOf(job), func(w io.Writer) error { return writeEnded(w, &job) }); err != nil {
		return err
	}
	switch {
	case slices.Contains(want, info.State):
		return nil
	case info.State == coordinator.Failed:
		return &cluster.JobError{Job: id, Failure: info.Failure, Losses: cluster.LossesOf(info)}
	}
	return fmt.Errorf("job %s is %s", id, info.State)
}

// writeEnded prints what became of a job, and what its workers had to tell.
func writeEnded(w io.Writer, job *api.Job) error {
	fmt.Fprintln(w, look.JobTitle(job, time.Now()))
	results := &look.Table{Head: []string{"WORKER", "RESULT", "VALUE"}}
	for _, r := range job.Results {
		results.Rows = append(results.Rows, []string{r.Worker, r.Name, look.Short(string(r.Data))})
	}
	return results.Write(w)
}
