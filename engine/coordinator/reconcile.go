package coordinator

import (
	"slices"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// reconcile compares what a worker that registers has of jobs with what it ought to have: after its connection was broken,
// and after either side was restarted.
func (m *Machine) reconcile(now time.Time, w *member, has []control.JobState) {
	for _, s := range has {
		m.compare(now, w, s)
	}
	for _, j := range slices.Clone(m.jobs) {
		p := j.part(w.id, w.incarnation)
		if p == nil || j.over() || p.over() {
			continue
		}
		if !slices.ContainsFunc(has, func(s control.JobState) bool { return s.Job == j.id && s.Epoch == j.epoch }) {
			m.missing(now, w, j, p)
		}
	}
}

// compare looks at a part that the worker has, and says what may have got lost on its way.
func (m *Machine) compare(now time.Time, w *member, s control.JobState) {
	if s.Phase == control.PhaseEnded {
		return // Ended follows
	}
	j, p := m.partOf(w, s.Job, s.Epoch)
	if j == nil {
		m.giveUp(w, s.Job, s.Epoch)
		return
	}
	hadBegun := !j.begun.IsZero()
	if p.phase == partAsked {
		m.partIsDeployed(now, j, p)
	}
	if hadBegun && s.Phase == control.PhaseDeployed {
		m.tell(w, m.start(j))
	}
	if j.ending == control.Abort || hadBegun && j.ending != "" {
		m.tell(w, m.end(j))
	}
}

// missing deals with a part that the worker does not have.
func (m *Machine) missing(now time.Time, w *member, j *job, p *part) {
	switch {
	case j.ending == control.Abort:
		p.phase = partEnded
		m.settle(now, j)
	case p.phase == partAsked:
		m.tell(w, m.order(j))
	default:
		m.losePart(now, j, p, w.loss(now, j, p, CauseForgotten, "it is there, but has nothing of the job any more"))
	}
}

// heartbeat takes what a worker says of how it is.
func (m *Machine) heartbeat(now time.Time, w *member, h *control.Heartbeat) {
	w.late = time.Duration(h.Late) * time.Microsecond
	if h.RSS > 0 {
		w.rss, w.cpu = h.RSS, h.CPU
	}
	for _, r := range h.Jobs {
		j, p := m.partOf(w, r.Job, r.Epoch)
		switch {
		case j != nil:
			p.before, p.last = p.last, report{r, now}
		case r.Phase != control.PhaseEnded:
			m.giveUp(w, r.Job, r.Epoch)
		}
	}
}

// linkTellEvery bounds the events about one broken connection, which is spoken of by every loop that uses it.
const linkTellEvery = time.Second

// peerLost notes that a data connection between two workers is broken. They try to make it again; if that takes too long the
// job cannot go on.
func (m *Machine) peerLost(now time.Time, w *member, l *control.PeerLost) {
	j, p := m.partOf(w, l.Job, l.Epoch)
	if j == nil || p.over() {
		return
	}
	if since, told := p.linkTold[l.Peer]; !told || now.Sub(since) >= linkTellEvery {
		p.linkTold[l.Peer] = now
		m.note(now, Event{Kind: LinkBroken, Job: j.id, Worker: w.id, Took: l.Down, Text: "to " + l.Peer + ": " + l.Reason})
	}
	if l.Down > m.timing.LinkTimeout {
		m.fail(now, j, &control.Failure{
			Worker: w.id, Message: "its data connection to worker " + l.Peer + " has been broken for " + round(l.Down).String() + ": " + l.Reason,
		})
	}
}

// resume takes up a job that the journal knows, in the state in which a former run has left it.
func (m *Machine) resume(now time.Time, j *job) {
	if j.over() {
		return
	}
	switch {
	case j.ending == control.Abort:
		j.due = now.Add(m.timing.Grace + m.timing.AbortTimeout)
	case j.begun.IsZero():
		j.due = now.Add(m.timing.Grace + m.timing.DeployTimeout)
	}
	for _, p := range j.parts {
		w := m.host(p)
		if p.over() || w != nil && w.state != WorkerGone {
			continue
		}
		if w == nil {
			w = &member{id: p.host.Worker, incarnation: p.host.Incarnation, addr: p.host.Addr, heard: now}
		}
		m.losePart(now, j, p, w.loss(now, j, p, CauseRestart, "it was lost before the coordinator was restarted"))
	}
	m.settle(now, j)
}
