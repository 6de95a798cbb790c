package coordinator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

func (r *rig) rescale(id, operator string, tasks int) (Reassignment, error) {
	re, err := r.m.Rescale(r.now, id, operator, tasks)
	r.act()
	return re, err
}

func (r *rig) mustRescale(id string, tasks int) Reassignment {
	r.t.Helper()
	re, err := r.rescale(id, "count", tasks)
	if err != nil {
		r.t.Fatal(err)
	}
	return re
}

func (r *rig) migrate(id, operator string, task int, to string) (Reassignment, error) {
	re, err := r.m.Migrate(r.now, id, operator, task, to)
	r.act()
	return re, err
}

// reassignment is how one of a job is by now.
func (r *rig) reassignment(job string, id uint64) Reassignment {
	r.t.Helper()
	for _, re := range r.job(job).Reassignments {
		if re.ID == id {
			return re
		}
	}
	r.t.Fatalf("job %s knows nothing of reassignment %d", job, id)
	return Reassignment{}
}

func (r *rig) wantReassignment(job string, id uint64, want ReassignState, reason string) Reassignment {
	r.t.Helper()
	re := r.reassignment(job, id)
	if re.State != want || !strings.Contains(re.Reason, reason) {
		r.t.Fatalf("reassignment %d is %s (%s), want %s (%s)", id, re.State, re.Reason, want, reason)
	}
	return re
}

// tasksNow describes the tasks of an operator: index, worker, and for mute ones that.
func tasksNow(j JobInfo, operator string) (list []string) {
	for _, op := range j.Topology.Operators {
		if op.ID != operator {
			continue
		}
		for i, at := range op.Tasks {
			if !at.There() {
				continue
			}
			t := fmt.Sprintf("%d@%s", i, at.Worker)
			if at.Mute {
				t += " mute"
			}
			list = append(list, t)
		}
	}
	return list
}

func (r *rig) wantTasks(id, operator string, want ...string) {
	r.t.Helper()
	if got := tasksNow(r.job(id), operator); !slices.Equal(got, want) {
		r.t.Errorf("tasks of %s are %v, want %v", operator, got, want)
	}
}

// two is a job with a source on w1 and one task that counts on w2.
func two(t *testing.T) (r *rig, id string, workers []*fakeWorker) {
	r = newRig(t)
	workers = r.add("", "")
	id = r.mustSubmit(Submission{Config: durable, Parallelism: map[string]int{"in": 1, "count": 1}})
	return r, id, workers
}

// A scale out goes through its phases, each of which is on disk first; a worker that has had no part comes into the job for it.
func TestScaleOut(t *testing.T) {
	r, id, workers := two(t)
	r.wantTasks(id, "count", "0@w2")
	first := workers[0].parts[id].deploy
	if len(first.Ranges) != 2 || !slices.Equal(first.Ranges[1], []partition.Range{partition.Full()}) || first.Recovers {
		t.Errorf("the first order has ranges %v", first.Ranges)
	}
	spare := r.add("")[0]
	var phases []string
	for _, w := range append(workers, spare) {
		w.seen = func(p *fakePart, m control.Message) {
			if d, ok := m.(*control.Deploy); ok && w == workers[0] {
				for _, re := range d.Reassign {
					phases = append(phases, fmt.Sprintf("%d %s %v→%v cut %v", re.ID, re.Phase, re.Old, re.New, re.Cut))
				}
			}
		}
	}
	r.log = nil
	re := r.mustRescale(id, 3)
	want := []string{
		"+order", "w1 deploy", "w2 deploy", "w3 deploy", "w3 start", "+order", "w1 deploy", "w2 deploy", "w3 deploy",
		"+order", "w1 deploy", "w3 deploy", "w2 deploy", "+reassigned",
	}
	if !slices.Equal(r.log, want) {
		t.Errorf("got  %q\nwant %q", r.log, want)
	}
	cut := wire.At(1000+max(workers[0].incarnation, workers[1].incarnation, spare.incarnation)%1000, 0, 0)
	if want := []string{"2 registering [0]→[1 2 3] cut 0.000s/0#0", fmt.Sprintf("2 restoring [0]→[1 2 3] cut %v", cut)}; !slices.Equal(phases, want) {
		t.Errorf("got  %q\nwant %q", phases, want)
	}
	re = r.wantReassignment(id, re.ID, Done, "")
	r.wantTasks(id, "count", "1@w2", "2@w3", "3@w1")
	last := spare.parts[id].deploy
	if last.Place[1][0] != control.Nowhere || len(last.Reassign) > 0 || !last.Recovers || last.Epoch != 4 || spare.parts[id].phase != control.PhaseRunning {
		t.Errorf("the last order is %+v", last)
	}
	kindsWanted := []EventKind{ReassignmentBegun, PartDeployed, ReassignmentRegistered, ReassignmentRestored, ReassignmentSwitched, ReassignmentDone}
	if got := kinds(r.job(id).Events); !slices.Equal(got[len(got)-len(kindsWanted):], kindsWanted) {
		t.Errorf("events %v", got)
	}
	if s := re.String(); s != "rescale count: 1 on w2, 2 on w3, 3 on w1 for 0 on w2" {
		t.Errorf("it reads %q", s)
	}
	r.mustRescale(id, 1)
	r.wantTasks(id, "count", "4@w2")
}

