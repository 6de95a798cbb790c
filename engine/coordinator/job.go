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
	due     time.Time // when deploying, recovering, or aborting, must be done

	recovery   *recovery // under way
	recoveries Recoveries
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
	case d.Error != nil && p.phase == partAsked:
		p.phase = partEnded // the worker has nothing of it
		m.fail(now, j, at(w, d.Error))
		m.settle(now, j)
	case d.Epoch < j.epoch:
		p.made = true
		m.remind(now, j, p)
	case p.phase == partAsked:
		m.partIsDeployed(now, j, p)
	}
}

// at says on which worker a failure was.
func at(w *member, f *control.Failure) *control.Failure {
	located := *f
	located.Worker = w.id
	return &located
}

// partIsDeployed notes that a part is as the newest order wants it.
func (m *Machine) partIsDeployed(now time.Time, j *job, p *part) {
	p.phase, p.made = partDeployed, true
	since := j.submitted
	if j.recovery != nil {
		since = j.recovery.since
	}
	m.note(now, Event{Kind: PartDeployed, Job: j.id, Worker: p.host.Worker, Took: now.Sub(since)})
	if !j.begun.IsZero() {
		m.startPart(j, p)
		m.recovered(now, j)
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

func (m *Machine) end(j *job) *control.End {
	e := &control.End{Coordinator: m.epoch, Job: j.id, Epoch: j.epoch, How: j.ending}
	switch {
	case j.failure != nil:
		e.Reason = j.failure.Error()
	case j.ending == control.Abort:
		e.Reason = "cancelled while it was not running"
	}
	return e
}

// giveUp has a worker abort what the coordinator does not want of it any more, or has never asked for.
func (m *Machine) giveUp(w *member, job string, epoch uint64) {
	m.tell(w, &control.End{Coordinator: m.epoch, Job: job, Epoch: epoch, How: control.Abort, Reason: "the coordinator has given this job up"})
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
	m.recovered(now, j)
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
	j.ending, j.due = control.Abort, now.Add(m.timing.AbortTimeout)
	m.append(Record{Ending: j.endingRecord(now)})
	m.tellParts(j, m.end(j))
}

// settle ends a job if all its parts have, and what it has lost was made good.
func (m *Machine) settle(now time.Time, j *job) {
	if j.over() || j.recovery != nil || slices.ContainsFunc(j.parts, func(p *part) bool { return !p.over() }) {
		return
	}
	m.finish(now, j)
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

// End ends a job early: it drains or cancels it. Asking again changes nothing, and a cancelled job is not drained any more. A job
// that is being recovered is told when that is done, and is cancelled at once while it waits for workers.
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
		if j.goesOn() {
			m.tellParts(j, m.end(j))
		}
	}
	return nil
}

// goesOn says whether the job has begun and every part of it is where it is to be.
func (j *job) goesOn() bool { return !j.begun.IsZero() && j.recovery == nil }

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
