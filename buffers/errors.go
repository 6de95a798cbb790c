package buffers

import (
	"fmt"

	"github.com/fullspate/spate/wire"
)

// TrimmedError says that a log was asked for tuples that it has been told to
// forget.
type TrimmedError struct {
	From wire.Time // what was asked for
	Trim wire.Time // the least that could have been
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("buffers: log asked for %v is trimmed to %v", e.From, e.Trim)
}

// TupleSizeError says that a payload does not fit into any frame. Append panics
// with it.
type TupleSizeError struct {
	Stream wire.StreamID
	Bytes  int // of the payload
	Max    int
}

func (e *TupleSizeError) Error() string {
	return fmt.Sprintf("buffers: payload of %d bytes on stream %d is larger than %d", e.Bytes, e.Stream, e.Max)
}

// SpillError says that frames could not be moved to disk, or not be read back.
// Nothing is lost by the first; the second may be tried again.
type SpillError struct {
	Op     string // "create", "write", "read" or "check"
	Dir    string
	Offset int64 // in the spill file
	Err    error
}

func (e *SpillError) Error() string {
	return fmt.Sprintf("buffers: %s of spill file in %s at offset %d: %v", e.Op, e.Dir, e.Offset, e.Err)
}

func (e *SpillError) Unwrap() error { return e.Err }

// LoadError says that an image is not what Frames gave.
type LoadError struct {
	Offset int // of the frame in the image
	Err    error
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("buffers: log image is bad at offset %d: %v", e.Offset, e.Err)
}

func (e *LoadError) Unwrap() error { return e.Err }

// OverrunError says that a step has emitted more than a log may hold in any case.
type OverrunError struct {
	Stream     wire.StreamID
	Bytes, Max int64
}

// Error says how much.
func (e *OverrunError) Error() string {
	return fmt.Sprintf("buffers: one step has emitted to one consumer what makes its log of stream %d hold %d bytes, at most %d are allowed: emit less at one logical time, or raise the bound",
		e.Stream, e.Bytes, e.Max)
}
