package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
)

// ErrStopped is why nothing is done any more by a Vault or Client that was stopped.
var ErrStopped = errors.New("it was stopped")

// FencedError says that who puts a checkpoint does not run the task by the newest order: it has been replaced, and has not
// heard of it yet.
type FencedError struct {
	Job   string
	Task  ft.TaskID
	From  uint64 // incarnation of who puts
	Owner uint64 // incarnation of who runs the task
}

// Error implements error.
func (e *FencedError) Error() string {
	return fmt.Sprintf("job %s: incarnation %016x has nothing to do with checkpoints of %v, which incarnation %016x runs", e.Job, e.From, e.Task, e.Owner)
}

// UnknownError says that a vault has not heard of a job, or of who runs a task of it. The order that says so may be on its
// way: to put the checkpoint again a little later is right.
type UnknownError struct {
	Job  string
	Task ft.TaskID
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("job %s: who runs %v is not known here, or not yet", e.Job, e.Task)
}

// HostError says which worker could not keep a checkpoint, or give one, and why.
type HostError struct {
	Host control.Host // without Worker and Addr for the own vault
	Err  error
}

// Error implements error.
func (e *HostError) Error() string {
	if e.Host.Addr == "" {
		return fmt.Sprintf("own vault: %v", e.Err)
	}
	return fmt.Sprintf("worker %s at %s: %v", e.Host.Worker, e.Host.Addr, e.Err)
}

// Unwrap returns Err.
func (e *HostError) Unwrap() error { return e.Err }

// IncompleteError says that no checkpoint of a task was found, and yet there may be one: not everybody could be asked, or what
// somebody has could not be had. It is not ft.ErrNotFound, whatever the reasons are.
type IncompleteError struct {
	Task   ft.TaskID
	Failed []*HostError // at least one
}

// Error implements error.
func (e *IncompleteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no checkpoint of %v was found, but there may be one", e.Task)
	for _, f := range e.Failed {
		fmt.Fprintf(&b, "; %v", f)
	}
	return b.String()
}

// requestError is a request that cannot be right.
type requestError struct {
	status int
	reason string
}

func (e *requestError) Error() string { return e.reason }

func badRequest(format string, args ...any) error {
	return &requestError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// fault is an error as it is sent. At most one of the pointers is set.
type fault struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Fenced  *FencedError    `json:"fenced,omitempty"`
	Unknown *UnknownError   `json:"unknown,omitempty"`
	Chain   *ft.ChainError  `json:"chain,omitempty"`
	Budget  *ft.BudgetError `json:"budget,omitempty"`
	Format  *ft.FormatError `json:"format,omitempty"`
}

const codeNotFound = "not_found"

// faultOf returns how an error is sent, and with which status.
func faultOf(err error) (status int, f fault) {
	f.Message = err.Error()
	var image *state.ImageError
	var request *requestError
	switch {
	case errors.As(err, &f.Fenced):
		status, f.Code = http.StatusForbidden, "fenced"
	case errors.As(err, &f.Unknown):
		status, f.Code = http.StatusConflict, "unknown"
	case errors.As(err, &f.Chain):
		status, f.Code = http.StatusPreconditionFailed, "chain"
	case errors.As(err, &f.Budget):
		status, f.Code = http.StatusInsufficientStorage, "budget"
	case errors.As(err, &f.Format):
		status, f.Code = http.StatusUnprocessableEntity, "damaged"
	case errors.As(err, &image):
		status, f.Code = http.StatusUnprocessableEntity, "damaged"
	case errors.Is(err, ft.ErrNotFound):
		status, f.Code = http.StatusNotFound, codeNotFound
	case errors.As(err, &request):
		status, f.Code = request.status, "request"
	default:
		status, f.Code = http.StatusInternalServerError, "failed"
	}
	return status, f
}

// faultIn reads what faultOf made.
func faultIn(status string, body []byte) error {
	var f fault
	if err := json.Unmarshal(body, &f); err != nil || f.Code == "" {
		return fmt.Errorf("answer %q, which is not one of a vault", status)
	}
	switch {
	case f.Fenced != nil:
		return f.Fenced
	case f.Unknown != nil:
		return f.Unknown
	case f.Chain != nil:
		return f.Chain
	case f.Budget != nil:
		return f.Budget
	case f.Format != nil:
		return f.Format
	case f.Code == codeNotFound:
		return ft.ErrNotFound
	}
	return errors.New(f.Message)
}
