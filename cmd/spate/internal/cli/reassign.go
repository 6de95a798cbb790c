package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/engine/coordinator/api"
)

// reassignFlags name an operator of a job whose tasks are to be others.
type reassignFlags struct {
	Job      string `arg:"" help:"The job's id, such as j1."`
	Operator string `arg:"" help:"The operator, such as calculator."`
}

// reassignRest are the flags that come last.
type reassignRest struct {
	NoWait bool `help:"Do not wait until the new tasks have taken over."`
	clusterFlags
}

type rescaleCommand struct {
	reassignFlags
	Tasks int `arg:"" help:"How many tasks it is to have."`
	reassignRest
}

// Help shows examples.
func (rescaleCommand) Help() string {
	return `Has an operator run in another number of tasks while its job goes on: for more the heaviest key ranges are halved, for fewer
the lightest neighbours are joined, and nothing else moves. New tasks go to the workers with the fewest. Prints how long it took. If it
cannot be done it is given up, and the old tasks go on as if nothing had been. An interrupt ends the waiting alone.

	spate rescale j1 calculator 8`
}

// Validate checks the flags.
func (c *rescaleCommand) Validate() error { return atLeast("TASKS", c.Tasks, 1) }

// Run rescales the operator.
func (c *rescaleCommand) Run(ctx context.Context, out *output) error {
	return c.reassign(ctx, out, c.Job, func(client *cluster.Client) (api.Reassignment, error) {
		return client.Rescale(ctx, c.Job, c.Operator, c.Tasks)
	})
}

type rebalanceCommand struct {
	reassignFlags
	Cuts []string `arg:"" optional:"" name:"cut" help:"First hash of each key range but the first, ascending: decimal or 0x… (default: as many even ranges as there are tasks)."`
	reassignRest
}

// Help shows examples.
func (rebalanceCommand) Help() string {
	return `Cuts the key space of an operator anew while its job goes on. Tasks whose range stays the same stay.

	spate rebalance j1 calculator
	spate rebalance j1 calculator 0x4000000000000000 0x8000000000000000`
}

// Validate checks the flags.
func (c *rebalanceCommand) Validate() error {
	_, err := c.cuts()
	return err
}

func (c *rebalanceCommand) cuts() ([]api.Hash, error) {
	var faults []error
	cuts := make([]api.Hash, len(c.Cuts))
	for i, text := range c.Cuts {
		var err error
		if cuts[i], err = api.ParseHash(text); err != nil {
			faults = append(faults, err)
		}
	}
	return cuts, errors.Join(faults...)
}

// Run rebalances the operator.
func (c *rebalanceCommand) Run(ctx context.Context, out *output) error {
	return c.reassign(ctx, out, c.Job, func(client *cluster.Client) (api.Reassignment, error) {
		cuts, err := c.cuts()
		if err != nil {
			return api.Reassignment{}, err
		}
		return client.Rebalance(ctx, c.Job, c.Operator, cuts)
	})
}

type migrateCommand struct {
	reassignFlags
	Task int    `arg:"" help:"The task's number, as spate status shows it."`
	To   string `placeholder:"WORKER" help:"Where to (default: the worker with the fewest tasks)."`
	reassignRest
}

// Help shows examples.
func (migrateCommand) Help() string {
	return `Has a task go on on another worker while its job goes on. It gets another number.

	spate migrate j1 calculator 0 --to w3`
}

// Validate checks the flags.
func (c *migrateCommand) Validate() error { return atLeast("TASK", c.Task, 0) }

// Run migrates the task.
func (c *migrateCommand) Run(ctx context.Context, out *output) error {
	return c.reassign(ctx, out, c.Job, func(client *cluster.Client) (api.Reassignment, error) {
		return client.Migrate(ctx, c.Job, c.Operator, c.Task, c.To)
	})
}

// reassignResult is a reassignment, as JSON.
type reassignResult struct {
	report.Origin
	Job          string           `json:"job"`
	Reassignment api.Reassignment `json:"reassignment"`
}

// reassign asks for a reassignment and prints what has become of it.
func (f *reassignRest) reassign(ctx context.Context, out *output, job string, ask func(*cluster.Client) (api.Reassignment, error)) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	re, err := ask(client)
	if err != nil {
		return asked(err)
	}
	if !f.NoWait {
		re, err = client.Reassigned(ctx, job, re.ID)
		if ctx.Err() != nil {
			fmt.Fprintf(out.Stderr, "spate: the reassignment goes on\n")
		}
		if err != nil {
			return err
		}
	}
	result := &reassignResult{report.OriginOf("spate.reassignment/1"), job, re}
	if err := out.result(result, func(w io.Writer) error { return writeReassignment(w, &re) }); err != nil {
		return err
	}
	if re.State == coordinator.GivenUp {
		return fmt.Errorf("reassignment %d of job %s was given up, and all goes on as before: %s", re.ID, job, re.Reason)
	}
	return nil
}

// writeReassignment prints what has become of a reassignment, and what that took.
func writeReassignment(w io.Writer, re *api.Reassignment) error {
	fmt.Fprintf(w, "%s %s: %s for %s: %s", re.Kind, re.Operator, reassignedTasks(re.New), reassignedTasks(re.Old),
		strings.ReplaceAll(string(re.State), "_", " "))
	if re.Ended == nil {
		_, err := fmt.Fprintf(w, ", its number is %d\n", re.ID)
		return err
	}
	fmt.Fprintf(w, " in %v\n", re.Ended.Sub(re.Begun).Round(100*time.Microsecond))
	t := &look.Table{Head: []string{"PHASE", " TOOK"}}
	for _, phase := range []struct {
		name string
		ms   float64
	}{{"register", re.RegisterMS}, {"stop", re.StopMS}, {"restore", re.RestoreMS}, {"catch up", re.CatchUpMS}, {"switch", re.SwitchMS}} {
		if phase.name == "stop" && phase.ms == 0 {
			continue // sinks alone have it
		}
		t.Rows = append(t.Rows, []string{phase.name, fmt.Sprintf("%.1f ms", phase.ms)})
	}
	return t.Write(w)
}

// reassignedTasks are tasks with their workers.
func reassignedTasks(list []api.ReassignedTask) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = fmt.Sprintf("%d on %s", t.Task, t.Worker)
	}
	return strings.Join(names, ", ")
}
