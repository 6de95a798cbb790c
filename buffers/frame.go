package buffers

import "github.com/fullspate/spate/wire"

// Frame is a sealed frame, lent to whoever reads it.
type Frame struct {
	// Data is the header and the tuples, 8-byte aligned: what Seal made, to be
	// read in place, sent, or stored as it is. It must not be written to.
	Data []byte
	// First is the offset in Data of the first tuple that was asked for, as
	// wire.ViewFrom takes it. It is wire.FrameHeader but in the first frame
	// after opening at a time in the middle of a frame.
	First int
}

// View returns a walk over the tuples that were asked for.
func (f Frame) View() wire.Tuples { return wire.ViewFrom(f.Data, f.First) }

// frameAlign is the alignment of frames in a chunk: a cache line, so that the
// writer's open frame shares none with the sealed one before it.
const frameAlign = 64

func alignFrame(n int) int { return (n + frameAlign - 1) &^ (frameAlign - 1) }

// seekTuple returns the offset of the first tuple of a frame that is at or
// after from, len(frame) if there is none.
func seekTuple(frame []byte, from wire.Time) int {
	t := wire.View(frame)
	t.Seek(from)
	return t.Offset()
}
