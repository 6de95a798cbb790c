package vault

import (
	"context"
	"log/slog"
	"sync"

	"github.com/fullspate/spate/ft"
)

// folder folds what is due, one after another on one goroutine, so that it never takes more than one core and the memory of
// one task besides.
type folder struct {
	log  *slog.Logger
	wake chan struct{} // has room for one

	mu  sync.Mutex
	due map[folding]struct{}
}

// folding is a task whose checkpoints may have to be folded.
type folding struct {
	job  *job
	task ft.TaskID
}

func newFolder(log *slog.Logger) *folder {
	return &folder{log: log, wake: make(chan struct{}, 1), due: make(map[folding]struct{})}
}

// add has a task looked at. It does not wait.
func (f *folder) add(j *job, id ft.TaskID) {
	f.mu.Lock()
	f.due[folding{j, id}] = struct{}{}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns a task that is to be looked at.
func (f *folder) take() (w folding, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.due {
		delete(f.due, w)
		return w, true
	}
	return folding{}, false
}

// run folds until ctx is done.
func (f *folder) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		for ctx.Err() == nil {
			w, ok := f.take()
			if !ok {
				break
			}
			if err := w.job.fold(ctx, w.task); err != nil {
				f.log.Warn("a kept checkpoint is damaged and was forgotten", "job", w.job.name, "task", w.task, "error", err)
			}
		}
	}
}
