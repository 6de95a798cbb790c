package link

import (
	"slices"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// ChannelSpec is what a receiver knows of a channel before anything of it has come.
type ChannelSpec struct {
	Stream      wire.StreamID
	PayloadSize int       // bytes of each tuple's payload; 0 where they vary
	From        wire.Time // where the channel begins: nothing below is wanted
}

// Feed is the receiving end of a channel: the frames that have come and are not consumed, and the frontier. It is a
// task.Feed, for the task of the link's own loop.
type Feed struct {
	link    *Link
	channel uint32
	index   int // in Link.feeds
	spec    ChannelSpec
	up      *upstream

	queue queue
	store store
	bytes int64     // of the frames in the queue
	last  wire.Time // of the last frame that was received

	front wire.Time // as frames and exceptions have told
	named bool      // the sender has named the channel on this connection: from then on the group's frontier holds, too,
	apart uint64    // but not in this round of the group's, in which the channel is an exception
	acked wire.Time // consumed
	trim  wire.Time // in a checkpoint, too
	asked bool      // the log is half full, and nothing was acknowledged since

	openings int  // of the channel on this connection that the sender has not closed, those of closed feeds included;
	current  bool // the newest is this feed's
	window   window
	seek     wire.Time // the first tuple wanted since the channel was opened is at or after this,
	skip     int       // and not one of so many at that time, which had come before
	sought   bool      // it has been found
	owing    bool      // there is something to acknowledge or to grant
	ended    bool      // the peer has been told that the end is acknowledged
	closed   bool
}

// upstream is a task of the peer as those whom it feeds see it: its frontier holds for all its channels on the link but
// the exceptions of the moment.
type upstream struct {
	task   uint32
	feeds  int       // that come from it
	named  int       // how many of them the sender has named on this connection
	deaf   bool      // what is told of the task may be of a time before: it holds once one of the feeds is named
	front  wire.Time // on this connection
	round  uint64    // counts what came for the task
	high   wire.Time // the greatest frontier of any of its channels
	end    wire.Time // logical end of the input, if known
	ending bool
}

var _ task.Feed = (*Feed)(nil)

// Poll returns the frontier: every tuple below it has been, or will now be, returned by Next.
func (f *Feed) Poll() wire.Time {
	if f.named && f.apart != f.up.round {
		return max(f.front, f.up.front)
	}
	return f.front
}

// Next returns the next frame that has come, borrowed until a time beyond its last tuple is acknowledged.
func (f *Feed) Next() (buffers.Frame, bool) { return f.queue.take() }

// Ending returns the logical end of the input, once it is known: before Poll gives a frontier beyond it.
func (f *Feed) Ending() (wire.Time, bool) { return f.up.end, f.up.ending }

// Err is nil: a connection that is lost is no failure of the channel, which waits where it is.
func (f *Feed) Err() error { return nil }

// Ack says that everything below t is consumed. The memory of frames that lie wholly below it is used again; the peer hears
// of it, and is granted as much, when the link is flushed next.
func (f *Feed) Ack(t wire.Time) {
	if t <= f.acked {
		return
	}
	f.acked = t
	held, n := f.queue.held(), 0
	for n < len(held) && held[n].last < t {
		f.bytes -= int64(len(held[n].frame.Data))
		f.store.release(held[n].chunk)
		n++
	}
	f.queue.drop(n)
	if n > 0 || f.acknowledged() == wire.TimeMax || f.starving() && f.bytes > 0 {
		f.owe()
	}
}

// Trim says that nobody will ask for anything below t again: it is in a checkpoint. The peer hears of it when the link is
// flushed next.
func (f *Feed) Trim(t wire.Time) {
	if t <= f.trim {
		return
	}
	f.trim, f.asked = t, false
	if f.link.cfg.Durable {
		f.owe()
	}
}

// HalfFull says that the log at the other end has asked for a checkpoint.
func (f *Feed) HalfFull() bool { return f.asked }

// acknowledged is the time that the peer is told.
func (f *Feed) acknowledged() wire.Time {
	if f.link.cfg.Durable && mutant.Active != mutant.TrimConsumed {
		return f.trim
	}
	return f.acked
}

// owe has the channel acknowledged with the next flush.
func (f *Feed) owe() {
	if !f.owing && !f.closed {
		f.owing = true
		f.link.owing = append(f.link.owing, f)
	}
}

// starving says that whatever is held is of the τ at which the task stands. It cannot be processed without the rest of that
// τ, so it must not count as something to be consumed first.
func (f *Feed) starving() bool { return f.acked >= f.last }

// grant is how many bytes may have been sent in all, so that what is held stays within the window.
func (f *Feed) grant() uint64 {
	room := f.link.cfg.Window
	if !f.starving() {
		room = max(room-f.bytes, 0)
	}
	return max(f.window.granted, f.window.used+uint64(room))
}

// detach ends what is known of the channel by this connection alone.
func (f *Feed) detach() {
	f.front, f.named = f.Poll(), false
	f.openings, f.current = 0, false
}

// live says that what comes of the channel is for this feed: the sender has closed all openings but the feed's own.
func (f *Feed) live() bool { return f.current && f.openings == 1 }

// over hears that the sender has closed the oldest opening. If it was the feed's own, it stays where it is.
func (f *Feed) over() {
	f.openings--
	if f.openings == 0 && f.current {
		f.current = false
		f.unname()
	}
}

// unname ends that the frontier of the task holds for the channel, too. Where it holds for none, what the sender has declared of
// the task may be gone, and begin anew with another frontier.
func (f *Feed) unname() {
	if f.named {
		f.front, f.named = f.Poll(), false
		f.up.named--
	}
	if f.up.named == 0 {
		f.up.front, f.up.deaf = 0, true
	}
}

// open asks for the rest of the channel: from the frontier on, or, if tuples at or beyond the frontier have come already,
// from the last of these on. Of its time there may be more: the tuples of that time that came will come again, and are
// passed over. So nothing that was received is dropped, and the task need not know.
func (f *Feed) open() wire.OpenEntry {
	f.seek, f.skip, f.sought = f.front, 0, false
	if held := f.queue.held(); len(held) > 0 && f.last >= f.front {
		f.seek = f.last
		for i := len(held) - 1; i >= 0 && held[i].last == f.last; i-- {
			f.skip += countFrom(held[i].frame, f.last)
		}
	}
	f.window = newWindow(0)
	f.window.granted = f.grant()
	if f.acknowledged() == wire.TimeMax || f.link.cfg.Durable && f.trim > 0 { // what was said of it may be lost
		f.owe()
	}
	return wire.OpenEntry{Channel: f.channel, From: f.seek, Granted: f.window.granted}
}

// countFrom counts the tuples of a frame at or after t.
func countFrom(f buffers.Frame, t wire.Time) (n int) {
	view := f.View()
	for view.Seek(t); view.Valid(); view.Advance() {
		n++
	}
	return n
}

// admit judges a frame by its header, before there is memory for the rest.
func (f *Feed) admit(h wire.Header) error {
	ch := int(f.channel)
	switch {
	case h.Kind != wire.Data:
		return misusef(ch, 0, "frame of kind %v, want data", h.Kind)
	case !f.window.admits(h.First):
		return misusef(ch, 0, "frame at %v though %d of the %d bytes granted are used, and no τ but %v may be finished",
			h.First, f.window.used, f.window.granted, f.window.begun)
	}
	return nil
}

// accept takes a whole frame over, which lies in reserved memory, if it is what may come next.
func (f *Feed) accept(frame []byte) error {
	if err := wire.Verify(frame); err != nil {
		return at(int(f.channel), 0, err)
	}
	h := wire.HeaderOf(frame)
	if err := f.judge(h); err != nil {
		return err
	}
	first, err := f.firstWanted(frame, h)
	if err != nil {
		return err
	}
	f.window.take(len(frame), h.Last)
	f.advance(h.Frontier)
	if first == len(frame) { // all of it had come before
		f.store.release(f.store.tail)
		return nil
	}
	f.last = h.Last
	f.bytes += int64(len(frame))
	f.queue.push(received{buffers.Frame{Data: frame, First: first}, h.Last, f.store.keep(len(frame))})
	return nil
}

// judge looks at the fields of a verified frame.
func (f *Feed) judge(h wire.Header) error {
	ch, front := int(f.channel), f.Poll()
	switch {
	case h.Stream != f.spec.Stream:
		return misusef(ch, 0, "frame of stream %d, want %d", h.Stream, f.spec.Stream)
	case int(h.PayloadSize) != f.spec.PayloadSize:
		return misusef(ch, 0, "payloads of %d bytes, want %d", h.PayloadSize, f.spec.PayloadSize)
	case !f.sought && h.Last < f.seek:
		return misusef(ch, 0, "frame from %v to %v, wanted from %v on", h.First, h.Last, f.seek)
	case f.sought && h.First < f.last:
		return misusef(ch, 0, "frame at %v after a tuple at %v", h.First, f.last)
	case f.sought && h.First < front:
		return misusef(ch, 0, "frame at %v below the frontier %v", h.First, front)
	case h.Frontier == wire.TimeMax && !f.up.ending:
		return misusef(ch, 0, "frame at %v is the last, but where the input ends was not told", h.First)
	}
	return nil
}

// firstWanted is the offset of the first tuple that has not come before, and is wanted; the frame's size if there is none.
func (f *Feed) firstWanted(frame []byte, h wire.Header) (int, error) {
	if f.sought {
		return wire.FrameHeader, nil
	}
	t := wire.View(frame)
	t.Seek(f.seek)
	for ; f.skip > 0 && t.Valid(); f.skip-- {
		if t.Time() != f.seek {
			return 0, misusef(int(f.channel), t.Offset(),
				"tuple at %v, where %d more at %v had come before: the peer is not who it was", t.Time(), f.skip, f.seek)
		}
		t.Advance()
	}
	f.sought = t.Valid()
	return t.Offset(), nil
}

// advance moves the channel's own frontier. Where the channel was wanted from says nothing of how far the sender is.
func (f *Feed) advance(front wire.Time) {
	f.front = max(f.front, front)
	if front > f.spec.From {
		f.up.high = max(f.up.high, front)
	}
}

// Close gives back all memory, and takes the channel off the link: what the peer still says of it is passed over. Nothing that
// Next lent may be looked at any more.
func (f *Feed) Close() {
	if f.closed {
		return
	}
	f.closed = true
	f.link.drop(f)
	for _, r := range f.queue.held() {
		f.store.release(r.chunk)
	}
	f.queue = queue{}
	f.store.close()
}

// drop forgets a feed.
func (l *Link) drop(f *Feed) {
	l.reader.drop(f)
	if !f.ended {
		l.going--
	}
	last := l.feeds[len(l.feeds)-1]
	l.feeds[f.index], last.index = last, f.index
	l.feeds[len(l.feeds)-1] = nil
	l.feeds = l.feeds[:len(l.feeds)-1]
	delete(l.feedOf, f.channel)
	is := func(o *Feed) bool { return o == f }
	l.opening = slices.DeleteFunc(l.opening, is)
	if f.owing {
		l.owing = slices.DeleteFunc(l.owing, is)
	}
	if f.openings > 0 {
		l.passed[f.channel] = f.openings
	}
	f.unname()
	if f.up.feeds--; f.up.feeds == 0 {
		delete(l.upstreamOf, f.up.task)
		if l.conn != nil {
			l.left[f.up.task] = struct{}{}
		}
	}
}
