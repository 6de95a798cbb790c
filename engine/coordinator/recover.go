package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// recovery is what a job goes through that has lost a part: its tasks are to run elsewhere.
type recovery struct {
	since   time.Time // when the first of the losses was detected that it makes good
	unsaved int       // how many of the job's last losses are not in the journal yet
	placed  bool      // the lost tasks are with others, who have been asked; otherwise there is nobody so far
	waits   bool      // for a worker, of which there was an event
	until   time.Time // not to be begun before, because the same task is lost again and again
}

// Recoveries says how often a job was carried on after losses.
type Recoveries struct {
	Count    int           `json:"count"`    // those that came to their end
	Attempts int           `json:"attempts"` // and those that another loss has overtaken
	Last     time.Duration `json:"last"`     // that the last one took: from when the loss was detected until every task had its place
}

// lossesKept is how many losses of a job are remembered.
const lossesKept = 64

// recoverable says whether a job can be carried on after a loss. One whose sources were told to stop early cannot: where they
// stopped is in no checkpoint, and they would read beyond.
func (j *job) recoverable() bool {
	return j.deploy.Spec.Config.CheckpointInterval > 0 && !j.begun.IsZero() && j.failure == nil && !j.over() &&
		(j.ending == "" || j.endingWaits())
}

// endingWaits says whether the job is to end early, and nobody was told so yet, because it is being recovered, or a reassignment is under way.
func (j *job) endingWaits() bool {
	return (j.recovery != nil || j.reassign != nil) && (j.ending == control.Drain || j.ending == control.Cancel)
}

// losePart notes that a part of a job is lost. That is the end of the job, unless mend can carry it on.
func (m *Machine) losePart(now time.Time, j *job, p *part, l Loss) {
	recoverable := j.recoverable() && l.Cause != CauseDismissed
	p.phase = partLost
	j.losses = append(j.losses, l)
	j.losses = j.losses[max(0, len(j.losses)-lossesKept):]
	if recoverable {
		if j.recovery == nil {
			j.recovery = &recovery{since: l.Detected}
		}
		r := j.recovery
		r.since, r.placed, r.waits, r.unsaved = earliest(r.since, l.Detected), false, false, r.unsaved+1
		j.due = now.Add(m.timing.RecoverTimeout)
		return
	}
	f := l.failure()
	if j.deploy.Spec.Config.CheckpointInterval > 0 && (j.ending == control.Drain || j.ending == control.Cancel) {
		f.Message += fmt.Sprintf("; the job was ending early (%s), and where its sources have stopped is in no checkpoint", j.ending)
	}
	m.fail(now, j, f)
	m.settle(now, j)
}

// mend carries on the jobs that have lost parts, as far as there is somebody to give the lost tasks to. It comes after whatever
// may have lost parts, or brought workers, so that what is lost at once is made good at once.
func (m *Machine) mend(now time.Time) {
	for _, j := range slices.Clone(m.jobs) {
		if j.recovery != nil && j.recovery.unsaved > 0 {
			m.reckon(now, j)
		}
		if j.recovery != nil && !j.recovery.placed && !now.Before(j.recovery.until) {
			m.replace(now, j)
		}
	}
	m.relieve(now)
}

// gone are the indexes of the parts that are lost.
func (j *job) gone() (list []int) {
	for i, p := range j.parts {
		if p.phase == partLost {
			list = append(list, i)
		}
	}
	return list
}

// reckon sees whether the job, or one of its tasks, is lost too often.
func (m *Machine) reckon(now time.Time, j *job) {
	if n := j.recoveries.Attempts; n >= m.restarts.Max {
		f := j.losses[len(j.losses)-1].failure()
		f.Message += fmt.Sprintf("; the job was carried on %d times before, which is as often as it may be", n)
		m.fail(now, j, f)
		m.settle(now, j)
		return
	}
	if t, n := j.unlucky(now, m.restarts.Within); n > m.restarts.Burst {
		delay := m.restarts.delay(n - m.restarts.Burst)
		j.recovery.until = now.Add(delay)
		j.due = j.recovery.until.Add(m.timing.RecoverTimeout)
		m.writeOff(now, j)
		m.note(now, Event{Kind: RecoveryDelayed, Job: j.id, Took: delay, Text: fmt.Sprintf("%v was lost %d times within %v", t, n, m.restarts.Within)})
	}
}

// unlucky is the task among those just lost that was lost most often lately, and how often.
func (j *job) unlucky(now time.Time, within time.Duration) (worst LostTask, most int) {
	count := map[LostTask]int{}
	old := max(0, len(j.losses)-j.recovery.unsaved)
	for i, l := range j.losses {
		if now.Sub(l.Detected) >= within {
			continue
		}
		for _, t := range l.Tasks {
			t = LostTask{Operator: t.Operator, Task: t.Task}
			if count[t]++; i >= old && count[t] > most {
				worst, most = t, count[t]
			}
		}
	}
	return worst, most
}

