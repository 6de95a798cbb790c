package linearroad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
)

// Save is a savepoint that is taken of a run, which goes on meanwhile.
type Save struct {
	Dir    string // that is made for it; empty: none is taken
	Second int    // of the input: what is before is in it, if the run has not gone beyond by then
	// Taken is called with what was taken; may be nil.
	Taken func(engine.SavepointInfo)
}

// saver is a job of which savepoints can be taken: one in the calling process.
type saver interface {
	SavepointAt(ctx context.Context, dir string, at time.Duration) (engine.SavepointInfo, error)
}

// watch has the savepoint taken of the job that w will run. The function that it returns waits for that, and returns what went
// wrong.
func (s *Save) watch(ctx context.Context, w *measure.Watch, lead time.Duration) (wait func() error) {
	if s.Dir == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	w.Running = func(job engine.Running) {
		from, ok := job.(saver)
		if !ok {
			done <- errors.New("savepoints are taken of runs in the calling process, not on workers")
			return
		}
		go func() {
			info, err := from.SavepointAt(ctx, s.Dir, lead+time.Duration(s.Second)*time.Second)
			if err == nil && s.Taken != nil {
				s.Taken(info)
			}
			done <- err
		}()
	}
	return func() error {
		if err := <-done; err != nil {
			return fmt.Errorf("at second %d: %w", s.Second, err)
		}
		return nil
	}
}
