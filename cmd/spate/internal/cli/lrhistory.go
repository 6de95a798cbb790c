package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type historyCommand struct {
	Xways int    `required:"" placeholder:"N" help:"Number of expressways of the traffic."`
	Seed  uint64 `required:"" placeholder:"S" help:"Seed of the traffic."`
	Out   string `required:"" placeholder:"FILE" help:"File to write."`
}

// Help shows examples.
func (historyCommand) Help() string {
	return `What each vehicle of generated traffic paid on each of the 69 days before: vid,day,xway,toll.
That is up to 10 million lines per expressway.

	spate lr history --xways 1 --seed 7 --out history.csv`
}

// Validate checks the flags.
func (c *historyCommand) Validate() error {
	return errors.Join(within("--xways", c.Xways, 1, format.XwayMax+1), needs("--out", c.Out))
}

// recalled is the result of lr history.
type recalled struct {
	Schema  string  `json:"schema"`
	File    string  `json:"file"`
	Seed    uint64  `json:"seed"`
	Xways   int     `json:"xways"`
	Rows    int64   `json:"rows"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// Run writes the history.
func (c *historyCommand) Run(ctx context.Context, out *output) error {
	start := time.Now()
	tr, err := traffic.New(traffic.Config{Seed: c.Seed, Xways: c.Xways})
	if err != nil {
		return usageError{err}
	}
	file, err := createFile(ctx, c.Out)
	if err != nil {
		return err
	}
	bar := out.progress("history", int64(c.Xways))
	rows, err := history.Write(file, c.Seed, vids(tr, c.Xways, func(x int) { bar.Set(int64(x)) }))
	bar.Stop()
	if err := file.finish(err); err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	r := recalled{Schema: "spate.lr.history/1", File: c.Out, Seed: c.Seed, Xways: c.Xways, Rows: rows, Bytes: file.bytes,
		Seconds: time.Since(start).Seconds()}
	return out.result(r, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s rows, %s, in %.1f s\n", r.File, report.Count(r.Rows), report.Bytes(r.Bytes), r.Seconds)
		return err
	})
}

// vids yields the vehicles of all expressways, and tells when it begins with an expressway.
func vids(tr *traffic.Traffic, xways int, begin func(x int)) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for x := range xways {
			begin(x)
			for vid := range tr.VIDs(x) {
				if !yield(vid) {
					return
				}
			}
		}
	}
}
