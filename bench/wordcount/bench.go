package wordcount

import (
	"context"
	"errors"
	"fmt"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// Config describes a benchmark: the input, and how it is run.
type Config struct {
	Input InputConfig
	measure.Settings
}

// Defaults returns a benchmark that takes about a minute on two cores.
func Defaults() Config {
	return Config{
		Input:    InputConfig{Seed: 1, Rate: 10_000, Seconds: 120, Vocabulary: 10_000, Splits: 4},
		Settings: measure.Settings{Repeat: 3, Warm: 30},
	}
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	c.Input.fill()
	return errors.Join(c.Input.check(), c.Settings.Validate(c.Input.Seconds, OperatorIDs()))
}

// Result is what a benchmark came to.
type Result struct {
	Config Config // with defaults filled in
	measure.Result
}

// Run runs the benchmark. With an error the result holds the runs that came to their end, if the configuration is valid;
// whether the answers were right is in the result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("word count: %w", err)
	}
	in, err := NewInput(cfg.Input)
	if err != nil {
		return nil, err
	}
	cfg.Input, cfg.Settings = in.Config(), cfg.Defaulted()
	r, err := measure.Run(ctx, measure.Benchmark[Frequency]{
		Name:      "wordcount",
		Seconds:   cfg.Input.Seconds,
		Build:     func(g *engine.Graph) engine.Stream[Frequency] { return Query(g, Source(g, in)) },
		Source:    FragmentsID,
		Sink:      FrequenciesID,
		Due:       func(f *Frequency) int64 { return f.WindowEnd },
		Order:     CompareFrequencies,
		Reference: func(tick func(float64) bool) []Frequency { return reference(in, tick) },
	}, cfg.Settings)
	return &Result{Config: cfg, Result: *r}, err
}
