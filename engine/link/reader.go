package link

import (
	"fmt"

	"github.com/fullspate/spate/wire"
)

// reader takes a connection's bytes apart. It reads into where they are to stay: a frame into its channel's chunk, whatever
// else into a buffer of the link's.
type reader struct {
	stage  stage
	want   []byte // what is to be filled before the stage is over
	offset uint64 // bytes read from the connection
	start  uint64 // offset of the message's body
	env    wire.Envelope
	feed   *Feed  // of the frame that is being received
	frame  []byte // reserved in its store, once the header has been judged
	head   [wire.EnvelopeBytes]byte
	header [wire.FrameHeader]byte
	body   []byte
	waste  []byte // what is passed over is read into it,
	rest   int    // and so much of it is to come after that
}

// wasteBytes is how much is passed over at a time.
const wasteBytes = 4 << 10

// stage is what the reader reads.
type stage uint8

const (
	inEnvelope stage = iota
	inHeader         // of a frame
	inFrame          // the rest of it
	inPassed         // a frame that nobody wants any more
	inBody           // of another message
)

// reset makes the reader ready for a new connection; what has come in part is dropped.
func (r *reader) reset() {
	if r.frame != nil {
		r.feed.store.release(r.feed.store.tail)
	}
	r.frame, r.feed = nil, nil
	r.offset = 0
	r.next()
}

// pass passes over n bytes.
func (r *reader) pass(n int) {
	if r.waste == nil {
		r.waste = make([]byte, wasteBytes)
	}
	now := min(n, len(r.waste))
	r.stage, r.want, r.rest = inPassed, r.waste[:now], n-now
}

// drop passes over what is to come of a frame of the feed, which is being closed.
func (r *reader) drop(f *Feed) {
	if r.feed != f {
		return
	}
	n := len(r.want)
	if r.stage == inHeader {
		n += int(r.env.Bytes) - wire.FrameHeader
	}
	if r.frame != nil {
		f.store.release(f.store.tail)
	}
	r.frame, r.feed = nil, nil
	r.pass(n)
}

// next awaits an envelope.
func (r *reader) next() { r.stage, r.want = inEnvelope, r.head[:] }

// read takes over whatever has arrived.
func (l *Link) read() error {
	r := &l.reader
	for {
		n, err := l.conn.Read(r.want)
		if err != nil {
			return fmt.Errorf("reading from %s: %w", l.cfg.Peer, err)
		}
		if n == 0 {
			return nil
		}
		r.want = r.want[n:]
		r.offset += uint64(n)
		for len(r.want) == 0 {
			if err := l.advance(); err != nil {
				return err
			}
		}
	}
}

// advance ends a stage whose bytes are complete.
func (l *Link) advance() error {
	r := &l.reader
	switch r.stage {
	case inEnvelope:
		return l.envelope()
	case inHeader:
		return l.header()
	case inFrame:
		frame := r.frame
		err := r.feed.accept(frame)
		if err != nil {
			return err
		}
		r.frame, r.feed = nil, nil
		l.stats.FramesIn++
		l.stats.TuplesIn += uint64(wire.HeaderOf(frame).Count)
	case inPassed:
		if r.rest > 0 {
			r.pass(r.rest)
			return nil
		}
	case inBody:
		if err := l.handle(r.body); err != nil {
			return err
		}
	}
	r.next()
	return nil
}

// envelope judges how much is to come before there is room for it.
func (l *Link) envelope() (err error) {
	r := &l.reader
	if r.env, err = wire.ParseEnvelope(r.head[:]); err != nil {
		r.start = r.offset - wire.EnvelopeBytes
		return at(NoChannel, 0, err)
	}
	r.start = r.offset
	l.stats.MessagesIn++
	n := int(r.env.Bytes)
	if r.env.Kind == wire.EnvelopeFrame {
		return l.beginFrame(n)
	}
	if most := l.bodyMax(r.env.Kind); n > most {
		return misusef(NoChannel, -wire.EnvelopeBytes, "%v of %d bytes, at most %d would be right", r.env.Kind, n, most)
	}
	if cap(r.body) < n {
		r.body = make([]byte, n)
	}
	r.body = r.body[:n]
	r.stage, r.want = inBody, r.body
	return nil
}

// bodyMax is the size of a message that names everything once.
func (l *Link) bodyMax(kind wire.EnvelopeKind) int {
	switch kind {
	case wire.EnvelopeFrontiers:
		return (len(l.upstreamOf)+len(l.left))*wire.GroupBytes + (len(l.feeds)+len(l.passed))*wire.ExceptionBytes
	case wire.EnvelopeAcks:
		return (len(l.outs) + l.cfg.EarlyMax + len(l.withdrawn)) * wire.AckBytes
	case wire.EnvelopeOpen:
		return (len(l.outs) + l.cfg.EarlyMax + len(l.withdrawn)) * wire.OpenBytes
	case wire.EnvelopeAsks:
		return (len(l.feeds) + len(l.passed)) * wire.AskBytes
	case wire.EnvelopeCloses:
		return l.unclosed * wire.CloseBytes
	}
	return wire.FaultBytesMax
}

func (l *Link) beginFrame(n int) error {
	r := &l.reader
	f := l.feedOf[r.env.Channel]
	switch ch := int(r.env.Channel); {
	case !l.open(f, r.env.Channel):
		return misusef(ch, -wire.EnvelopeBytes, "frame of a channel that does not lead here")
	case n < wire.FrameHeader || n > l.cfg.FrameBytesMax:
		return misusef(ch, -wire.EnvelopeBytes, "frame of %d bytes, want %d to %d", n, wire.FrameHeader, l.cfg.FrameBytesMax)
	}
	if f == nil || !f.live() {
		r.pass(n)
		return nil
	}
	r.feed = f
	r.stage, r.want = inHeader, r.header[:]
	return nil
}

// open says that the peer may say something of a channel, whose feed is f, if it has one: it has not closed all openings.
func (l *Link) open(f *Feed, channel uint32) bool {
	return f != nil && f.openings > 0 || f == nil && l.passed[channel] > 0
}

// header judges a frame's header, and finds the frame a place.
func (l *Link) header() error {
	r := &l.reader
	n, ch := int(r.env.Bytes), int(r.env.Channel)
	h, err := wire.ParseHeader(r.header[:], wire.Limits{Bytes: uint32(n)})
	if err != nil {
		return at(ch, 0, err)
	}
	if h.FrameSize() != n {
		return misusef(ch, 0, "frame of %d bytes in a message of %d", h.FrameSize(), n)
	}
	if err := r.feed.admit(h); err != nil {
		return err
	}
	if r.frame, err = r.feed.store.reserve(n, r.feed.bytes); err != nil {
		return fmt.Errorf("receiving a frame of %d bytes of channel %d from %s: %w", n, ch, l.cfg.Peer, err)
	}
	copy(r.frame, r.header[:])
	r.stage, r.want = inFrame, r.frame[wire.FrameHeader:]
	return nil
}
