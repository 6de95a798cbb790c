package recovery

import (
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/cluster"
)

// Config describes an experiment.
type Config struct {
	Input    Input
	Interval time.Duration // between two checkpoints of a task, more than 0
	Replicas int           // how many other workers keep each checkpoint; 0 for 1
	// Local is the cluster; its programs must contain Programs, and its workers end with the run. One of them has no part in the
	// query, and waits to take over from one that is killed: with 4 or more, source, splitter and counter each have one.
	Local cluster.LocalConfig
	// Warm is how long the query runs before anything is measured, Settle how long after each recovery.
	Warm, Settle time.Duration
	Kills        int           // in RunKills
	Rounds       int           // in RunMoves: of scaling out, in, and moving
	Measured     time.Duration // in RunOverhead: how long is measured
	Repeat       int           // in RunOverhead: pairs of runs
	Progress     func(part float64)

	free bool // the counter may be anywhere
}

// Workers are how many the query needs, the spare one included.
const Workers = 4

// Defaults returns the paper's experiment: 1,000 fragments a second, checkpoints each 5 seconds.
func Defaults() Config {
	return Config{
		Input:    Input{Seed: 1, Rate: 1000, Words: 10_000},
		Interval: 5 * time.Second, Replicas: 1,
		Local: cluster.LocalConfig{Workers: Workers, Loops: 1},
		Warm:  8 * time.Second, Settle: 3 * time.Second, Kills: 5, Rounds: 1, Measured: 20 * time.Second, Repeat: 1,
	}
}

// Validate reports every problem at once. Input.Seconds is the experiment's own affair.
func (c Config) Validate() error {
	var errs []error
	in := c.Input
	in.Seconds = in.Load + 1
	errs = append(errs, in.check(), c.Local.Validate())
	if c.Interval <= 0 {
		errs = append(errs, fmt.Errorf("recovery: Interval is %v, want more than 0", c.Interval))
	}
	if c.Local.Workers < Workers {
		errs = append(errs, fmt.Errorf("recovery: %d workers, want %d or more: one each for source, splitter and counter, and a spare one", c.Local.Workers, Workers))
	}
	if c.Warm < 0 || c.Settle <= 0 {
		errs = append(errs, fmt.Errorf("recovery: Warm is %v and Settle %v, want 0 or more and more than 0", c.Warm, c.Settle))
	}
	if c.Kills < 1 || c.Rounds < 1 || c.Measured <= 0 || c.Repeat < 1 {
		errs = append(errs, fmt.Errorf("recovery: %d kills, %d rounds, %v measured, %d repeats, want at least one of each", c.Kills, c.Rounds, c.Measured, c.Repeat))
	}
	return errors.Join(errs...)
}

// warm is when the measurement begins, since the job did.
func (c *Config) warm() time.Duration { return time.Duration(c.Input.Load)*time.Second + c.Warm }

// spacing lies between two kills: at any moment within the interval, and then time to settle.
func (c *Config) spacing() time.Duration { return c.Interval + c.Settle }

// engine says how the query runs, with checkpoints or without.
func (c *Config) engine(checkpoints bool) engine.Config {
	e := engine.Config{
		Pace: 1, NoFuse: true,
		Parallelism: map[string]int{SourceID: 1, CounterID: 1, SinkID: 1},
		Pins:        map[string]int{SourceID: 0, SinkID: 0, CounterID: 2},
	}
	if c.free {
		delete(e.Pins, CounterID)
	}
	if c.Input.Load == 0 {
		e.Parallelism[SplitterID], e.Pins[SplitterID] = 1, 1
	}
	if checkpoints {
		e.Recovery, e.CheckpointInterval, e.Replicas = engine.StateManagement, c.Interval, c.Replicas
	}
	return e
}