// three is a job with a source on w1 and a task that counts on w2; w3 takes its time with what a reassignment wants of it.
func three(t *testing.T) (r *rig, id string, workers []*fakeWorker) {
	r, id, workers = two(t)
	spare := r.add("")[0]
	spare.slow = func() bool { return true }
	return r, id, append(workers, spare)
}

// What ends a reassignment before it is decided leaves everything as it was, whichever phase it is in.
func TestReassignmentIsGivenUp(t *testing.T) {
	tests := []struct {
		name   string
		do     func(r *rig, id string, w []*fakeWorker)
		reason string
		state  State // of the job, afterwards
	}{
		{"a phase takes too long", func(r *rig, _ string, w []*fakeWorker) { r.pass(61*time.Second, w...) }, "within 1m0s", Running},
		{"a worker cannot do its share", func(_ *rig, id string, w []*fakeWorker) {
			w[2].hinder = func() string { return "no memory" }
			w[2].ready(w[2].parts[id])
		}, "worker w3: no memory", Running},
		{"the worker of the new tasks is lost", func(r *rig, _ string, w []*fakeWorker) { r.lose(w[2]) }, "worker w3 is lost", Running},
		{"the worker of the old task is lost", func(r *rig, id string, w []*fakeWorker) {
			r.lose(w[1])
			w[2].ready(w[2].parts[id])
		}, "worker w2 is lost", Running},
		{"whoever feeds them is lost", func(r *rig, id string, w []*fakeWorker) {
			r.lose(w[0])
			w[2].ready(w[2].parts[id])
		}, "worker w1 is lost", Running},
		{"a drain", func(r *rig, id string, _ []*fakeWorker) { _ = r.end(id, control.Drain) }, "end early (drain)", Draining},
		{"a cancel", func(r *rig, id string, _ []*fakeWorker) { _ = r.end(id, control.Cancel) }, "end early (cancel)", Cancelling},
		{"the job ends by itself", func(_ *rig, id string, w []*fakeWorker) { w[0].complete(w[0].parts[id]) }, "worker w1 has of the job has come to its end", Running},
		{"the job fails", func(_ *rig, id string, w []*fakeWorker) {
			w[0].end(w[0].parts[id], &control.Ended{Error: &control.Failure{Message: "boom"}})
		}, "the job is aborted", Failed},
	}
	for _, tt := range tests {
		for _, phase := range []ReassignState{Registering, Restoring, "catching up"} {
			t.Run(tt.name+" while "+string(phase), func(t *testing.T) {
				r, id, w := three(t)
				re := r.mustRescale(id, 2)
				r.wantTasks(id, "count", "0@w2", "1@w2 mute", "2@w3 mute")
				switch phase {
				case Restoring:
					w[2].ready(w[2].parts[id])
				case "catching up":
					if tt.name == "a worker cannot do its share" {
						t.Skip("it has done it")
					}
					w[2].lag = func() bool { return true }
					w[2].ready(w[2].parts[id])
					w[2].ready(w[2].parts[id])
					phase = Restoring
				}
				r.wantReassignment(id, re.ID, phase, "")
				if _, err := r.rescale(id, "count", 3); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("busy with reassignment %d", re.ID)) {
					t.Errorf("another one: %v", err)
				}
				tt.do(r, id, w)
				if tt.state != Failed && w[2].parts[id] != nil && w[2].parts[id].busy { // it has not confirmed that it is given up
					if !strings.HasPrefix(tt.reason, "worker w") || tt.name == "a worker cannot do its share" {
						r.wantReassignment(id, re.ID, GivingUp, tt.reason)
					}
					if how := w[0].parts[id].how; how != "" {
						t.Errorf("it is told to %s too soon", how)
					}
					w[2].hinder = nil
					w[2].ready(w[2].parts[id])
				}
				r.wantReassignment(id, re.ID, GivenUp, tt.reason)
				r.wantState(id, tt.state)
				if tt.state == Failed {
					return
				}
				if got := tasksNow(r.job(id), "count"); len(got) != 1 || !strings.HasPrefix(got[0], "0@") {
					t.Errorf("tasks are %v", got)
				}
				if how := map[State]control.How{Draining: control.Drain, Cancelling: control.Cancel}[tt.state]; w[0].over == "" && w[0].parts[id] != nil && w[0].parts[id].how != how {
					t.Errorf("it is told to %q, want %q", w[0].parts[id].how, how)
				}
			})
		}
	}
}

