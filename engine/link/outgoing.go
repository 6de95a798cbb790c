package link

import (
	"fmt"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/wire"
)

// outgoing is the sending end of a channel: a log, and how far the peer has come in it. What is touched in every turn,
// though nothing is sent, comes first, within a cache line.
type outgoing struct {
	log    *buffers.Log
	cursor *buffers.Cursor // nil while the channel is not open, or once it is done
	group  *group
	seen   wire.Time     // frontier of the log when it was looked at last
	taken  uint64        // frames of the log of which the last look left none
	told   wire.Time     // frontier that the peer knows of
	open   bool          // the peer has asked for the channel on this connection
	named  bool          // and been told so
	past   bool          // it has everything, and will only say how much of it is durable
	frame  buffers.Frame // the next to go; Data is nil if there is none

	first   wire.Time // of its tuples that are wanted
	window  window
	asked   bool      // for a checkpoint, since the last acknowledgement
	again   bool      // it was withdrawn before, on this connection: acknowledgements may come that are not of it
	acked   wire.Time // as the peer has said, in any opening; TimeMax ends the channel
	heard   wire.Time // in this one
	channel uint32
	index   int // in Link.outs
}

// group is the channels of one upstream task. The task publishes its logs together, so that one frontier does for all that
// have nothing unsent.
type group struct {
	task    uint32
	outs    []*outgoing
	moved   bool      // something may have to be told
	front   wire.Time // as told on this connection: it does not go back when the channel is withdrawn for which it held
	endTold bool      // on this connection, to all who listen
}

// detach ends what the channel has on a connection, or what an opening of it has. The log hears what the peer had acknowledged until then, and forgets the
// cursor: beside the next one it would hold back the trim point.
func (c *outgoing) detach() {
	if c.cursor != nil {
		c.cursor.Close()
		c.log.Collect()
		c.cursor = nil
	}
	c.open, c.named, c.past, c.asked, c.frame = false, false, false, false, buffers.Frame{}
}

// begin opens the channel as the peer asks for it.
func (c *outgoing) begin(e wire.OpenEntry) error {
	if e.From < c.acked {
		return misusef(int(c.channel), 0, "wanted from %v, but all below %v was acknowledged: the peer has lost what it had", e.From, c.acked)
	}
	c.open, c.told, c.heard, c.seen, c.taken = true, e.From, 0, 0, 0
	c.window = newWindow(e.Granted)
	if c.past = e.From == wire.TimeMax; c.past {
		return nil
	}
	c.group.endTold = false
	cur, err := c.log.OpenCursor(e.From)
	if err != nil {
		return fmt.Errorf("channel %d is wanted from %v: %w", c.channel, e.From, err)
	}
	cur.Trim(c.acked)
	c.cursor = cur
	return nil
}

// ack hears what the peer has consumed, and has room for.
func (c *outgoing) ack(e wire.AckEntry) error {
	ch := int(c.channel)
	switch {
	case !c.open:
		return misusef(ch, 0, "acknowledged before it was opened")
	case e.Acked < c.heard || e.Acked > c.told:
		return misusef(ch, 0, "%v acknowledged, want %v to %v: what was acknowledged before, and the frontier", e.Acked, c.heard, c.told)
	case e.Granted < c.window.granted:
		return misusef(ch, 0, "%d bytes granted, before it were %d", e.Granted, c.window.granted)
	}
	c.asked = c.asked && e.Acked == c.heard
	c.heard, c.acked, c.window.granted = e.Acked, max(c.acked, e.Acked), e.Granted
	switch {
	case c.cursor != nil:
		c.cursor.Ack(c.acked)
		c.cursor.Trim(c.acked)
	case c.past:
		c.log.Trim(c.acked)
	}
	return nil
}

// early is what a peer wants of a channel that is not declared here yet.
type early struct {
	open wire.OpenEntry
	ack  wire.AckEntry // the last,
	told bool          // if there was one
}

// catchUp serves a peer that has asked for channels before they were declared.
func (l *Link) catchUp() error {
	for _, c := range l.late {
		e := l.early[c.channel]
		delete(l.early, c.channel)
		err := c.begin(e.open)
		if err == nil && e.told {
			err = l.acked(c, e.ack)
		}
		if err != nil {
			return err
		}
	}
	l.late = l.late[:0]
	return nil
}

// acked hears what the peer has of a channel.
func (l *Link) acked(c *outgoing, e wire.AckEntry) error {
	ended := c.acked == wire.TimeMax
	err := c.ack(e)
	if err == nil && c.acked == wire.TimeMax && !ended {
		l.going--
	}
	return err
}

// look learns what the log has beyond what was there when it was looked at last. Frames that were sealed without moving the
// frontier are passed over: they hold nothing that could be processed before it moves.
func (c *outgoing) look() error {
	front := c.log.Frontier()
	if front == c.seen {
		return nil
	}
	c.seen, c.group.moved = front, true
	if c.frame.Data != nil || c.log.Sealed() == c.taken {
		return nil
	}
	return c.peek()
}

// peek takes the next frame in hand.
func (c *outgoing) peek() error {
	f, ok := c.cursor.Next()
	if !ok {
		c.frame = buffers.Frame{}
		if err := c.cursor.Err(); err != nil {
			return fmt.Errorf("reading the log of channel %d: %w", c.channel, err)
		}
		c.taken = c.log.Sealed()
		return nil
	}
	t := f.View()
	c.frame, c.first = f, t.Time()
	return nil
}

// ready says that there is a frame that may go.
func (c *outgoing) ready() bool {
	return c.frame.Data != nil && c.window.admits(wire.HeaderOf(c.frame.Data).First)
}

// frontier is what may be told: nothing below it is unsent, or will be written.
func (c *outgoing) frontier() wire.Time {
	if c.frame.Data != nil {
		return min(c.seen, c.first)
	}
	return c.seen
}

// ends says, until it has been told, that the end of the group's input is known, and what it is.
func (g *group) ends() (end wire.Time, ending bool) {
	if g.endTold {
		return 0, false
	}
	for _, c := range g.outs {
		if c.cursor != nil {
			return c.cursor.Ending()
		}
	}
	return 0, false
}

// update brings what is to be told of the group's channels up to date. It returns the frontier that holds for most, how many
// are exceptions, and whether there is anything to tell.
func (g *group) update() (front wire.Time, exceptions int, news bool) {
	least, n := wire.TimeMax, 0
	front = g.front
	for _, c := range g.outs {
		if !c.listens() {
			continue
		}
		t := c.frontier()
		if t > c.told {
			c.told, news = t, true
		}
		if !c.named {
			news, exceptions = true, exceptions+1
		}
		if t == c.told { // else the peer wants it from a time on that the task is yet to come to
			front = max(front, t)
		}
		least, n = min(least, c.told), n+1
	}
	if n > 0 && least < front {
		exceptions = 0
		for _, c := range g.outs {
			if c.listens() && c.apart(front) {
				exceptions++
			}
		}
	}
	return front, exceptions, news
}

// listens says that frontiers are to be told of the channel.
func (c *outgoing) listens() bool { return c.open && !c.past }

// apart says that a channel has to be named, since it is not known to the peer yet or its group is at front before it is.
func (c *outgoing) apart(front wire.Time) bool { return !c.named || c.told < front }
