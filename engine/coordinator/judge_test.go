package coordinator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// settle lets everything come to an end, then looks at what has become of it.
func (w *world) settle() {
	w.calm = true
	for end := w.now.Add(30 * time.Second); w.now.Before(end) && !w.quiet(); {
		w.run(100 * time.Millisecond)
	}
	for _, n := range w.workers {
		if n.over != "" {
			w.t.Errorf("worker %s was ended: %s", n.id, n.over)
		}
		if len(n.parts) > 0 {
			w.t.Errorf("worker %s still has %v", n.id, sortedKeys(n.parts))
		}
		if !w.isReady(n) {
			w.t.Errorf("worker %q is not ready", n.id)
		}
	}
	for _, i := range w.m.Workers() {
		if i.State == WorkerReady && i.Drain != nil && (!i.Drain.Done || len(i.Drain.Left)+len(i.Tasks) > 0) {
			w.t.Errorf("worker %s is drained, and %+v", i.ID, i.Drain)
		}
	}
	for _, id := range w.accepted {
		w.judge(id)
	}
	w.judgeSnapshot()
}

// quiet says whether nothing is left to be done.
func (w *world) quiet() bool {
	if w.m == nil || slices.ContainsFunc(w.m.Jobs(), func(j JobSummary) bool { return !j.State.Over() }) {
		return false
	}
	if slices.ContainsFunc(w.m.Workers(), func(i WorkerInfo) bool { return i.State == WorkerReady && i.Drain != nil && !i.Drain.Done }) {
		return false
	}
	return !slices.ContainsFunc(w.workers, func(n *node) bool { return len(n.parts) > 0 || !w.isReady(n) })
}

func (w *world) isReady(n *node) bool {
	return slices.ContainsFunc(w.m.Workers(), func(i WorkerInfo) bool {
		return i.ID == n.id && i.Incarnation == n.incarnation && i.State == WorkerReady
	})
}

// judge looks at how a job has ended.
func (w *world) judge(id string) {
	j, err := w.m.Job(id)
	if err != nil {
		w.t.Errorf("job %s is lost: %v", id, err)
		return
	}
	switch {
	case !j.State.Over():
		w.t.Errorf("job %s has not ended: it is %s, %+v", id, j.State, j.Parts)
	case j.State == Failed && (j.Failure == nil || j.Failure.Message == ""):
		w.t.Errorf("job %s failed without a reason", id)
	case j.State == Failed && w.faults.recovers && w.faults.patient && w.faults.errors == 0 && !j.Begun.IsZero() && w.hasSpare(j):
		w.t.Errorf("job %s failed though all its losses could be made good: %v", id, j.Failure)
	case j.State == Failed && w.faults.kills == 0 && w.faults.stalls == 0 && w.faults.links == 0 && w.faults.errors == 0:
		w.t.Errorf("job %s failed though nothing has happened to it: %v", id, j.Failure)
	case j.State == Failed && strings.Contains(j.Failure.Message, "have not taken that up"):
		w.t.Errorf("job %s failed since its workers wait for something: %v", id, j.Failure)
	case j.State == Cancelled && !w.cancelled[id]:
		w.t.Errorf("job %s was cancelled though nobody had asked for that", id)
	}
	w.judgeEvents(j)
	for _, number := range w.moved[id] {
		if re, err := j.Reassignment(number); err == nil && !re.State.Over() || err != nil && len(j.Reassignments) < reassignedKept {
			w.t.Errorf("reassignment %d of job %s is %s, %v", number, id, re.State, err)
		}
	}
	if j.State != Completed {
		return
	}
	w.judgeTasks(id, j)
}

// hasSpare says whether there is a worker that has had no part in the job, and could have been given one.
func (w *world) hasSpare(j JobInfo) bool {
	return slices.ContainsFunc(w.workers, func(n *node) bool {
		known := w.m.member(n.id)
		return known != nil && !known.drained && !slices.ContainsFunc(j.Parts, func(p PartInfo) bool { return p.Incarnation == n.incarnation })
	})
}

