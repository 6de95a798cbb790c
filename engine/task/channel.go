package task

import (
	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// Feed is where a channel's frames come from: a cursor on a log of the same process, what a connection has received, or
// a link of the simulator.
type Feed interface {
	// Poll returns the frontier: every tuple below it has been, or will now be, returned by Next.
	Poll() wire.Time
	// Next returns the next frame, borrowed until it is acknowledged, and false where there is none now.
	Next() (buffers.Frame, bool)
	// Ending returns the logical end of the input, once it is known: before Poll gives a frontier beyond it.
	Ending() (wire.Time, bool)
	// Ack tells the sender that everything below t is consumed and its frames are not touched any more.
	Ack(t wire.Time)
	// Trim tells the sender that nobody will ask for anything below t again: it is in a checkpoint of the task's.
	Trim(t wire.Time)
	// HalfFull says that the sender's log waits for that.
	HalfFull() bool
	// Err is what the feed failed with.
	Err() error
	// Close ends the feed: nothing that Next lent is touched any more.
	Close()
}

// ChannelID names a channel within a consuming task.
type ChannelID struct {
	Port int    // input port
	Up   uint64 // first hash of the upstream task's range: ties are handled in this order, however ranges are cut
}

// Sender names a task that feeds others: its index among those of its operator, a number that changes when it comes back
// elsewhere, and its key range.
type Sender struct {
	Index int
	Life  uint64
	Keys  partition.Range
}

// Channel is the consumer's end of a channel, valid for Start ≤ τ < End.
type Channel struct {
	ID         ChannelID
	Sender     Sender
	Start, End wire.Time

	feed   Feed
	stride uintptr   // of a tuple of fixed size; 0 where sizes vary
	front  wire.Time // effective frontier: TimeMax once nothing more can come that is valid
	eoi    wire.Time // logical end of the input, if known
	ending bool      // it is

	replaced bool // it has successors

	p       Ptr  // the next tuple, if left > 0
	left    int  // bytes from p to the end of its frame
	unseen  int  // bytes at the end of its frame that Ahead has not seen
	show    int  // Ahead is to see more of the frame when left is down to this
	showing bool // it is seeing more right now
	frame   buffers.Frame
	ahead   buffers.Frame // the frame after it, if it has been asked for
	isAhead bool
}

// NewChannel makes the consumer's end of a channel that is valid for start ≤ τ < end. The feed must begin with the first
// tuple at or after start.
func NewChannel(id ChannelID, payloadSize int, feed Feed, start, end wire.Time) *Channel {
	ch := &Channel{ID: id, Start: start, End: end, feed: feed, front: start}
	if payloadSize > 0 {
		ch.stride = uintptr(wire.TupleHeader + payloadSize)
	}
	return ch
}

// poll reads the frontier and, after it, the logical end of the input.
func (ch *Channel) poll() {
	f := ch.feed.Poll()
	if f >= ch.End {
		f = wire.TimeMax
	}
	if f > ch.front {
		ch.front = f
	}
	if e, ok := ch.feed.Ending(); ok {
		ch.eoi, ch.ending = e, true
	}
}

// head is the τ of the next tuple, TimeMax where there is none in hand.
func (ch *Channel) head() wire.Time {
	if ch.left == 0 && !ch.load() {
		return wire.TimeMax
	}
	t := tupleTime(ch.p)
	if t >= ch.End && mutant.Active != mutant.KeepReceived {
		return wire.TimeMax
	}
	return t
}

// load moves on to the next frame.
func (ch *Channel) load() bool {
	for ch.left == 0 {
		if ch.isAhead {
			ch.frame, ch.ahead, ch.isAhead = ch.ahead, buffers.Frame{}, false
		} else {
			f, ok := ch.feed.Next()
			if !ok {
				return false
			}
			ch.frame = f
		}
		ch.p, ch.left = at(baseOf(ch.frame.Data), uintptr(ch.frame.First)), len(ch.frame.Data)-ch.frame.First
		ch.unseen, ch.show = ch.left, ch.left
	}
	return true
}

// lookAhead lets Ahead see tuples of the frame, the next of which is at p, as far as AheadMax go.
func (ch *Channel) lookAhead(p Ptr, h *Handler) {
	seen := ch.left - ch.unseen
	more := ch.more()
	ch.showing = true
	h.Ahead(at(p, uintptr(seen)), ch.stride, more/int(ch.stride))
	ch.showing = false
	ch.unseen -= more
	ch.show = 0
	if ch.unseen > 0 {
		ch.show = ch.unseen + (AheadMax-aheadStep)*int(ch.stride)
	}
}

// more is how many bytes of the frame Ahead may see beyond those that it has seen.
func (ch *Channel) more() int { return min(ch.unseen, AheadMax*int(ch.stride)-(ch.left-ch.unseen)) }

// shown are the times of the first and the last tuple that Ahead is being shown.
func (ch *Channel) shown() (first, last wire.Time) {
	p := at(baseOf(ch.frame.Data), uintptr(len(ch.frame.Data)-ch.unseen))
	return tupleTime(p), tupleTime(at(p, uintptr(ch.more())-ch.stride))
}

// size is the distance from the next tuple to the one after it.
func (ch *Channel) size() uintptr {
	if ch.stride > 0 {
		return ch.stride
	}
	return varStride(varLen(ch.p))
}

// pop passes over the next tuple.
func (ch *Channel) pop() {
	n := ch.size()
	if ch.left -= int(n); ch.left > 0 {
		ch.p = at(ch.p, n)
	} else {
		ch.p = nil // never beyond the end: a frame may lie in the Go heap, and what is behind it is something else
	}
}

// tied says whether the tuple after the next one has the same τ.
func (ch *Channel) tied(t wire.Time) bool {
	n := ch.size()
	if int(n) < ch.left {
		return tupleTime(at(ch.p, n)) == t
	}
	if mutant.Active == mutant.SplitTie {
		return false
	}
	if !ch.isAhead {
		ch.ahead, ch.isAhead = ch.feed.Next()
		if !ch.isAhead {
			return false
		}
	}
	return tupleTime(at(baseOf(ch.ahead.Data), uintptr(ch.ahead.First))) == t
}
