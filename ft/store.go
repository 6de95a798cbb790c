package ft

import (
	"context"
	"errors"
	"fmt"
)

// Store keeps checkpoints of the tasks of one job. Its methods may be called from any goroutine, at once too. They do what
// takes time in the calling goroutine, so they are not for an event loop.
type Store interface {
	// Put takes an encoded checkpoint of a task; gen and follows are what it says itself. When it has returned nil the
	// checkpoint is as durable as this store makes it, and what it makes needless is forgotten. To put again what is
	// there is right and does nothing. Errors are a *ChainError if it cannot be restored from here or is not newer than
	// what is here (to be answered with a base and a higher generation), a *FormatError if it is damaged, a *BudgetError,
	// or the system's. After an error everything that was there still is.
	Put(ctx context.Context, id TaskID, gen, follows uint64, encoded []byte) error
	// Generations tells what the task can be restored from, newest first; nothing if it is not known.
	Generations(ctx context.Context, id TaskID) ([]Info, error)
	// Get returns a checkpoint, folded: it is a base. The error is ErrNotFound if it is not here or cannot be restored
	// from. A *FormatError or *state.ImageError says that it is damaged; then it, and what builds on it, is not among
	// the task's generations any more.
	Get(ctx context.Context, id TaskID, gen uint64) (*Checkpoint, error)
	// Fold makes a base of the newest checkpoint if so much has to be folded to restore it that this pays. It is to be
	// called now and then after Put, best right after every one; others may use the task meanwhile.
	Fold(ctx context.Context, id TaskID) error
	// Tasks tells which tasks have a checkpoint, by operator and range.
	Tasks(ctx context.Context) ([]TaskID, error)
	// Drop forgets a task. It is right if there is none.
	Drop(ctx context.Context, id TaskID) error
}

// ErrNotFound is why a checkpoint cannot be had that a store does not have, or cannot put together.
var ErrNotFound = errors.New("no such checkpoint")

// ChainError says why a checkpoint was not taken. The sender should send one that is complete by itself (state.Base), with a
// generation above Newest.
type ChainError struct {
	Task       TaskID
	Generation uint64
	Follows    uint64
	Newest     uint64 // the newest generation that is held, 0 if none is
	Reason     string
}

// Error implements error.
func (e *ChainError) Error() string {
	return fmt.Sprintf("checkpoint %d of %v, which follows %d, where %d is the newest: %s", e.Generation, e.Task, e.Follows, e.Newest, e.Reason)
}

// BudgetError says that a store in memory is full.
type BudgetError struct {
	Task   TaskID
	Bytes  int64 // of the checkpoint that was not taken
	Used   int64 // of the budget
	Budget int64
}

// Error implements error.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("no room for a checkpoint of %v: %d bytes, of a budget of %d bytes %d are used", e.Task, e.Bytes, e.Budget, e.Used)
}
