package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// ReassignKind is what a reassignment was asked for.
type ReassignKind string

// The kinds of reassignment.
const (
	Rescale   ReassignKind = "rescale"   // another number of tasks
	Rebalance ReassignKind = "rebalance" // other key ranges
	Migrate   ReassignKind = "migrate"   // a task on another worker
)

// ReassignState is how far a reassignment is.
type ReassignState string

// The states of a reassignment, the last two for ever.
const (
	Registering ReassignState = "registering" // whoever feeds the old tasks begins to feed the new ones, too
	Stopping    ReassignState = "stopping"    // old tasks that cannot be beside the new ones checkpoint, and end
	Restoring   ReassignState = "restoring"   // the old tasks checkpoint; the new ones are made of that, and catch up
	Switching   ReassignState = "switching"   // the new tasks have taken over, and that is on disk: every worker is told
	GivingUp    ReassignState = "giving_up"   // the new tasks are thrown away
	Done        ReassignState = "done"
	GivenUp     ReassignState = "given_up"
)

// Over says whether a reassignment in this state has ended.
func (s ReassignState) Over() bool { return s == Done || s == GivenUp }

// switched says whether the new tasks have taken over.
func (s ReassignState) switched() bool { return s == Switching || s == Done }

// Reassignment is how tasks of an operator have taken key ranges over from others, or were to.
type Reassignment struct {
	ID       uint64           `json:"id"` // the epoch of the job's order that has begun it
	Kind     ReassignKind     `json:"kind"`
	Operator string           `json:"operator"`
	Old      []ReassignedTask `json:"old"`
	New      []ReassignedTask `json:"new"`
	State    ReassignState    `json:"state"`
	Reason   string           `json:"reason,omitempty"` // why it was given up
	Begun    time.Time        `json:"begun"`
	Ended    time.Time        `json:"ended,omitzero"`
	// How long it took until everybody fed the new tasks, until these were made, until they had caught up, and until everybody
	// knew that they have taken over; 0 for what it did not come to.
	Register time.Duration `json:"register,omitempty"`
	Stop     time.Duration `json:"stop,omitempty"` // of a sink: until the old task had ended
	Restore  time.Duration `json:"restore,omitempty"`
	CatchUp  time.Duration `json:"catch_up,omitempty"`
	Switch   time.Duration `json:"switch,omitempty"`
}

// ReassignedTask is an old or a new task of a reassignment, and the worker that it is on.
type ReassignedTask struct {
	Task   int             `json:"task"`
	Worker string          `json:"worker"`
	Range  partition.Range `json:"range"`
}

// namedMost is how many tasks String names: more than that nobody reads.
const namedMost = 8

