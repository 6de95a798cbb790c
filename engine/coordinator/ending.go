package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// End ends a job early: it drains or cancels it. Asking again changes nothing, and a cancelled job is not drained any more. A job
// that is being recovered is told when that is done, and is cancelled at once while it waits for workers. A reassignment is given up.
func (m *Machine) End(now time.Time, id string, how control.How) error {
	j := m.job(id)
	switch {
	case j == nil:
		return errorf(NotFound, "there is no job %q", id)
	case how != control.Drain && how != control.Cancel:
		panic(fmt.Sprintf("BUG: a job is to end by %q", how))
	case j.over():
		return errorf(Conflict, "job %q has ended: it is %s", id, j.outcome)
	case j.failure != nil:
		return errorf(Conflict, "job %q is failing: %v", id, j.failure)
	case j.ending == how || j.ending == control.Cancel || j.ending == control.Abort:
		return nil
	}
	kind := JobDraining
	if how == control.Cancel {
		kind = JobCancelling
	}
	m.note(now, Event{Kind: kind, Job: j.id})
	switch {
	case how == control.Cancel && (j.begun.IsZero() || j.recovery != nil && !j.recovery.placed):
		m.abort(now, j)
	default:
		j.ending = how
		m.append(Record{Ending: j.endingRecord(now)})
		if j.undecided() && j.recovery == nil {
			m.giveUpReassign(now, j, fmt.Sprintf("the job is to end early (%s)", how))
			m.confirmed(now, j)
		} else if j.goesOn() {
			m.tellParts(j, m.end(j))
		}
	}
	return nil
}

func (m *Machine) end(j *job) *control.End {
	e := &control.End{Coordinator: m.epoch, Job: j.id, Epoch: j.epoch, How: j.ending}
	switch {
	case j.ending == "":
		e.How = control.Drain // of what has no tasks
	case j.failure != nil:
		e.Reason = j.failure.Error()
	case j.ending == control.Abort:
		e.Reason = "cancelled while it was not running"
	}
	return e
}

// ended takes what a worker tells of the end of its part.
func (m *Machine) ended(now time.Time, w *member, e *control.Ended) {
	j, p := m.partOf(w, e.Job, e.Epoch)
	if j == nil || p.vacant() {
		m.tell(w, &control.Release{Coordinator: m.epoch, Job: e.Job, Epoch: e.Epoch})
		return
	}
	switch {
	case p.over(): // said before
		p.endedBy = max(p.endedBy, e.Epoch)
		return
	case !j.counts(e):
		return
	}
	for i := range e.Results {
		e.Results[i].Worker = w.id
	}
	m.append(Record{Part: &PartRecord{Part: p.index, Ended: e, At: now}})
	p.end(e, now)
	took := now.Sub(j.begun)
	if j.begun.IsZero() {
		took = 0
	}
	m.note(now, Event{Kind: PartEnded, Job: j.id, Worker: w.id, Took: took})
	if f := j.fault(w, e); f != nil {
		m.fail(now, j, f)
	}
	if j.undecided() && j.recovery == nil && j.ending != control.Abort {
		m.giveUpReassign(now, j, fmt.Sprintf("what worker %s has of the job has come to its end", w.id))
	}
	m.confirmed(now, j)
	m.settle(now, j)
}

// end notes how the part has ended.
func (p *part) end(e *control.Ended, at time.Time) {
	p.phase, p.ended, p.endedBy, p.at = partEnded, e, e.Epoch, at
}

// counts says whether an end of a part is one. The worker that has ended its part by an older order, and did so well, may be
// given more to do by the newest, and says its end again when it knows that.
func (j *job) counts(e *control.Ended) bool {
	return e.Epoch == j.epoch || e.Error != nil || j.ending == control.Abort
}

// fault says what is wrong with the end of a part, nil for nothing. That is for fail to judge, should the job be failing.
func (j *job) fault(w *member, e *control.Ended) *control.Failure {
	switch {
	case e.Error != nil:
		return at(w, e.Error)
	case j.begun.IsZero():
		return &control.Failure{Worker: w.id, Message: "its part of the job ended before it was started"}
	case e.Cancelled && j.ending != control.Cancel:
		return &control.Failure{Worker: w.id, Message: "its part of the job was cancelled though nobody had asked for that"}
	}
	return nil
}

// fail aborts a job, unless that is being done already: what comes then is a consequence.
func (m *Machine) fail(now time.Time, j *job, f *control.Failure) {
	if j.ending == control.Abort {
		return
	}
	j.failure = f
	m.note(now, Event{Kind: JobFailing, Job: j.id, Worker: f.Worker, Text: f.Message})
	m.abort(now, j)
}

func (m *Machine) abort(now time.Time, j *job) {
	j.recovery = nil
	m.cease(now, j, "the job is aborted")
	j.ending, j.due = control.Abort, now.Add(m.timing.AbortTimeout)
	m.append(Record{Ending: j.endingRecord(now)})
	m.tellParts(j, m.end(j))
}

// settle ends a job if all its parts have, and what it has lost was made good. Parts without tasks, which might be given some,
// are told when those who have the tasks have ended.
func (m *Machine) settle(now time.Time, j *job) {
	if j.over() || j.recovery != nil || j.reassign != nil {
		return
	}
	if slices.ContainsFunc(j.parts, func(p *part) bool { return !p.over() }) {
		if j.idle() {
			m.tellParts(j, m.end(j))
		}
		return
	}
	m.finish(now, j)
}

// idle says whether what is left of a job are parts without tasks.
func (j *job) idle() bool {
	return j.goesOn() && j.ending == "" && !slices.ContainsFunc(j.parts, func(p *part) bool { return !p.over() && j.busy(p) })
}

// busy says whether a part has tasks.
func (j *job) busy(p *part) (busy bool) {
	j.eachTask(p, func(string, int, Place) { busy = true })
	return busy
}

// finish is the end of a job.
func (m *Machine) finish(now time.Time, j *job) {
	kind := JobCompleted
	cancelled := func(p *part) bool { return p.ended != nil && p.ended.Cancelled }
	switch {
	case j.failure != nil:
		j.outcome, kind = Failed, JobFailed
	case j.ending == control.Abort || slices.ContainsFunc(j.parts, cancelled):
		j.outcome, kind = Cancelled, JobCancelled
	default:
		j.outcome = Completed
	}
	j.ended = now
	m.note(now, Event{Kind: kind, Job: j.id, Took: now.Sub(j.submitted), Text: j.describeFailure()})
	m.append(Record{End: j.endRecord()})
	for _, p := range j.parts {
		if w := m.host(p); w != nil && p.ended != nil {
			m.tell(w, &control.Release{Coordinator: m.epoch, Job: j.id, Epoch: p.endedBy})
		}
	}
	j.close()
}

// close leaves no part of a job that has ended as if it went on.
func (j *job) close() {
	j.recovery = nil
	for _, p := range j.parts {
		if !p.over() {
			p.phase = partEnded
		}
	}
}

func (j *job) describeFailure() string {
	if j.failure == nil {
		return ""
	}
	return j.failure.Error()
}

func (j *job) endingRecord(at time.Time) *EndingRecord {
	return &EndingRecord{Job: j.id, How: j.ending, Failure: j.failure, Losses: slices.Clone(j.losses), At: at}
}

func (j *job) endRecord() *EndRecord {
	return &EndRecord{Job: j.id, State: j.outcome, Losses: slices.Clone(j.losses), Events: slices.Clone(j.events.list), At: j.ended}
}
