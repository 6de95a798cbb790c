package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire"
)

func TestRegistrationsRefused(t *testing.T) {
	good := func() *control.Register {
		return &control.Register{Incarnation: 1, Addr: "tcp://127.0.0.1:1", Loops: 1, Build: testBuild}
	}
	tests := []struct {
		name   string
		change func(*control.Register)
		want   string
	}{
		{"protocol", func(r *control.Register) { r.Build.Protocol++ }, "protocol 2"},
		{"architecture", func(r *control.Register) { r.Build.Arch = "pdp11" }, "pdp11"},
		{"commit", func(r *control.Register) { r.Build.Commit = "other" }, `commit "other"`},
		{"id", func(r *control.Register) { r.Worker = "W 1" }, "worker id"},
		{"incarnation", func(r *control.Register) { r.Incarnation = 0 }, "incarnation 0"},
		{"no loops", func(r *control.Register) { r.Loops = 0 }, "0 loops"},
		{"loops", func(r *control.Register) { r.Loops = 257 }, "257 loops"},
		{"address", func(r *control.Register) { r.Addr = "nowhere" }, "data address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			w := &fakeWorker{}
			r.workers[1] = w
			msg := good()
			tt.change(msg)
			r.say(1, msg)
			if !strings.Contains(w.over, tt.want) {
				t.Errorf("refused with %q, want %q", w.over, tt.want)
			}
			if !has(r.closed, 1) || len(r.m.Workers()) != 0 {
				t.Errorf("closed %v, workers %+v", r.closed, r.m.Workers())
			}
			r.say(1, good()) // it does not take no for an answer
			if len(r.m.Workers()) != 0 {
				t.Error("it is taken over the connection that was closed")
			}
		})
	}
}

func TestWorkersGetIDs(t *testing.T) {
	r := newRig(t)
	r.add("w2", "", "", "box-7", "")
	var ids []string
	for _, w := range r.m.Workers() {
		ids = append(ids, w.ID)
	}
	if want := []string{"w2", "w1", "w3", "box-7", "w4"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	again := r.restart()
	if w := again.add(""); w[0].id != "w5" {
		t.Errorf("after a restart a new worker is %q, want w5", w[0].id)
	}
}

// A worker that has not heard of its id before the connection broke gets the same one again.
func TestIDIsGivenOnce(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{})
	w.id = ""
	r.m.Disconnected(r.now, 1, "broken")
	for _, again := range []*rig{r, r.restart()} {
		again.connect(w)
		if w.id != "w1" || len(again.m.Workers()) != 1 {
			t.Errorf("it is %q of %d workers", w.id, len(again.m.Workers()))
		}
		again.wantState(id, Running)
		w.id = ""
	}
}

