package link

import (
	"errors"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/wire"
)

// handle does what a message other than a frame says.
func (l *Link) handle(body []byte) error {
	switch l.reader.env.Kind {
	case wire.EnvelopeFrontiers:
		return l.hearFrontiers(body)
	case wire.EnvelopeAcks:
		return l.hearAcks(body)
	case wire.EnvelopeOpen:
		return l.hearOpens(body)
	case wire.EnvelopeAsks:
		return l.hearAsks(body)
	case wire.EnvelopeCloses:
		return l.hearCloses(body)
	}
	return &FaultError{Peer: l.cfg.Peer, Reason: wire.FaultText(body)}
}

// hearFrontiers moves the frontiers of the channels that come from the peer.
func (l *Link) hearFrontiers(body []byte) error {
	for rest := body; len(rest) > 0; {
		off := len(body) - len(rest)
		g, next, err := wire.ParseFrontierGroup(rest)
		if err != nil {
			return at(NoChannel, off, err)
		}
		up := l.upstreamOf[g.Task]
		if _, left := l.left[g.Task]; up == nil && !left {
			return misusef(NoChannel, off, "frontier of task %d, which does not lead here", g.Task)
		}
		rest = next
		heard := up != nil && (!up.deaf || l.names(up, rest, g.Exceptions))
		if heard {
			if err := up.judge(g, off); err != nil {
				return err
			}
		}
		for range g.Exceptions {
			off := len(body) - len(rest)
			var e wire.FrontierException
			if e, rest, err = wire.ParseFrontierException(rest); err != nil {
				return at(NoChannel, off, err)
			}
			if err := l.except(g.Task, e, off); err != nil {
				return err
			}
		}
		if heard {
			up.deaf = false
			up.round++
			up.front, up.high = g.Frontier, max(up.high, g.Frontier)
		}
	}
	return nil
}

// names says that one of the exceptions to come is of a feed of the task.
func (l *Link) names(up *upstream, exceptions []byte, n uint32) bool {
	for range n {
		e, rest, err := wire.ParseFrontierException(exceptions)
		if err != nil {
			return false // it is parsed again
		}
		if f := l.feedOf[e.Channel]; f != nil && f.up == up && f.live() {
			return true
		}
		exceptions = rest
	}
	return false
}

// judge looks at what is said of an upstream task, and takes over where its input ends.
func (up *upstream) judge(g wire.FrontierGroup, off int) error {
	switch {
	case g.Ending && up.ending && g.End != up.end:
		return misusef(NoChannel, off, "the input of task %d ends at %v, before it was %v", g.Task, g.End, up.end)
	case g.Ending && !up.ending && up.high > g.End:
		return misusef(NoChannel, off, "the input of task %d ends at %v, told after the frontier %v", g.Task, g.End, up.high)
	case g.Frontier < up.front:
		return misusef(NoChannel, off, "frontier of task %d goes back from %v to %v", g.Task, up.front, g.Frontier)
	case g.Frontier == wire.TimeMax && !g.Ending && !up.ending:
		return misusef(NoChannel, off, "task %d is at its end, but where its input ends was not told", g.Task)
	}
	if g.Ending {
		up.end, up.ending = g.End, true
	}
	return nil
}

// except gives a channel a frontier of its own for the coming round of its upstream task.
func (l *Link) except(task uint32, e wire.FrontierException, off int) error {
	f, ch := l.feedOf[e.Channel], int(e.Channel)
	switch open := l.open(f, e.Channel); {
	case open && (f == nil || !f.live()):
		return nil
	case !open || f.up.task != task:
		return misusef(ch, off, "frontier of a channel that does not lead here from task %d", task)
	}
	up := f.up
	switch {
	case f.apart == up.round+1:
		return misusef(ch, off, "named twice in one group")
	case e.Frontier < f.Poll():
		return misusef(ch, off, "frontier goes back from %v to %v", f.Poll(), e.Frontier)
	case e.Frontier == wire.TimeMax && !up.ending:
		return misusef(ch, off, "the channel is at its end, but where the input ends was not told")
	}
	if !f.named {
		f.named = true
		up.named++
	}
	f.apart = up.round + 1
	f.advance(e.Frontier)
	return nil
}

