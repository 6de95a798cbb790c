package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/cmd/spate/internal/report"
	"github.com/fullspate/spate/engine"
)

// checkpointFlags say whether a run in this process takes checkpoints.
type checkpointFlags struct {
	Checkpoints        string        `placeholder:"DIR" group:"Checkpoints" help:"Take checkpoints into a folder, made if it is not there (default: none are taken)."`
	CheckpointInterval time.Duration `placeholder:"D" group:"Checkpoints" help:"Time between two checkpoints of a task (default: ${checkpoint_interval})."`
}

// check is called with where the query runs.
func (f *checkpointFlags) check(where *whereFlags) error {
	var faults []error
	if f.Checkpoints != "" && (where.Workers > 0 || where.Join != "") {
		faults = append(faults, errors.New("--checkpoints is for runs in this process: want neither --workers nor --join with it"))
	}
	if f.CheckpointInterval < 0 {
		faults = append(faults, fmt.Errorf("--checkpoint-interval is %v, want more than 0", f.CheckpointInterval))
	}
	if f.CheckpointInterval != 0 && f.Checkpoints == "" && !where.recovers() {
		faults = append(faults, errors.New("--checkpoint-interval needs --checkpoints, or on workers --recovery sm: else none are taken"))
	}
	return errors.Join(faults...)
}

// configure has checkpoints taken into the folder; whoever watches is told of those that fail.
func (f *checkpointFlags) configure(c *engine.Config, out *output) {
	c.CheckpointInterval = f.CheckpointInterval
	if f.Checkpoints != "" {
		c.CheckpointDir, c.Logger = f.Checkpoints, out.loggerFrom(slog.LevelWarn)
	}
}

// configureAnew has them taken into a new folder within it. end removes that, and returns err or the fault that it met.
func (f *checkpointFlags) configureAnew(c *engine.Config, out *output) (end func(err error) error, err error) {
	if f.Checkpoints == "" {
		return func(err error) error { return err }, nil
	}
	if err := os.MkdirAll(f.Checkpoints, 0o755); err != nil {
		return nil, fmt.Errorf("--checkpoints: %w", err)
	}
	dir, err := os.MkdirTemp(f.Checkpoints, "bench-")
	if err != nil {
		return nil, fmt.Errorf("--checkpoints: %w", err)
	}
	f.configure(c, out)
	c.CheckpointDir = dir
	return func(err error) error { return errors.Join(err, os.RemoveAll(dir)) }, nil
}

// apart refuses a folder for checkpoints that has another purpose.
func (f *checkpointFlags) apart(flag, folder string) error {
	if f.Checkpoints != "" && filepath.Clean(f.Checkpoints) == filepath.Clean(folder) {
		return fmt.Errorf("--checkpoints and %s are both %s: want a folder of their own for checkpoints", flag, folder)
	}
	return nil
}

// writeCheckpoints prints what taking checkpoints came to, if any were taken.
func writeCheckpoints(w io.Writer, c *measure.Checkpoints) {
	if c == nil {
		return
	}
	failed := ""
	if c.Failed > 0 {
		failed = fmt.Sprintf(", %s more FAILED", report.Count(c.Failed))
	}
	fmt.Fprintf(w, "checkpoints  %s taken, %s, which held up a loop for %.2f ms at most%s\n",
		report.Count(c.Taken), report.Bytes(c.Bytes), c.HeldMaxMS, failed)
}
