package link

import (
	"fmt"

	"github.com/fullspate/spate/wire"
)

// slicesMax bounds the slices of one write: half of what a system call takes, and gnet closes a connection beyond that.
const slicesMax = 512

// batch is what one turn sends: messages in an arena of the link's own, and frames where they lie in their logs.
//
//	arena   opens acks frontiers │ envelope │ envelope │ frontiers
//	slices  [──────────────────────────────][frame][────────][frame][───────]
type batch struct {
	arena  []byte
	cut    int // bytes of the arena that are in slices
	slices [][]byte
	frames int // bytes of frames
	body   int // where the body of the message that is being written begins
}

func (b *batch) reset() { b.arena, b.cut, b.slices, b.frames = b.arena[:0], 0, b.slices[:0], 0 }

// begin begins a message, whose body is appended to the arena.
func (b *batch) begin(kind wire.EnvelopeKind) {
	b.arena = wire.Envelope{Kind: kind}.Append(b.arena)
	b.body = len(b.arena)
}

// end completes the message, or takes it back if there is nothing in it.
func (b *batch) end(kind wire.EnvelopeKind) (sent bool) {
	n := len(b.arena) - b.body
	envelope := b.arena[:b.body-wire.EnvelopeBytes]
	if n == 0 {
		b.arena = envelope
		return false
	}
	wire.Envelope{Kind: kind, Bytes: uint32(n)}.Append(envelope)
	return true
}

// frame adds a frame of a channel, which stays where it is.
func (b *batch) frame(channel uint32, data []byte) {
	b.arena = wire.Envelope{Kind: wire.EnvelopeFrame, Channel: channel, Bytes: uint32(len(data))}.Append(b.arena)
	b.slices = append(b.slices, b.arena[b.cut:len(b.arena):len(b.arena)], data)
	b.cut = len(b.arena)
	b.frames += len(data)
}

// finish puts the rest of the arena behind the last frame. It returns how many bytes the batch has.
func (b *batch) finish() int {
	if b.cut < len(b.arena) {
		b.slices = append(b.slices, b.arena[b.cut:])
	}
	return len(b.arena) + b.frames
}

// turn sends what there is to say. again says that there is more, for which the connection or the turn had no room.
func (l *Link) turn() (moved, again bool, err error) {
	if l.conn.Pending() > l.cfg.PendingBytesMax {
		return false, true, nil
	}
	if err := l.catchUp(); err != nil {
		return false, false, err
	}
	b := &l.batch
	b.reset()
	l.putOpens()
	l.putAcks()
	l.putAsks()
	l.putCloses()
	if err := l.look(); err != nil {
		return false, false, err
	}
	l.putFrontiers(true)
	if again, err = l.putFrames(); err != nil {
		return false, false, err
	}
	l.putFrontiers(false)
	size := b.finish()
	if size == 0 {
		return false, again, nil
	}
	n, err := l.conn.Writev(b.slices)
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d bytes were taken", n, size)
	}
	if err != nil {
		return false, false, fmt.Errorf("writing to %s: %w", l.cfg.Peer, err)
	}
	l.stats.BytesOut += uint64(size)
	return true, again, nil
}

// putOpens asks for the channels that have not been asked for on this connection.
func (l *Link) putOpens() {
	if len(l.opening) == 0 {
		return
	}
	b := &l.batch
	b.begin(wire.EnvelopeOpen)
	for _, f := range l.opening {
		b.arena = f.open().Append(b.arena)
		f.openings++
		f.current = true
	}
	l.unclosed += len(l.opening)
	l.opening = l.opening[:0]
	l.endMessage(wire.EnvelopeOpen)
}

// putAcks acknowledges and grants.
func (l *Link) putAcks() {
	if len(l.owing) == 0 {
		return
	}
	b := &l.batch
	b.begin(wire.EnvelopeAcks)
	for _, f := range l.owing {
		f.owing = false
		f.window.granted = f.grant()
		told := f.acknowledged()
		b.arena = wire.AckEntry{Channel: f.channel, Acked: told, Granted: f.window.granted}.Append(b.arena)
		if told == wire.TimeMax && !f.ended {
			f.ended = true
			l.going--
		}
	}
	l.owing = l.owing[:0]
	l.endMessage(wire.EnvelopeAcks)
}