// Once the switch is on disk it stands, whatever happens.
func TestSwitchIsNotUndone(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rig, id string, w []*fakeWorker) *rig
	}{
		{"all goes well", func(r *rig, _ string, _ []*fakeWorker) *rig { return r }},
		{"the worker of the old task is lost", func(r *rig, _ string, w []*fakeWorker) *rig { r.lose(w[1]); return r }},
		{"a worker of new tasks is lost, and there is another one", func(r *rig, _ string, w []*fakeWorker) *rig {
			r.add("")
			r.lose(w[2])
			return r
		}},
		{"whoever feeds them is lost", func(r *rig, _ string, w []*fakeWorker) *rig { r.lose(w[0]); return r }},
		{"the coordinator is restarted", func(r *rig, _ string, w []*fakeWorker) *rig { return r.restartWith(w...) }},
		{"it is restarted from a snapshot", func(r *rig, _ string, w []*fakeWorker) *rig {
			r.records = r.m.Snapshot()
			return r.restartWith(w...)
		}},
		{"a drain is asked for", func(r *rig, id string, w []*fakeWorker) *rig {
			_ = r.end(id, control.Drain)
			if how := w[0].parts[id].how; how != "" {
				r.t.Errorf("it is told to %s too soon", how)
			}
			return r
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, id, w := three(t)
			re := r.mustRescale(id, 2)
			for range 2 {
				w[2].ready(w[2].parts[id])
			}
			r.wantReassignment(id, re.ID, Switching, "")
			r.wantTasks(id, "count", "1@w2", "2@w3")
			r = tt.do(r, id, w)
			if p := w[2].parts[id]; p != nil {
				w[2].ready(p)
			}
			r.wantReassignment(id, re.ID, Done, "")
			j := r.job(id)
			if got := tasksNow(j, "count"); len(got) != 2 || !strings.HasPrefix(got[0], "1@") || !strings.HasPrefix(got[1], "2@") {
				t.Errorf("tasks are %v", got)
			}
			if j.State == Draining && w[0].parts[id].how != control.Drain {
				t.Errorf("it is told to %q", w[0].parts[id].how)
			}
		})
	}
}

// restartWith restarts the coordinator, and has workers register again.
func (r *rig) restartWith(workers ...*fakeWorker) *rig {
	again := r.restart()
	again.conns += 10
	for _, w := range workers {
		again.connect(w)
	}
	return again
}

// A coordinator that is restarted before the switch gives the reassignment up, by an order with an epoch that nobody has seen.
func TestRestartGivesUp(t *testing.T) {
	for _, phase := range []ReassignState{Registering, Restoring} {
		r, id, w := three(t)
		re := r.mustRescale(id, 2)
		if phase == Restoring {
			w[2].ready(w[2].parts[id])
		}
		r.wantReassignment(id, re.ID, phase, "")
		seen := w[2].parts[id].deploy.Epoch
		for _, records := range [][]Record{r.records, r.m.Snapshot()} {
			again := newRig(t, records...)
			again.now, again.conns = r.now, 10
			again.wantReassignment(id, re.ID, GivingUp, "the coordinator was restarted")
			for _, n := range w {
				n.epoch = 0
				again.connect(n)
			}
			if e := w[2].parts[id].deploy.Epoch; e <= seen {
				t.Errorf("after epoch %d it is told epoch %d", seen, e)
			}
			w[2].ready(w[2].parts[id])
			again.wantReassignment(id, re.ID, GivenUp, "the coordinator was restarted")
			again.wantTasks(id, "count", "0@w2")
			if next := again.mustRescale(id, 2); next.New[0].Task != 3 {
				t.Errorf("%s: it uses the index %d again", phase, next.New[0].Task)
			}
			for _, n := range w { // as if nothing had been, for the next
				n.parts[id].deploy = *again.m.order(again.m.job(id))
				n.parts[id].deploy.Epoch = seen
			}
		}
	}
}

