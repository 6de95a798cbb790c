package coordinator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// durable is a job that outlives its workers.
var durable = control.JobConfig{CheckpointInterval: time.Second}

// lose has a worker's connection break, and its process be gone.
func (r *rig) lose(w *fakeWorker) {
	r.t.Helper()
	m := r.m.member(w.id)
	r.m.Disconnected(r.now, m.conn, "reset by peer")
	r.act()
	r.m.Probed(r.now, w.id, w.incarnation, true)
	r.act()
}

// whereIs says on which worker each task of an operator is, and on which of its loops.
func whereIs(j JobInfo, operator string) (list []string) {
	for _, op := range j.Topology.Operators {
		if op.ID == operator {
			for _, at := range op.Tasks {
				list = append(list, at.Worker+"/"+string(rune('0'+at.Loop)))
			}
		}
	}
	return list
}

func wantTasks(t *testing.T, j JobInfo, want ...string) {
	t.Helper()
	if got := whereIs(j, "count"); !slices.Equal(got, want) {
		t.Errorf("tasks are on %v, want %v", got, want)
	}
}

// What is lost goes to a worker that has had nothing of the job; it is on disk first, and nobody else's tasks move.
func TestSpareTakesOver(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable})
	wantTasks(t, r.job(id), "w1/0", "w2/0", "w1/1", "w2/1")
	spare := r.add("")[0]
	r.log = nil
	r.lose(workers[1])
	want := []string{"+lost", "+recovering", "w1 deploy", "w3 deploy", "w3 start", "+recovered"}
	if !slices.Equal(r.log, want) {
		t.Errorf("got  %q\nwant %q", r.log, want)
	}
	j := r.wantState(id, Running)
	wantTasks(t, j, "w1/0", "w3/0", "w1/1", "w3/1")
	if !slices.Equal(j.Workers, []string{"w1", "w3"}) || j.TaskCount != 8 || j.Recoveries != (Recoveries{Count: 1, Attempts: 1}) {
		t.Errorf("workers %v with %d tasks, %+v", j.Workers, j.TaskCount, j.Recoveries)
	}
	if l := j.Losses; len(l) != 1 || !l[0].Recovered || l[0].Cause != CauseConnection || !strings.Contains(l[0].Reason, "nobody listens") || len(l[0].Tasks) != 4 {
		t.Errorf("losses %+v", l)
	}
	if d := spare.parts[id].deploy; !d.Recovers || !slices.Equal(d.Gone, []int{1}) || d.Epoch != 2 || spare.parts[id].phase != control.PhaseRunning {
		t.Errorf("the spare worker has %+v, %s", d, spare.parts[id].phase)
	}
	for _, w := range []*fakeWorker{workers[0], spare} {
		w.complete(w.parts[id])
	}
	if j := r.wantState(id, Completed); len(j.Results) != 2 || len(spare.parts) != 0 {
		t.Errorf("results %v, the spare worker has %v", j.Results, spare.parts)
	}
}

// Without spare workers the survivors share what one had, so that each of their loops has about as much.
func TestSurvivorsTakeOver(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "", "")
	id := r.mustSubmit(Submission{Config: durable, Parallelism: map[string]int{"in": 1, "count": 4}})
	wantTasks(t, r.job(id), "w2/0", "w3/0", "w1/1", "w2/1") // and w1 has the source
	r.lose(workers[1])
	wantTasks(t, r.wantState(id, Running), "w3/1", "w3/0", "w1/1", "w1/0")
	r.lose(workers[2])
	wantTasks(t, r.wantState(id, Running), "w1/1", "w1/0", "w1/1", "w1/0")
	r.connect(&fakeWorker{id: "small", incarnation: 77, loops: 1, parts: map[string]*fakePart{}})
	r.lose(workers[0])
	wantTasks(t, r.wantState(id, Running), "small/0", "small/0", "small/0", "small/0")
}

// Two that are lost at once are made good by one order.
func TestTwoAtOnce(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "", "")
	id := r.mustSubmit(Submission{Config: durable})
	r.add("")
	r.log = nil
	r.pass(250*time.Millisecond, workers[0], r.workers[4])
	j := r.wantState(id, Running)
	if n := len(slices.DeleteFunc(r.log, func(s string) bool { return s != "+recovering" })); n != 1 || len(j.Losses) != 2 {
		t.Errorf("%d orders after losses %+v", n, j.Losses)
	}
	wantTasks(t, j, "w1/0", "w4/0", "w4/1", "w1/1", "w1/0", "w4/0")
}