// String is what it was asked for, with the tasks and where they are.
func (r *Reassignment) String() string {
	tasks := func(list []ReassignedTask) string {
		var names []string
		for i, t := range list {
			if i == namedMost && len(list) > namedMost+1 {
				names = append(names, fmt.Sprintf("%d more", len(list)-i))
				break
			}
			names = append(names, fmt.Sprintf("%d on %s", t.Task, t.Worker))
		}
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s %s: %s for %s", r.Kind, r.Operator, tasks(r.New), tasks(r.Old))
}

// reassigning is a reassignment that is under way.
type reassigning struct {
	Reassignment
	reached  wire.Time // the greatest position from which on somebody feeds the new tasks
	stepped  time.Time // when the newest order was given
	restored time.Time // when every part had done what phase Restoring wants of it; zero before
	level    []int     // the parts whose new tasks have caught up
	late     bool      // those with old tasks have not been told yet that these have been taken over from
}

// reassignedKept is how many reassignments of a job are remembered that have ended.
const reassignedKept = 32

// undecided says whether a reassignment is under way that can still be given up.
func (j *job) undecided() bool {
	return j.reassign != nil && !j.reassign.State.switched() && j.reassign.State != GivingUp
}

// beginReassign has new tasks come, as a draft says, that are to take over from old ones. What the draft has of Reassign lacks
// the id.
func (m *Machine) beginReassign(now time.Time, r *draft, kind ReassignKind) Reassignment {
	c := &r.deploy.Reassign[0]
	c.ID, c.Phase = m.attempts+1, control.Registering
	re := &reassigning{Reassignment: Reassignment{
		ID: c.ID, Kind: kind, Operator: r.j.topology.host(c.Unit).ID, Old: r.tasksOf(c.Unit, c.Old), New: r.tasksOf(c.Unit, c.New),
		State: Registering, Begun: now,
	}}
	r.j.reassign = re
	m.note(now, Event{Kind: ReassignmentBegun, Job: r.j.id, Text: re.String()})
	m.issue(now, r)
	return re.Reassignment
}

// tasksOf describes tasks of a unit.
func (r *draft) tasksOf(unit int, tasks []int) (list []ReassignedTask) {
	for _, i := range tasks {
		list = append(list, ReassignedTask{Task: i, Worker: r.place(unit, i).Worker, Range: r.deploy.Ranges[unit][i]})
	}
	return list
}

// issue gives the next order of a reassignment, which is on disk before anybody hears of it, with its state.
func (m *Machine) issue(now time.Time, r *draft) {
	j := r.j
	m.attempts++
	r.deploy.Epoch = m.attempts
	j.take(r)
	j.reassign.stepped, j.due = now, now.Add(m.timing.RecoverTimeout)
	if j.undecided() {
		j.due = now.Add(m.timing.ReassignTimeout)
	}
	m.append(Record{Order: j.orderRecord(now)})
	j.reassign.late = j.reassign.State == Switching
	for _, p := range j.parts {
		if !j.reassign.late || !j.reassign.old(p) {
			m.tellOrder(now, j, p)
		}
	}
	m.tellLate(now, j)
}

// tellLate tells those with old tasks that these have been taken over from, once everybody else goes on with the new ones: as long
// as anybody reads them they speak, so that there is no pause.
func (m *Machine) tellLate(now time.Time, j *job) {
	re := j.reassign
	if re == nil || !re.late || slices.ContainsFunc(j.parts, func(p *part) bool { return p.phase == partAsked && !re.old(p) }) {
		return
	}
	re.late = false
	for _, p := range j.parts {
		if re.old(p) {
			m.tellOrder(now, j, p)
		}
	}
}

// old says whether a part has old tasks.
func (re *reassigning) old(p *part) bool {
	return slices.ContainsFunc(re.Old, func(t ReassignedTask) bool { return t.Worker == p.host.Worker })
}

// advance goes on with a reassignment after every part has said that it is as the newest order wants it.
func (m *Machine) advance(now time.Time, j *job) {
	re := j.reassign
	took := now.Sub(re.stepped)
	switch re.State {
	case Registering:
		re.Register = took
		if re.reached == wire.TimeMax {
			m.giveUpReassign(now, j, "the input has come to its end")
			return
		}
		m.note(now, Event{Kind: ReassignmentRegistered, Job: j.id, Took: took, Text: fmt.Sprintf("the new tasks of %s are fed from %v on", re.Operator, re.reached)})
		r := m.draft(j)
		c := &r.deploy.Reassign[0]
		re.State, c.Phase, c.Cut = Restoring, control.Restoring, re.reached
		if c.Stops {
			re.State, c.Phase = Stopping, control.Stopping
		}
		m.issue(now, r)
	case Stopping:
		re.Stop = took
		re.State = Restoring
		r := m.draft(j)
		r.deploy.Reassign[0].Phase = control.Restoring
		m.issue(now, r)
	case Restoring:
		if re.restored.IsZero() {
			re.restored, re.Restore, j.due = now, took, now.Add(m.timing.ReassignTimeout)
			m.note(now, Event{Kind: ReassignmentRestored, Job: j.id, Took: took, Text: fmt.Sprintf("the new tasks of %s are made", re.Operator)})
		}
		if j.level() {
			m.switchOver(now, j)
		}
	case Switching:
		re.Switch = took
		m.endReassign(now, j, true)
	case GivingUp:
		m.endReassign(now, j, true)
	}
}

// level says whether all new tasks have caught up.
func (j *job) level() bool {
	re := &j.deploy.Reassign[0]
	return !slices.ContainsFunc(re.New, func(i int) bool {
		return !slices.Contains(j.reassign.level, j.deploy.Slots[j.deploy.Place[re.Unit][i]].Worker)
	})
}

// switchOver has the new tasks take over: as soon as that is on disk, for good.
func (m *Machine) switchOver(now time.Time, j *job) {
	re := j.reassign
	re.State, re.CatchUp = Switching, now.Sub(re.restored)
	r := m.draft(j)
	r.handOver()
	m.issue(now, r)
	m.note(now, Event{Kind: ReassignmentSwitched, Job: j.id, Took: re.CatchUp, Text: fmt.Sprintf("the new tasks of %s have caught up, and take over", re.Operator)})
}

// giveUpReassign ends a reassignment that is not decided: everybody forgets the new tasks.
func (m *Machine) giveUpReassign(now time.Time, j *job, reason string) {
	j.reassign.State, j.reassign.Reason = GivingUp, reason
	r := m.draft(j)
	r.withdraw()
	m.issue(now, r)
}

// cease ends a reassignment without an order of its own: what follows is the end of its new tasks as well, unless it was decided.
func (m *Machine) cease(now time.Time, j *job, reason string) {
	if j.undecided() {
		j.reassign.Reason = reason
	}
	if j.reassign != nil {
		m.endReassign(now, j, false)
	}
}

// endReassign is the end of a reassignment. confirmed says that every part goes on by the newest order.
func (m *Machine) endReassign(now time.Time, j *job, confirmed bool) {
	re := j.reassign
	kind, text := ReassignmentDone, ""
	if re.State.switched() {
		re.State = Done
		text = fmt.Sprintf("%v; register %v, restore %v, catch up %v, switch %v",
			re, round(re.Register), round(re.Restore), round(re.CatchUp), round(re.Switch))
	} else {
		re.State, kind = GivenUp, ReassignmentGivenUp
		text = fmt.Sprintf("%v: %s", re, re.Reason)
	}
	re.Ended = now
	j.remember(re.Reassignment)
	if j.recovery == nil {
		j.due = time.Time{}
	}
	m.append(Record{Reassigned: &ReassignedRecord{Job: j.id, Reassignment: re.Reassignment, Confirmed: confirmed}})
	m.note(now, Event{Kind: kind, Job: j.id, Took: now.Sub(re.Begun), Text: text})
}

// remember has a reassignment be one that has ended.
func (j *job) remember(r Reassignment) {
	j.reassign = nil
	j.reassigned = append(slices.Clone(j.reassigned), r)
	j.reassigned = j.reassigned[max(0, len(j.reassigned)-reassignedKept):]
}

// caughtUp notes that a worker's new tasks have caught up.
func (m *Machine) caughtUp(now time.Time, w *member, c *control.CaughtUp) {
	j, p := m.partOf(w, c.Job, c.Epoch)
	switch {
	case j == nil || p.over():
	case c.Epoch < j.epoch:
		m.remind(now, j, p)
	case j.undecided() && j.reassign.ID == c.Reassignment && j.reassign.State == Restoring:
		if !slices.Contains(j.reassign.level, p.index) {
			j.reassign.level = append(j.reassign.level, p.index)
		}
		m.confirmed(now, j)
	}
}

// reassignFailed takes a worker's word that it cannot do its share of a reassignment.
func (m *Machine) reassignFailed(now time.Time, j *job, p *part, d *control.Deployed) {
	p.made = true
	switch {
	case d.Epoch < j.epoch:
		m.remind(now, j, p)
	case j.undecided() && j.recovery == nil && j.reassign.ID == d.Reassignment:
		m.giveUpReassign(now, j, fmt.Sprintf("worker %s: %s", p.host.Worker, d.Error.Message))
	}
}

// reassignOverdue says who has kept a reassignment waiting.
func (m *Machine) reassignOverdue(j *job) string {
	if workers := j.undeployed(); len(workers) > 0 {
		return fmt.Sprintf("%v have not done their share within %v, while it was %s", workers, m.timing.ReassignTimeout, j.reassign.State)
	}
	return fmt.Sprintf("the new tasks have not caught up within %v", m.timing.ReassignTimeout)
}

// lostFor is why a reassignment is given up when a worker is lost.
func (j *job) lostFor() string {
	if len(j.losses) == 0 {
		return "a worker is lost"
	}
	l := j.losses[len(j.losses)-1]
	return fmt.Sprintf("worker %s is lost: %s", l.Worker, l.Reason)
}
