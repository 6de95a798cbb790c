package coordinator

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
)

// WorkerState says whether a worker can be reckoned with.
type WorkerState string

// The states of a worker.
const (
	WorkerReady    WorkerState = "ready"        // connected
	WorkerAway     WorkerState = "disconnected" // its connection is broken, and it may still come back in time
	WorkerExpected WorkerState = "expected"     // known to a coordinator that was restarted, and not back so far
	WorkerGone     WorkerState = "lost"
)

// member is a worker as the coordinator knows it.
type member struct {
	id          string
	incarnation uint64
	fenced      []uint64  // former incarnations, which must not come back
	drained     bool      // it is given no more tasks
	drain       *drainage // what becomes of those that it has; nil if it is not being drained, or nobody has looked yet
	pid         int
	addr        string
	loops       int
	memory      int64
	build       control.Build

	state  WorkerState
	conn   ConnID    // 0 unless ready
	since  time.Time // when this incarnation has registered first
	heard  time.Time // last; the coordinator's start for one that is expected
	broken string    // why its connection is broken

	rss  int64
	cpu  float64
	late time.Duration
}

// fencedKept is how many former incarnations of a worker are remembered.
const fencedKept = 16

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// loopsMax is how many loops a worker may have.
const loopsMax = 256

// register takes the first message of a connection.
func (m *Machine) register(now time.Time, c ConnID, r *control.Register) {
	w := m.member(r.Worker)
	if r.Worker == "" {
		w = m.withIncarnation(r.Incarnation) // it was given an id that it has not heard of
	}
	if reason := m.judge(w, r); reason != "" {
		m.refuse(now, c, r, reason)
		return
	}
	known := w != nil && w.incarnation == r.Incarnation
	switch {
	case w == nil:
		w = &member{id: r.Worker}
		if w.id == "" {
			w.id = m.newWorkerID()
		}
		m.members = append(m.members, w)
	case !known:
		m.fence(now, w)
	case w.conn != 0:
		m.drop(w.conn) // it has noticed before us that its connection is broken
	}
	if !known || w.state == WorkerGone || w.addr != r.Addr {
		if !known {
			w.since, w.drained, w.drain = now, false, nil
		}
		m.enlist(now, w, r)
	}
	m.welcome(now, w, c, known)
	m.relieveAgain()
	m.reconcile(now, w, r.Jobs)
}

// judge says why a worker cannot be taken, nothing if it can.
func (m *Machine) judge(w *member, r *control.Register) string {
	own, theirs := m.build, r.Build
	_, err := auth.ParseAddress(r.Addr)
	switch {
	case own.Protocol != theirs.Protocol || own.Arch != theirs.Arch || own.Commit != theirs.Commit:
		return fmt.Sprintf("this worker is protocol %d, %s, commit %q; the cluster is protocol %d, %s, commit %q: "+
			"start it from the coordinator's binary", theirs.Protocol, theirs.Arch, theirs.Commit, own.Protocol, own.Arch, own.Commit)
	case r.Worker != "" && !idPattern.MatchString(r.Worker):
		return fmt.Sprintf("worker id %q: want 1 to 63 characters out of a–z, 0–9, '_', '.', '-', beginning with a letter or digit", r.Worker)
	case r.Incarnation == 0:
		return "incarnation 0: want a random number that is not 0"
	case r.Loops < 1 || r.Loops > loopsMax:
		return fmt.Sprintf("%d loops: want 1 to %d", r.Loops, loopsMax)
	case err != nil:
		return "data address: " + err.Error()
	case w != nil && slices.Contains(w.fenced, r.Incarnation):
		return fmt.Sprintf("incarnation %#x of worker %q was replaced by a newer one: two processes have the same id", r.Incarnation, w.id)
	}
	return ""
}

// refuse tells a worker that it cannot be taken.
func (m *Machine) refuse(now time.Time, c ConnID, r *control.Register, reason string) {
	m.act(Send{c, &control.Registered{Worker: r.Worker, Cluster: m.cluster, Epoch: m.epoch, Error: reason}})
	m.drop(c)
	m.note(now, Event{Kind: WorkerRefused, Worker: r.Worker, Text: reason})
}

// hangUp closes the connection of who does not keep to the protocol. A worker is not lost by that: it may register again.
func (m *Machine) hangUp(now time.Time, c ConnID, reason string) {
	m.drop(c)
	m.breakOff(now, c, reason)
}

// drop closes a connection and turns a deaf ear to what still comes over it.
func (m *Machine) drop(c ConnID) {
	m.refused[c] = true
	m.act(Close{c})
}

func (m *Machine) withIncarnation(incarnation uint64) *member {
	for _, w := range m.members {
		if w.incarnation == incarnation {
			return w
		}
	}
	return nil
}

