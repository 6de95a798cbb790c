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

// The life of a job, message by message. What must be on disk is there before it is acted upon.
func TestLifeOfAJob(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	r.log = nil
	id := r.mustSubmit(Submission{})
	r.wantState(id, Running)
	for _, w := range workers {
		w.complete(w.parts[id])
	}
	want := []string{
		"+job", "w1 deploy", "w2 deploy", "+begun", "w1 start", "w2 start", "+part", "+part", "+end", "w1 release", "w2 release",
	}
	if !slices.Equal(r.log, want) {
		t.Errorf("got  %q\nwant %q", r.log, want)
	}
	j := r.wantState(id, Completed)
	events := []EventKind{JobSubmitted, PartDeployed, PartDeployed, JobStarted, PartEnded, PartEnded, JobCompleted}
	if got := kinds(j.Events); !slices.Equal(got, events) {
		t.Errorf("events %v, want %v", got, events)
	}
	if len(j.Results) != 2 || j.Results[0].Worker != "w1" || j.Results[1].Worker != "w2" || string(j.Results[0].Data) != "1" {
		t.Errorf("results %+v", j.Results)
	}
	if len(workers[0].parts) != 0 || !j.Ended.Equal(r.now) {
		t.Errorf("w1 keeps %v, the job ended at %v", workers[0].parts, j.Ended)
	}
}

func TestStartIsAhead(t *testing.T) {
	r := newRig(t)
	var at int64
	r.add("w1")[0].seen = func(_ *fakePart, m control.Message) {
		if s, ok := m.(*control.Start); ok {
			at = s.At
		}
	}
	r.mustSubmit(Submission{})
	if want := r.now.Add(startDelay).UnixNano(); at != want {
		t.Errorf("the clock is 0 at %d, want %d", at, want)
	}
}

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

func TestOperatorFailure(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{})
	workers[1].end(workers[1].parts[id], &control.Ended{Error: &control.Failure{Operator: "count", Task: 3, Key: "17", Message: "boom"}})
	j := r.wantState(id, Failed)
	if f := j.Failure; f.Worker != "w2" || f.Operator != "count" || f.Task != 3 || f.Message != "boom" {
		t.Errorf("failure %+v", f)
	}
	if len(j.Losses) != 0 || len(workers[0].parts) != 0 {
		t.Errorf("losses %+v, w1 has %v", j.Losses, workers[0].parts)
	}
}

func TestPartsThatCannotBeDeployed(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	workers[0].refuse = func() bool { return true }
	id := r.mustSubmit(Submission{})
	if j := r.wantState(id, Failed); j.Failure.Message != "no memory" || j.Failure.Worker != "w1" {
		t.Errorf("failure %+v", j.Failure)
	}
	if has(r.log, "w2 start") || len(workers[1].parts) != 0 {
		t.Errorf("w2 has %v: %q", workers[1].parts, r.log)
	}
}

func TestDeployTimeout(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	mute := &fakeWorker{say: func(control.Message) {}, parts: map[string]*fakePart{}}
	r.workers[2] = mute // what w2 says is heard by nobody
	id := r.mustSubmit(Submission{})
	r.pass(time.Minute+time.Second, workers...)
	j := r.wantState(id, Failing)
	if m := j.Failure.Message; !strings.Contains(m, "[w2] have not deployed it within 1m0s") {
		t.Errorf("failure %q", m)
	}
	r.pass(11*time.Second, workers...) // nor does it abort
	r.wantState(id, Failed)
}

func TestDrainAndCancel(t *testing.T) {
	tests := []struct {
		name  string
		hows  []control.How
		how   control.How // what the worker is told last
		state State
		want  State // at the end
	}{
		{"drain", []control.How{control.Drain}, control.Drain, Draining, Completed},
		{"cancel", []control.How{control.Cancel}, control.Cancel, Cancelling, Cancelled},
		{"drain, then cancel", []control.How{control.Drain, control.Cancel}, control.Cancel, Cancelling, Cancelled},
		{"cancel, then drain", []control.How{control.Cancel, control.Drain}, control.Cancel, Cancelling, Cancelled},
		{"drain twice", []control.How{control.Drain, control.Drain}, control.Drain, Draining, Completed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			w := r.add("")[0]
			id := r.mustSubmit(Submission{})
			for _, how := range tt.hows {
				if err := r.end(id, how); err != nil {
					t.Fatal(err)
				}
			}
			r.wantState(id, tt.state)
			if p := w.parts[id]; p.how != tt.how {
				t.Errorf("the worker was told to %q, want %q", p.how, tt.how)
			}
			r.restart().wantState(id, tt.state)
			w.complete(w.parts[id])
			r.wantState(id, tt.want)
			wantCode(t, r.end(id, control.Drain), Conflict)
		})
	}
	wantCode(t, newRig(t).end("j9", control.Drain), NotFound)
}

// While a job is still being deployed, a drain waits for the start and a cancellation does not.
func TestEndBeforeTheStart(t *testing.T) {
	for _, how := range []control.How{control.Drain, control.Cancel} {
		r := newRig(t)
		r.add("", "")
		slow := r.workers[2]
		say := slow.say
		slow.say = func(control.Message) {} // Deployed comes later
		id := r.mustSubmit(Submission{})
		r.wantState(id, Deploying)
		if err := r.end(id, how); err != nil {
			t.Fatal(err)
		}
		slow.say = say
		if how == control.Cancel {
			slow.say(slow.parts[id].ended)
			r.wantState(id, Cancelled)
			continue
		}
		slow.say(&control.Deployed{Job: id, Epoch: 1})
		r.wantState(id, Draining)
		if got := slow.parts[id]; got.phase != control.PhaseRunning || got.how != control.Drain {
			t.Errorf("the part is %s, told to %q", got.phase, got.how)
		}
	}
}