func TestProtocolViolations(t *testing.T) {
	tests := []struct {
		name string
		say  []control.Message
	}{
		{"before register", []control.Message{&control.Heartbeat{}}},
		{"register twice", []control.Message{nil, &control.Register{Incarnation: 3, Loops: 1, Build: testBuild}}},
		{"a coordinator's message", []control.Message{nil, &control.Start{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.workers[1] = &fakeWorker{id: "w1", incarnation: 1, loops: 1, say: func(control.Message) {}}
			for _, m := range tt.say {
				if m == nil {
					m = r.workers[1].register()
				}
				r.say(1, m)
			}
			if !has(r.closed, 1) {
				t.Error("the connection is not closed")
			}
			if r.m.at(1) != nil {
				t.Error("the connection is still a worker's")
			}
		})
	}
}

func TestNewIncarnationFencesTheOld(t *testing.T) {
	r := newRig(t)
	old := r.add("w1", "w2")[0]
	id := r.mustSubmit(Submission{})
	young := &fakeWorker{id: "w1", incarnation: 999, loops: 1, parts: map[string]*fakePart{}}
	r.connect(young)
	if !has(r.closed, 1) {
		t.Error("the older connection is not closed")
	}
	j := r.wantState(id, Failed)
	if len(j.Losses) != 1 || j.Losses[0].Cause != CauseReplaced || j.Losses[0].Incarnation != old.incarnation {
		t.Errorf("losses %+v", j.Losses)
	}
	for _, again := range []*rig{r, r.restart()} {
		again.connect(old)
		if !strings.Contains(old.over, "replaced by a newer one") {
			t.Errorf("the older one is told %q", old.over)
		}
		old.over = ""
	}
	if got := r.m.Workers()[0]; got.Incarnation != 999 || got.State != WorkerReady {
		t.Errorf("w1 is %+v", got)
	}
}

// A worker that is silent is lost after the timeout, and the job's report says what went with it.
func TestSilentWorkerIsLost(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{})
	position := wire.At(12345, 3, 7)
	workers[1].say(&control.Heartbeat{Jobs: []control.JobReport{{
		JobState: control.JobState{Job: id, Epoch: 1, Phase: control.PhaseRunning},
		Stats:    engine.Stats{Tasks: []engine.TaskStats{{Operator: "count", Task: 1, Position: position}}},
	}}})
	heard := r.now
	r.pass(200*time.Millisecond, workers[0])
	r.wantState(id, Running)
	r.pass(time.Millisecond, workers[0])
	j := r.wantState(id, Failed)
	if len(j.Losses) != 1 {
		t.Fatalf("losses %+v", j.Losses)
	}
	l := j.Losses[0]
	if l.Worker != "w2" || l.Cause != CauseHeartbeats || !l.Heard.Equal(heard) || l.After != r.now.Sub(heard) || !l.Detected.Equal(r.now) {
		t.Errorf("got %+v, heard at %v", l, heard)
	}
	want := []LostTask{{Operator: "in", Task: 1}, {Operator: "in", Task: 3}, {"count", 1, position, true}, {Operator: "count", Task: 3}}
	if !slices.Equal(l.Tasks, want) {
		t.Errorf("tasks %+v, want %+v", l.Tasks, want)
	}
	if m := j.Failure.Error(); !strings.Contains(m, "worker w2") || !strings.Contains(m, "no heartbeat for 225ms") || !strings.Contains(m, "count/1 at 12.345s/3#7") {
		t.Errorf("the failure reads %q", m)
	}
	if workers[0].parts[id] != nil || !has(r.log, "w1 end") {
		t.Error("the other worker still has its part, or was not told to abort")
	}
	if s := r.m.Workers()[1].State; s != WorkerGone {
		t.Errorf("w2 is %s", s)
	}
}

// A lost worker that was only slow comes back, is told to give up what it has, and can be used again.
func TestLostWorkerComesBack(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{})
	r.pass(time.Second)
	r.wantState(id, Failed)
	r.connect(w)
	if len(w.parts) != 0 {
		t.Errorf("it still has %v", w.parts)
	}
	if j := r.job(id); j.State != Failed || len(j.Results) != 0 {
		t.Errorf("job %+v", j)
	}
	r.wantState(r.mustSubmit(Submission{}), Running)
	if got := r.m.Counts(); got[WorkerLost] != 1 || got[WorkerBack] != 1 {
		t.Errorf("counts %v", got)
	}
}

func TestBrokenConnection(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("back ", back), func(t *testing.T) {
			r := newRig(t)
			w := r.add("")[0]
			id := r.mustSubmit(Submission{})
			r.m.Disconnected(r.now, 1, "reset by peer")
			if s := r.m.Workers()[0].State; s != WorkerAway {
				t.Errorf("it is %s", s)
			}
			r.pass(150 * time.Millisecond)
			if back {
				r.connect(w)
				r.pass(time.Second, w)
				r.wantState(id, Running)
				return
			}
			r.pass(100 * time.Millisecond)
			j := r.wantState(id, Failed)
			if l := j.Losses[0]; l.Cause != CauseConnection || !strings.Contains(l.Reason, "reset by peer") {
				t.Errorf("got %+v", l)
			}
		})
	}
}

