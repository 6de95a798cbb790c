package coordinator

import "fmt"

// Code says what kind of mistake an Error is.
type Code string

// The codes of errors.
const (
	Invalid     Code = "invalid"     // what was asked for makes no sense
	NotFound    Code = "not_found"   // there is no such job or worker
	Conflict    Code = "conflict"    // it makes no sense any more, or not yet
	Unavailable Code = "unavailable" // not now: workers are missing, or the coordinator is stopping
)

// Error is a refusal of what was asked for.
type Error struct {
	Code    Code
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}
