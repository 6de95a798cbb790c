package buffers

import (
	"errors"
	"fmt"
	"math"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// PayloadBytesMax is the largest payload that Append takes. A chunk is one
// slab, the largest slab has 2 MiB, and a tuple never spans frames; half of
// that leaves room for the headers and keeps a single tuple from being what
// the whole of the budget goes to.
const PayloadBytesMax = 1 << 20

const (
	frameBytesDefault = 64 << 10  // large enough for one system call to be worth it, small enough for L2
	chunkBytesDefault = 256 << 10 // four default frames
	chunkBytesMin     = 4 << 10   // the smallest slab
	chunkBytesMax     = 2 << 20   // the largest slab
	chunkBytesFirst   = 16 << 10  // a log that holds next to nothing stays in the first-level cache
	chunksMin         = 4         // a bounded log is cut in at least so many chunks, so that trimming frees memory in time
	frameBytesMin     = 256       // below this a frame is mostly header
)

// invariants says that costly assertions are compiled in.
const invariants = slab.Invariants

// Config is what a Log is made from. The zero value of every field but Pool is
// usable.
type Config struct {
	// Stream is written into every frame.
	Stream wire.StreamID
	// PayloadSize is the bytes of each tuple's payload, a multiple of 8; 0 says
	// that payloads vary in length.
	PayloadSize int
	// FrameBytes is the most bytes a frame takes, header included, unless a
	// single tuple needs more; at least 256, default 64 KiB.
	FrameBytes int
	// ChunkBytes is the most bytes of a slab, unless a single tuple needs more:
	// a power of two between 4 KiB and 2 MiB, default 256 KiB. A log that holds
	// little uses smaller ones, and a log with a small capacity uses slabs of at
	// most a quarter of it.
	ChunkBytes int
	// CapacityBytes bounds the bytes beyond the trim point, as far as Full tells
	// the writer; 0 is unbounded.
	CapacityBytes int64
	// OverrunBytes bounds what a log holds in any case: a step that appends beyond it panics with an *OverrunError. 0 is
	// unbounded.
	OverrunBytes int64
	// Pool gives the slabs; it may be shared by any number of logs.
	Pool *slab.Pool
	// Owner is the name under which the pool accounts for the slabs.
	Owner string
	// TrimOnAck trims what the reader has acknowledged at each Collect; who
	// opens the log at a time acknowledges everything below it. Without this
	// only Trim does, the log's or the reader's.
	TrimOnAck bool
	// SpillDir is where the oldest frames go when the log is full; empty means
	// never. The files have no name once they are open, and vanish with the
	// process.
	SpillDir string
	// SpillBytesMax bounds the bytes on disk; 0 is unbounded.
	SpillBytesMax int64
}

// Validate reports every problem of the configuration at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("buffers: "+format, args...)) }
	if c.Pool == nil {
		bad("Pool is nil, want a slab pool")
	}
	if c.PayloadSize < 0 || c.PayloadSize > PayloadBytesMax || c.PayloadSize%8 != 0 {
		bad("PayloadSize is %d, want 0 or a multiple of 8 up to %d", c.PayloadSize, PayloadBytesMax)
	}
	if c.FrameBytes != 0 && (c.FrameBytes < frameBytesMin || c.FrameBytes > chunkBytesMax/2) {
		bad("FrameBytes is %d, want 0 or %d to %d", c.FrameBytes, frameBytesMin, chunkBytesMax/2)
	}
	if b := c.ChunkBytes; b != 0 && (b < chunkBytesMin || b > chunkBytesMax || b&(b-1) != 0) {
		bad("ChunkBytes is %d, want 0 or a power of two from %d to %d", b, chunkBytesMin, chunkBytesMax)
	}
	if c.CapacityBytes < 0 {
		bad("CapacityBytes is %d, want 0 or more", c.CapacityBytes)
	}
	if c.OverrunBytes < 0 || c.OverrunBytes > 0 && c.OverrunBytes < c.CapacityBytes {
		bad("OverrunBytes is %d, want 0 or at least the capacity of %d", c.OverrunBytes, c.CapacityBytes)
	}
	if c.SpillBytesMax < 0 {
		bad("SpillBytesMax is %d, want 0 or more", c.SpillBytesMax)
	}
	return errors.Join(errs...)
}

// withDefaults fills in what was left zero and fits frames into chunks and
// chunks into the capacity.
func (c Config) withDefaults() Config {
	if c.FrameBytes == 0 {
		c.FrameBytes = frameBytesDefault
	}
	if c.ChunkBytes == 0 {
		c.ChunkBytes = chunkBytesDefault
	}
	c.CapacityBytes, c.OverrunBytes, c.SpillBytesMax = orNoBound(c.CapacityBytes), orNoBound(c.OverrunBytes), orNoBound(c.SpillBytesMax)
	for c.ChunkBytes > chunkBytesMin && int64(c.ChunkBytes) > c.CapacityBytes/chunksMin {
		c.ChunkBytes /= 2
	}
	c.FrameBytes = min(c.FrameBytes, c.ChunkBytes)
	return c
}

// orNoBound is what a bound in bytes means: 0 is none.
func orNoBound(bytes int64) int64 {
	if bytes == 0 {
		return math.MaxInt64
	}
	return bytes
}