// replace gives the lost tasks to other workers, and tells every worker so whose part goes on.
func (m *Machine) replace(now time.Time, j *job) {
	var r *draft
	if !m.settling(now) || len(m.spares(j)) > 0 {
		r = m.relocate(j)
	}
	if r == nil {
		m.waitForWorkers(now, j)
		return
	}
	m.attempts++
	r.deploy.Epoch = m.attempts
	j.take(r)
	j.recoveries.Attempts++
	j.recovery.placed, j.due = true, now.Add(m.timing.RecoverTimeout)
	m.writeOff(now, j)
	m.note(now, Event{Kind: JobRecovering, Job: j.id, Text: r.describe()})
	for _, p := range j.parts {
		m.tellOrder(now, j, p)
	}
	m.confirmed(now, j) // if nobody is left
	m.settle(now, j)
}

// settling says whether the coordinator was started so lately that workers may be on their way back to it: before it burdens a
// survivor it waits whether there are not others.
func (m *Machine) settling(now time.Time) bool {
	return now.Sub(m.started) < m.timing.HeartbeatTimeout && slices.ContainsFunc(m.members, (*member).expected)
}

// waitForWorkers notes that there is nobody to give the lost tasks to.
func (m *Machine) waitForWorkers(now time.Time, j *job) {
	if j.recovery.unsaved > 0 {
		m.writeOff(now, j)
	}
	if !j.recovery.waits {
		j.recovery.waits = true
		m.note(now, Event{Kind: RecoveryDelayed, Job: j.id, Text: "so far there is no worker that the lost tasks could be given to"})
	}
}

// writeOff has the journal know what is lost, and where its tasks are now. Before that a worker that is held to be lost must not
// hear of it: it would throw away what another run of the coordinator may still reckon with.
func (m *Machine) writeOff(now time.Time, j *job) {
	fresh := j.losses[max(0, len(j.losses)-j.recovery.unsaved):]
	j.recovery.unsaved = 0
	m.append(Record{Recovering: j.recoveringRecord(now, fresh)})
	if j.reassign != nil && !j.reassign.State.switched() {
		m.cease(now, j, j.lostFor())
	}
}

// take takes up a new order.
func (j *job) take(r *draft) { j.follow(r.deploy, r.topology(), r.given) }

// follow takes up a new order: parts that go on are asked again, and new workers get parts.
func (j *job) follow(d control.Deploy, t Topology, given []int) {
	j.deploy, j.epoch, j.topology, j.given = d, d.Epoch, t, given
	for _, h := range d.Workers[len(j.parts):] {
		j.parts = append(j.parts, newPart(len(j.parts), h))
	}
	for _, p := range j.parts {
		clear(p.broken) // whom it reaches now is another question
		if !p.over() {
			p.phase = partAsked
		}
	}
}

// describe says whose tasks go where.
func (r *draft) describe() string {
	var moves []string
	for _, lost := range r.deploy.Gone {
		var heirs []string
		for _, to := range r.moves[lost] {
			heirs = append(heirs, r.deploy.Workers[to].Worker)
		}
		if len(heirs) > 0 {
			moves = append(moves, fmt.Sprintf("tasks of %s go to %s", r.deploy.Workers[lost].Worker, strings.Join(heirs, ", ")))
		}
	}
	return strings.Join(moves, ", ")
}

// tellOrder tells a worker what its part of a job is by now. Who is away is told when he is back.
func (m *Machine) tellOrder(now time.Time, j *job, p *part) {
	if w := m.host(p); w != nil && !p.over() {
		p.told = now
		m.tell(w, m.order(j))
	}
}

// remindEvery bounds how often a worker is told an order again that it does not speak of yet.
const remindEvery = 200 * time.Millisecond

// remind tells a worker the order again that its part is behind.
func (m *Machine) remind(now time.Time, j *job, p *part) {
	if !p.over() && now.Sub(p.told) >= remindEvery {
		m.tellOrder(now, j, p)
	}
}

// recovered is the end of a recovery: every part that goes on has said that it does.
func (m *Machine) recovered(now time.Time, j *job) {
	took := now.Sub(j.recovery.since)
	j.madeGood(Recoveries{Count: j.recoveries.Count + 1, Attempts: j.recoveries.Attempts, Last: took})
	m.append(Record{Recovered: &RecoveredRecord{Job: j.id, Recoveries: j.recoveries, At: now}})
	m.note(now, Event{Kind: JobRecovered, Job: j.id, Took: took})
}

// madeGood ends a recovery.
func (j *job) madeGood(r Recoveries) {
	j.recoveries, j.recovery, j.due = r, nil, time.Time{}
	losses := slices.Clone(j.losses) // which others may be looking at
	for i := range losses {
		losses[i].Recovered = true
	}
	j.losses = losses
}

// overdue is what a job fails with whose recovery takes too long.
func (m *Machine) overdue(j *job) *control.Failure {
	var lost []string
	for _, l := range j.losses {
		if !l.Recovered {
			lost = append(lost, l.failure().Error())
		}
	}
	why := fmt.Sprintf("for %v there was no worker to give that to", m.timing.RecoverTimeout)
	if j.recovery.placed {
		why = fmt.Sprintf("%v have not taken that up within %v", j.undeployed(), m.timing.RecoverTimeout)
	}
	return &control.Failure{Message: fmt.Sprintf("it could not be carried on: %s; %s", strings.Join(lost, "; "), why)}
}
