package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/ft"
)

// Config says how a job is run. The zero Config is a good one. Nothing in it changes a result.
type Config struct {
	// Loops is the number of event loops, one goroutine each; 0 for GOMAXPROCS. At most 256.
	Loops int
	// Parallelism is the number of tasks by operator id; others have one per loop, sinks one.
	Parallelism map[string]int
	// Pace is how many seconds of logical time pass per second; 0 for as fast as possible.
	Pace float64
	// LogBytes bounds what a channel's log holds between steps, in bytes; 0 for 1 MiB, or with checkpoints, between which a log
	// keeps everything, 64 MiB. At least 4 KiB.
	LogBytes int64
	// StepBytes bounds what one step of a task may emit to one consumer, in bytes; 0 for 1 GiB. A job whose operator emits
	// more at one logical time ends with an error.
	StepBytes int64
	// FrameBytes bounds a frame; 0 for 64 KiB.
	FrameBytes int
	// Memory bounds slab memory (state and logs) in bytes; 0 for no bound. A job that needs more ends with an error.
	Memory int64
	// Pins are operators whose tasks are to be on the loops of one worker alone: its number, from 0, by operator id. A job in
	// the calling process has worker 0.
	Pins map[string]int
	// Window bounds what a channel from another worker holds that is not consumed, in bytes; 0 for 512 KiB.
	Window int64
	// NoFuse keeps stateless operators in tasks of their own.
	NoFuse bool
	// CheckpointDir, if set, is where checkpoints go. A job that finds there what an earlier run of the same graph has left,
	// which did not come to its end, goes on from that; at its end it removes them.
	CheckpointDir string
	// CheckpointKey tells jobs of the same graph apart that compute different things, such as over other inputs: a job only goes
	// on from checkpoints with its own key.
	CheckpointKey string
	// CheckpointInterval is the time between two checkpoints of a task; 0 for 5 s. A task whose input waits for it in logs that
	// are half full takes one sooner.
	CheckpointInterval time.Duration
	// Savepoint, if set, is the directory of a savepoint from which a job in the calling process starts: at any parallelism, but
	// with the same operators, tables, splits and CheckpointKey. With CheckpointDir, no job may have left checkpoints there.
	Savepoint string
	// Recovery is what brings a job on workers back that loses one of them; "" for nothing, which makes the loss its end. A job in
	// the calling process goes by CheckpointDir alone.
	Recovery Recovery
	// Replicas is how many other workers keep each checkpoint of a job on workers; 0 for 1.
	Replicas int
	// SpillDir, if set, is where logs go that are full, instead of holding up those who write them.
	SpillDir string
	// ProfileLabels makes loops carry profiler labels for operator and task: about 20 ns per turn.
	ProfileLabels bool
	// Logger takes what is worth telling; nil for nothing.
	Logger *slog.Logger
}

// Recovery is a way to bring lost tasks back.
type Recovery string

const (
	// NoRecovery: what is lost is lost.
	NoRecovery Recovery = ""
	// StateManagement: tasks take checkpoints, which other workers keep, and logs keep what these do not cover.
	StateManagement Recovery = "sm"
)

const (
	loopsMax         = 256
	logBytesDefault  = 1 << 20
	logBytesDurable  = 64 << 20
	stepBytesDefault = 1 << 30 // a million tuples of a KiB, from one timer
	logBytesMin      = 4 << 10
)

// Validate reports every problem at once.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Loops < 0 || c.Loops > loopsMax {
		fail("Loops is %d, want 0 (one per core) to %d", c.Loops, loopsMax)
	}
	if c.Pace < 0 || math.IsNaN(c.Pace) || math.IsInf(c.Pace, 0) {
		fail("Pace is %v, want 0 (as fast as possible) or a positive number", c.Pace)
	}
	if c.LogBytes != 0 && c.LogBytes < logBytesMin {
		fail("LogBytes is %d, want 0 (%d) or at least %d", c.LogBytes, logBytesDefault, logBytesMin)
	}
	if c.FrameBytes < 0 {
		fail("FrameBytes is %d, want 0 (64 KiB) or a positive number", c.FrameBytes)
	}
	if c.StepBytes < 0 {
		fail("StepBytes is %d, want 0 (%d) or a positive number", c.StepBytes, stepBytesDefault)
	}
	if c.Window < 0 {
		fail("Window is %d bytes, want 0 (512 KiB) or a positive number", c.Window)
	}
	if c.CheckpointInterval < 0 {
		fail("CheckpointInterval is %v, want 0 (%v) or more", c.CheckpointInterval, ft.IntervalDefault)
	}
	if c.Recovery != NoRecovery && c.Recovery != StateManagement {
		fail("Recovery is %q, want %q (none) or %q", c.Recovery, NoRecovery, StateManagement)
	}
	if c.Replicas < 0 {
		fail("Replicas is %d, want 0 (1) or a positive number", c.Replicas)
	}
	if c.Memory < 0 {
		fail("Memory is %d bytes, want 0 (no bound) or a positive number", c.Memory)
	}
	for id, n := range c.Parallelism {
		if n < 1 || n > graph.TasksMax {
			fail("Parallelism of %q is %d, want 1 to %d", id, n, graph.TasksMax)
		}
	}
	return errors.Join(errs...)
}

// WithDefaults returns the configuration with the defaults filled in.
func (c Config) WithDefaults() Config {
	if c.Loops == 0 {
		c.Loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	if c.LogBytes == 0 {
		c.LogBytes = logBytesDefault
		if c.CheckpointDir != "" || c.Recovery != NoRecovery {
			c.LogBytes = logBytesDurable
		}
	}
	if c.CheckpointInterval == 0 {
		c.CheckpointInterval = ft.IntervalDefault
	}
	if c.StepBytes == 0 {
		c.StepBytes = stepBytesDefault
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
