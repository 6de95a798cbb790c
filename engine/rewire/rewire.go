package rewire

import (
	"fmt"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
)

// Site is a worker's part of a job, as far as its channels are concerned.
type Site interface {
	// Here says whether a task's place is on this worker, be it in it or still to come.
	Here(t *deploy.Task) bool
	// On runs fn between two turns of the loop of a task whose place is here, and returns when it is done.
	On(t *deploy.Task, fn func())
	// Link is the link between the loop of a task whose place is here and that of one elsewhere, made if it is not there. It is
	// called by On.
	Link(here, far *deploy.Task) *link.Link
}

// Lead leads the channels between tasks that are here and one whose place is elsewhere now, and was lost, to its new place.
func Lead(d *deploy.Deployment, s Site, moved *deploy.Task) error {
	for _, c := range d.Inbound(moved) {
		if c.From.Local() {
			s.On(c.From, func() { s.Link(c.From, moved).Send(c.Channel, c.From.Number, c.From.Log(c.Channel)) })
		}
	}
	for _, c := range d.Outbound(moved) {
		if !c.To.Local() {
			continue
		}
		err := succeed(d, s, c, func(from wire.Time) (task.Feed, error) { return receive(d, s, c, from), nil })
		if err != nil {
			return err
		}
	}
	return nil
}

// Expect makes the links that a task will need whose place is here and which is still to come, so that they are there by then.
func Expect(d *deploy.Deployment, s Site, coming *deploy.Task) {
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
}

// Join connects a task that is back, and installed, to those that feed it, from a time on, and to those that it feeds. back are
// all those that came back with it, which open their channels themselves. It does not run yet. An error says what it needs
// that is not there any more.
func Join(d *deploy.Deployment, s Site, t *deploy.Task, from wire.Time, back func(*deploy.Task) bool) error {
	for _, c := range d.Inbound(t) {
		from := returning(from)
		feed, err := feedOf(d, s, c, from)
		if err != nil {
			return fmt.Errorf("operator %q, task %d, which is back at %v, from operator %q, task %d: %w",
				t.Operator(), t.Index, from, d.Plan.Units[c.From.Unit].Host().ID, c.From.Index, err)
		}
		t.Connect(d.ChannelOf(c, feed, from))
	}
	for _, c := range d.Outbound(t) {
		log := t.Log(c.Channel)
		switch {
		case !s.Here(c.To):
			s.On(t, func() { s.Link(t, c.To).Send(c.Channel, t.Number, log) })
		case c.To.Local() && !back(c.To):
			if err := succeed(d, s, c, func(from wire.Time) (task.Feed, error) { return cursor(c, from) }); err != nil {
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

// succeed opens the successor of a channel whose sender is gone, from where everything of it has come.
func succeed(d *deploy.Deployment, s Site, c deploy.Link, feed func(from wire.Time) (task.Feed, error)) (err error) {
	s.On(c.To, func() {
		var ended []*task.Channel
		broken, from := c.To.Broken(d.ChannelID(c))
		if broken != nil {
			ended = append(ended, broken)
		}
		begin := succeeding(c.To.Task, from)
		var f task.Feed
		if f, err = feed(begin); err == nil {
			err = c.To.Switch(from, ended, []*task.Channel{d.ChannelOf(c, f, begin)})
		}
	})
	if err != nil {
		return fmt.Errorf("operator %q, task %d, from its predecessor's successor: %w", c.To.Operator(), c.To.Index, err)
	}
	return nil
}
