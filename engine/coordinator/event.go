package coordinator

import (
	"log/slog"
	"slices"
	"time"
)

// EventKind says what has happened.
type EventKind string

// The kinds of event.
const (
	CoordinatorStarted EventKind = "coordinator_started"
	// CoordinatorLate: the coordinator itself was held up, Took long; nobody is lost because of that.
	CoordinatorLate EventKind = "coordinator_late"

	WorkerRegistered   EventKind = "worker_registered"
	WorkerBack         EventKind = "worker_back" // registered again; Took: since it was last heard
	WorkerRefused      EventKind = "worker_refused"
	WorkerDisconnected EventKind = "worker_disconnected"
	WorkerLost         EventKind = "worker_lost"   // Took: from when it was last heard to now
	WorkerFenced       EventKind = "worker_fenced" // replaced by a newer incarnation
	WorkerDismissed    EventKind = "worker_dismissed"
	// WorkerDraining: the worker is given no more tasks, and those that it has go elsewhere, until it is WorkerDrained.
	WorkerDraining EventKind = "worker_draining"
	WorkerDrained  EventKind = "worker_drained"
	// LinkBroken: a data connection of Worker is broken, Took: for how long.
	LinkBroken EventKind = "link_broken"

	JobSubmitted EventKind = "job_submitted"
	PartDeployed EventKind = "part_deployed" // Took: since the job was submitted, or the loss that is made good was detected
	JobStarted   EventKind = "job_started"   // Took: since the job was submitted
	// JobRecovering: what a job has lost was given to others. RecoveryDelayed: not yet, since there is nobody, or, if it Took
	// something, for as long, since it is lost too often. JobRecovered: every part goes on, Took: since the loss was detected.
	JobRecovering   EventKind = "job_recovering"
	RecoveryDelayed EventKind = "recovery_delayed"
	JobRecovered    EventKind = "job_recovered"
	// A reassignment: ReassignmentBegun: new tasks are to take over from old ones. The next three each with how long that Took:
	// everybody feeds the new tasks; these are made of checkpoints of the old; they have caught up and taken over. Then it is
	// done, or was given up, and the old tasks go on, Took: since it was begun.
	ReassignmentBegun      EventKind = "reassignment_begun"
	ReassignmentRegistered EventKind = "reassignment_registered"
	ReassignmentRestored   EventKind = "reassignment_restored"
	ReassignmentSwitched   EventKind = "reassignment_switched"
	ReassignmentDone       EventKind = "reassignment_done"
	ReassignmentGivenUp    EventKind = "reassignment_given_up"

	JobDraining   EventKind = "job_draining"
	JobCancelling EventKind = "job_cancelling"
	JobFailing    EventKind = "job_failing" // aborted everywhere
	PartEnded     EventKind = "part_ended"  // Took: since the job was started
	JobCompleted  EventKind = "job_completed"
	JobCancelled  EventKind = "job_cancelled"
	JobFailed     EventKind = "job_failed" // these three: Took since the job was submitted
)

// Event is something that has happened in the cluster.
type Event struct {
	Seq    uint64        `json:"seq"` // from 1 in this run of the coordinator
	At     time.Time     `json:"at"`
	Kind   EventKind     `json:"kind"`
	Job    string        `json:"job,omitempty"`
	Worker string        `json:"worker,omitempty"`
	Took   time.Duration `json:"took,omitempty"` // see the kind
	Text   string        `json:"text,omitempty"`
}

// attrs is what there is to log of an event besides its kind.
func (e Event) attrs() (list []slog.Attr) {
	if e.Job != "" {
		list = append(list, slog.String("job", e.Job))
	}
	if e.Worker != "" {
		list = append(list, slog.String("worker", e.Worker))
	}
	if e.Took != 0 {
		list = append(list, slog.Duration("took", e.Took))
	}
	if e.Text != "" {
		list = append(list, slog.String("text", e.Text))
	}
	return list
}

// How many events are kept: enough to tell the story of a job or of a bad hour.
const (
	jobEventsMax     = 256
	clusterEventsMax = 1024
)

// ring keeps the last events.
type ring struct {
	list []Event
	max  int
}

func (r *ring) add(e Event) {
	if len(r.list) >= r.max {
		r.list = slices.Delete(r.list, 0, 1+r.max/8) // not at every event
	}
	r.list = append(r.list, e)
}

// note keeps an event, with its job's as well, and hands it out.
func (m *Machine) note(now time.Time, e Event) {
	m.eventSeq++
	e.Seq, e.At = m.eventSeq, now
	m.counts[e.Kind]++
	m.events.add(e)
	if j := m.job(e.Job); j != nil {
		j.events.add(e)
	}
	m.act(Notify{e})
}
