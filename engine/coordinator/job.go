package coordinator

import (
	"fmt"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// State is how far a job is.
type State string

// The states of a job, the last three for ever.
const (
	Deploying  State = "deploying" // workers make their parts
	Running    State = "running"
	Recovering State = "recovering" // what was lost is being brought back elsewhere
	Draining   State = "draining"
	Cancelling State = "cancelling"
	Failing    State = "failing" // parts are being aborted
	Completed  State = "completed"
	Cancelled  State = "cancelled"
	Failed     State = "failed"
)

// Over says whether a job in this state has ended.
func (s State) Over() bool { return s == Completed || s == Cancelled || s == Failed }

// job is a job as the coordinator knows it.
type job struct {
	id       string
	epoch    uint64
	deploy   control.Deploy // without the coordinator's epoch
	topology Topology
	parts    []*part // by index of deploy.Workers

	submitted time.Time
	begun     time.Time // zero before every part was deployed
	clock     int64     // Unix ns at which its clock is 0
	ending    control.How
	ended     time.Time
	outcome   State // once it has ended

	failure *control.Failure
	losses  []Loss // the last
	events  ring
	due     time.Time // when deploying, recovering, a step of a reassignment, or aborting, must be done

	recovery   *recovery // under way
	recoveries Recoveries

	given      []int          // the index after the one that each unit has given last, to a new task
	reassign   *reassigning   // under way
	reassigned []Reassignment // the last that have ended; never changed
}

// partPhase is how far a part is, as far as the coordinator has heard.
type partPhase uint8

const (
	partAsked partPhase = iota // Deploy, the newest, has been sent, or will be when the worker is back
	partDeployed
	partEnded // and told so, or gone without having been there
	partLost
)

// part is a worker's part of a job.
type part struct {
	index   int // of the job's deploy.Workers
	host    control.Host
	phase   partPhase
	made    bool      // the worker has had it, though maybe by an older order
	started bool      // Start has been sent
	told    time.Time // the newest order, last
	ended   *control.Ended
	endedBy uint64    // epoch under which the worker has it since: an order may still have been on its way
	at      time.Time // when it ended

	last, before report                // the last two
	broken       map[string]brokenLink // by peer
}

func newPart(index int, h control.Host) *part {
	return &part{index: index, host: h, broken: map[string]brokenLink{}}
}

// report is a report with the moment of its arrival.
type report struct {
	control.JobReport
	at time.Time
}

// vacant says whether the worker has said that it has nothing of the job.
func (p *part) vacant() bool { return p.phase == partEnded && p.ended == nil }

func (p *part) over() bool { return p.phase == partEnded || p.phase == partLost }

func (j *job) over() bool { return j.outcome != "" }

// state is the state to be shown.
func (j *job) state() State {
	switch {
	case j.over():
		return j.outcome
	case j.failure != nil:
		return Failing
	case j.ending == control.Cancel || j.ending == control.Abort:
		return Cancelling
	case j.ending == control.Drain:
		return Draining
	case j.begun.IsZero():
		return Deploying
	case j.recovery != nil:
		return Recovering
	}
	return Running
}

// part is what a worker's incarnation has of the job, nil for nothing.
func (j *job) part(worker string, incarnation uint64) *part {
	for _, p := range j.parts {
		if p.host.Worker == worker && p.host.Incarnation == incarnation {
			return p
		}
	}
	return nil
}

// partOf is the job's part that a worker speaks of, nil if there is none (any more). Its epoch may be that of an older order
// than the newest, which is still on its way to the worker; it is never above that.
func (m *Machine) partOf(w *member, id string, epoch uint64) (*job, *part) {
	j := m.job(id)
	if j == nil || epoch > j.epoch || j.over() {
		return nil, nil
	}
	p := j.part(w.id, w.incarnation)
	if p == nil || p.phase == partLost {
		return nil, nil
	}
	return j, p
}

// host is the worker that has a part, nil if that is not the one of that name any more.
func (m *Machine) host(p *part) *member {
	if w := m.member(p.host.Worker); w != nil && w.incarnation == p.host.Incarnation {
		return w
	}
	return nil
}

// tellParts sends a message to the workers whose parts have not ended. Who is away is told when he is back.
func (m *Machine) tellParts(j *job, msg control.Message) {
	for _, p := range j.parts {
		if w := m.host(p); w != nil && !p.over() {
			m.tell(w, msg)
		}
	}
}

// deployed takes a worker's answer to Deploy.
func (m *Machine) deployed(now time.Time, w *member, d *control.Deployed) {
	j, p := m.partOf(w, d.Job, d.Epoch)
	switch {
	case j == nil:
		if d.Error == nil {
			m.giveUp(w, d.Job, d.Epoch)
		}
	case p.over():
		if p.vacant() && d.Error == nil {
			m.giveUp(w, d.Job, d.Epoch) // it has said before that it could not
		}
	case d.Error != nil && d.Reassignment != 0:
		m.reassignFailed(now, j, p, d)
	case d.Error != nil && p.phase == partAsked:
		p.phase = partEnded // the worker has nothing of it
		m.notMade(now, j, p, at(w, d.Error))
	case d.Epoch < j.epoch:
		p.made = true
		m.remind(now, j, p)
	case p.phase == partAsked:
		if j.reassign != nil {
			j.reassign.reached = max(j.reassign.reached, d.Reached)
		}
		m.partIsDeployed(now, j, p)
	}
}

// notMade deals with a part that could not be made. A worker that was to come into the job for a reassignment has nothing of it
// that would be missed.
func (m *Machine) notMade(now time.Time, j *job, p *part, f *control.Failure) {
	switch {
	case j.begun.IsZero() || p.made || len(j.tasksOf(p)) > 0:
		m.fail(now, j, f)
	case j.undecided() && j.recovery == nil:
		m.giveUpReassign(now, j, f.Error())
	}
	m.confirmed(now, j)
	m.settle(now, j)
}

// at says on which worker a failure was.
func at(w *member, f *control.Failure) *control.Failure {
	located := *f
	located.Worker = w.id
	return &located
}

// partIsDeployed notes that a part is as the newest order wants it.
func (m *Machine) partIsDeployed(now time.Time, j *job, p *part) {
	since, new := j.submitted, !p.made
	p.phase, p.made = partDeployed, true
	switch {
	case j.recovery != nil:
		since = j.recovery.since
	case j.reassign != nil:
		since = j.reassign.stepped
	}
	if new || j.reassign == nil { // the steps of a reassignment would crowd out all else
		m.note(now, Event{Kind: PartDeployed, Job: j.id, Worker: p.host.Worker, Took: now.Sub(since)})
	}
	if !j.begun.IsZero() {
		m.startPart(j, p)
		m.confirmed(now, j)
		m.settle(now, j)
		return
	}
	if j.ending != control.Abort && !slices.ContainsFunc(j.parts, func(p *part) bool { return p.phase != partDeployed }) {
		m.begin(now, j)
	}
}

// begin lets a job run whose parts are all there.
func (m *Machine) begin(now time.Time, j *job) {
	j.begun, j.clock, j.due = now, now.Add(startDelay).UnixNano(), time.Time{}
	m.append(Record{Begun: &BegunRecord{Job: j.id, Clock: j.clock, At: now}})
	for _, p := range j.parts {
		m.startPart(j, p)
	}
	if j.ending != "" {
		m.tellParts(j, m.end(j))
	}
	m.note(now, Event{Kind: JobStarted, Job: j.id, Took: now.Sub(j.submitted)})
}

// startPart tells a worker to start its part, unless it was told so.
func (m *Machine) startPart(j *job, p *part) {
	if w := m.host(p); w != nil && !p.started {
		p.started = true
		m.tell(w, m.start(j))
	}
}

func (m *Machine) start(j *job) *control.Start {
	return &control.Start{Coordinator: m.epoch, Job: j.id, Epoch: j.epoch, At: j.clock}
}

// giveUp has a worker abort what the coordinator does not want of it any more, or has never asked for.
func (m *Machine) giveUp(w *member, job string, epoch uint64) {
	m.tell(w, &control.End{Coordinator: m.epoch, Job: job, Epoch: epoch, How: control.Abort, Reason: "the coordinator has given this job up"})
}

// forgetOver forgets the oldest of the jobs that have ended, if there are too many.
func (m *Machine) forgetOver() {
	over := 0
	for _, j := range m.jobs {
		if j.over() {
			over++
		}
	}
	m.jobs = slices.DeleteFunc(m.jobs, func(j *job) bool {
		if j.over() && over > jobsKept {
			over--
			return true
		}
		return false
	})
}

// goesOn says whether the job has begun and every part of it is where it is to be.
func (j *job) goesOn() bool { return !j.begun.IsZero() && j.recovery == nil && j.reassign == nil }

// confirmed looks whether every part that goes on is as the newest order wants it, and goes on from there.
func (m *Machine) confirmed(now time.Time, j *job) {
	m.tellLate(now, j)
	asked := func(p *part) bool { return p.phase == partAsked }
	if j.over() || j.ending == control.Abort || j.recovery != nil && !j.recovery.placed || slices.ContainsFunc(j.parts, asked) {
		return
	}
	switch {
	case j.recovery != nil:
		m.recovered(now, j)
		if j.reassign != nil { // which was decided before
			m.endReassign(now, j, true)
		}
	case j.reassign != nil:
		m.advance(now, j)
	default:
		return
	}
	if j.goesOn() && j.ending != "" {
		m.tellParts(j, m.end(j))
	}
}

// hurry gives up what takes too long.
func (m *Machine) hurry(now time.Time, j *job) {
	if j.over() || j.due.IsZero() || now.Before(j.due) {
		return
	}
	switch {
	case j.ending == control.Abort:
		m.finish(now, j) // the workers that did not answer are told when they speak of it again
	case j.begun.IsZero():
		m.fail(now, j, &control.Failure{Message: fmt.Sprintf("%v have not deployed it within %v", j.undeployed(), m.timing.DeployTimeout)})
	case j.recovery != nil:
		m.fail(now, j, m.overdue(j))
		m.settle(now, j)
	case j.undecided():
		m.giveUpReassign(now, j, m.reassignOverdue(j))
		m.confirmed(now, j)
	case j.reassign != nil:
		m.fail(now, j, &control.Failure{Message: fmt.Sprintf("%v have not taken the order up within %v by which a reassignment is %s", j.undeployed(), m.timing.RecoverTimeout, j.reassign.State)})
		m.settle(now, j)
	}
}

func (j *job) undeployed() (workers []string) {
	for _, p := range j.parts {
		if p.phase == partAsked {
			workers = append(workers, p.host.Worker)
		}
	}
	return workers
}
