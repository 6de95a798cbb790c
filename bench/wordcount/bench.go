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
	in := c.Input.filled()
	return errors.Join(in.check(), c.Settings.Validate(in.Seconds, OperatorIDs()))
}

// Result is what a benchmark came to.
type Result struct {
	Config Config // with defaults filled in
	measure.Result
}

// Programs returns the query over generated input as a program; its parameters are a measure.Params[InputConfig].
func Programs() []engine.Program { return []engine.Program{benchmark().Program()} }

func benchmark() measure.Benchmark[InputConfig, Frequency] {
	return measure.Benchmark[InputConfig, Frequency]{
		Name:    "wordcount",
		Seconds: func(cfg InputConfig) int { return cfg.filled().Seconds },
		Build: func(g *engine.Graph, cfg InputConfig) (s engine.Stream[Frequency], err error) {
			in, err := NewInput(cfg)
			if err != nil {
				return s, err
			}
			return Query(g, Source(g, in)), nil
		},
		Source: FragmentsID,
		Sink:   FrequenciesID,
		Due:    func(f *Frequency) int64 { return f.WindowEnd },
		Order:  CompareFrequencies,
		Reference: func(cfg InputConfig, tick func(float64) bool) ([]Frequency, error) {
			in, err := NewInput(cfg)
			if err != nil {
				return nil, err
			}
			return reference(in, tick), nil
		},
	}
}

// Run runs the benchmark. With an error the result holds the runs that came to their end, if the configuration is valid;
// whether the answers were right is in the result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("word count: %w", err)
	}
	cfg.Input, cfg.Settings = cfg.Input.filled(), cfg.Defaulted()
	r, err := measure.Run(ctx, benchmark(), cfg.Input, cfg.Settings)
	return &Result{Config: cfg, Result: *r}, err
}
