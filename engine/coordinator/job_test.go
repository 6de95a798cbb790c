package coordinator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
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
	workers[0].say(lost) // as another loop does
	if n := r.m.Counts()[LinkBroken]; n != 1 {
		t.Errorf("%d events of one broken connection", n)
	}
	lost.Down = 11 * time.Second
	workers[0].say(lost)
	if j := r.wantState(id, Failed); j.Failure.Worker != "w1" || !strings.Contains(j.Failure.Message, "w2 has been broken for 11s") {
		t.Errorf("failure %v", j.Failure)
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