// A worker that was to come into the job, and cannot, is no loss.
func TestNewWorkerCannotDeploy(t *testing.T) {
	r, id, w := two(t)
	spare := r.add("")[0]
	spare.refuse = func() bool { return true }
	re := r.mustRescale(id, 2)
	r.wantReassignment(id, re.ID, GivenUp, "worker w3: no memory")
	r.wantState(id, Running)
	re = r.mustRescale(id, 2)
	r.wantReassignment(id, re.ID, Done, "")
	r.wantTasks(id, "count", "3@w2", "4@w1")
	r.records = r.m.Snapshot()
	r = r.restartWith(append(w, spare)...) // which does not know of that, and asks again
	r.wantState(id, Running)
	for _, n := range w {
		n.complete(n.parts[id])
	}
	r.wantState(id, Completed)
}

// A name for a reassignment of a thousand tasks is no longer than people read.
func TestReassignmentString(t *testing.T) {
	re := Reassignment{Kind: Rescale, Operator: "count", Old: make([]ReassignedTask, 9), New: make([]ReassignedTask, 1024)}
	for i := range re.New {
		re.New[i] = ReassignedTask{Task: i, Worker: "w1"}
	}
	if s := re.String(); !strings.HasPrefix(s, "rescale count: 0 on w1, 1 on w1,") || !strings.Contains(s, "7 on w1, 1016 more for 0 on ,") || strings.Count(s, " on ") != 8+9 {
		t.Errorf("it reads %q", s)
	}
}

// Messages that come twice, late, or of another reassignment change nothing.
func TestStaleReassignmentMessages(t *testing.T) {
	r, id, w := three(t)
	re := r.mustRescale(id, 2)
	epoch := w[0].parts[id].deploy.Epoch
	for _, m := range []control.Message{
		&control.CaughtUp{Job: id, Epoch: epoch, Reassignment: re.ID},     // too early
		&control.CaughtUp{Job: id, Epoch: epoch + 1, Reassignment: re.ID}, // from the future
		&control.CaughtUp{Job: "j9", Epoch: epoch, Reassignment: re.ID},
		&control.Deployed{Job: id, Epoch: epoch, Reassignment: re.ID + 1, Error: &control.Failure{Message: "another one"}},
		&control.Deployed{Job: id, Epoch: epoch - 1, Reassignment: re.ID, Error: &control.Failure{Message: "an older order"}},
	} {
		w[2].say(m)
	}
	r.wantReassignment(id, re.ID, Registering, "")
	w[2].ready(w[2].parts[id])
	r.wantReassignment(id, re.ID, Restoring, "")
	w[2].say(&control.Deployed{Job: id, Epoch: epoch, Reached: wire.At(5000, 0, 0)})
	w[2].say(&control.CaughtUp{Job: id, Epoch: epoch, Reassignment: re.ID})
	r.wantReassignment(id, re.ID, Restoring, "")
	w[2].ready(w[2].parts[id])
	w[2].ready(w[2].parts[id])
	w[2].ready(w[2].parts[id])
	r.wantReassignment(id, re.ID, Done, "")
}

