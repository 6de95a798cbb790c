package coordinator

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
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
	case j.State == Failed && w.faults.kills == 0 && w.faults.stalls == 0 && w.faults.errors == 0:
		w.t.Errorf("job %s failed though nothing has happened to it: %v", id, j.Failure)
	case j.State == Cancelled && !w.cancelled[id]:
		w.t.Errorf("job %s was cancelled though nobody had asked for that", id)
	}
	w.judgeEvents(j)
	if j.State != Completed {
		return
	}
	for _, p := range j.Parts {
		key := fmt.Sprintf("%s@%d of %x", id, j.Epoch, p.Incarnation)
		if n := w.natural[key]; n != 1 {
			w.t.Errorf("job %s is completed, but its part on %s ended %d times by itself", id, p.Worker, n)
		}
	}
	if len(j.Results) != len(j.Parts) {
		w.t.Errorf("job %s has %d results of %d workers", id, len(j.Results), len(j.Parts))
	}
}

// judgeEvents looks at what the events of a job tell.
func (w *world) judgeEvents(j JobInfo) {
	ended := map[string]int{}
	for _, e := range j.Events {
		switch e.Kind {
		case PartEnded:
			if ended[e.Worker]++; ended[e.Worker] > 1 {
				w.t.Errorf("the part of job %s on %s ended twice", j.ID, e.Worker)
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
		if j.Parts[i].Phase == "lost" {
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
