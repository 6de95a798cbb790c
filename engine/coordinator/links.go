package coordinator

import (
	"fmt"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// brokenLink is what a worker has said of its data connection to another.
type brokenLink struct {
	said time.Time // last
	told time.Time // when there was an event, last
}

const (
	// linkTellEvery bounds the events about one broken connection, which is spoken of by every loop that uses it.
	linkTellEvery = time.Second
	// linkFresh is how long what a worker says of a connection counts: it says so every second while it stays so.
	linkFresh = 3 * time.Second
)

// peerLost notes that a data connection between two workers is broken. They try to make it again; if that takes too long the
// job goes on without one of them, or not at all.
func (m *Machine) peerLost(now time.Time, w *member, l *control.PeerLost) {
	j, p := m.partOf(w, l.Job, l.Epoch)
	if j == nil || p.over() || l.Epoch < j.epoch {
		return // of an older order: the peer may be out of the game by the newest
	}
	b := p.broken[l.Peer]
	b.said = now
	if now.Sub(b.told) >= linkTellEvery {
		b.told = now
		m.note(now, Event{Kind: LinkBroken, Job: j.id, Worker: w.id, Took: l.Down, Text: "to " + l.Peer + ": " + l.Reason})
	}
	p.broken[l.Peer] = b
	if l.Down > m.timing.LinkTimeout {
		m.cutOff(now, j, p, l)
	}
}

// cutOff deals with two workers that are without a connection for too long.
func (m *Machine) cutOff(now time.Time, j *job, p *part, l *control.PeerLost) {
	reason := "data connection to worker " + l.Peer + " has been broken for " + round(l.Down).String() + ": " + l.Reason
	if !j.recoverable() {
		m.fail(now, j, &control.Failure{Worker: p.host.Worker, Message: "its " + reason})
		return
	}
	peer := j.live(l.Peer)
	if peer == nil {
		return // lost, or ended, already
	}
	lost := peer
	if j.brokenLinks(now, p) > j.brokenLinks(now, peer) {
		lost = p
	}
	if w := m.host(lost); w != nil {
		m.losePart(now, j, lost, w.loss(now, j, lost, CauseUnreachable, fmt.Sprintf("worker %s says that its %s", p.host.Worker, reason)))
	}
}

// live is the part of a worker that goes on, nil if there is none.
func (j *job) live(worker string) *part {
	for _, p := range j.parts {
		if p.host.Worker == worker && !p.over() {
			return p
		}
	}
	return nil
}

// brokenLinks counts the workers to which a part has no connection, whichever side says so. Of two that do not reach each other
// the one that reaches fewer others is the one that is cut off.
func (j *job) brokenLinks(now time.Time, p *part) (n int) {
	says := func(from, to *part) bool { return now.Sub(from.broken[to.host.Worker].said) < linkFresh }
	for _, other := range j.parts {
		if other != p && !other.over() && (says(p, other) || says(other, p)) {
			n++
		}
	}
	return n
}
