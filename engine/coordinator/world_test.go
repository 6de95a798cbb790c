package coordinator

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// faults say what goes wrong in a world, each as a mean interval; 0 for never.
type faults struct {
	breaks   time.Duration // of one connection
	restarts time.Duration // of the coordinator
	kills    time.Duration // of one worker's process, after which another one starts with its id
	stalls   time.Duration // of one worker, longer than the timeout
	errors   float64       // chance of a part to fail
	crashAt  int           // the coordinator crashes when it has written this many records; 0 for never
}

// world is a coordinator and workers on one virtual clock, with a network that delays and breaks.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	now     time.Time
	agenda  agenda
	seq     int
	faults  faults
	calm    bool // no more faults
	workers []*node
	query   *Query

	m        *Machine // nil while there is none
	life     int      // of the coordinator: how often it was started
	disk     [][]byte
	written  int // records so far
	links    map[ConnID]*link
	nextConn ConnID

	accepted  []string // jobs whose submitter was given an id
	cancelled map[string]bool
	natural   map[string]int             // parts that ended by themselves or by request, by job, epoch and incarnation
	deployed  map[string]map[uint64]bool // incarnations that have had their part, by job and epoch
}

// node is a worker's process with its connection.
type node struct {
	*fakeWorker
	link    *link
	stalled time.Time // until when
}

// link is one connection. What is under way when it breaks is lost.
type link struct {
	id       ConnID
	node     *node
	broken   bool
	up, down time.Time // when the last message each way arrives
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// worldTiming makes detection quick, as virtual time is cheap but steps are not.
var worldTiming = Timing{Grace: 2 * time.Second, AbortTimeout: 2 * time.Second, DeployTimeout: 5 * time.Second}

func newWorld(t *testing.T, seed uint64, workers int, f faults) *world {
	q, err := BuildQuery(testPrograms, "count", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), faults: f, query: q, links: map[ConnID]*link{},
		cancelled: map[string]bool{}, natural: map[string]int{}, deployed: map[string]map[uint64]bool{},
	}
	w.startCoordinator()
	for range workers {
		w.addWorker("")
	}
	w.often(f.breaks, w.breakOne)
	w.often(f.restarts, w.crash)
	w.often(f.kills, w.killOne)
	w.often(f.stalls, w.stallOne)
	return w
}

// after puts something on the agenda.
func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.agenda, event{w.now.Add(d), w.seq, do})
}

