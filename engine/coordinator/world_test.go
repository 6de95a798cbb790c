package coordinator

import (
	"container/heap"
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
	links    time.Duration // of one data connection, for too long
	repeats  float64       // chance of a worker's message to be sent twice
	errors   float64       // chance of a part to fail
	recovers bool          // jobs take checkpoints
	patient  bool          // nobody ends jobs early
	moves    time.Duration // of a reassignment that is asked for
	drains   time.Duration // of a worker that is to be emptied
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
	natural   map[string]string   // tasks of parts that ended by themselves or by request, by job and incarnation
	moved     map[string][]uint64 // reassignments that were accepted, by job
	history   history
	orders    map[string]*control.Deploy // the newest that was told, by job
	deployed  map[string]map[uint64]bool // incarnations that have had their part, by job and epoch
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
var worldTiming = Timing{Grace: 2 * time.Second, AbortTimeout: 2 * time.Second, DeployTimeout: 5 * time.Second, RecoverTimeout: 8 * time.Second}

func newWorld(t *testing.T, seed uint64, workers int, f faults) *world {
	q, err := BuildQuery(testPrograms, "count", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), faults: f, query: q, links: map[ConnID]*link{},
		cancelled: map[string]bool{}, moved: map[string][]uint64{}, history: newHistory(), natural: map[string]string{}, orders: map[string]*control.Deploy{}, deployed: map[string]map[uint64]bool{},
	}
	w.startCoordinator()
	for range workers {
		w.addWorker("")
	}
	w.often(f.breaks, w.breakOne)
	w.often(f.restarts, w.crash)
	w.often(f.kills, w.killOne)
	w.often(f.stalls, w.stallOne)
	w.often(f.links, w.cutOne)
	w.often(f.moves, w.reassignOne)
	w.often(f.drains, w.drainOne)
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
		w.auditRecord(r)
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
			w.auditRecord(a.Record)
		case Send:
			if e := control.EpochOf(a.Message); e != w.m.Epoch() {
				w.t.Fatalf("%q is sent with epoch %d in epoch %d", control.Kind(a.Message), e, w.m.Epoch())
			}
			w.audit(a)
			w.send(w.links[a.Conn], false, a.Message)
		case Probe:
			w.probe(a)
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

// submit asks for a job, and notes it if the submitter was given an id.
func (w *world) submit() {
	if w.m == nil {
		return
	}
	id, err := w.m.Submit(w.now, Submission{Query: w.query, Workers: w.rng.IntN(3), Config: w.config()})
	if err != nil {
		return // not enough workers just now
	}
	if w.do(w.m.Actions()) {
		w.accepted = append(w.accepted, id)
	}
}

func (w *world) config() (c control.JobConfig) {
	if w.faults.recovers {
		c.CheckpointInterval = time.Second
	}
	return c
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

// reassignOne asks for some reassignment of some job, and notes it if that was accepted.
func (w *world) reassignOne() {
	if w.m == nil || len(w.accepted) == 0 {
		return
	}
	var re Reassignment
	id, operator := w.accepted[w.rng.IntN(len(w.accepted))], "count"
	j := w.m.job(id)
	if j == nil || j.over() {
		return
	}
	var err error
	switch w.rng.IntN(5) {
	case 0, 1:
		re, err = w.m.Rescale(w.now, id, operator, 1+w.rng.IntN(6))
	case 2:
		var cuts []uint64
		for range w.rng.IntN(4) {
			cuts = append(cuts, w.rng.Uint64()|1)
		}
		slices.Sort(cuts)
		re, err = w.m.Rebalance(w.now, id, operator, cuts)
	default:
		if w.rng.IntN(2) == 0 {
			operator = "in"
		}
		tasks := j.topology.Operators[slices.IndexFunc(j.topology.Operators, func(op Operator) bool { return op.ID == operator })].speaking()
		re, err = w.m.Migrate(w.now, id, operator, tasks[w.rng.IntN(len(tasks))], "")
	}
	if w.do(w.m.Actions()) && err == nil {
		w.moved[id] = append(w.moved[id], re.ID)
	}
}

// drainOne has some worker drained.
func (w *world) drainOne() {
	if n := w.someone(); n != nil && w.m != nil {
		_, _ = w.m.DrainWorker(w.now, n.id) // it may be lost, or unknown so far
		w.do(w.m.Actions())
	}
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

// cutOne has a worker say that it does not reach another for too long, and maybe the other say so too.
func (w *world) cutOne() {
	a, b := w.someone(), w.someone()
	if a == nil || a == b {
		return
	}
	say := func(from, to *node) {
		for _, id := range sortedKeys(from.parts) {
			from.say(&control.PeerLost{Job: id, Epoch: from.parts[id].deploy.Epoch, Peer: to.id, Down: time.Minute, Reason: "cut"})
		}
	}
	say(a, b)
	if w.rng.IntN(2) == 0 {
		w.after(w.within(50*time.Millisecond), func() { say(b, a) })
	}
}

// probe answers whether a worker's process is there.
func (w *world) probe(p Probe) {
	life := w.life
	w.after(w.within(10*time.Millisecond), func() {
		if w.m == nil || w.life != life {
			return
		}
		there := slices.ContainsFunc(w.workers, func(n *node) bool { return n.incarnation == p.Incarnation && n.over == "" })
		w.m.Probed(w.now, p.Worker, p.Incarnation, !there)
		w.do(w.m.Actions())
	})
}

// killOne ends a worker's process, and maybe a second one at once.
func (w *world) killOne() {
	w.kill()
	if w.rng.IntN(3) == 0 {
		w.kill()
	}
}

// kill ends a worker's process; another one starts with its id, or with none.
func (w *world) kill() {
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
