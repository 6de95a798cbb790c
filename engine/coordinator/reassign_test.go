package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine/control"
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
		"+order", "w1 deploy", "w2 deploy", "w3 deploy", "+reassigned",
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