// within is a random time up to d.
func (w *world) within(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// often does something at random intervals until the world is calm.
func (w *world) often(mean time.Duration, do func()) {
	if mean == 0 {
		return
	}
	w.after(w.within(2*mean), func() {
		if !w.calm {
			do()
			w.often(mean, do)
		}
	})
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for len(w.agenda) > 0 && !w.agenda[0].at.After(end) {
		e := heap.Pop(&w.agenda).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// startCoordinator starts a run of the coordinator from what is on disk, as a Server does.
func (w *world) startCoordinator() {
	var records []Record
	for _, line := range w.disk {
		r, err := DecodeRecord(line)
		if err != nil {
			w.t.Fatal(err)
		}
		records = append(records, r)
	}
	m, err := NewMachine(w.now, MachineConfig{Cluster: "c1", Build: testBuild, Timing: worldTiming}, records)
	if err != nil {
		w.t.Fatalf("the journal that a crash left behind: %v", err)
	}
	w.life++
	if m.Epoch() < uint64(w.life) {
		w.t.Fatalf("start %d has epoch %d", w.life, m.Epoch())
	}
	actions := slices.DeleteFunc(m.Actions(), func(a Action) bool { _, ok := a.(Append); return ok })
	w.m, w.disk = m, nil
	for _, r := range m.Snapshot() {
		w.disk = append(w.disk, w.encode(r))
	}
	w.do(actions)
	w.tick(w.life)
}

func (w *world) encode(r Record) []byte {
	line, err := EncodeRecord(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return line
}

func (w *world) tick(life int) {
	w.after(worldTiming.Tick(), func() {
		if w.m == nil || w.life != life {
			return
		}
		w.m.Tick(w.now)
		w.do(w.m.Actions())
		w.tick(life)
	})
}

// do does what the machine wants, until a crash. It says whether all was done.
func (w *world) do(actions []Action) bool {
	for _, a := range actions {
		switch a := a.(type) {
		case Append:
			w.disk = append(w.disk, w.encode(a.Record)) // a crash between write and sync may leave it there, or not
			if w.written++; w.written == w.faults.crashAt {
				if w.rng.IntN(2) == 0 {
					w.disk = w.disk[:len(w.disk)-1]
				}
				w.crash()
				return false
			}
		case Send:
			if e := control.EpochOf(a.Message); e != w.m.Epoch() {
				w.t.Fatalf("%q is sent with epoch %d in epoch %d", control.Kind(a.Message), e, w.m.Epoch())
			}
			w.send(w.links[a.Conn], false, a.Message)
		case Close:
			if l := w.links[a.Conn]; l != nil {
				w.after(l.down.Sub(w.now), func() { w.breakLink(l) })
			}
		}
	}
	return true
}

// crash ends the coordinator's process, and starts another one soon.
func (w *world) crash() {
	if w.m == nil {
		return
	}
	w.m = nil
	for _, l := range w.links {
		w.breakLink(l)
	}
	w.after(w.within(100*time.Millisecond), w.startCoordinator)
}

func (w *world) addWorker(id string) {
	n := &node{fakeWorker: &fakeWorker{id: id, incarnation: w.rng.Uint64() | 1, loops: 1 + w.rng.IntN(2), parts: map[string]*fakePart{}}}
	n.say = func(m control.Message) {
		if n.link != nil {
			w.send(n.link, true, m)
		}
	}
	n.refuse = func() bool { return !w.calm && w.rng.Float64() < w.faults.errors }
	n.seen = func(p *fakePart, m control.Message) { w.check(n, p, m) }
	w.workers = append(w.workers, n)
	w.after(w.within(20*time.Millisecond), func() { w.connect(n) })
	w.live(n)
}

// connect opens a worker's connection, again and again until there is a coordinator.
func (w *world) connect(n *node) {
	if n.link != nil || n.over != "" {
		return
	}
	if w.m == nil || n.stalled.After(w.now) {
		w.after(10*time.Millisecond, func() { w.connect(n) })
		return
	}
	w.nextConn++
	n.link = &link{id: w.nextConn, node: n, up: w.now, down: w.now}
	w.links[n.link.id] = n.link
	n.say(n.register())
}

// send brings a message over a link, in order with those before.
func (w *world) send(l *link, up bool, m control.Message) {
	if l == nil || l.broken {
		return
	}
	last := &l.down
	if up {
		last = &l.up
	}
	*last = latest(*last, w.now.Add(w.within(15*time.Millisecond)))
	data, err := control.Append(nil, m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.after(last.Sub(w.now), func() { w.arrive(l, up, data) })
}

func (w *world) arrive(l *link, up bool, data []byte) {
	if l.broken {
		return
	}
	if !up && l.node.stalled.After(w.now) {
		w.after(l.node.stalled.Sub(w.now), func() { w.arrive(l, up, data) })
		return
	}
	m, err := control.Decode(data)
	if err != nil {
		w.t.Fatal(err)
	}
	if !up {
		l.node.take(m)
		return
	}
	w.m.Message(w.now, l.id, m)
	w.do(w.m.Actions())
}

// breakLink breaks a connection. Each end notices some time later.
func (w *world) breakLink(l *link) {
	if l.broken {
		return
	}
	l.broken = true
	delete(w.links, l.id)
	life := w.life
	w.after(w.within(20*time.Millisecond), func() {
		if w.m != nil && w.life == life {
			w.m.Disconnected(w.now, l.id, "broken")
			w.do(w.m.Actions())
		}
	})
	w.after(w.within(20*time.Millisecond), func() {
		l.node.link = nil
		w.connect(l.node)
	})
}

// live has a worker send heartbeats, and its parts run for a while.
func (w *world) live(n *node) {
	w.after(worldTiming.Heartbeat(), func() {
		if n.over != "" {
			return
		}
		if !n.stalled.After(w.now) {
			w.beat(n)
		}
		w.live(n)
	})
}

func (w *world) beat(n *node) {
	h := &control.Heartbeat{}
	for _, id := range sortedKeys(n.parts) {
		p := n.parts[id]
		h.Jobs = append(h.Jobs, control.JobReport{JobState: control.JobState{Job: id, Epoch: p.deploy.Epoch, Phase: p.phase}})
		if p.phase != control.PhaseRunning || w.rng.IntN(8) > 0 {
			continue
		}
		if w.rng.Float64() < w.faults.errors && !w.calm {
			n.end(p, &control.Ended{Error: &control.Failure{Message: "operator failed"}})
			continue
		}
		w.natural[partKey(p, n.incarnation)]++
		n.complete(p)
	}
	n.say(h)
}

func sortedKeys(m map[string]*fakePart) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func jobKey(p *fakePart) string { return fmt.Sprintf("%s@%d", p.deploy.Job, p.deploy.Epoch) }

func partKey(p *fakePart, incarnation uint64) string {
	return fmt.Sprintf("%s of %x", jobKey(p), incarnation)
}

// check looks at what a worker is told about a part that it has.
func (w *world) check(n *node, p *fakePart, m control.Message) {
	key := jobKey(p)
	switch m := m.(type) {
	case *control.Deploy:
		if !slices.ContainsFunc(m.Workers, func(h control.Host) bool { return h.Worker == n.id && h.Incarnation == n.incarnation }) {
			w.t.Errorf("%s is deployed to worker %s, which is none of %+v", key, n.id, m.Workers)
		}
		if w.deployed[key] == nil {
			w.deployed[key] = map[uint64]bool{}
		}
		w.deployed[key][n.incarnation] = true
	case *control.Start:
		for _, h := range p.deploy.Workers {
			if !w.deployed[key][h.Incarnation] {
				w.t.Errorf("%s is started though worker %s has not deployed it", key, h.Worker)
			}
		}
	case *control.Release:
		if p.phase != control.PhaseEnded {
			w.t.Errorf("%s is released on worker %s while it is %s", key, n.id, p.phase)
		}
	}
}

// submit asks for a job, and notes it if the submitter was given an id.
func (w *world) submit() {
	if w.m == nil {
		return
	}
	id, err := w.m.Submit(w.now, Submission{Query: w.query, Workers: w.rng.IntN(3)})
	if err != nil {
		return // not enough workers just now
	}
	if w.do(w.m.Actions()) {
		w.accepted = append(w.accepted, id)
	}
}

// endOne drains or cancels some job.
func (w *world) endOne() {
	if w.m == nil || len(w.accepted) == 0 {
		return
	}
	id, how := w.accepted[w.rng.IntN(len(w.accepted))], control.Drain
	if w.rng.IntN(2) == 0 {
		how = control.Cancel
	}
	if w.m.End(w.now, id, how) == nil && how == control.Cancel {
		w.cancelled[id] = true
	}
	w.do(w.m.Actions())
}

func (w *world) breakOne() {
	if n := w.someone(); n != nil && n.link != nil {
		w.breakLink(n.link)
	}
}

// someone is any worker, nil if all have been killed.
func (w *world) someone() *node {
	if len(w.workers) == 0 {
		return nil
	}
	return w.workers[w.rng.IntN(len(w.workers))]
}

func (w *world) stallOne() {
	if n := w.someone(); n != nil {
		n.stalled = w.now.Add(150*time.Millisecond + w.within(600*time.Millisecond))
	}
}

// killOne ends a worker's process; another one starts with its id, or with none.
func (w *world) killOne() {
	n := w.someone()
	if n == nil || n.over != "" {
		return
	}
	n.over = "killed"
	if n.link != nil {
		w.breakLink(n.link)
	}
	w.workers = slices.DeleteFunc(w.workers, func(other *node) bool { return other == n })
	id := n.id
	if w.rng.IntN(3) == 0 {
		id = ""
	}
	w.after(w.within(500*time.Millisecond), func() { w.addWorker(id) })
}

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
