package coordinator

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
)

// Config says how a coordinator works.
type Config struct {
	// Listen is where workers connect: tcp://host:port or unix:///path; empty for a free port on the loopback interface.
	Listen string
	// StateDir is the directory of the journal. It is made if need be, and belongs to one coordinator at a time.
	StateDir string
	// Secret is the cluster's.
	Secret auth.Secret
	// Programs are those that the binary has.
	Programs []engine.Program
	// Build says what this binary is; its Programs are filled in. Workers of another build are refused.
	Build control.Build
	// Timing says how long things may take.
	Timing Timing
	// Restarts bounds how often a job is carried on.
	Restarts Restarts
	// Logger takes what is worth telling; nil for nothing.
	Logger *slog.Logger
}

const listenDefault = "tcp://127.0.0.1:0"

// Validate reports every problem at once.
func (c Config) Validate() error {
	errs := []error{c.Timing.Validate(), c.Restarts.Validate()}
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Listen != "" {
		if _, err := auth.ParseAddress(c.Listen); err != nil {
			fail("Listen: %w", err)
		}
	}
	if c.StateDir == "" {
		fail("StateDir is empty, want a directory for the journal")
	}
	if c.Secret.IsZero() {
		fail("Secret is missing, want that of the cluster or auth.NewSecret")
	}
	names := map[string]bool{}
	for _, p := range c.Programs {
		if p.Name == "" || p.Build == nil || names[p.Name] {
			fail("program %q: want a name that no other has, and Build", p.Name)
		}
		names[p.Name] = true
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = listenDefault
	}
	c.Timing, c.Restarts = c.Timing.withDefaults(), c.Restarts.withDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Build.Programs = nil
	for _, p := range c.Programs {
		c.Build.Programs = append(c.Build.Programs, p.Name)
	}
	return c
}
