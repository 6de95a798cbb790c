package coordinator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// rig is a machine with workers that answer at once, and a clock that is moved by hand.
type rig struct {
	t       *testing.T
	m       *Machine
	now     time.Time
	workers map[ConnID]*fakeWorker
	conns   ConnID
	log     []string // what the machine has done: records and messages by name
	closed  []ConnID
	records []Record
	queue   []func() // what workers have said and the machine has not heard
	acting  bool
}

func newRig(t *testing.T, records ...Record) *rig {
	r := &rig{t: t, now: time.Unix(1e9, 0), workers: map[ConnID]*fakeWorker{}}
	m, err := NewMachine(r.now, MachineConfig{Cluster: "c1", Build: testBuild}, records)
	if err != nil {
		t.Fatal(err)
	}
	r.m = m
	r.act()
	return r
}

// add connects workers with two loops each.
func (r *rig) add(ids ...string) []*fakeWorker {
	var list []*fakeWorker
	for _, id := range ids {
		w := &fakeWorker{id: id, incarnation: 100 + uint64(r.conns), loops: 2, parts: map[string]*fakePart{}}
		r.connect(w)
		list = append(list, w)
	}
	return list
}

// connect opens a connection of a worker.
func (r *rig) connect(w *fakeWorker) ConnID {
	r.conns++
	c := r.conns
	r.workers[c] = w
	w.say = func(m control.Message) { r.say(c, m) }
	w.say(w.register())
	return c
}

func (r *rig) say(c ConnID, m control.Message) {
	r.queue = append(r.queue, func() { r.m.Message(r.now, c, m) })
	r.act()
}

// act does what the machine wants, and whatever follows from that, one thing after the other.
func (r *rig) act() {
	if r.acting {
		return
	}
	r.acting = true
	defer func() { r.acting = false }()
	for {
		for _, a := range r.m.Actions() {
			r.do(a)
		}
		if len(r.queue) == 0 {
			return
		}
		next := r.queue[0]
		r.queue = r.queue[1:]
		next()
	}
}

func (r *rig) do(a Action) {
	switch a := a.(type) {
	case Append:
		r.records = append(r.records, a.Record)
		r.log = append(r.log, "+"+recordName(a.Record))
	case Send:
		w := r.workers[a.Conn]
		r.log = append(r.log, w.id+" "+control.Kind(a.Message))
		w.take(a.Message)
	case Close:
		r.closed = append(r.closed, a.Conn)
	}
}

func recordName(r Record) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(marshal(r), `{"`), `"`)
	return name
}

// pass lets time pass while the workers named send heartbeats.
func (r *rig) pass(d time.Duration, alive ...*fakeWorker) {
	for end := r.now.Add(d); r.now.Before(end); {
		r.now = r.now.Add(Timing{}.Tick())
		for _, w := range alive {
			w.say(&control.Heartbeat{})
		}
		r.m.Tick(r.now)
		r.act()
	}
}

// submit submits the test program.
func (r *rig) submit(s Submission) (string, error) { return r.submitOf("count", s) }

// submitOf submits a program.
func (r *rig) submitOf(program string, s Submission) (string, error) {
	q, err := BuildQuery(testPrograms, program, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	s.Query = q
	id, err := r.m.Submit(r.now, s)
	r.act()
	return id, err
}

func (r *rig) mustSubmit(s Submission) string {
	r.t.Helper()
	return r.mustSubmitOf("count", s)
}

func (r *rig) mustSubmitOf(program string, s Submission) string {
	r.t.Helper()
	id, err := r.submitOf(program, s)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) end(id string, how control.How) error {
	err := r.m.End(r.now, id, how)
	r.act()
	return err
}

func (r *rig) job(id string) JobInfo {
	r.t.Helper()
	j, err := r.m.Job(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return j
}

func (r *rig) wantState(id string, want State) JobInfo {
	r.t.Helper()
	j := r.job(id)
	if j.State != want {
		r.t.Fatalf("job %s is %s (%v), want %s", id, j.State, j.Failure, want)
	}
	return j
}

// kinds are the kinds of a job's events, or of the cluster's.
func kinds(events []Event) (list []EventKind) {
	for _, e := range events {
		list = append(list, e.Kind)
	}
	return list
}

// restart ends the machine and starts another one from its records.
func (r *rig) restart() *rig {
	again := newRig(r.t, r.records...)
	again.now, again.conns = r.now, r.conns
	return again
}

func has[T comparable](list []T, v T) bool { return slices.Contains(list, v) }
