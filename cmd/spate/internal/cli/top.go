package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/cmd/spate/internal/top"
)

type topCommand struct {
	Job      string        `arg:"" optional:"" help:"The job to show first (default: the youngest that runs)."`
	Interval time.Duration `default:"1s" placeholder:"D" help:"Time between two looks (default: 1s)."`
	clusterFlags
}

// Help shows examples.
func (topCommand) Help() string {
	return `Shows a cluster and one of its jobs while it runs: operators or tasks with rates, busyness, queues and how far they are behind,
latencies, workers, and the bytes between them. Where standard output is no terminal, or with --json, it prints one look.

	IN, OUT   tuples per second        TRUE    tuples per second of the time spent processing: what it could do
	BUSY      of the busiest task      QUEUE   bytes that its consumers have not acknowledged
	LAG       logical time that has arrived for it and is not processed
	BEHIND    the clock, for a job with a pace: how late its output is
	P50, P99, MAX  of the latency of the last second, of the slowest task: how long what it processed had been on its way, since
	          the moment that the pace gave it, or without a pace since its source, in the same process, had emitted it

	spate top
	spate top j1 --join 10.0.0.1:7078 --interval 500ms`
}

const intervalMin = 50 * time.Millisecond

// Validate checks the flags.
func (c *topCommand) Validate() error {
	if c.Interval < intervalMin {
		return fmt.Errorf("--interval is %v, want %v or more", c.Interval, intervalMin)
	}
	return nil
}

// lookResult is one look as JSON.
type lookResult struct {
	report.Origin
	*look.Look
}

// Run watches until the user has seen enough.
func (c *topCommand) Run(ctx context.Context, out *output) error {
	client, err := c.viewer()
	if err != nil {
		return err
	}
	if out.Screen && !out.json {
		return top.Run(ctx, top.Config{Source: client, Job: c.Job, Interval: c.Interval})
	}
	l, err := look.Take(ctx, client, c.Job)
	if err != nil {
		return asked(err)
	}
	return out.result(&lookResult{report.OriginOf("spate.top/1"), l}, func(w io.Writer) error { return writeLook(w, l) })
}

// writeLook prints what top shows.
func writeLook(w io.Writer, l *look.Look) error {
	fmt.Fprintln(w, l.Title())
	err := l.WorkersTable().Write(w)
	if l.Job == nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n", look.JobTitle(l.Job, l.At))
	return errors.Join(err, l.OperatorsTable().Write(w), l.LinksTable(nil).Write(w))
}
