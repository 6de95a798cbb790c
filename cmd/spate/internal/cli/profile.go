package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fullspate/spate/cmd/spate/internal/look"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type profileCommand struct {
	Kind    string `default:"cpu" enum:"cpu,heap,allocs,goroutine,slabs" placeholder:"cpu|heap|allocs|goroutine|slabs" help:"What to look for: processor time, the Go heap, what is allocated on it, goroutines, or memory outside of it (default: cpu)."`
	Seconds int    `default:"5" placeholder:"N" help:"For how long, where it matters: cpu and allocs (default: 5)."`
	Out     string `default:"${profile_file}" placeholder:"FILE" help:"Where to write it, for go tool pprof (default: ${profile_file})."`
	clusterFlags
}

// Help shows examples.
func (profileCommand) Help() string {
	return `Takes a profile of all workers at once and merges them into one file. Samples are labelled with worker, and with operator and
task where they are of a task's turn; the others are of the network and the runtime.

	spate profile --seconds 10 && go tool pprof -top -tagfocus operator=calculator spate.pb.gz
	spate profile --kind slabs --out slabs.pb.gz && go tool pprof -tagroot worker -http : slabs.pb.gz`
}

// profileSecondsMax bounds --seconds as the coordinator does.
const profileSecondsMax = 300

// Validate checks the flags.
func (c *profileCommand) Validate() error {
	return errors.Join(within("--seconds", c.Seconds, 1, profileSecondsMax), needs("--out", c.Out))
}

// profiled is the result.
type profiled struct {
	report.Origin
	Kind    string   `json:"kind"`
	Out     string   `json:"out"`
	Bytes   int      `json:"bytes"`
	Samples int      `json:"samples"`
	Unit    string   `json:"unit"`    // of values
	Total   int64    `json:"total"`   // of all samples
	Shares  []share  `json:"shares"`  // by worker and operator, the largest first
	Missing []string `json:"missing"` // workers of which there is none, and why
}

// Run takes the profile.
func (c *profileCommand) Run(ctx context.Context, out *output) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	f, err := createFile(ctx, c.Out)
	if err != nil {
		return err
	}
	data, missing, err := client.Profile(ctx, c.Kind, time.Duration(c.Seconds)*time.Second)
	if err == nil {
		_, err = f.Write(data)
	}
	if err = f.finish(err); err != nil {
		return asked(err)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		return fmt.Errorf("the coordinator's answer: %w", err)
	}
	r := &profiled{Origin: report.OriginOf("spate.profile/1"), Kind: c.Kind, Out: c.Out, Bytes: len(data), Samples: len(p.Sample),
		Missing: append([]string{}, missing...)}
	r.Shares, r.Total, r.Unit = shares(p)
	if err := out.result(r, r.text); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("there is no profile of every worker: %s", missing)
	}
	return nil
}

func (r *profiled) text(w io.Writer) error {
	fmt.Fprintf(w, "%s profile of %s, %s samples, written to %s (look at it with go tool pprof)\n",
		r.Kind, valueText(r.Total, r.Unit), report.Count(r.Samples), r.Out)
	t := &look.Table{Head: []string{"WORKER", "OPERATOR", " VALUE", " SHARE"}}
	for _, s := range r.Shares {
		operator := s.Operator
		if operator == "" {
			operator = "–"
		}
		t.Rows = append(t.Rows, []string{s.Worker, operator, valueText(s.Value, r.Unit), fmt.Sprintf("%.1f %%", 100*s.Share)})
	}
	return t.Write(w)
}

func valueText(v int64, unit string) string {
	switch unit {
	case "nanoseconds":
		return time.Duration(v).Round(time.Millisecond).String()
	case "bytes":
		return report.Bytes(v)
	}
	return report.Count(v)
}