// A worker that is lost while it is taking over is made good itself.
func TestLossDuringRecovery(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable})
	spare := r.add("")[0]
	spare.slow = func() bool { return true }
	r.lose(workers[1])
	if j := r.wantState(id, Recovering); j.Parts[2].Phase != "asked" || j.Parts[0].Phase != "running" {
		t.Errorf("parts %+v", j.Parts)
	}
	r.now = r.now.Add(time.Second)
	r.lose(spare)
	j := r.wantState(id, Running)
	wantTasks(t, j, "w1/0", "w1/0", "w1/1", "w1/1")
	if want := (Recoveries{Count: 1, Attempts: 2, Last: time.Second}); j.Recoveries != want {
		t.Errorf("%+v, want %+v", j.Recoveries, want)
	}
}

func TestNobodyToTakeOver(t *testing.T) {
	for _, comes := range []bool{true, false} {
		r := newRig(t)
		w := r.add("")[0]
		id := r.mustSubmit(Submission{Config: durable})
		r.lose(w)
		r.wantState(id, Recovering)
		r = r.restart()
		if !comes {
			r.pass(41 * time.Second) // with the grace for workers that were there
			j := r.wantState(id, Failed)
			if m := j.Failure.Message; !strings.Contains(m, "w1: it is lost") || !strings.Contains(m, "count/1") || !strings.Contains(m, "no worker to give that to") {
				t.Errorf("failure %q", m)
			}
			continue
		}
		r.pass(20 * time.Second)
		r.add("")
		wantTasks(t, r.wantState(id, Running), "w2/0", "w2/1")
	}
}

func TestRecoveryTakesTooLong(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable})
	workers[0].slow = func() bool { return true }
	r.lose(workers[1])
	r.pass(31*time.Second, workers[0])
	if m := r.wantState(id, Failed).Failure.Message; !strings.Contains(m, "[w1] have not taken that up within 30s") {
		t.Errorf("failure %q", m)
	}
}

// Some jobs end with their workers all the same.
func TestWhatIsNotRecovered(t *testing.T) {
	tests := []struct {
		name string
		cfg  control.JobConfig
		do   func(r *rig, id string)
		want string
	}{
		{"without checkpoints", control.JobConfig{}, func(*rig, string) {}, "it is lost"},
		{"while it is drained", durable, func(r *rig, id string) { _ = r.end(id, control.Drain) }, "ending early (drain)"},
		{"while it is cancelled", durable, func(r *rig, id string) { _ = r.end(id, control.Cancel) }, "ending early (cancel)"},
	}
	for _, tt := range tests {
		r := newRig(t)
		workers := r.add("", "", "")
		id := r.mustSubmit(Submission{Config: tt.cfg})
		tt.do(r, id)
		r.lose(workers[1])
		if j := r.wantState(id, Failed); !strings.Contains(j.Failure.Message, tt.want) || j.Losses[0].Recovered {
			t.Errorf("%s: failure %q, losses %+v", tt.name, j.Failure.Message, j.Losses)
		}
	}
}

// A drain that is asked for during a recovery waits for its end; then every part is told.
func TestEndDuringRecovery(t *testing.T) {
	for _, how := range []control.How{control.Drain, control.Cancel} {
		r := newRig(t)
		workers := r.add("", "")
		id := r.mustSubmit(Submission{Config: durable})
		spare := r.add("")[0]
		spare.slow = func() bool { return true }
		r.lose(workers[1])
		if err := r.end(id, how); err != nil {
			t.Fatal(err)
		}
		if p := workers[0].parts[id]; p.how != "" {
			t.Errorf("the survivor is told to %s too soon", p.how)
		}
		spare.ready(spare.parts[id])
		for _, w := range []*fakeWorker{workers[0], spare} {
			if p := w.parts[id]; p.how != how || p.phase != control.PhaseRunning {
				t.Errorf("%s is %s, and told to %q, want %q", w.id, p.phase, p.how, how)
			}
		}
	}
}

func TestCancelWhileItWaitsForWorkers(t *testing.T) {
	r := newRig(t)
	w := r.add("")[0]
	id := r.mustSubmit(Submission{Config: durable})
	r.lose(w)
	if err := r.end(id, control.Cancel); err != nil {
		t.Fatal(err)
	}
	r.pass(11 * time.Second)
	r.wantState(id, Cancelled)
}