// What cannot be reassigned is refused, with what is wrong.
func TestReassignmentRefused(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rig, id string) error
		code Code
		want string
	}{
		{"no job", func(r *rig, _ string) error { _, err := r.rescale("j9", "count", 2); return err }, NotFound, `no job "j9"`},
		{"no operator", func(r *rig, id string) error { _, err := r.rescale(id, "sum", 2); return err }, NotFound, `no operator "sum", but in, pass, count, out`},
		{"fused", func(r *rig, id string) error { _, err := r.rescale(id, "pass", 2); return err }, Invalid, `"pass" is fused into "in"`},
		{"none", func(r *rig, id string) error { _, err := r.rescale(id, "count", 0); return err }, Invalid, "is to be 0, want 1 to 1024"},
		{"too many", func(r *rig, id string) error { _, err := r.rescale(id, "count", 1025); return err }, Invalid, "want 1 to 1024"},
		{"the same", func(r *rig, id string) error { _, err := r.rescale(id, "count", 2); return err }, Conflict, "has 2 tasks already"},
		{"cut so", func(r *rig, id string) error { _, err := r.m.Rebalance(r.now, id, "count", nil); return err }, Conflict, "is cut so already"},
		{"cuts", func(r *rig, id string) error { _, err := r.m.Rebalance(r.now, id, "count", []uint64{5, 5}); return err }, Invalid, "want one above"},
		{"cuts without end", func(r *rig, id string) error {
			_, err := r.m.Rebalance(r.now, id, "count", make([]uint64, 1024))
			return err
		}, Invalid, "1024 cuts make 1025 tasks"},
		{"source", func(r *rig, id string) error { _, err := r.rescale(id, "in", 2); return err }, Invalid, "reads splits"},
		{"sink", func(r *rig, id string) error { _, err := r.rescale(id, "out", 2); return err }, Invalid, "a sink can be migrated, but not rescaled"},
		{"no task", func(r *rig, id string) error { _, err := r.migrate(id, "count", 2, ""); return err }, NotFound, "no task 2, but [0 1]"},
		{"no worker", func(r *rig, id string) error { _, err := r.migrate(id, "count", 0, "w9"); return err }, NotFound, `no worker "w9"`},
		{"its own worker", func(r *rig, id string) error {
			_, err := r.migrate(id, "count", 0, whereIs(r.job(id), "count")[0][:2])
			return err
		}, Conflict, "already"},
		{"lost worker", func(r *rig, id string) error {
			r.lose(r.workers[3])
			_, err := r.migrate(id, "count", 0, "w3")
			return err
		}, Unavailable, `worker "w3" is lost`},
		{"ended", func(r *rig, id string) error {
			for _, c := range []ConnID{1, 2} {
				r.workers[c].complete(r.workers[c].parts[id])
			}
			_, err := r.rescale(id, "count", 3)
			return err
		}, Conflict, "has ended: it is completed"},
		{"at its end", func(r *rig, id string) error {
			r.workers[1].complete(r.workers[1].parts[id])
			_, err := r.rescale(id, "count", 3)
			return err
		}, Conflict, "coming to its end"},
		{"draining", func(r *rig, id string) error {
			_ = r.end(id, control.Drain)
			_, err := r.rescale(id, "count", 3)
			return err
		}, Conflict, "is draining"},
		{"recovering", func(r *rig, id string) error {
			r.workers[3].slow = func() bool { return true }
			r.lose(r.workers[1])
			_, err := r.rescale(id, "count", 3)
			return err
		}, Conflict, "is recovering"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.add("", "")
			id := r.mustSubmitOf("sums", Submission{Config: durable, Parallelism: map[string]int{"in": 1, "count": 2, "out": 1}})
			r.add("")
			err := tt.do(r, id)
			r.act()
			if e, ok := err.(*Error); !ok || e.Code != tt.code || !strings.Contains(e.Message, tt.want) {
				t.Errorf("got %v, want %s: %s", err, tt.code, tt.want)
			}
			if got := r.job(id).Reassignments; len(got) > 0 {
				t.Errorf("there are %v", got)
			}
		})
	}
}

func TestReassignmentWithoutCheckpoints(t *testing.T) {
	r := newRig(t)
	r.add("", "")
	id := r.mustSubmit(Submission{})
	if _, err := r.rescale(id, "count", 2); err == nil || !strings.Contains(err.Error(), "takes no checkpoints") {
		t.Errorf("got %v", err)
	}
	r = newRig(t)
	r.add("")
	id = r.mustSubmit(Submission{Config: durable})
	if _, err := r.migrate(id, "count", 0, ""); err == nil || !strings.Contains(err.Error(), "there is no other worker than w1") {
		t.Errorf("got %v", err)
	}
}

// A source's task takes its splits along.
func TestMigrate(t *testing.T) {
	r, id, w := two(t)
	re, err := r.migrate(id, "in", 0, "")
	if err != nil {
		t.Fatal(err)
	}
	r.wantReassignment(id, re.ID, Done, "")
	r.wantTasks(id, "in", "1@w2")
	if s := r.job(id).Topology.Operators[0].Tasks[1].Splits; len(s) != 4 {
		t.Errorf("it reads %v", s)
	}
	spare := r.add("")[0]
	if re, err = r.migrate(id, "count", 0, "w3"); err != nil {
		t.Fatal(err)
	}
	r.wantTasks(id, "count", "1@w3")
	w[1].complete(w[1].parts[id])
	spare.complete(spare.parts[id])
	if how := w[0].parts[id].how; how != control.Drain {
		t.Errorf("who has no tasks any more is told to %q, want drain", how)
	}
	w[0].complete(w[0].parts[id])
	r.wantState(id, Completed)
}

