package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/engine/cluster"
	"github.com/fullspate/spate/engine/coordinator"
)

// endFlags name a job that is to end early.
type endFlags struct {
	Job  string `arg:"" help:"The job's id, such as j1."`
	Wait bool   `help:"Wait until it has ended, and print what it has to tell."`
	clusterFlags
}

// end has the job ended.
func (f *endFlags) end(ctx context.Context, out *output, how func(*cluster.Client, context.Context, string) error, want ...coordinator.State) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	if err := how(client, ctx, f.Job); err != nil {
		return asked(err)
	}
	if f.Wait {
		return waitFor(ctx, out, client, f.Job, want...)
	}
	job, err := client.Look(ctx, f.Job)
	if err != nil {
		return err
	}
	return out.result(jobResultOf(job), func(w io.Writer) error {
		_, err := fmt.Fprintln(w, look.JobTitle(&job, time.Now()))
		return err
	})
}

type drainCommand struct{ endFlags }

// Help shows examples.
func (drainCommand) Help() string {
	return `Ends a job's input now: what was read is processed, pending timers fire, results are whole as far as they go.

	spate drain j1 --wait`
}

// Run drains the job.
func (c *drainCommand) Run(ctx context.Context, out *output) error {
	return c.end(ctx, out, (*cluster.Client).Drain, coordinator.Completed)
}

type cancelCommand struct{ endFlags }

// Help shows examples.
func (cancelCommand) Help() string {
	return `Ends a job in good order but early: what was read is processed, and pending timers do not fire.

	spate cancel j1`
}

// Run cancels the job.
func (c *cancelCommand) Run(ctx context.Context, out *output) error {
	return c.end(ctx, out, (*cluster.Client).Cancel, coordinator.Completed, coordinator.Cancelled)
}
