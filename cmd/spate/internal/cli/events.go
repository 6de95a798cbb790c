package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine/coordinator/api"
)

type eventsCommand struct {
	Job    string `arg:"" help:"The job's id, such as j1."`
	Follow bool   `short:"f" help:"Go on with what happens, until the job has ended; with --json one object on each line."`
	clusterFlags
}

// Help shows examples.
func (eventsCommand) Help() string {
	return `Tells what has happened to a job: when it was submitted and started, what it has lost and how it was carried on, how its tasks were
reassigned, and how long all that took.

	spate events j1
	spate events j1 --follow`
}

// eventsResult are a job's events, as JSON.
type eventsResult struct {
	report.Origin
	Job    string      `json:"job"`
	Events []api.Event `json:"events"`
}

// Run prints the events.
func (c *eventsCommand) Run(ctx context.Context, out *output) error {
	client, err := c.viewer()
	if err != nil {
		return err
	}
	if c.Follow {
		return asked(client.Follow(ctx, c.Job, func(e api.Event) error { return writeEvent(out, e) }))
	}
	events, err := client.Events(ctx, c.Job)
	if err != nil {
		return asked(err)
	}
	return out.result(&eventsResult{report.OriginOf("spate.events/1"), c.Job, events}, func(w io.Writer) error {
		for _, e := range events {
			if _, err := fmt.Fprintln(w, look.EventLine(e)); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeEvent prints one event on a line of its own.
func writeEvent(out *output, e api.Event) error {
	line := look.EventLine(e)
	if out.json {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		line = string(text)
	}
	if _, err := fmt.Fprintln(out.Stdout, strings.TrimRight(line, " ")); err != nil {
		return fmt.Errorf("writing events: %w", err)
	}
	return nil
}
