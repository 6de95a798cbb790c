package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// apply takes up one record of a former run.
func (m *Machine) apply(r Record) error {
	switch {
	case r.Start != nil:
		m.cluster, m.epoch = r.Start.Cluster, max(m.epoch, r.Start.Epoch)
		m.workersUsed, m.jobsUsed = max(m.workersUsed, r.Start.Workers), max(m.jobsUsed, r.Start.Jobs)
		m.attempts = max(m.attempts, r.Start.Attempts)
	case r.Worker != nil:
		m.applyWorker(r.Worker)
	case r.Lost != nil:
		if w := m.member(r.Lost.Worker); w != nil && w.incarnation == r.Lost.Incarnation {
			w.state = WorkerGone
		}
	case r.Job != nil:
		return m.applyJob(r.Job)
	case r.Begun != nil:
		return m.withJob(r.Begun.Job, func(j *job) error { return j.applyBegun(r.Begun) })
	case r.Recovering != nil:
		m.attempts = max(m.attempts, r.Recovering.Deploy.Epoch)
		return m.withJob(r.Recovering.Deploy.Job, func(j *job) error { return j.applyRecovering(r.Recovering) })
	case r.Recovered != nil:
		return m.withJob(r.Recovered.Job, func(j *job) error { return j.applyRecovered(r.Recovered) })
	case r.Order != nil:
		m.attempts = max(m.attempts, r.Order.Deploy.Epoch)
		return m.withJob(r.Order.Deploy.Job, func(j *job) error { return j.applyOrder(r.Order) })
	case r.Reassigned != nil:
		return m.withJob(r.Reassigned.Job, func(j *job) error { return j.applyReassigned(r.Reassigned) })
	case r.Ending != nil:
		return m.withJob(r.Ending.Job, func(j *job) error { return j.applyEnding(r.Ending) })
	case r.Part != nil && r.Part.Ended != nil:
		return m.withJob(r.Part.Ended.Job, func(j *job) error { return j.applyPart(r.Part) })
	case r.End != nil:
		return m.withJob(r.End.Job, func(j *job) error { return j.applyEnd(r.End) })
	default:
		return errors.New("there is nothing in it")
	}
	return nil
}

func (m *Machine) withJob(id string, do func(*job) error) error {
	j := m.job(id)
	if j == nil {
		return fmt.Errorf("it speaks of job %q, of which no record before tells", id)
	}
	return do(j)
}

func (m *Machine) applyWorker(r *WorkerRecord) {
	w := m.member(r.Worker)
	if w == nil {
		w = &member{id: r.Worker}
		m.members = append(m.members, w)
	}
	m.workersUsed = max(m.workersUsed, number("w", r.Worker))
	*w = member{
		id: r.Worker, incarnation: r.Incarnation, fenced: r.Fenced, pid: r.PID, addr: r.Addr, loops: r.Loops, memory: r.Memory,
		build: r.Build, drained: r.Drained, state: WorkerExpected, since: r.At, heard: m.started,
	}
}

