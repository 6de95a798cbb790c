package vault

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/ft"
)

// job is what is kept of one job. Methods may be called from any goroutine.
type job struct {
	name  string
	store *ft.Memory

	mu      sync.RWMutex // held for reading while a checkpoint is put, so that nobody who was replaced can still be at it
	closed  bool
	owners  map[ft.TaskID]uint64
	readers map[ft.TaskID][]uint64
}

// own sets who runs which task, and who may look at its checkpoints. Once it has returned nobody else's checkpoint is taken.
func (j *job) own(owners map[ft.TaskID]uint64, readers map[ft.TaskID][]uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.owners, j.readers = maps.Clone(owners), maps.Clone(readers)
	ctx := context.Background()
	tasks, _ := j.store.Tasks(ctx) // its only error is the context's, and so is Drop's
	for _, id := range tasks {
		if _, known := owners[id]; !known {
			_ = j.store.Drop(ctx, id)
		}
	}
}

// admit says whether an incarnation may put checkpoints of a task now.
func (j *job) admit(id ft.TaskID, from uint64) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.admits(id, from)
}

// admits is admit where the lock is held.
func (j *job) admits(id ft.TaskID, from uint64) error {
	owner, known := j.owners[id]
	switch {
	case j.closed || !known:
		return &UnknownError{Job: j.name, Task: id}
	case owner != from:
		return &FencedError{Job: j.name, Task: id, From: from, Owner: owner}
	}
	return nil
}

// put takes a checkpoint.
func (j *job) put(ctx context.Context, from uint64, k checkpoint.Kept) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if err := j.admits(k.Task, from); err != nil {
		return err
	}
	return j.store.Put(ctx, k.Task, k.Generation, k.Follows, k.Encoded)
}

// list tells who is to run a task, or to take over from it, what there is of it. Others have to ask again: as long as it is not known here who is, a
// checkpoint of whoever ran it before might be taken yet, and what was told would not be the newest.
func (j *job) list(ctx context.Context, from uint64, id ft.TaskID) ([]ft.Info, error) {
	if err := j.admit(id, from); err != nil && !j.reads(id, from) {
		return nil, err
	}
	return j.store.Generations(ctx, id)
}

// reads says whether an incarnation is to take over from a task.
func (j *job) reads(id ft.TaskID, from uint64) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return slices.Contains(j.readers[id], from)
}

// newest tells of the newest checkpoint of each task.
func (j *job) newest() (infos []ft.Info) {
	ctx := context.Background()
	tasks, _ := j.store.Tasks(ctx) // its only error is the context's
	for _, id := range tasks {
		if gens, _ := j.store.Generations(ctx, id); len(gens) > 0 {
			infos = append(infos, gens[0])
		}
	}
	return infos
}

// close forgets everything.
func (j *job) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	ctx := context.Background()
	tasks, _ := j.store.Tasks(ctx) // its only error is the context's, and so is Drop's
	for _, id := range tasks {
		_ = j.store.Drop(ctx, id)
	}
}

// fold makes a base of a task's newest checkpoint if that is due. What turns out to be damaged is forgotten, so that nothing
// more is built upon it.
func (j *job) fold(ctx context.Context, id ft.TaskID) error {
	err := j.store.Fold(ctx, id)
	var full *ft.BudgetError
	if err == nil || errors.As(err, &full) || ctx.Err() != nil {
		return nil // it is as good unfolded, if longer to restore
	}
	if gens, _ := j.store.Generations(ctx, id); len(gens) > 0 {
		_, _ = j.store.Get(ctx, id, gens[0].Generation) // forgets it, for the same reason
	}
	return err
}
