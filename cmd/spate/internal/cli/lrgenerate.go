package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type generateCommand struct {
	Xways     int    `required:"" placeholder:"N" help:"Number of expressways, the load factor L."`
	Seed      uint64 `required:"" placeholder:"S" help:"Which traffic: the same seed gives the same traffic."`
	From      second `default:"0" placeholder:"D" help:"First second, such as 5400 or 90m (default: 0)."`
	To        second `default:"10800" placeholder:"D" help:"First second that is not generated any more (default: 10800)."`
	Hostile   bool   `help:"Add the cases that programs get wrong."`
	Replicate bool   `help:"One expressway, repeated with other vehicles."`
	Out       string `required:"" placeholder:"FILE" help:"File to write."`
}

// Help shows examples.
func (generateCommand) Help() string {
	return `One line per tuple, sorted by time: type,time,vid,spd,xway,lane,dir,seg,pos,qid,sinit,send,dow,tod,day.
Three hours of one expressway are 11.8 million lines.

	spate lr generate --xways 1 --seed 7 --out traffic.dat
	spate lr generate --xways 2 --seed 7 --from 90m --to 100m --hostile --out traffic.dat`
}

// Validate checks the flags.
func (c *generateCommand) Validate() error {
	return errors.Join(within("--xways", c.Xways, 1, format.XwayMax+1), fromTo(c.From, c.To), needs("--out", c.Out))
}

// generated is the result of lr generate.
type generated struct {
	Schema    string  `json:"schema"`
	File      string  `json:"file"`
	Seed      uint64  `json:"seed"`
	Xways     int     `json:"xways"`
	From      int     `json:"from"`
	To        int     `json:"to"`
	Hostile   bool    `json:"hostile"`
	Replicate bool    `json:"replicate"`
	Tuples    int64   `json:"tuples"`
	Bytes     int64   `json:"bytes"`
	Seconds   float64 `json:"seconds"`
}

// Run writes the traffic.
func (c *generateCommand) Run(ctx context.Context, out *output) error {
	start := time.Now()
	config := traffic.Config{Seed: c.Seed, Xways: c.Xways, From: int(c.From), To: int(c.To), Hostile: c.Hostile, Replicate: c.Replicate}
	if err := config.Validate(); err != nil {
		return usageError{err}
	}
	file, err := createFile(ctx, c.Out)
	if err != nil {
		return err
	}
	tuples, err := writeTraffic(config, file, out)
	if err := file.finish(err); err != nil {
		return fmt.Errorf("generating %s: %w", c.Out, err)
	}
	g := generated{Schema: "spate.lr.generate/1", File: c.Out, Seed: c.Seed, Xways: c.Xways, From: config.From, To: config.To,
		Hostile: c.Hostile, Replicate: c.Replicate, Tuples: tuples, Bytes: file.bytes, Seconds: time.Since(start).Seconds()}
	return out.result(g, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s tuples, %s, in %.1f s\n", g.File, report.Count(g.Tuples), report.Bytes(g.Bytes), g.Seconds)
		return err
	})
}

func writeTraffic(config traffic.Config, w io.Writer, out *output) (int64, error) {
	tr, err := traffic.New(config)
	if err != nil {
		return 0, err
	}
	bar := out.progress("generate", int64(config.To-config.From))
	defer bar.Stop()
	return tr.WriteCSV(w, func(second int) { bar.Set(int64(second - config.From)) })
}
