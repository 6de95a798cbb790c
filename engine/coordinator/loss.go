package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire"
)

// Cause is how a worker, or its part of a job, was lost.
type Cause string

// The causes of a loss.
const (
	CauseConnection Cause = "connection" // broken, and the worker was not back in time
	CauseHeartbeats Cause = "heartbeats" // missed, though the connection was there
	CauseReplaced   Cause = "replaced"   // by a newer incarnation
	CauseRestart    Cause = "restart"    // of the coordinator, after which the worker did not come back
	CauseForgotten  Cause = "forgotten"  // the worker is there, its part of the job is not
	CauseDismissed  Cause = "dismissed"
	// CauseUnreachable: the coordinator hears it, but other workers have no data connection to it.
	CauseUnreachable Cause = "unreachable"
)

// Loss says what a job has lost with a worker.
type Loss struct {
	Worker      string        `json:"worker"`
	Incarnation uint64        `json:"incarnation"`
	PID         int           `json:"pid"`
	Addr        string        `json:"addr"`
	Cause       Cause         `json:"cause"`
	Reason      string        `json:"reason"`
	Heard       time.Time     `json:"heard"`    // from the worker last
	Detected    time.Time     `json:"detected"` // that it is lost
	After       time.Duration `json:"after"`    // from the one to the other
	Tasks       []LostTask    `json:"tasks"`
	Recovered   bool          `json:"recovered"` // the tasks go on elsewhere
}

// LostTask is a task of a lost worker and how far it is known to have come.
type LostTask struct {
	Operator string    `json:"operator"`
	Task     int       `json:"task"`
	Position wire.Time `json:"position"`
	Reported bool      `json:"reported"` // whether the position is known at all
}

// String is operator, task and position.
func (t LostTask) String() string {
	if !t.Reported {
		return fmt.Sprintf("%s/%d", t.Operator, t.Task)
	}
	return fmt.Sprintf("%s/%d at %v", t.Operator, t.Task, t.Position)
}

// failure is the report for people.
func (l *Loss) failure() *control.Failure {
	tasks := make([]string, len(l.Tasks))
	for i, t := range l.Tasks {
		tasks[i] = t.String()
	}
	if len(tasks) == 0 {
		tasks = append(tasks, "no task")
	}
	return &control.Failure{Worker: l.Worker, Message: fmt.Sprintf("it is lost (pid %d, %s): %s; with it %s",
		l.PID, l.Addr, l.Reason, strings.Join(tasks, ", "))}
}

// watch looks whether a worker is lost by now.
func (m *Machine) watch(now time.Time, w *member) {
	silent := now.Sub(w.heard)
	switch {
	case w.state == WorkerReady && silent > m.timing.HeartbeatTimeout:
		m.lose(now, w, CauseHeartbeats, fmt.Sprintf("no heartbeat for %v, the timeout is %v", round(silent), m.timing.HeartbeatTimeout))
	case w.state == WorkerAway && silent > m.timing.HeartbeatTimeout:
		m.lose(now, w, CauseConnection, fmt.Sprintf("its connection is broken (%s), and it has not been back for %v, the timeout is %v",
			w.broken, round(silent), m.timing.HeartbeatTimeout))
	case w.state == WorkerExpected && silent > m.timing.Grace:
		m.lose(now, w, CauseRestart, fmt.Sprintf("it has not been back for %v since the coordinator was restarted", round(silent)))
	}
}

// round makes durations readable.
func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// lose gives a worker up, and with it what it had of jobs. It may register again, and starts with nothing then.
func (m *Machine) lose(now time.Time, w *member, cause Cause, reason string) {
	if w.conn != 0 {
		m.drop(w.conn)
	}
	w.state, w.conn = WorkerGone, 0
	m.append(Record{Lost: &LostRecord{Worker: w.id, Incarnation: w.incarnation, At: now}})
	e := Event{Kind: WorkerLost, Worker: w.id, Took: now.Sub(w.heard), Text: reason}
	if cause == CauseDismissed {
		e.Kind, e.Took = WorkerDismissed, 0
	}
	m.note(now, e)
	for _, j := range slices.Clone(m.jobs) {
		if p := j.part(w.id, w.incarnation); p != nil && !j.over() && !p.over() {
			m.losePart(now, j, p, w.loss(now, j, p, cause, reason))
		}
	}
}

// forgetLost forgets the oldest of the workers that are lost, if there are too many.
func (m *Machine) forgetLost() {
	lost := 0
	for _, w := range m.members {
		if w.state == WorkerGone {
			lost++
		}
	}
	m.members = slices.DeleteFunc(m.members, func(w *member) bool {
		if w.state == WorkerGone && lost > lostKept {
			lost--
			return true
		}
		return false
	})
}

// loss describes what a job loses with a worker.
func (w *member) loss(now time.Time, j *job, p *part, cause Cause, reason string) Loss {
	return Loss{
		Worker: w.id, Incarnation: w.incarnation, PID: w.pid, Addr: w.addr, Cause: cause, Reason: reason,
		Heard: w.heard, Detected: now, After: now.Sub(w.heard), Tasks: j.tasksOf(p),
	}
}
