package task

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/internal/mutant"
	"github.com/fullspate/spate/wire"
)

// Progress is what a turn came to.
type Progress struct {
	Worked  bool          // something was processed or a position advanced
	Done    bool          // the task has reached the end of its input and published it
	Blocked bool          // a full log keeps it from its next step
	Until   time.Duration // when a turn is worth while though nothing arrives, as time since the run began; Never for none
}

// Run is one turn: it takes over what has arrived, processes at most about budget tuples in order of τ, and publishes.
// now is the time since the run began. An error ends the task; it is an *Error.
func (t *Task) Run(now time.Duration, budget int) (p Progress, err error) {
	t.now = now
	before := t.pos
	defer func() {
		if r := recover(); r != nil {
			err = t.ctx.failure(recovered(r), debug.Stack())
		}
	}()
	p.Until = Never
	switch {
	case t.pos == wire.TimeMax: // its channels are only told what is durable: those who fed it may be gone
	case t.reading != nil:
		p.Worked = t.runSource(budget, &p)
	default:
		p.Worked = t.runMerge(budget, &p)
	}
	if t.ctx.err != nil {
		return p, t.ctx.err
	}
	if t.pos != before {
		p.Worked = true
		for _, ch := range t.channels {
			if mutant.Active == mutant.AckAhead {
				ch.feed.Ack(t.pos + 1)
				continue
			}
			ch.feed.Ack(t.pos)
		}
		if t.pos == wire.TimeMax {
			t.prune()
		}
	}
	if t.trail != nil && t.pos != before { // before those who are to find it are given what it is about
		t.trail.put(t.pos, now)
	}
	t.publish()
	if t.writer != nil {
		if err := t.finishSink(p); err != nil {
			return p, t.ctx.failure(err, nil)
		}
	}
	p.Done = t.pos == wire.TimeMax
	return p, nil
}

func recovered(r any) error {
	if err, ok := r.(error); ok {
		return err
	}
	return fmt.Errorf("panic: %v", r)
}

// poll takes over what the channels have to tell and returns the time below which everything has arrived.
func (t *Task) poll() wire.Time {
	limit, ending := min(t.hold, t.paused), true
	if slices.ContainsFunc(t.channels, func(ch *Channel) bool { return ch.End <= t.pos }) {
		t.prune()
	}
	for i, ch := range t.channels {
		ch.poll()
		t.heads[i] = ch.head()
		limit = min(limit, ch.front)
		// A channel that has successors need not know: its frontier did not pass the end, so neither does what is before
		// the switch.
		ending = ending && (ch.ending || ch.End != wire.TimeMax)
	}
	if ending && !t.allEnding {
		t.allEnding = true
		for _, ch := range t.channels {
			t.eoi = max(t.eoi, ch.eoi)
		}
	}
	return limit
}

// choose finds the channel with the least head, that head, and the least of the others.
func (t *Task) choose() (best int, head, second wire.Time) {
	head, second = wire.TimeMax, wire.TimeMax
	for i, h := range t.heads {
		if h < head {
			best, head, second = i, h, head
		} else if h < second {
			second = h
		}
	}
	return best, head, second
}

// runMerge processes tuples and timers in order of τ, up to the time below which everything has arrived.
func (t *Task) runMerge(budget int, p *Progress) (worked bool) {
	limit := t.poll()
	t.level = false
	for budget > 0 && t.ctx.err == nil {
		if t.ctx.full && !t.room() {
			p.Blocked = true
			t.stats.Blocked++
			return worked
		}
		best, head, second := t.choose()
		due := t.due()
		next := min(head, due)
		if next >= limit && !(mutant.Active == mutant.FrontierPassed && next == limit && next != wire.TimeMax) {
			if limit > t.pos {
				t.pos = limit
			}
			t.level = true
			break
		}
		worked = true
		ch := t.channels[best]
		if due <= head || second == head || ch.tied(head) {
			budget -= t.step(next)
		} else {
			budget -= t.batch(best, min(limit, second), budget)
		}
	}
	return worked
}