// A worker whose part has ended is given nothing, and its loss is nobody's affair.
func TestEndedPartsAreLeftAlone(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "", "")
	id := r.mustSubmit(Submission{Config: durable})
	workers[0].complete(workers[0].parts[id])
	r.lose(workers[0])
	if j := r.wantState(id, Running); len(j.Losses) != 0 {
		t.Errorf("losses %+v", j.Losses)
	}
	r.log = nil
	r.lose(workers[1])
	wantTasks(t, r.wantState(id, Running), "w1/0", "w3/0", "w3/0", "w1/1", "w3/1", "w3/1")
	if has(r.log, "w1 deploy") {
		t.Errorf("%q", r.log)
	}
	workers[2].complete(workers[2].parts[id])
	if j := r.wantState(id, Completed); len(j.Results) != 2 {
		t.Errorf("results %v", j.Results)
	}
}

// Whoever speaks by an older order is told the newest again, and nothing that it says by the older one counts.
func TestStaleEpochs(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable})
	survivor, take := workers[0], r.workers[1]
	r.workers[1] = &fakeWorker{say: func(control.Message) {}, parts: map[string]*fakePart{}} // hears nothing
	r.lose(workers[1])
	r.log = nil
	old := control.JobState{Job: id, Epoch: 1, Phase: control.PhaseRunning}
	for _, m := range []control.Message{
		&control.Ended{Job: id, Epoch: 1}, &control.Deployed{Job: id, Epoch: 1}, &control.PeerLost{Job: id, Epoch: 1, Peer: "w2", Down: time.Minute},
		&control.Heartbeat{Jobs: []control.JobReport{{JobState: old}}},
	} {
		survivor.say(m)
	}
	if len(r.log) != 0 {
		t.Errorf("at once: %q", r.log)
	}
	r.workers[1] = take
	for range 5 {
		r.now = r.now.Add(remindEvery / 2)
		r.m.Message(r.now, 1, &control.Heartbeat{Jobs: []control.JobReport{{JobState: old}}})
	}
	orders := 0
	for _, a := range r.m.Actions() {
		if s, ok := a.(Send); ok && control.Kind(s.Message) == "deploy" {
			orders++
		}
		r.do(a)
	}
	if orders != 2 {
		t.Errorf("it was told %d times in %v, want 2", orders, 5*remindEvery/2)
	}
	r.act()
	r.wantState(id, Running)
}

// A lost worker that was only stopped gives up what it has, is never given anything of the job again, and may serve others.
func TestZombie(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable})
	r.pass(time.Second, workers[0])
	wantTasks(t, r.wantState(id, Running), "w1/0", "w1/0", "w1/1", "w1/1")
	r.connect(workers[1])
	if len(workers[1].parts) != 0 {
		t.Errorf("it still has %v", workers[1].parts)
	}
	r.lose(workers[0])
	r.wantState(id, Recovering)
	r.wantState(r.mustSubmit(Submission{Config: durable}), Running)
	r.add("w1")
	wantTasks(t, r.wantState(id, Running), "w1/0", "w1/1", "w1/0", "w1/1")
}

func TestProbes(t *testing.T) {
	tests := []struct {
		name        string
		incarnation uint64
		refused     bool
		back        bool
		want        State
	}{
		{"somebody is there", 100, false, false, Running},
		{"nobody is there", 100, true, false, Failed},
		{"the answer is about another process", 99, true, false, Running},
		{"it is back already", 100, true, true, Running},
	}
	for _, tt := range tests {
		r := newRig(t)
		w := r.add("")[0]
		id := r.mustSubmit(Submission{})
		r.m.Disconnected(r.now, 1, "reset by peer")
		if !slices.Contains(r.m.Actions(), Action(Probe{"w1", w.incarnation, w.register().Addr})) {
			t.Errorf("%s: it is not looked for", tt.name)
		}
		if tt.back {
			r.connect(w)
		}
		r.m.Probed(r.now, "w1", tt.incarnation, tt.refused)
		r.act()
		r.wantState(id, tt.want)
	}
}

