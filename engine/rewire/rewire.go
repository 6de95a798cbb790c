package rewire

import (
	"fmt"
	"slices"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// Site is a worker's part of a job, as far as its channels are concerned. It knows the newest order.
type Site interface {
	// Here says whether a task's place is on this worker, be it in it or still to come.
	Here(t *deploy.Task) bool
	// On runs fn between two turns of the loop of a task whose place is here, and returns when it is done.
	On(t *deploy.Task, fn func())
	// Link is the link between the loop of a task whose place is here and that of one elsewhere, made if it is not there. It is
	// called by On.
	Link(here, far *deploy.Task) *link.Link
	// Withdraw takes back a channel that a task here sends, on whatever link it does. It is called by On.
	Withdraw(here *deploy.Task, channel uint32)
}

// Follow takes up an order: who is there, what feeds whom, and who reads whom. Tasks that are Going have been taken out of their
// places before; those that are to come here are joined later. It returns from when on everything will be in the logs of
// whoever is new: the greatest position of the tasks here that feed them, 0 if there are none.
func Follow(d *deploy.Deployment, s Site, c Changes) (reached wire.Time, err error) {
	d.Reshape(Shape(c.Order))
	for _, p := range slices.Concat(c.come, c.moved) {
		d.Units[p.Unit][p.Index].Life = c.Order.Epoch
	}
	d.Tasks(func(t *deploy.Task) {
		if c.shape() && err == nil {
			var r wire.Time
			r, err = adjust(d, s, t)
			reached = max(reached, r)
		}
	})
	if err != nil {
		return reached, err
	}
	for _, p := range c.moved {
		resend(d, s, d.Units[p.Unit][p.Index])
	}
	if c.shape() || len(c.moved)+len(c.spoke) > 0 {
		d.Tasks(func(t *deploy.Task) {
			if err == nil {
				err = meet(d, s, t)
			}
		})
	}
	for _, p := range Places(c.Order) {
		if t := d.Units[p.Unit][p.Index]; t.Mute && !slices.Contains(c.Here, p) {
			expect(d, s, t)
		}
	}
	for _, p := range c.Here {
		expect(d, s, d.Units[p.Unit][p.Index])
	}
	return reached, err
}

// adjust brings the logs of a task that is here in line with who is there.
func adjust(d *deploy.Deployment, s Site, t *deploy.Task) (reached wire.Time, err error) {
	s.On(t, func() {
		for _, c := range d.Lost(t) {
			s.Withdraw(t, c.Channel)
		}
		var come []deploy.Link
		if come, err = d.Adjust(t); err != nil {
			return
		}
		for _, c := range come {
			reached = t.Position()
			if !s.Here(c.To) {
				s.Link(t, c.To).Send(c.Channel, t.Number, t.Log(c.Channel))
			}
		}
	})
	return reached, err
}

// resend has what feeds a task that has come back elsewhere sent to where it is now.
func resend(d *deploy.Deployment, s Site, moved *deploy.Task) {
	if s.Here(moved) {
		return
	}
	for _, c := range d.Inbound(moved) {
		if c.From.Local() && !c.From.Mute {
			s.On(c.From, func() { s.Link(c.From, moved).Send(c.Channel, c.From.Number, c.From.Log(c.Channel)) })
		}
	}
}

// send has what a task emits sent to those who are not here.
func send(d *deploy.Deployment, s Site, t *deploy.Task) {
	for _, c := range d.Outbound(t) {
		if !s.Here(c.To) {
			s.On(t, func() { s.Link(t, c.To).Send(c.Channel, t.Number, t.Log(c.Channel)) })
		}
	}
}

// expect makes the links that a task will need that is still to come, or still to speak, and those to it, so that they are there
// by then.
func expect(d *deploy.Deployment, s Site, coming *deploy.Task) {
	if s.Here(coming) {
		s.On(coming, func() {
			for _, c := range d.Inbound(coming) {
				if !s.Here(c.From) {
					s.Link(coming, c.From)
				}
			}
			for _, c := range d.Outbound(coming) {
				if !s.Here(c.To) {
					s.Link(coming, c.To)
				}
			}
		})
		return
	}
	for _, c := range d.Outbound(coming) {
		if c.To.Local() {
			s.On(c.To, func() { s.Link(c.To, coming) })
		}
	}
}

// Join connects a task that is back, and installed, to those that feed it, from a time on, and to those that it feeds; here these
// do not read it while it is mute. back are all those that came back with it, which open their channels themselves. It does not run yet. An error says
// what it needs that is not there any more.
func Join(d *deploy.Deployment, s Site, t *deploy.Task, from wire.Time, back func(*deploy.Task) bool) error {
	for _, c := range d.Inbound(t) {
		if c.From.Mute {
			continue
		}
		from := returning(from)
		feed, err := feedOf(d, s, c, from)
		if err != nil {
			return fmt.Errorf("operator %q, task %d, which is back at %v, from operator %q, task %d: %w",
				t.Operator(), t.Index, from, d.Plan.Units[c.From.Unit].Host().ID, c.From.Index, err)
		}
		s.On(t, func() { t.Connect(d.ChannelOf(c, feed, from)) }) // its link knows the feed already, and may take a turn meanwhile
	}
	send(d, s, t) // a mute one's output, too, though nobody asks for it yet: then it is there when somebody does
	for _, c := range d.Outbound(t) {
		if c.To.Local() && !t.Mute && !back(c.To) {
			if err := meet(d, s, c.To); err != nil {
				return err
			}
		}
	}
	return nil
}

// feedOf is what a task that is back reads a channel from.
func feedOf(d *deploy.Deployment, s Site, c deploy.Link, from wire.Time) (feed task.Feed, err error) {
	if !s.Here(c.From) {
		s.On(c.To, func() { feed = receive(d, s, c, from) })
		return feed, nil
	}
	s.On(c.From, func() { feed, err = cursor(c, from) })
	return feed, err
}

// cursor reads a log of this worker. What is below from will not be asked for: whoever reads has it in a checkpoint, or has
// received it already.
func cursor(c deploy.Link, from wire.Time) (task.Feed, error) {
	cur, err := c.From.Log(c.Channel).OpenCursor(from)
	if err != nil {
		return nil, err // not a nil *Cursor in an interface
	}
	return cur, nil
}

// receive has a channel come over a link.
func receive(d *deploy.Deployment, s Site, c deploy.Link, from wire.Time) task.Feed {
	port := d.Port(c)
	return s.Link(c.To, c.From).Receive(c.Channel, c.From.Number, link.ChannelSpec{
		Stream: port.Stream, PayloadSize: port.PayloadSize, From: from,
	})
}

// returning is from when on a task that is back reads: from where its checkpoint is.
func returning(from wire.Time) wire.Time {
	inside := from > 0 && from < wire.TimeMax
	switch {
	case mutant.Active == mutant.ReturnLate && inside:
		return from + 1
	case mutant.Active == mutant.ReturnEarly && inside:
		return from - 1
	}
	return from
}

// succeeding is from when on the successor of a broken channel is read: from where all has come.
func succeeding(t *task.Task, from wire.Time) wire.Time {
	switch {
	case mutant.Active == mutant.SuccessorLate && from < wire.TimeMax:
		return from + 1
	case mutant.Active == mutant.SuccessorEarly && t.DurableAt() < from:
		return t.DurableAt()
	}
	return from
}

// turnover is a set of channels to one port of a task that end together, and those that take over: senders whose ranges
// overlap.
type turnover struct {
	ended []*task.Channel
	fresh []deploy.Link
	at    wire.Time
	feeds []task.Feed
}

// meet has a task that is here read those who are to be read: channels from senders that are gone, or have come back elsewhere,
// end where everything of all of them has come, and there begin those from their successors. Where one of these is to come to
// this worker and is not there yet, it is left to Join. Meanwhile the task goes no further than that.
func meet(d *deploy.Deployment, s Site, t *deploy.Task) (err error) {
	var list []turnover
	s.On(t, func() {
		for _, o := range turnovers(d, t) {
			if slices.ContainsFunc(o.fresh, func(c deploy.Link) bool { return s.Here(c.From) && !c.From.Local() }) {
				continue
			}
			o.at = t.Complete(o.ended)
			t.Pause(o.at)
			list = append(list, o)
		}
	})
	for i := range list {
		if err == nil {
			err = list[i].open(d, s, t)
		}
	}
	if len(list) == 0 {
		return nil
	}
	s.On(t, func() {
		for _, o := range list {
			var successors []*task.Channel
			for i, f := range o.feeds {
				successors = append(successors, d.ChannelOf(o.fresh[i], f, succeeding(t.Task, o.at)))
			}
			if err == nil {
				err = t.Switch(o.at, o.ended, successors)
			}
		}
		t.Pause(wire.TimeMax)
	})
	if err != nil {
		return fmt.Errorf("operator %q, task %d, from its predecessor's successor: %w", t.Operator(), t.Index, err)
	}
	return nil
}

// open opens what takes over.
func (o *turnover) open(d *deploy.Deployment, s Site, t *deploy.Task) (err error) {
	begin := succeeding(t.Task, o.at)
	for _, c := range o.fresh {
		var f task.Feed
		if s.Here(c.From) {
			s.On(c.From, func() { f, err = cursor(c, begin) })
		} else {
			s.On(t, func() { f = receive(d, s, c, begin) })
		}
		if err != nil {
			return err
		}
		o.feeds = append(o.feeds, f)
	}
	return nil
}

// turnovers are what has to be done at a task.
func turnovers(d *deploy.Deployment, t *deploy.Task) (list []turnover) {
	in := d.Inbound(t)
	for port := range d.Plan.Units[t.Unit].Host().Ports {
		var o turnover
		open := t.Open(port)
		for _, c := range in {
			if c.Port == port && !c.From.Mute && !slices.ContainsFunc(open, func(ch *task.Channel) bool { return ch.Sender == c.From.Sender() }) {
				o.fresh = append(o.fresh, c)
			}
		}
		for _, ch := range open {
			if !slices.ContainsFunc(in, func(c deploy.Link) bool {
				return c.Port == port && !c.From.Mute && c.From.Sender() == ch.Sender
			}) {
				o.ended = append(o.ended, ch)
			}
		}
		list = append(list, o.parts()...)
	}
	return list
}

// parts takes apart what does not overlap.
func (o turnover) parts() (list []turnover) {
	for _, c := range o.fresh {
		part := turnover{fresh: []deploy.Link{c}}
		for _, ch := range o.ended {
			if ch.Sender.Keys.Overlaps(c.From.Keys) {
				part.ended = append(part.ended, ch)
			}
		}
		var rest []turnover
		for _, p := range list { // those that share a channel that ends
			if slices.ContainsFunc(p.ended, func(ch *task.Channel) bool { return slices.Contains(part.ended, ch) }) {
				part = part.with(p)
			} else {
				rest = append(rest, p)
			}
		}
		list = append(rest, part)
	}
	return list
}

// with puts two together.
func (o turnover) with(p turnover) turnover {
	p.fresh = append(p.fresh, o.fresh...)
	for _, ch := range o.ended {
		if !slices.Contains(p.ended, ch) {
			p.ended = append(p.ended, ch)
		}
	}
	return p
}

// Leave takes a task that is here, and does not run any more, out of its place, which is then empty, or, with ends, nobody's any
// more: it reads nothing and sends nothing from then on. What others on this worker have yet to read of its logs stays until they
// have; then (see deploy.Task.Idle) it is to be discarded.
func Leave(d *deploy.Deployment, s Site, t *deploy.Task, ends bool) {
	s.On(t, func() {
		t.Disconnect()
		for _, e := range t.Logs {
			s.Withdraw(t, e.Channel)
		}
	})
	d.Remove(t, ends)
}
