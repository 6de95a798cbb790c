package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/coordinator/api"
)

type statusCommand struct {
	Job string `arg:"" optional:"" help:"A job to say all about (default: the cluster, its workers and jobs)."`
	clusterFlags
}

// Help shows examples.
func (statusCommand) Help() string {
	return `Says how a cluster is, or one of its jobs: operators and tasks with their rates and positions, what goes between workers, and
what has happened.

	spate status
	spate status j1 --join 10.0.0.1:7078 --json`
}

// wholeResult is how a cluster is, as JSON.
type wholeResult struct {
	report.Origin
	Cluster api.Cluster      `json:"cluster"`
	Workers []api.Worker     `json:"workers"`
	Jobs    []api.JobSummary `json:"jobs"`
}

// detailedResult is how a job is, as JSON.
type detailedResult struct {
	report.Origin
	Job     *api.Job     `json:"job"`
	Metrics *api.Metrics `json:"metrics"`
}

// Run prints how things are.
func (c *statusCommand) Run(ctx context.Context, out *output) error {
	client, err := c.viewer()
	if err != nil {
		return err
	}
	l, err := look.Take(ctx, client, c.Job)
	if err != nil {
		return asked(err)
	}
	if c.Job != "" {
		return out.result(&detailedResult{report.OriginOf("spate.status.job/1"), l.Job, l.Metrics},
			func(w io.Writer) error { return writeJob(w, l) })
	}
	return out.result(&wholeResult{report.OriginOf("spate.status/1"), l.Cluster, l.Workers, l.Jobs},
		func(w io.Writer) error {
			fmt.Fprintln(w, l.Title())
			return errors.Join(l.WorkersTable().Write(w), l.JobsTable().Write(w))
		})
}

// eventsShown are enough to tell what a job has gone through lately.
const eventsShown = 20

// writeJob prints all about a job.
func writeJob(w io.Writer, l *look.Look) error {
	fmt.Fprintln(w, look.JobTitle(l.Job, l.At))
	if f := l.Job.Failure; f != nil {
		fmt.Fprintf(w, "\nfailed       %s\n", f.Message)
		for i := range l.Job.Losses {
			if !l.Job.Losses[i].Recovered {
				writeLoss(w, l.Job.Losses[i])
			}
		}
		if f.Stack != "" {
			fmt.Fprintf(w, "\n%s\n", f.Stack)
		}
	}
	return errors.Join(l.OperatorsTable().Write(w), l.TasksTable().Write(w), l.LinksTable(nil).Write(w),
		l.EventsTable(eventsShown).Write(w))
}