// If the coordinator itself was held up, nobody is lost because of that.
func TestLateCoordinatorBlamesNobody(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{})
	r.pass(100*time.Millisecond, w)
	r.now = r.now.Add(5 * time.Second)
	r.m.Tick(r.now)
	r.act()
	r.wantState(id, Running)
	if events := r.m.Events(); events[len(events)-1].Kind != CoordinatorLate {
		t.Errorf("events %v", kinds(events))
	}
	r.pass(250 * time.Millisecond) // but it really is silent
	r.wantState(id, Failed)
}

func TestDismiss(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{})
	r.m.Dismiss(r.now, "enough")
	r.act()
	for _, w := range workers {
		if w.over != "shut down: enough" {
			t.Errorf("%s is told %q", w.id, w.over)
		}
	}
	r.wantState(id, Failed)
	if n := r.m.Counts()[WorkerLost]; n != 0 {
		t.Errorf("%d workers count as lost", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t)
	first := r.add("")[0]
	for range jobsKept + 20 {
		id := r.mustSubmit(Submission{Workers: 1})
		first.complete(first.parts[id])
	}
	for i := range lostKept + 20 {
		r.add(fmt.Sprintf("x%d", i))
	}
	r.pass(time.Second, first)
	if n := len(r.m.Jobs()); n != jobsKept {
		t.Errorf("%d jobs are remembered, want %d", n, jobsKept)
	}
	if n := len(r.m.Workers()); n != lostKept+1 {
		t.Errorf("%d workers are remembered, want %d", n, lostKept+1)
	}
	for range 2 * clusterEventsMax {
		r.connect(first)
	}
	if n := len(r.m.Events()); n > clusterEventsMax {
		t.Errorf("%d events are kept, want at most %d", n, clusterEventsMax)
	}
	again := newRig(t, r.m.Snapshot()...)
	again.add("")
	if id := again.mustSubmit(Submission{}); id != fmt.Sprintf("j%d", jobsKept+21) {
		t.Errorf("after all that the next job is %s", id)
	}
}

func TestContradictoryJournals(t *testing.T) {
	job := Record{Job: &JobRecord{Deploy: control.Deploy{Job: "j1", Workers: []control.Host{{Worker: "w1", Incarnation: 1}}}}}
	tests := []struct {
		name    string
		records []Record
		want    string
	}{
		{"nothing", []Record{{}}, "record 1: there is nothing"},
		{"empty part", []Record{job, {Part: &PartRecord{}}}, "record 2: there is nothing"},
		{"same job twice", []Record{job, job}, "submitted before"},
		{"unknown job", []Record{{Begun: &BegunRecord{Job: "j2"}}}, `job "j2", of which no record`},
		{"unknown part", []Record{job, {Part: &PartRecord{Part: 1, Ended: &control.Ended{Job: "j1"}}}}, `part 1 of job "j1"`},
		{"loss of another", []Record{job, {Ending: &EndingRecord{Job: "j1", Losses: []Loss{{Worker: "w1", Incarnation: 2}}}}}, "had no part"},
		{"end without a state", []Record{job, {End: &EndRecord{Job: "j1", State: Running}}}, `ended as "running"`},
	}
	for _, tt := range tests {
		_, err := NewMachine(time.Unix(1e9, 0), MachineConfig{}, tt.records)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestDecodeRecordRefuses(t *testing.T) {
	for _, line := range []string{``, `{}`, `[]`, `{"start":{},"job":{}}`, `{"moved":{}}`, `{"start":7}`} {
		if r, err := DecodeRecord([]byte(line)); err == nil {
			t.Errorf("%s is read as %+v", line, r)
		}
	}
}

func wantCode(t *testing.T, err error, want Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("got %v, want an error of code %q", err, want)
	}
}
