package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Drainage says how far a worker is with being emptied.
type Drainage struct {
	Done  bool       // nothing more will move by itself
	Moved int        // tasks that have gone elsewhere
	Left  []LeftTask // tasks that stay, or have to wait, and why; all others are on their way
}

// LeftTask is a task that does not leave a worker.
type LeftTask struct {
	TaskRef
	Reason string
}

// drainage is how a worker is being emptied.
type drainage struct {
	Drainage
	tries map[TaskRef]int       // how often each task was to go
	under map[string]underDrain // reassignments that are under way, by job
	next  time.Time             // not to be looked at before
	told  string                // of what has become of it, at last
}

// underDrain is a task that is on its way.
type underDrain struct {
	task TaskRef
	id   uint64
}

const (
	// drainTries is how often a task is tried to be moved off a worker: others may be lost meanwhile.
	drainTries = 3
	// drainEvery bounds how often it is looked whether there is a task that can be moved.
	drainEvery = 100 * time.Millisecond
)

// DrainWorker has a worker be given no more tasks, and those that it has go to others, one after the other for each job. Being
// asked again begins anew with what has stayed. What is wrong is an *Error.
func (m *Machine) DrainWorker(now time.Time, id string) (WorkerInfo, error) {
	w := m.member(id)
	switch {
	case w == nil:
		return WorkerInfo{}, errorf(NotFound, "there is no worker %q", id)
	case w.state == WorkerGone:
		return WorkerInfo{}, errorf(Conflict, "worker %q is lost, and has no tasks", id)
	}
	if !w.drained {
		w.drained = true
		m.append(Record{Worker: w.record()})
	}
	m.note(now, Event{Kind: WorkerDraining, Worker: w.id})
	w.drain = newDrainage()
	m.relieve(now)
	return m.worker(w), nil
}

func newDrainage() *drainage {
	return &drainage{tries: map[TaskRef]int{}, under: map[string]underDrain{}}
}

// relieve moves what can be moved off workers that are being drained.
func (m *Machine) relieve(now time.Time) {
	for _, w := range m.members {
		if !w.drained || w.state != WorkerReady {
			continue
		}
		if w.drain == nil { // of a former run
			w.drain = newDrainage()
		}
		if w.drain.Done || now.Before(w.drain.next) {
			continue
		}
		w.drain.next = now.Add(drainEvery)
		w.drain.Left = nil
		waits := false
		for _, j := range slices.Clone(m.jobs) {
			waits = m.relieveOf(now, w, j) || waits
		}
		if waits {
			continue
		}
		w.drain.Done = true
		if text := w.drain.describe(); text != w.drain.told {
			w.drain.told = text
			m.note(now, Event{Kind: WorkerDrained, Worker: w.id, Text: text})
		}
	}
}

// relieveAgain looks again whether tasks can leave that had to stay, since there is a worker more.
func (m *Machine) relieveAgain() {
	for _, w := range m.members {
		if w.drain != nil {
			w.drain.Done = false
		}
	}
}

func (w *member) expected() bool { return w.state == WorkerExpected }

// relieveOf moves a task of a job off a worker. It says whether there is more to come.
func (m *Machine) relieveOf(now time.Time, w *member, j *job) (waits bool) {
	d := w.drain
	if u, moved := d.under[j.id]; moved {
		if j.reassign != nil && j.reassign.ID == u.id {
			return true
		}
		delete(d.under, j.id)
		if !j.on(w, u.task) {
			d.Moved++
		}
	}
	p := j.part(w.id, w.incarnation)
	if p == nil || p.over() || j.over() {
		return false
	}
	var tasks []TaskRef
	j.eachTask(p, func(op string, task int, at Place) {
		if tasks = append(tasks, TaskRef{j.id, op, task, at.Loop}); at.Mute {
			waits = true // it speaks soon, or is gone
			tasks = tasks[:len(tasks)-1]
		}
	})
	for _, t := range tasks {
		left := func(reason string) { d.Left = append(d.Left, LeftTask{t, reason}) }
		if d.tries[t] >= drainTries {
			left(fmt.Sprintf("it was given up %d times, at last because %s", d.tries[t], j.lastReason()))
			continue
		}
		re, err := m.Migrate(now, t.Job, t.Operator, t.Task, "")
		var refused *Error
		switch {
		case err == nil:
			d.tries[t]++
			d.under[j.id] = underDrain{t, re.ID}
			waits = true
		case errors.As(err, &refused) && refused.Code == Invalid:
			left(refused.Message)
		case errors.As(err, &refused) && refused.Code == Conflict, slices.ContainsFunc(m.members, (*member).expected): // for now
			waits = true
		default:
			left(err.Error())
		}
	}
	return waits
}

// on says whether a worker has a task.
func (j *job) on(w *member, t TaskRef) (is bool) {
	p := j.part(w.id, w.incarnation)
	if p == nil || p.over() || j.over() {
		return false
	}
	j.eachTask(p, func(op string, task int, _ Place) { is = is || op == t.Operator && task == t.Task })
	return is
}

// lastReason is why the last reassignment was given up.
func (j *job) lastReason() string {
	if n := len(j.reassigned); n > 0 {
		return j.reassigned[n-1].Reason
	}
	return ""
}

// describe is what has moved and what has not.
func (d *drainage) describe() string {
	text := fmt.Sprintf("%d tasks have gone elsewhere", d.Moved)
	var left []string
	for _, t := range d.Left {
		left = append(left, fmt.Sprintf("%s %s/%d: %s", t.Job, t.Operator, t.Task, t.Reason))
	}
	if len(left) > 0 {
		text += fmt.Sprintf(", %d stay: %s", len(left), strings.Join(left, "; "))
	}
	return text
}
