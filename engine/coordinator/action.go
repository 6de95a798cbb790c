package coordinator

import "github.com/fullspate/spate/engine/control"

// ConnID names a worker's connection. Whoever drives a Machine numbers them from 1 and uses no number twice.
type ConnID uint64

// Action is what a Machine wants done: one of the structs below. Actions are to be done in order, and nothing but Append
// may be done before every Append ahead of it is on disk.
type Action interface{ action() }

type (
	// Append adds a record to the journal.
	Append struct{ Record Record }
	// Send sends a message to a worker.
	Send struct {
		Conn    ConnID
		Message control.Message
	}
	// Close closes a connection once what was sent before has been written.
	Close struct{ Conn ConnID }
	// Probe looks whether anybody listens at the address of a worker whose connection is broken: Machine.Probed is to be told.
	Probe struct {
		Worker      string
		Incarnation uint64
		Addr        string
	}
	// Notify tells the world what has happened.
	Notify struct{ Event Event }
)

func (Append) action() {}
func (Send) action()   {}
func (Close) action()  {}
func (Probe) action()  {}
func (Notify) action() {}
