package coordinator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func (r *rig) drain(id string) (WorkerInfo, error) {
	w, err := r.m.DrainWorker(r.now, id)
	r.act()
	return w, err
}

// worker is how a worker is by now.
func (r *rig) worker(id string) WorkerInfo {
	r.t.Helper()
	return r.m.worker(r.m.member(id))
}

// Whatever can go elsewhere goes, and the worker is given nothing any more; what has to stay is said.
func TestDrainWorker(t *testing.T) {
	r := newRig(t)
	w := r.add("", "")
	id := r.mustSubmitOf("sums", Submission{Config: durable, Parallelism: map[string]int{"in": 2, "count": 4}, Pins: map[string]int{"out": 0}})
	other := r.mustSubmit(Submission{Parallelism: map[string]int{"in": 1, "count": 2}}) // without checkpoints
	if _, err := r.drain("w1"); err != nil {
		t.Fatal(err)
	}
	r.pass(2*time.Second, w...)
	got := r.worker("w1")
	if d := got.Drain; d == nil || !d.Done || d.Moved != 3 {
		t.Fatalf("it is %+v", d)
	}
	for _, task := range got.Tasks {
		i := slices.IndexFunc(got.Drain.Left, func(l LeftTask) bool { return l.TaskRef == task })
		if i < 0 {
			t.Errorf("%+v is left without a reason", task)
			continue
		}
		want := "is pinned to a worker"
		if task.Job == other {
			want = "takes no checkpoints"
		}
		if reason := got.Drain.Left[i].Reason; !strings.Contains(reason, want) {
			t.Errorf("%+v is left since %q, want %q", task, reason, want)
		}
	}
	if len(got.Tasks) != len(got.Drain.Left) || len(got.Tasks) != 3 {
		t.Errorf("it has %v, left are %v", got.Tasks, got.Drain.Left)
	}
	third := r.mustSubmit(Submission{})
	if j := r.job(third); !slices.Equal(j.Workers, []string{"w2"}) {
		t.Errorf("a new job is on %v", j.Workers)
	}
	if _, err := r.migrate(id, "count", r.m.job(id).topology.Operators[2].speaking()[0], "w1"); err == nil || !strings.Contains(err.Error(), "is drained") {
		t.Errorf("a task is moved back: %v", err)
	}
	r.mustRescale(id, 5)
	for _, task := range tasksNow(r.job(id), "count") {
		if strings.Contains(task, "w1") {
			t.Errorf("it is given %s", task)
		}
	}
	if n := r.m.Counts(); n[WorkerDraining] != 1 || n[WorkerDrained] != 1 {
		t.Errorf("events %v", n)
	}
}

// A coordinator that is restarted goes on with it; tasks wait while their job is busy, or there is nobody to take them.
func TestDrainGoesOn(t *testing.T) {
	r, id, w := two(t)
	for _, n := range w {
		n.lag = func() bool { return true }
	}
	if _, err := r.drain("w2"); err != nil {
		t.Fatal(err)
	}
	r.wantTasks(id, "count", "0@w2", "1@w1 mute")
	r = r.restartWith(w...)
	for _, n := range w {
		n.lag = nil
	}
	r.pass(time.Second, w...)
	r.wantTasks(id, "count", "2@w1")
	if d := r.worker("w2").Drain; d == nil || !d.Done || len(d.Left) > 0 {
		t.Errorf("it is %+v", d)
	}
	if _, err := r.drain("w1"); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Second, w...)
	if d := r.worker("w1").Drain; !d.Done || len(d.Left) != 2 || !strings.Contains(d.Left[0].Reason, "there is no other worker than w1") {
		t.Errorf("it is %+v", d)
	}
	r.records = r.m.Snapshot()
	r = r.restartWith(w...)
	r.pass(time.Second, w...)
	r.lose(w[0])
	r.wantState(id, Recovering)
	spare := r.add("")[0]
	r.wantState(id, Running)
	if len(spare.parts[id].tasks(spare)) != 2 {
		t.Errorf("the new worker has %v", spare.parts[id].tasks(spare))
	}
	if d := r.worker("w2").Drain; !d.Done {
		t.Errorf("it is %+v", d)
	}
	again := r.add("w1")[0] // another incarnation
	if i := r.worker("w1"); i.Drain != nil {
		t.Errorf("a new process is drained: %+v", i.Drain)
	}
	if re, err := r.migrate(id, "count", 2, "w1"); err != nil || r.reassignment(id, re.ID).State != Done || again.parts[id] == nil {
		t.Errorf("it cannot be given a task: %v", err)
	}
}

// A task that cannot be moved is not tried for ever.
func TestDrainGivesUp(t *testing.T) {
	r, id, w := two(t)
	w[0].hinder = func() string { return "no memory" }
	if _, err := r.drain("w2"); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Second, w...)
	if d := r.worker("w2").Drain; !d.Done || len(d.Left) != 1 || !strings.Contains(d.Left[0].Reason, "given up 3 times, at last because worker w1: no memory") {
		t.Errorf("it is %+v", d)
	}
	r.wantState(id, Running)
	w[0].hinder = nil
	r.add("")
	r.pass(time.Second, w...)
	if n := len(r.job(id).Reassignments); n != 3 {
		t.Errorf("%d reassignments", n)
	}
}

func TestDrainRefused(t *testing.T) {
	r := newRig(t)
	w := r.add("")
	r.lose(w[0])
	for id, want := range map[string]string{"w9": "no worker", "w1": "is lost"} {
		if _, err := r.drain(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", id, err, want)
		}
	}
}
