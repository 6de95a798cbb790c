package task

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Ctx is what a handler knows of the step it works in. There is one per task; it is valid until the handler returns.
type Ctx struct {
	tau   wire.Time
	hash  uint64
	key   []byte    // the key where the operator is keyed by bytes
	at    *Instance // whose handler runs: for errors and random numbers
	task  *Task
	full  bool // an output log is at its capacity: no further step
	final bool // a step of the end phase: timers that it sets are dropped
	keyed bool // the key function of the task's own operator runs
	err   error
}

// Time is the step's τ.
func (c *Ctx) Time() wire.Time { return c.tau }

// Now is the step's logical time since the job's epoch, in whole milliseconds.
func (c *Ctx) Now() time.Duration { return time.Duration(c.tau.Millis()) * time.Millisecond }

// NextMultiple is the first multiple of d after Now: the end of the tumbling window of length d that the step falls into.
// d must be at least a millisecond.
func (c *Ctx) NextMultiple(d time.Duration) time.Duration { return (c.Now()/d + 1) * d }

// Hash is the current key's hash, or that of the step which emitted the tuple where the operator is not keyed.
func (c *Ctx) Hash() uint64 { return c.hash }

// Key is the current key of an operator keyed by uint64.
func (c *Ctx) Key() uint64 { return partition.UnhashUint64(c.hash) }

// KeyBytes is the current key of an operator keyed by bytes, borrowed until the handler returns.
func (c *Ctx) KeyBytes() []byte { return c.key }

// Ending says whether the step belongs to the end phase: it lies beyond the last τ of the input, and is there only because
// the input has ended and pending timers fire. Timers that are set in it are dropped.
func (c *Ctx) Ending() bool { return c.final }

// Elapsed is the wall time since the run began, read once per turn of the task. Only sinks may use it: anywhere else it
// would make results depend on more than the input. It panics in other operators.
func (c *Ctx) Elapsed() time.Duration {
	if c.at.Spec.Kind != Sink {
		panic(fmt.Sprintf("operator %q asks for the wall clock: only sinks may", c.at.Spec.ID))
	}
	return c.task.now
}

// random is an operator object's generator. Each has its own, so that one goes on where it was after a fused operator has
// drawn numbers too.
type random struct {
	gen  *rand.Rand
	src  rand.PCG
	tau  wire.Time // that the generator was seeded for
	hash uint64
}

// Rand is a random generator seeded by (operator, τ, key): the same step gives the same numbers on every run.
func (c *Ctx) Rand() *rand.Rand {
	r := &c.at.random
	if r.gen == nil {
		r.gen = rand.New(&r.src)
	} else if r.tau == c.tau && r.hash == c.hash {
		return r.gen
	}
	r.src.Seed(partition.HashBytes([]byte(c.at.Spec.ID))^uint64(c.tau), c.hash)
	r.tau, r.hash = c.tau, c.hash
	return r.gen
}

// keyOf is the key that the operator gives a payload that has come to its task.
func (c *Ctx) keyOf(h *Handler, payload []byte) []byte {
	c.keyed = true
	key := h.KeyOf(payload)
	c.keyed = false
	return key
}

// Fail ends the job: it reports operator, task, τ and key with err. The step is completed but nothing after it is done.
func (c *Ctx) Fail(err error) {
	if c.err == nil {
		c.err = c.failure(err, nil)
	}
}

// Full says whether an output log reached its capacity in this step.
func (c *Ctx) Full() bool { return c.full }
