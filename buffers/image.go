package buffers

import (
	"errors"
	"fmt"
	"iter"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// frameBytesMax is the most payload a frame of ours has: a frame of the
// largest tuple alone, which is more than the largest FrameBytes.
const frameBytesMax = PayloadBytesMax + wire.VarTupleHeader

// Frames walks over the sealed frames that have tuples at or after from, which
// must not be below the trim point. Nothing is copied; a frame is lent until
// the walk goes on. The walk ends with the first error, a *TrimmedError or one
// of reading back from disk. What is still open is not in it: Seal first.
func (l *Log) Frames(from wire.Time) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		c, err := l.OpenCursor(from)
		if err != nil {
			yield(Frame{}, err)
			return
		}
		defer l.leave(c)
		for {
			f, ok := c.Next()
			if !ok {
				if c.err != nil {
					yield(Frame{}, c.err)
				}
				return
			}
			if !yield(f, nil) {
				return
			}
			c.Ack(wire.HeaderOf(f.Data).Last.After())
		}
	}
}

// Load fills a log as New made it from an image: the Data of what Frames gave,
// one after another. Frames wholly below trim are left out. Every frame is
// verified and must fit the log's stream; whatever is wrong gives a *LoadError,
// or the pool's error if there is no memory, and leaves the log empty. The
// capacity does not matter.
func (l *Log) Load(trim, frontier wire.Time, image []byte) (err error) {
	if l.queue.seq != 1 || l.trim != 0 || l.frontier != 0 {
		panic(fmt.Sprintf("BUG: load into a log of stream %d that is in use", l.cfg.Stream))
	}
	defer func() {
		if err != nil {
			l.Clear()
		}
	}()
	defer budgetError(&err)
	for off := 0; off < len(image); {
		n, err := verifyFirst(image[off:])
		if err != nil {
			return &LoadError{Offset: off, Err: err}
		}
		frame := image[off : off+n]
		h := wire.HeaderOf(frame)
		if err := l.checkLoaded(h); err != nil {
			return &LoadError{Offset: off, Err: err}
		}
		if h.Last >= trim {
			l.place(frame)
		}
		l.last = h.Last
		off += n
	}
	l.trim = trim
	l.Advance(frontier)
	return nil
}

// checkLoaded says whether a verified frame may be the log's next one.
func (l *Log) checkLoaded(h wire.Header) error {
	switch {
	case h.Kind != wire.Data:
		return fmt.Errorf("frame of kind %v, want %v", h.Kind, wire.Data)
	case h.Stream != l.cfg.Stream:
		return fmt.Errorf("frame of stream %d, want %d", h.Stream, l.cfg.Stream)
	case int(h.PayloadSize) != l.cfg.PayloadSize:
		return fmt.Errorf("payload size is %d, want %d", h.PayloadSize, l.cfg.PayloadSize)
	case h.First < l.last:
		return fmt.Errorf("first time %v is before %v, the last one so far", h.First, l.last)
	}
	return nil
}

// place copies a sealed frame to the log's end.
func (l *Log) place(frame []byte) {
	tail := l.queue.tail
	if tail.room() < len(frame) {
		tail = l.addChunk(len(frame))
	}
	copy(tail.mem[tail.used:], frame)
	l.queue.live += int64(tail.add(len(frame), wire.HeaderOf(frame).Last))
	l.sealed++
	l.account()
}

// budgetError turns the panic of Append for want of memory into an error.
func budgetError(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		var budget *slab.BudgetError
		if !errors.As(r, &budget) {
			panic(r)
		}
		*err = r
	default:
		panic(r)
	}
}