// hearAcks hears what the peer has consumed of the channels that lead to it.
func (l *Link) hearAcks(body []byte) error {
	for rest := body; len(rest) > 0; {
		off := len(body) - len(rest)
		var e wire.AckEntry
		var err error
		if e, rest, err = wire.ParseAckEntry(rest); err != nil {
			return at(NoChannel, off, err)
		}
		c := l.outOf[e.Channel]
		if early, ok := l.early[e.Channel]; ok {
			early.ack, early.told = e, true
			l.early[e.Channel] = early
			continue
		}
		if _, ok := l.withdrawn[e.Channel]; ok || c != nil && c.again && !c.open {
			continue
		}
		if c == nil {
			return misusef(int(e.Channel), off, "acknowledgement of a channel that does not lead there")
		}
		if err := l.acked(c, e); err != nil {
			return within(err, off)
		}
	}
	return nil
}

// hearOpens hears what the peer wants.
func (l *Link) hearOpens(body []byte) error {
	for rest := body; len(rest) > 0; {
		off := len(body) - len(rest)
		var e wire.OpenEntry
		var err error
		if e, rest, err = wire.ParseOpenEntry(rest); err != nil {
			return at(NoChannel, off, err)
		}
		if err := l.opened(e); err != nil {
			return within(err, off)
		}
	}
	return nil
}

// reopensMax bounds how many openings the peer may take the place of before it is told of it: more than it has reason for.
const reopensMax = 4 << 10

// opened hears that the peer wants a channel. What it wanted of it before is over: it has closed its end, and made another.
func (l *Link) opened(e wire.OpenEntry) error {
	c := l.outOf[e.Channel]
	_, waits := l.early[e.Channel]
	_, withdrawn := l.withdrawn[e.Channel]
	if waits || c != nil && c.open {
		if l.reopened++; l.reopened > reopensMax {
			return misusef(int(e.Channel), 0, "%d channels are wanted again", l.reopened)
		}
		l.closes = append(l.closes, e.Channel)
	}
	switch {
	case waits, c == nil && (withdrawn || len(l.early)-len(l.late) < l.cfg.EarlyMax+len(l.withdrawn)):
		if mutant.Active != mutant.EarlyForgotten {
			l.early[e.Channel] = early{open: e}
		}
		return nil
	case c == nil:
		return misusef(int(e.Channel), 0, "a channel is wanted that does not lead there")
	}
	c.detach()
	return c.begin(e)
}

// hearAsks hears whose logs wait for checkpoints.
func (l *Link) hearAsks(body []byte) error {
	for rest := body; len(rest) > 0; {
		off := len(body) - len(rest)
		var channel uint32
		var err error
		if channel, rest, err = wire.ParseAsk(rest); err != nil {
			return at(NoChannel, off, err)
		}
		f := l.feedOf[channel]
		if !l.open(f, channel) {
			return misusef(int(channel), off, "a checkpoint is asked for of a channel that does not lead here")
		}
		if f != nil && f.live() {
			f.asked = true
		}
	}
	return nil
}

// hearCloses hears which openings are over.
func (l *Link) hearCloses(body []byte) error {
	for rest := body; len(rest) > 0; {
		off := len(body) - len(rest)
		var channel uint32
		var err error
		if channel, rest, err = wire.ParseClose(rest); err != nil {
			return at(NoChannel, off, err)
		}
		f := l.feedOf[channel]
		if !l.open(f, channel) {
			return misusef(int(channel), off, "a channel is closed that is not open")
		}
		l.unclosed--
		if f != nil {
			f.over()
			continue
		}
		if l.passed[channel]--; l.passed[channel] == 0 {
			delete(l.passed, channel)
		}
	}
	return nil
}

// within moves a misuse to the entry that it is in.
func within(err error, off int) error {
	if m := (*misuse)(nil); errors.As(err, &m) {
		m.offset += off
	}
	return err
}

// refuse ends the use of the connection: it makes an error to return out of what went wrong, and tells the peer, unless it
// was the peer that told us.
func (l *Link) refuse(err error) error {
	channel := 0
	if m := (*misuse)(nil); errors.As(err, &m) {
		offset := uint64(int64(l.reader.start) + int64(m.offset))
		err = &ProtocolError{Peer: l.cfg.Peer, Channel: m.channel, Offset: offset, Reason: m.reason}
		channel = max(m.channel, 0)
	}
	if f := (*FaultError)(nil); !errors.As(err, &f) {
		// Whether it can still be written makes no difference: the connection is closed next.
		_, _ = l.conn.Writev([][]byte{wire.AppendFault(nil, uint32(channel), err.Error())})
	}
	return err
}