// newWorkerID gives the next number that nobody has taken by asking for it.
func (m *Machine) newWorkerID() string {
	for {
		m.workersUsed++
		if id := "w" + strconv.Itoa(m.workersUsed); m.member(id) == nil {
			return id
		}
	}
}

// fence replaces the incarnation of a worker: the older one is lost.
func (m *Machine) fence(now time.Time, w *member) {
	if w.state != WorkerGone {
		m.lose(now, w, CauseReplaced, fmt.Sprintf("incarnation %#x was replaced by a newer one", w.incarnation))
	}
	m.note(now, Event{Kind: WorkerFenced, Worker: w.id, Text: fmt.Sprintf("incarnation %#x", w.incarnation)})
	w.fenced = append(w.fenced, w.incarnation)
	if len(w.fenced) > fencedKept {
		w.fenced = slices.Delete(w.fenced, 0, 1)
	}
}

// enlist notes what a worker says of itself, durably.
func (m *Machine) enlist(now time.Time, w *member, r *control.Register) {
	w.incarnation, w.pid, w.addr, w.loops, w.memory, w.build = r.Incarnation, r.PID, r.Addr, r.Loops, r.Memory, r.Build
	m.append(Record{Worker: w.record()})
}

// welcome tells a worker that it is taken.
func (m *Machine) welcome(now time.Time, w *member, c ConnID, known bool) {
	e := Event{Kind: WorkerRegistered, Worker: w.id, Text: fmt.Sprintf("incarnation %#x, pid %d, %s, %d loops", w.incarnation, w.pid, w.addr, w.loops)}
	if known {
		e.Kind, e.Took = WorkerBack, now.Sub(w.heard)
	}
	w.state, w.conn, w.heard, w.broken = WorkerReady, c, now, ""
	m.act(Send{c, &control.Registered{
		Worker: w.id, Cluster: m.cluster, Epoch: m.epoch, Heartbeat: m.timing.Heartbeat(), Report: m.timing.Report,
	}})
	m.note(now, e)
}

// Disconnected says that a connection is broken, or has been closed.
func (m *Machine) Disconnected(now time.Time, c ConnID, reason string) {
	delete(m.refused, c)
	m.breakOff(now, c, reason)
}

func (m *Machine) breakOff(now time.Time, c ConnID, reason string) {
	w := m.at(c)
	if w == nil {
		return
	}
	w.state, w.conn, w.broken = WorkerAway, 0, reason
	m.note(now, Event{Kind: WorkerDisconnected, Worker: w.id, Text: reason})
	m.probe(w)
}

// probe asks whether the process of a worker is still there that is not connected.
func (m *Machine) probe(w *member) {
	if w.state == WorkerAway || w.state == WorkerExpected {
		m.act(Probe{w.id, w.incarnation, w.addr})
	}
}

// Probed takes the answer to a Probe. Only a refusal says something: whoever does not answer may be slow, or cut off.
func (m *Machine) Probed(now time.Time, worker string, incarnation uint64, refused bool) {
	w := m.member(worker)
	if !refused || w == nil || w.incarnation != incarnation || w.state != WorkerAway && w.state != WorkerExpected {
		return
	}
	how := "the coordinator was restarted"
	if w.state == WorkerAway {
		how = fmt.Sprintf("its connection is broken (%s)", w.broken)
	}
	m.lose(now, w, CauseConnection, how+", and nobody listens at its address any more: its process has ended")
	m.mend(now)
}

// Ready are the connections of the workers that are there, by id.
func (m *Machine) Ready() map[string]ConnID {
	ready := map[string]ConnID{}
	for _, w := range m.members {
		if w.state == WorkerReady {
			ready[w.id] = w.conn
		}
	}
	return ready
}

// Dismiss asks every worker to end its process. Their absence is no failure then, but the jobs that they run fail.
func (m *Machine) Dismiss(now time.Time, reason string) {
	for _, w := range slices.Clone(m.members) {
		if w.state != WorkerReady {
			continue
		}
		m.tell(w, &control.Shutdown{Coordinator: m.epoch, Reason: reason})
		m.lose(now, w, CauseDismissed, "it was dismissed: "+reason)
	}
	m.mend(now)
}

// tell sends a message to a worker that is there. One that is not is told when it registers again.
func (m *Machine) tell(w *member, msg control.Message) {
	if w.conn != 0 {
		m.act(Send{w.conn, msg})
	}
}

func (w *member) record() *WorkerRecord {
	return &WorkerRecord{
		Worker: w.id, Incarnation: w.incarnation, Fenced: slices.Clone(w.fenced), PID: w.pid, Addr: w.addr, Loops: w.loops,
		Memory: w.memory, Build: w.build, Drained: w.drained, At: w.since,
	}
}
