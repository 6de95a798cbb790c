package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/coordinator/api"
)

type drainWorkerCommand struct {
	Worker string `arg:"" help:"The worker's id, such as w1."`
	NoWait bool   `help:"Do not wait until all that can leave has left."`
	clusterFlags
}

// Help shows examples.
func (drainWorkerCommand) Help() string {
	return `Has the tasks of a worker go on on others, one after the other for each job, while the jobs go on; it is given no more tasks from
then on. What cannot leave while it runs, such as sinks and tasks of jobs that take no checkpoints, is listed, and the command fails.

	spate worker drain w2`
}

// drainResult is a worker that was drained, as JSON.
type drainResult struct {
	report.Origin
	Worker api.Worker `json:"worker"`
}

// Run drains the worker.
func (c *drainWorkerCommand) Run(ctx context.Context, out *output) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	w, err := client.DrainWorker(ctx, c.Worker)
	if err != nil {
		return asked(err)
	}
	if !c.NoWait {
		w, err = client.Drained(ctx, c.Worker)
		if ctx.Err() != nil {
			fmt.Fprintf(out.Stderr, "spate: worker %s is drained all the same\n", c.Worker)
		}
		if err != nil {
			return err
		}
	}
	if err := out.result(&drainResult{report.OriginOf("spate.worker.drain/1"), w}, func(to io.Writer) error { return writeDrain(to, &w) }); err != nil {
		return err
	}
	if d := w.Drain; d != nil && d.Done && len(d.Left) > 0 {
		return fmt.Errorf("worker %s still has %d tasks, which cannot leave now", w.ID, len(d.Left))
	}
	return nil
}

// writeDrain prints what has left a worker and what has not.
func writeDrain(to io.Writer, w *api.Worker) error {
	if w.Drain == nil { // it has been replaced meanwhile
		_, err := fmt.Fprintf(to, "worker %s is %s\n", w.ID, w.State)
		return err
	}
	fmt.Fprintf(to, "worker %s: %d tasks have gone elsewhere, %d are there\n", w.ID, w.Drain.Moved, len(w.Tasks))
	t := &look.Table{Head: []string{"JOB", "TASK", "STAYS SINCE"}}
	for _, l := range w.Drain.Left {
		t.Rows = append(t.Rows, []string{l.Job, fmt.Sprintf("%s/%d", l.Operator, l.Task), l.Reason})
	}
	return t.Write(to)
}
