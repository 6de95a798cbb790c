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
		if !slices.ContainsFunc(has, func(s control.JobState) bool { return s.Job == j.id && s.Epoch <= j.epoch }) {
			m.missing(now, w, j, p)
		}
	}
}

// compare looks at a part that the worker has, and says what may have got lost on its way.
func (m *Machine) compare(now time.Time, w *member, s control.JobState) {
	ended := s.Phase == control.PhaseEnded // which is told once it is registered
	j, p := m.partOf(w, s.Job, s.Epoch)
	switch {
	case j == nil:
		if !ended {
			m.giveUp(w, s.Job, s.Epoch)
		}
		return
	case p.over():
		return
	}
	p.made, p.started = true, s.Phase != control.PhaseDeployed
	switch {
	case j.ending == control.Abort:
		e := m.end(j)
		e.Epoch = s.Epoch // it is not told the newer order any more
		m.tell(w, e)
	case s.Epoch < j.epoch || p.phase == partAsked && !j.begun.IsZero() && !ended:
		m.tellOrder(now, j, p) // how far it is with that it says itself
	case !ended:
		m.catchUp(now, j, p)
	}
}

// catchUp tells a worker, whose part is as the newest order wants it, what has happened since.
func (m *Machine) catchUp(now time.Time, j *job, p *part) {
	hadBegun := !j.begun.IsZero()
	if p.phase == partAsked {
		m.partIsDeployed(now, j, p)
	}
	if !hadBegun {
		return
	}
	m.startPart(j, p)
	if j.goesOn() && (j.ending != "" || j.idle()) {
		m.tell(m.host(p), m.end(j))
	}
}

// missing deals with a part that the worker does not have.
func (m *Machine) missing(now time.Time, w *member, j *job, p *part) {
	switch {
	case j.ending == control.Abort:
		p.phase = partEnded
		m.settle(now, j)
	case p.phase == partAsked && !p.made:
		m.tellOrder(now, j, p)
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
			if r.Epoch < j.epoch && j.ending != control.Abort {
				m.remind(now, j, p)
			}
		case r.Phase != control.PhaseEnded:
			m.giveUp(w, r.Job, r.Epoch)
		}
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
	case j.recovery != nil || j.reassign != nil:
		j.due = now.Add(m.timing.Grace + m.timing.RecoverTimeout)
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
	if j.undecided() {
		reason := "the coordinator was restarted"
		if j.recovery != nil {
			m.cease(now, j, reason)
		} else if !j.over() && j.ending != control.Abort {
			m.giveUpReassign(now, j, reason)
			j.due = now.Add(m.timing.Grace + m.timing.RecoverTimeout)
		}
	}
	m.confirmed(now, j)
	m.settle(now, j)
}
