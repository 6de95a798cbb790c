package reactor

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
)

// PanicError is what a connection ends with whose Handler has panicked.
type PanicError struct{ Value any }

func (e *PanicError) Error() string { return fmt.Sprintf("panic in a handler: %v", e.Value) }

// guard runs what is not ours. A panic ends there, is reported with its stack, and becomes an error.
func (r *Reactor) guard(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			r.cfg.OnPanic(v, debug.Stack())
			err = &PanicError{Value: v}
		}
	}()
	return fn()
}

// onLoop says whether the caller is the loop. It takes about 1 µs, so it is for what happens rarely.
func (r *Reactor) onLoop() bool { return goroutineID() == r.id }

// mustBeLoop panics if the caller is not the loop. It looks with the tag invariants alone.
func (r *Reactor) mustBeLoop(what string) {
	if invariants && !r.onLoop() {
		panic(fmt.Sprintf("BUG: reactor %s: %s is called off the loop, by goroutine %d, want %d", r.cfg.Name, what, goroutineID(), r.id))
	}
}

// goroutineID is the number by which a stack trace names the goroutine. The runtime does not tell it in another way.
func goroutineID() uint64 {
	var buf [64]byte
	trace := buf[:runtime.Stack(buf[:], false)] // goroutine 18 [running]: …
	number, _, _ := bytes.Cut(bytes.TrimPrefix(trace, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("BUG: no goroutine's number in %q: %v", trace, err))
	}
	return id
}