// number is what follows the letter in an id that the coordinator has given, 0 in others.
func number(letter, id string) int {
	if len(id) < 2 || id[:1] != letter {
		return 0
	}
	n, err := strconv.ParseUint(id[1:], 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

func (m *Machine) applyJob(r *JobRecord) error {
	if m.job(r.Deploy.Job) != nil {
		return fmt.Errorf("job %q was submitted before", r.Deploy.Job)
	}
	m.jobsUsed = max(m.jobsUsed, number("j", r.Deploy.Job))
	m.attempts = max(m.attempts, r.Deploy.Epoch)
	m.jobs = append(m.jobs, newJob(r))
	return nil
}

func (j *job) applyBegun(r *BegunRecord) error {
	j.begun, j.clock = r.At, r.Clock
	j.confirm()
	return nil
}

// confirm notes that every part goes on by the newest order.
func (j *job) confirm() {
	for _, p := range j.parts {
		if !p.over() {
			p.phase, p.made = partDeployed, true
		}
	}
}

// heed takes up an order of a former run. Who has heard of it nobody knows.
func (j *job) heed(d control.Deploy, t Topology, given, lost, unmade []int) error {
	n := len(d.Workers)
	if n < len(j.parts) || slices.ContainsFunc(slices.Concat(lost, unmade), func(i int) bool { return i < 0 || i >= n }) {
		return fmt.Errorf("job %q goes on with %d workers, of which %v are lost, and had %d", j.id, n, lost, len(j.parts))
	}
	if len(given) != len(d.Place) || len(d.Ranges) != len(d.Place) {
		return fmt.Errorf("job %q goes on with tasks of %d units, %d with ranges, %d with numbers", j.id, len(d.Place), len(d.Ranges), len(given))
	}
	j.follow(d, t, given)
	for i, p := range j.parts {
		p.made = !slices.Contains(unmade, i)
	}
	return nil
}

// applyOrder leaves the job in the middle of a reassignment.
func (j *job) applyOrder(r *OrderRecord) error {
	if err := j.heed(r.Deploy, r.Topology, r.Given, nil, r.Unmade); err != nil {
		return err
	}
	j.reassign = &reassigning{Reassignment: r.Reassignment, stepped: r.At}
	if j.undecided() && len(r.Deploy.Reassign) == 0 {
		return fmt.Errorf("job %q is %s by an order without a reassignment", j.id, r.Reassignment.State)
	}
	return nil
}

func (j *job) applyReassigned(r *ReassignedRecord) error {
	j.remember(r.Reassignment)
	if r.Confirmed {
		j.confirm()
	}
	return nil
}

// applyRecovering leaves the job as it was when its losses were noted.
func (j *job) applyRecovering(r *RecoveringRecord) error {
	if err := j.heed(r.Deploy, r.Topology, j.given, r.Lost, r.Unmade); err != nil {
		return err
	}
	for _, i := range r.Lost {
		j.parts[i].phase = partLost
	}
	j.losses = append(j.losses, r.Losses...)
	j.losses = j.losses[max(0, len(j.losses)-lossesKept):]
	j.recoveries = r.Recoveries
	j.recovery = &recovery{since: r.Since, placed: len(r.Lost) == len(r.Deploy.Gone)}
	return nil
}

func (j *job) applyRecovered(r *RecoveredRecord) error {
	j.madeGood(r.Recoveries)
	j.confirm()
	return nil
}

func (j *job) applyEnding(r *EndingRecord) error {
	j.ending, j.failure = r.How, r.Failure
	if j.ending == control.Abort {
		j.recovery = nil
	}
	return j.applyLosses(r.Losses)
}

func (j *job) applyLosses(losses []Loss) error {
	j.losses = losses
	for _, l := range losses {
		p := j.part(l.Worker, l.Incarnation)
		if p == nil {
			return fmt.Errorf("job %q has lost worker %q, which had no part in it", j.id, l.Worker)
		}
		p.phase = partLost
	}
	return nil
}

func (j *job) applyPart(r *PartRecord) error {
	if r.Part < 0 || r.Part >= len(j.parts) {
		return fmt.Errorf("part %d of job %q has ended, which has %d", r.Part, j.id, len(j.parts))
	}
	j.parts[r.Part].end(r.Ended, r.At)
	return nil
}

func (j *job) applyEnd(r *EndRecord) error {
	if !r.State.Over() {
		return fmt.Errorf("job %q has ended as %q, want %s, %s or %s", j.id, r.State, Completed, Cancelled, Failed)
	}
	j.outcome, j.ended, j.events.list = r.State, r.At, r.Events
	err := j.applyLosses(r.Losses)
	j.close()
	return err
}

// Snapshot is what has to be in a journal that begins with the present.
func (m *Machine) Snapshot() []Record {
	list := []Record{{Start: m.startRecord()}}
	for _, w := range m.members {
		if w.state != WorkerGone {
			list = append(list, Record{Worker: w.record()})
		}
	}
	for _, j := range m.jobs {
		list = append(list, j.records()...)
	}
	return list
}

func (m *Machine) startRecord() *StartRecord {
	return &StartRecord{
		Cluster: m.cluster, Epoch: m.epoch, At: m.started, Workers: m.workersUsed, Jobs: m.jobsUsed, Attempts: m.attempts,
	}
}

// records are those from which a job can be taken up again.
func (j *job) records() []Record {
	list := []Record{{Job: &JobRecord{Deploy: j.deploy, Topology: j.topology, Given: j.given, At: j.submitted}}}
	if !j.begun.IsZero() {
		list = append(list, Record{Begun: &BegunRecord{Job: j.id, Clock: j.clock, At: j.begun}})
	}
	for i := range j.reassigned {
		list = append(list, Record{Reassigned: &ReassignedRecord{Job: j.id, Reassignment: j.reassigned[i]}})
	}
	if j.recoveries.Attempts > 0 || j.recovery != nil {
		list = append(list, j.recoveryRecords()...)
	}
	if j.reassign != nil {
		list = append(list, Record{Order: j.orderRecord(j.reassign.stepped)})
	}
	for _, p := range j.parts {
		if p.ended != nil {
			list = append(list, Record{Part: &PartRecord{Part: p.index, Ended: p.ended, At: p.at}})
		}
	}
	if j.ending != "" {
		list = append(list, Record{Ending: j.endingRecord(j.submitted)})
	}
	if j.over() {
		list = append(list, Record{End: j.endRecord()})
	}
	return list
}

// recoveryRecords are those from which what a job has lost can be known, and who has taken that up.
func (j *job) recoveryRecords() []Record {
	at := j.submitted
	if j.recovery != nil {
		return []Record{{Recovering: j.recoveringRecord(at, j.losses)}}
	}
	return []Record{
		{Recovering: &RecoveringRecord{Deploy: j.deploy, Topology: j.topology, Lost: j.gone(), Losses: j.losses, Recoveries: j.recoveries, At: at}},
		{Recovered: &RecoveredRecord{Job: j.id, Recoveries: j.recoveries, At: at}},
	}
}

// recoveringRecord tells what is lost, of which some is news, and by which order the job goes on.
func (j *job) recoveringRecord(now time.Time, losses []Loss) *RecoveringRecord {
	return &RecoveringRecord{
		Deploy: j.deploy, Topology: j.topology, Lost: j.gone(), Unmade: j.unmade(), Losses: slices.Clone(losses), Recoveries: j.recoveries,
		Since: j.recovery.since, At: now,
	}
}

// orderRecord tells by which order a reassignment goes on.
func (j *job) orderRecord(now time.Time) *OrderRecord {
	return &OrderRecord{
		Deploy: j.deploy, Topology: j.topology, Given: j.given, Unmade: j.unmade(), Reassignment: j.reassign.Reassignment, At: now,
	}
}

// unmade are the parts that may have had no order so far.
func (j *job) unmade() (list []int) {
	for i, p := range j.parts {
		if !p.made && !p.over() {
			list = append(list, i)
		}
	}
	return list
}

func newJob(r *JobRecord) *job {
	j := &job{
		id: r.Deploy.Job, epoch: r.Deploy.Epoch, deploy: r.Deploy, topology: r.Topology, submitted: r.At,
		given: r.Given, events: ring{max: jobEventsMax},
	}
	if len(j.given) == 0 {
		for _, unit := range r.Deploy.Place {
			j.given = append(j.given, len(unit))
		}
	}
	for i, h := range r.Deploy.Workers {
		j.parts = append(j.parts, newPart(i, h))
	}
	return j
}

// order is what tells workers to deploy a job.
func (m *Machine) order(j *job) *control.Deploy {
	d := j.deploy
	d.Coordinator = m.epoch
	return &d
}