// Ranges that stay keep their tasks; old and new ones are as few as can be.
func TestReshape(t *testing.T) {
	r := newRig(t)
	w := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable, Parallelism: map[string]int{"in": 1, "count": 3}})
	steps := []struct {
		do    func() (Reassignment, error)
		old   []int
		new   int
		joins bool
	}{
		{func() (Reassignment, error) { return r.rescale(id, "count", 4) }, []int{2}, 2, false}, // the widest by one hash
		{func() (Reassignment, error) { return r.rescale(id, "count", 3) }, []int{3, 4}, 1, true},
		{func() (Reassignment, error) { return r.m.Rebalance(r.now, id, "count", []uint64{1 << 62, 1 << 63}) }, []int{0, 1, 5}, 3, true},
		{func() (Reassignment, error) { return r.m.Rebalance(r.now, id, "count", []uint64{1 << 62, 3 << 62}) }, []int{7, 8}, 2, true},
	}
	for i, s := range steps {
		var joins bool
		w[0].seen = func(p *fakePart, _ control.Message) {
			for _, re := range p.deploy.Reassign {
				joins = re.Joins
			}
		}
		re, err := s.do()
		r.act()
		if err != nil {
			t.Fatal(err)
		}
		var old []int
		for _, o := range re.Old {
			old = append(old, o.Task)
		}
		if !slices.Equal(old, s.old) || len(re.New) != s.new || joins != s.joins {
			t.Errorf("step %d: %v for %v, joins %v, want %d for %v, %v", i, re.New, old, joins, s.new, s.old, s.joins)
		}
		r.wantReassignment(id, re.ID, Done, "")
	}
}

// Of tasks that process at different rates the one that processes most is split.
func TestHeaviestIsSplit(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{Config: durable, Parallelism: map[string]int{"in": 1, "count": 3}})
	for i := range 2 {
		var tasks []engine.TaskStats
		for task, n := range []uint64{10, 20, 80} {
			tasks = append(tasks, engine.TaskStats{Operator: "count", Task: task, TuplesIn: n * uint64(i)})
		}
		w.say(&control.Heartbeat{Jobs: []control.JobReport{{
			JobState: control.JobState{Job: id, Epoch: 1, Phase: control.PhaseRunning},
			Stats:    engine.Stats{Elapsed: time.Duration(i+1) * time.Second, Tasks: tasks},
		}}})
	}
	if re := r.mustRescale(id, 4); len(re.Old) != 1 || re.Old[0].Task != 2 {
		t.Errorf("%v are split", re.Old)
	}
}

// After 1,024 indexes those are used again that have been nowhere for longest, by a coordinator that is restarted, too.
func TestIndexesAreUsedAgain(t *testing.T) {
	r, id, _ := two(t)
	const gone = graph.TasksMax - 5 // of as many tasks there were before
	j := r.m.job(id)
	for range gone {
		j.deploy.Place[1], j.deploy.Ranges[1] = append(j.deploy.Place[1], control.Nowhere), append(j.deploy.Ranges[1], partition.Range{})
	}
	j.given = []int{1, gone + 1}
	for n := gone + 1; n < graph.TasksMax+10; n++ {
		task := tasksNow(r.job(id), "count")[0]
		index, _ := strconv.Atoi(task[:strings.Index(task, "@")])
		re, err := r.migrate(id, "count", index, "")
		if err != nil {
			t.Fatal(err)
		}
		if want := n % graph.TasksMax; re.New[0].Task != want {
			t.Fatalf("task %d has index %d, want %d", n, re.New[0].Task, want)
		}
		r.wantReassignment(id, re.ID, Done, "")
		if n%4 == 0 {
			r.records = r.m.Snapshot()
			r = r.restartWith(r.workers[r.conns-1], r.workers[r.conns])
		}
	}
	if d := r.m.job(id).deploy; len(d.Place[1]) != graph.TasksMax || len(d.Ranges[1]) != graph.TasksMax {
		t.Errorf("there are %d places, %d ranges", len(d.Place[1]), len(d.Ranges[1]))
	}
}