// putAsks asks for checkpoints of those who read logs that are half full, once until the next acknowledgement.
func (l *Link) putAsks() {
	if !l.cfg.Durable {
		return
	}
	b := &l.batch
	b.begin(wire.EnvelopeAsks)
	for _, c := range l.outs {
		if c.open && !c.asked && c.log.HalfFull() {
			c.asked = true
			b.arena = wire.AppendAsk(b.arena, c.channel)
		}
	}
	l.endMessage(wire.EnvelopeAsks)
}

// putCloses tells of openings that are over, before anything that is of the channel's next one, or is not to hold for it any
// more.
func (l *Link) putCloses() {
	if len(l.closes) == 0 {
		return
	}
	b := &l.batch
	b.begin(wire.EnvelopeCloses)
	for _, channel := range l.closes {
		b.arena = wire.AppendClose(b.arena, channel)
	}
	l.closes, l.reopened = l.closes[:0], 0
	l.endMessage(wire.EnvelopeCloses)
}

// endMessage completes a message, and counts it if there is one.
func (l *Link) endMessage(kind wire.EnvelopeKind) {
	if l.batch.end(kind) {
		l.stats.MessagesOut++
	}
}

// look looks for frames in the logs, and collects the channels that have one that may go: from the one on at which the last
// turn had to stop.
func (l *Link) look() error {
	l.ready = l.ready[:0]
	starved := false
	for i := range l.outs {
		at := i + l.first
		if at >= len(l.outs) {
			at -= len(l.outs)
		}
		c := l.outs[at]
		if c.cursor == nil {
			continue
		}
		if err := c.look(); err != nil {
			return err
		}
		if c.frame.Data == nil {
			continue
		}
		if c.ready() {
			l.ready = append(l.ready, c)
		} else {
			starved = true
		}
	}
	if starved {
		l.stats.Starved++
	}
	return nil
}

// putFrames sends frames, one of each channel in turn, as far as credits and the bounds of a turn go. It says whether there
// are more that only the latter have held back.
func (l *Link) putFrames() (more bool, err error) {
	b := &l.batch
	for len(l.ready) > 0 {
		kept := l.ready[:0]
		for _, c := range l.ready {
			if b.frames >= l.cfg.TurnBytes || len(b.slices)+3 > slicesMax {
				l.first = c.index
				return true, nil
			}
			h := wire.HeaderOf(c.frame.Data)
			b.frame(c.channel, c.frame.Data)
			c.window.take(len(c.frame.Data), h.Last)
			c.group.moved = true
			l.stats.MessagesOut++
			l.stats.FramesOut++
			l.stats.TuplesOut += uint64(h.Count)
			if err := c.peek(); err != nil {
				return false, err
			}
			if c.ready() {
				kept = append(kept, c)
			}
		}
		l.ready = kept
	}
	return false, nil
}

// putFrontiers tells the frontiers of the groups in which something has moved. Before the frames it does so for those alone
// whose input's end has become known, since a frame may carry a frontier beyond it.
func (l *Link) putFrontiers(ends bool) {
	b := &l.batch
	b.begin(wire.EnvelopeFrontiers)
	for _, g := range l.groups {
		if !g.moved {
			continue
		}
		end, ending := g.ends()
		if ending || !ends {
			g.append(b, end, ending)
		}
		g.moved = ends // frames may follow
	}
	l.endMessage(wire.EnvelopeFrontiers)
}

// append appends what there is to tell of the group.
func (g *group) append(b *batch, end wire.Time, ending bool) {
	front, exceptions, news := g.update()
	if !news && !ending {
		return
	}
	g.front, g.endTold = front, g.endTold || ending
	b.arena = wire.FrontierGroup{Task: g.task, Exceptions: uint32(exceptions), Frontier: front, End: end, Ending: ending}.Append(b.arena)
	if exceptions == 0 {
		return
	}
	for _, c := range g.outs {
		if c.listens() && c.apart(front) {
			c.named = true
			b.arena = wire.FrontierException{Channel: c.channel, Frontier: c.told}.Append(b.arena)
		}
	}
}