func TestSuspiciousEnds(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{})
	w.end(w.parts[id], &control.Ended{Cancelled: true})
	if j := r.wantState(id, Failed); !strings.Contains(j.Failure.Message, "nobody had asked") {
		t.Errorf("failure %v", j.Failure)
	}
	r.workers[1] = &fakeWorker{say: func(control.Message) {}, parts: map[string]*fakePart{}} // does not answer Deploy
	id = r.mustSubmit(Submission{})
	w.say(&control.Ended{Job: id, Epoch: 2})
	if j := r.wantState(id, Failed); !strings.Contains(j.Failure.Message, "before it was started") {
		t.Errorf("failure %v", j.Failure)
	}
}

// A worker that speaks of jobs which the coordinator does not have is told to give them up, however it speaks of them.
func TestStrayParts(t *testing.T) {
	const job = "j77"
	tests := []struct {
		name string
		say  control.Message // nil: in its registration
	}{
		{"register", nil},
		{"heartbeat", &control.Heartbeat{Jobs: []control.JobReport{{JobState: control.JobState{Job: job, Epoch: 3, Phase: control.PhaseRunning}}}}},
		{"deployed", &control.Deployed{Job: job, Epoch: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			stray := &fakePart{deploy: control.Deploy{Job: job, Epoch: 3}, phase: control.PhaseRunning}
			w := &fakeWorker{incarnation: 5, loops: 1, parts: map[string]*fakePart{}}
			if tt.say == nil {
				w.parts[job] = stray
			}
			r.connect(w)
			if tt.say != nil {
				w.parts[job] = stray
				w.say(tt.say)
			}
			if len(w.parts) != 0 || stray.ended == nil {
				t.Errorf("it still has %v", w.parts)
			}
		})
	}
}

func TestForgottenPart(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		r := newRig(t)
		w := r.add("")[0]
		id := r.mustSubmit(Submission{})
		if restarted {
			r = r.restart()
		}
		w.parts = map[string]*fakePart{}
		r.connect(w)
		if j := r.wantState(id, Failed); len(j.Losses) != 1 || j.Losses[0].Cause != CauseForgotten {
			t.Errorf("losses %+v", j.Losses)
		}
	}
}

func TestWorkersThatDoNotComeBackAfterARestart(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{})
	r = r.restart()
	if i := r.m.Info(); i.Ready || i.Epoch != 2 || i.Workers[WorkerExpected] != 2 || i.Jobs[Running] != 1 {
		t.Errorf("info %+v", i)
	}
	r.connect(workers[0])
	r.pass(9*time.Second, workers[0])
	r.wantState(id, Running)
	r.pass(2*time.Second, workers[0])
	if j := r.wantState(id, Failed); j.Losses[0].Cause != CauseRestart || j.Losses[0].Worker != "w2" {
		t.Errorf("losses %+v", j.Losses)
	}
	if !r.m.Info().Ready {
		t.Error("it is not ready, though nobody is waited for any more")
	}
}

func TestBrokenLinks(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{})
	lost := &control.PeerLost{Job: id, Epoch: 1, Peer: "w2", Down: time.Second, Reason: "refused"}
	workers[0].say(lost)
	j := r.wantState(id, Running)
	if e := j.Events[len(j.Events)-1]; e.Kind != LinkBroken || e.Took != time.Second || !strings.Contains(e.Text, "w2") {
		t.Errorf("event %+v", e)
	}
	lost.Down = 11 * time.Second
	workers[0].say(lost)
	if j := r.wantState(id, Failed); j.Failure.Worker != "w1" || !strings.Contains(j.Failure.Message, "w2 has been broken for 11s") {
		t.Errorf("failure %v", j.Failure)
	}
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

func TestRates(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{})
	report := func(elapsed, useful time.Duration, in, out uint64) {
		w.say(&control.Heartbeat{Jobs: []control.JobReport{{
			JobState: control.JobState{Job: id, Epoch: 1, Phase: control.PhaseRunning},
			Stats: engine.Stats{Elapsed: elapsed, Tasks: []engine.TaskStats{
				{Operator: "count", Task: 1, TuplesIn: in, TuplesOut: out, Useful: useful},
			}},
		}}})
	}
	check := func(in, out, rate, busy float64) {
		t.Helper()
		got := r.job(id).Tasks[0]
		if got.In != in || got.Out != out || got.True != rate || got.Busy != busy || got.Worker != "w1" {
			t.Errorf("got in %v, out %v, true %v, busy %v of %s, want %v, %v, %v, %v", got.In, got.Out, got.True, got.Busy, got.Worker, in, out, rate, busy)
		}
	}
	report(2*time.Second, time.Second, 1000, 100) // since the start
	check(500, 50, 1000, 0.5)
	report(4*time.Second, 1500*time.Millisecond, 5000, 300)
	check(2000, 100, 8000, 0.25)
	report(4*time.Second, 1500*time.Millisecond, 5000, 300) // no time has passed
	check(0, 0, 0, 0)
	report(5*time.Second, time.Second, 0, 0) // counted anew
	check(0, 0, 0, 0)
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
		{"unknown part", []Record{job, {Part: &PartRecord{Worker: "w2", Ended: &control.Ended{Job: "j1"}}}}, `worker "w2" in job "j1"`},
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
