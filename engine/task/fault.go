package task

import (
	"fmt"

	"github.com/fullspate/spate/wire"
)

// Error is what ended a task: an operator's error or panic, or a fault in its state or logs.
type Error struct {
	Operator string   // whose function it was
	Function Function // of the operator
	// Sender is the operator that was emitting where a key function failed on the sender's side: Task and Time are then its
	// task and step, since which task the tuple was for was about to be found out. Empty otherwise.
	Sender string
	Task   int
	Time   wire.Time // of the step; of an Ahead callback, of the first tuple that it was shown
	Last   wire.Time // of an Ahead callback: of the last tuple that it was shown
	Key    string    // of a handler or timer
	Err    error
	Stack  []byte // of the panic, if it was one
}

// Function says which of an operator's functions failed.
type Function string

// The functions of an operator.
const (
	Handling      Function = "" // a handler or timer, or what a source or sink does by itself
	KeyFunction   Function = "key function"
	AheadCallback Function = "Ahead callback"
)

// Error names operator and task, what is known of τ and key, and what happened.
func (e *Error) Error() string {
	switch {
	case e.Function == AheadCallback:
		return fmt.Sprintf("operator %q, task %d: Ahead callback for tuples at %v to %v: %v", e.Operator, e.Task, e.Time, e.Last, e.Err)
	case e.Sender != "":
		return fmt.Sprintf("operator %q: key function, called by operator %q, task %d, at %v: %v", e.Operator, e.Sender, e.Task, e.Time, e.Err)
	case e.Function == KeyFunction:
		return fmt.Sprintf("operator %q, task %d, at %v: key function: %v", e.Operator, e.Task, e.Time, e.Err)
	}
	return fmt.Sprintf("operator %q, task %d, at %v, key %s: %v", e.Operator, e.Task, e.Time, e.Key, e.Err)
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// failure says where the task is, from the marks that it leaves around what it calls beside handlers.
func (c *Ctx) failure(err error, stack []byte) *Error {
	t, in := c.task, c.at
	if in == nil {
		in = t.insts[0]
	}
	e := &Error{Operator: in.Spec.ID, Task: t.Index, Time: c.tau, Err: err, Stack: stack}
	if to := t.routing(); to != nil {
		e.Operator, e.Function, e.Sender = to.consumer, KeyFunction, in.Spec.ID
		return e
	}
	if ch := t.showing(); ch != nil {
		e.Function = AheadCallback
		e.Time, e.Last = ch.shown()
		return e
	}
	switch {
	case c.keyed:
		e.Function = KeyFunction
	case in.Spec.Key == KeyUint64:
		e.Key = fmt.Sprint(c.Key())
	case in.Spec.Key == KeyBytes:
		e.Key = fmt.Sprintf("%q", c.key)
	default:
		e.Key = fmt.Sprintf("hash %#x", c.hash)
	}
	return e
}

// routing is the edge whose consumer's key function is running, nil for none.
func (t *Task) routing() *Edge {
	for _, in := range t.insts {
		for _, o := range in.Outs {
			if o.routing > 0 {
				return &o.Edges[o.routing-1]
			}
		}
	}
	return nil
}

// showing is the channel whose tuples an Ahead callback is being shown, nil for none.
func (t *Task) showing() *Channel {
	for _, ch := range t.channels {
		if ch.showing {
			return ch
		}
	}
	return nil
}
