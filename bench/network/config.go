package network

import (
	"errors"
	"fmt"
	"maps"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// Kind is one of the three benchmarks.
type Kind string

// The benchmarks: see the package.
const (
	Hop   Kind = "hop"
	Keyed Kind = "keyed"
	Hops  Kind = "hops"
)

// layout is how the operators of a benchmark are laid out.
type layout struct {
	tasks map[string]int // by operator id
	pins  map[string]int // worker, 0 or 1, by operator id
}

func (k Kind) layout() (l layout, ok bool) {
	switch k {
	case Hop:
		return layout{tasks: map[string]int{TuplesID: 1, ArrivalsID: 1}, pins: map[string]int{TuplesID: 0, ArrivalsID: 1}}, true
	case Keyed:
		return layout{
			tasks: map[string]int{TuplesID: 2, CounterID: 2, CountsID: 1},
			pins:  map[string]int{TuplesID: 0, CounterID: 1, CountsID: 1},
		}, true
	case Hops:
		return layout{
			tasks: map[string]int{TuplesID: 2, FirstID: 2, SecondID: 2, ArrivalsID: 2},
			pins:  map[string]int{TuplesID: 0, FirstID: 1, SecondID: 0, ArrivalsID: 1},
		}, true
	}
	return layout{}, false
}

// OperatorIDs returns the ids of a benchmark's operators, in no order.
func (k Kind) OperatorIDs() (ids []string) {
	l, _ := k.layout()
	for id := range l.tasks {
		ids = append(ids, id)
	}
	return ids
}

// Config describes a benchmark: the input, and how it is run.
type Config struct {
	Kind  Kind
	Input Input
	// Workers is how many workers the Runner has. From 2 on the operators are pinned to the workers 0 and 1 in turns, unless
	// Engine.Pins says otherwise; below it everything is in one process and nothing crosses.
	Workers int
	// Network is what workers are connected by, tcp or unix; empty for tcp. The bare sender uses the same.
	Network string
	// NoBaseline leaves out the runs of the source alone and of the bare sender.
	NoBaseline bool
	measure.Settings
}

// Defaults returns a benchmark that takes a minute or two on two cores.
func Defaults(k Kind) Config {
	c := Config{
		Kind: k, Network: "tcp", Input: Input{Seed: 1, Keys: 1_000_000, Seconds: 20},
		Settings: measure.Settings{Repeat: 3, Warm: 4},
	}
	switch k {
	case Hop:
		c.Input.Rate = 10_000_000
	case Keyed:
		c.Input.Rate = 5_000_000
	case Hops:
		c.Input.Rate, c.Input.Seconds, c.Input.Keys, c.Engine.Pace = 10_000, 30, 10_000, 1
	}
	return c
}

// Validate reports every problem at once.
func (c Config) Validate() error {
	if _, ok := c.Kind.layout(); !ok {
		return fmt.Errorf("benchmark %q, want %s, %s or %s", c.Kind, Hop, Keyed, Hops)
	}
	in := c.Input.filled(c.Kind)
	errs := []error{in.check(), c.Settings.Validate(in.Seconds, c.Kind.OperatorIDs())}
	if c.Network != "" {
		errs = append(errs, checkNetwork(c.Network))
	}
	if c.Workers < 0 {
		errs = append(errs, fmt.Errorf("%d workers, want 0 (this process) or more", c.Workers))
	}
	return errors.Join(errs...)
}

func checkNetwork(network string) error {
	if network != "tcp" && network != "unix" {
		return fmt.Errorf("network %q, want tcp or unix", network)
	}
	return nil
}

// defaulted returns the configuration with defaults filled in.
func (c Config) defaulted() Config {
	c.Input, c.Settings = c.Input.filled(c.Kind), c.Settings.Defaulted()
	if c.Network == "" {
		c.Network = "tcp"
	}
	l, _ := c.Kind.layout()
	tasks := l.tasks
	maps.Copy(tasks, c.Engine.Parallelism)
	c.Engine.Parallelism = tasks
	if c.Workers >= 2 && c.Engine.Pins == nil {
		c.Engine.Pins = l.pins
	}
	return c
}

// apart is how the bare sender's two ends are placed: as the ends of a hop.
func (c *Config) apart() engine.Config {
	e := engine.Config{Loops: c.Engine.Loops, Logger: c.Engine.Logger}
	if c.Workers >= 2 {
		e.Pins = map[string]int{senderID: 0, receiverID: 1}
	}
	return e
}