// judgeTasks looks whether in a job that is completed every task has run to its end in the one part where it is last.
func (w *world) judgeTasks(id string, j JobInfo) {
	own := make([][]string, len(j.Parts))
	d := w.m.job(id).deploy
	for u, unit := range d.Place {
		for i, slot := range unit {
			if slot == control.Nowhere {
				continue
			}
			part := d.Slots[slot].Worker
			own[part] = append(own[part], fmt.Sprintf("%d/%d", u, i))
		}
	}
	results := 0
	for i, p := range j.Parts {
		switch {
		case w.m.job(id).parts[i].vacant() && len(own[i]) == 0: // it was to come into the job, and could not
		case p.Phase == "ended":
			results++
			if got, want := w.natural[partKey(id, p.Incarnation)], fmt.Sprint(own[i]); got != want {
				w.t.Errorf("job %s is completed, but its part on %s ended with tasks %s, want %s", id, p.Worker, got, want)
			}
		case p.Phase != "lost" || len(own[i]) > 0:
			w.t.Errorf("job %s is completed, but its part on %s is %s with tasks %v", id, p.Worker, p.Phase, own[i])
		}
	}
	if len(j.Results) != results {
		w.t.Errorf("job %s has %d results of %d parts", id, len(j.Results), results)
	}
}

// audit looks at what is sent: no part that goes on is given up or released, and no order moves a task that is not lost.
func (w *world) audit(s Send) {
	switch m := s.Message.(type) {
	case *control.End:
		if p, j := w.liveAt(s.Conn, m.Job); p != nil && m.How == control.Abort && j.ending != control.Abort {
			w.t.Errorf("job %s goes on, and its part on %s is told to abort", m.Job, p.host.Worker)
		}
	case *control.Release:
		if p, _ := w.liveAt(s.Conn, m.Job); p != nil {
			w.t.Errorf("job %s goes on, and its part on %s is released", m.Job, p.host.Worker)
		}
	case *control.Deploy:
		w.auditOrder(m)
	}
}

// liveAt is the part that a worker has of a job that goes on.
func (w *world) liveAt(c ConnID, id string) (*part, *job) {
	n, j := w.m.at(c), w.m.job(id)
	if n == nil || j == nil || j.over() {
		return nil, nil
	}
	if p := j.part(n.id, n.incarnation); p != nil && !p.over() {
		return p, j
	}
	return nil, nil
}

// judgeEvents looks at what the events of a job tell.
func (w *world) judgeEvents(j JobInfo) {
	ended, parts := map[string]int{}, map[string]int{}
	for _, p := range j.Parts {
		parts[p.Worker]++
	}
	for _, e := range j.Events {
		switch e.Kind {
		case PartEnded:
			if ended[e.Worker]++; ended[e.Worker] > parts[e.Worker] {
				w.t.Errorf("the part of job %s on %s ended %d times", j.ID, e.Worker, ended[e.Worker])
			}
		case JobFailing:
			if took := j.Ended.Sub(e.At); took >= worldTiming.AbortTimeout && w.life == 1 {
				w.t.Errorf("job %s took %v to fail, which only ended because of the timeout", j.ID, took)
			}
		}
	}
}

// judgeSnapshot says whether a machine made from a snapshot knows the same of jobs, but for reports.
func (w *world) judgeSnapshot() {
	again, err := NewMachine(w.now, MachineConfig{Build: testBuild}, w.m.Snapshot())
	if err != nil {
		w.t.Errorf("snapshot: %v", err)
		return
	}
	for _, j := range w.m.Jobs() {
		if a, b := known(w.m, j.ID), known(again, j.ID); a != b {
			w.t.Errorf("job %s becomes\n%s\nby a snapshot, from\n%s", j.ID, b, a)
		}
	}
}

// known is what is known of a job without reports.
func known(m *Machine, id string) string {
	j, err := m.Job(id)
	if err != nil {
		return err.Error()
	}
	for i := range j.Parts {
		if m.job(id).parts[i].ended == nil {
			j.Parts[i].Reported = time.Time{}
		}
	}
	return marshal(j)
}

func marshal(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