// Of two workers without a connection the one is lost that fewer others reach.
func TestCutOff(t *testing.T) {
	tests := []struct {
		name       string
		complaints [][2]int // who, about whom
		want       string
	}{
		{"the one that is complained of", [][2]int{{0, 1}}, "w2"},
		{"each of the other, first come", [][2]int{{1, 0}, {0, 1}}, "w1"},
		{"whom nobody reaches", [][2]int{{0, 2}, {1, 2}}, "w3"},
		{"who reaches nobody", [][2]int{{2, 1}, {2, 0}}, "w3"},
	}
	for _, tt := range tests {
		r := newRig(t)
		workers := r.add("", "", "")
		id := r.mustSubmit(Submission{Config: durable})
		for i, c := range tt.complaints {
			down := time.Second
			if i == len(tt.complaints)-1 || tt.name == "each of the other, first come" {
				down = time.Minute
			}
			epoch := workers[c[0]].parts[id].deploy.Epoch
			workers[c[0]].say(&control.PeerLost{Job: id, Epoch: epoch, Peer: workers[c[1]].id, Down: down, Reason: "cut"})
			if i == 0 && down > time.Second {
				break
			}
		}
		j := r.wantState(id, Running)
		if len(j.Losses) != 1 || j.Losses[0].Worker != tt.want || j.Losses[0].Cause != CauseUnreachable || !strings.Contains(j.Losses[0].Reason, "broken for 1m0s") {
			t.Errorf("%s: losses %+v, want %s", tt.name, j.Losses, tt.want)
		}
	}
}

// A task that is lost again and again waits, longer each time, and a job is not carried on for ever.
func TestRestartLimits(t *testing.T) {
	r := newRig(t)
	r.m.restarts = Restarts{Max: 9}.withDefaults()
	w := r.add("")[0]
	id := r.mustSubmit(Submission{Config: durable})
	var waits []time.Duration
	for range 9 {
		next := r.add("")[0]
		before := r.now
		r.lose(w)
		for r.job(id).State == Recovering && r.now.Sub(before) < time.Second {
			r.pass(time.Millisecond, next)
		}
		r.wantState(id, Running)
		waits = append(waits, r.now.Sub(before).Round(100*time.Millisecond))
		w = next
	}
	ms := time.Millisecond
	if want := []time.Duration{0, 0, 0, 0, 0, 100 * ms, 200 * ms, 400 * ms, 800 * ms}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
	if n := r.m.Counts()[RecoveryDelayed]; n != 4 {
		t.Errorf("%d delays were told, want 4", n)
	}
	r.add("")
	r.lose(w)
	if m := r.wantState(id, Failed).Failure.Message; !strings.Contains(m, "carried on 9 times") {
		t.Errorf("failure %q", m)
	}
}

func TestRestartsAreValidated(t *testing.T) {
	if err := (Restarts{}).Validate(); err != nil {
		t.Error(err)
	}
	err := Restarts{Max: -1, Burst: 61, Within: 2 * time.Hour, Delay: -1, DelayMax: time.Millisecond}.Validate()
	for _, want := range []string{"Max is -1", "Burst is 61", "Within is 2h", "Delay is -1ns"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if err := (Restarts{Delay: time.Minute}).Validate(); err == nil || !strings.Contains(err.Error(), "DelayMax") {
		t.Errorf("a delay beyond its maximum: %v", err)
	}
}

// A coordinator that is restarted during a recovery tells the order again, and knows afterwards what had been done before.
func TestRestartDuringRecovery(t *testing.T) {
	r := newRig(t)
	workers := r.add("", "")
	id := r.mustSubmit(Submission{Config: durable})
	spare := r.add("")[0]
	spare.slow = func() bool { return true }
	r.lose(workers[1])
	spare.slow = nil
	for _, records := range [][]Record{r.records, r.m.Snapshot()} {
		again := newRig(t, records...)
		again.conns = 10
		again.wantState(id, Recovering)
		delete(spare.parts, id) // the order was lost
		for _, w := range []*fakeWorker{workers[0], spare} {
			w.epoch = 0
			again.connect(w)
		}
		j := again.wantState(id, Running)
		wantTasks(t, j, "w1/0", "w3/0", "w1/1", "w3/1")
		if spare.parts[id].phase != control.PhaseRunning || j.Recoveries.Count != 1 || !j.Losses[0].Recovered {
			t.Errorf("the spare worker is %s, %+v, losses %+v", spare.parts[id].phase, j.Recoveries, j.Losses)
		}
		if got, want := known(newRig(t, again.m.Snapshot()...).m, id), known(newRig(t, append(slices.Clone(records), again.records...)...).m, id); !strings.Contains(got, `"State":"running"`) || len(got) != len(want) {
			t.Errorf("a snapshot leaves\n%s\nthe records leave\n%s", got, want)
		}
	}
}