// due is the time of the next timer. In a job that is being cancelled the timers of the end phase do not fire: they leave the
// agenda, since what comes at or beyond them, from tasks upstream that had not heard of the cancelling, is to be processed.
func (t *Task) due() wire.Time {
	if t.noFinal && t.timers.next != wire.TimeMax && t.final(t.timers.next) {
		t.timers.drop()
	}
	return t.timers.next
}

// final says whether a step at tau belongs to the end phase. Every frontier being beyond tau, it is known by then.
func (t *Task) final(tau wire.Time) bool { return t.allEnding && tau >= t.eoi }

// batch handles tuples of one channel one by one, as long as they lie below limit and below every timer and no two of
// them are at the same time. It returns how many it handled.
func (t *Task) batch(best int, limit wire.Time, budget int) (done int) {
	ch := t.channels[best]
	in := t.insts[0]
	h := &in.Handlers[ch.ID.Port]
	c := &t.ctx
	c.at = in
	c.final = t.final(tupleTime(ch.p))
	if t.allEnding && !c.final {
		limit = min(limit, t.eoi)
	}
	for done < budget && !c.full && c.err == nil {
		if ch.left == 0 && !ch.load() {
			break
		}
		var n int
		var tie bool
		if ch.stride > 0 {
			n, tie = t.batchFixed(ch, h, limit, budget-done)
		} else {
			n, tie = t.batchVariable(ch, h, limit, budget-done)
		}
		done += n
		if n == 0 || tie {
			break
		}
	}
	in.in += uint64(done)
	t.heads[best] = ch.head()
	return max(done, 1)
}

// batchFixed handles tuples of fixed size out of one frame. It stops before a tuple that shares its time with the next.
func (t *Task) batchFixed(ch *Channel, h *Handler, limit wire.Time, budget int) (done int, tie bool) {
	c, p, stride := &t.ctx, ch.p, ch.stride
	limit = min(limit, ch.End)
	tau := tupleTime(p)
	for done < budget && tau < limit && (tau < t.timers.next || mutant.Active == mutant.PassedTimer) {
		if ch.left <= ch.show && h.Ahead != nil {
			ch.lookAhead(p, h)
		}
		var next wire.Time
		if ch.left > int(stride) {
			next = tupleTime(at(p, stride))
		} else if ch.tied(tau) {
			next = tau
		}
		if next == tau {
			tie = true
			break
		}
		c.tau, c.hash = tau, tupleHash(p)
		if h.KeyOf != nil {
			c.key = c.keyOf(h, bytesAt(fixedPayload(p), int(stride)-wire.TupleHeader))
		}
		h.Fixed(c, fixedPayload(p))
		done++
		ch.left -= int(stride)
		t.pos = tau + 1
		if ch.left == 0 {
			p = nil
			break
		}
		p, tau = at(p, stride), next
		if c.full || c.err != nil {
			break
		}
	}
	ch.p = p
	return done, tie
}

// batchVariable is batchFixed for tuples whose sizes vary.
func (t *Task) batchVariable(ch *Channel, h *Handler, limit wire.Time, budget int) (done int, tie bool) {
	c := &t.ctx
	limit = min(limit, ch.End)
	for done < budget && ch.left > 0 {
		tau := tupleTime(ch.p)
		if tau >= limit || tau >= t.timers.next {
			break
		}
		if ch.tied(tau) {
			return done, true
		}
		payload := varPayload(ch.p)
		c.tau, c.hash = tau, tupleHash(ch.p)
		if h.KeyOf != nil {
			c.key = c.keyOf(h, payload)
		}
		h.Bytes(c, payload)
		ch.pop()
		done++
		t.pos = tau + 1
		if c.full || c.err != nil {
			break
		}
	}
	return done, false
}
