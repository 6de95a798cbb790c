package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fullspate/spate/engine/control"
)

// MachineConfig is what a Machine has to know.
type MachineConfig struct {
	// Cluster is the id of the cluster, should the journal be empty: see auth.NewCluster.
	Cluster string
	// Build is the coordinator's; workers of another one are refused.
	Build control.Build
	// Timing says how long things may take.
	Timing Timing
	// Restarts bounds how often a job is carried on.
	Restarts Restarts
}

// Machine decides what becomes of jobs and workers. It does nothing itself: its methods are told what has happened and
// when, and it says what is to be done. Its methods are called by one goroutine at a time. Moments need not be in order,
// since messages come with the moment of their arrival.
type Machine struct {
	build    control.Build
	timing   Timing
	restarts Restarts
	cluster  string
	epoch    uint64    // of this run
	started  time.Time // this run
	ticked   time.Time // last

	members []*member // in order of registration
	jobs    []*job    // in order of submission
	refused map[ConnID]bool

	workersUsed int    // the highest number of a worker's id given
	jobsUsed    int    // the same of jobs
	attempts    uint64 // the highest epoch of a job

	events   ring
	eventSeq uint64
	counts   map[EventKind]uint64

	actions []Action
}

const (
	// jobsKept is how many jobs are remembered that have ended.
	jobsKept = 100
	// lostKept is how many workers are remembered that are lost.
	lostKept = 64
)

// NewMachine starts a run of the coordinator with what the journal holds, nothing for a new cluster. It fails if the records
// contradict each other.
func NewMachine(now time.Time, cfg MachineConfig, records []Record) (*Machine, error) {
	m := &Machine{
		build: cfg.Build, timing: cfg.Timing.withDefaults(), restarts: cfg.Restarts.withDefaults(), cluster: cfg.Cluster, started: now, ticked: now,
		refused: map[ConnID]bool{}, counts: map[EventKind]uint64{}, events: ring{max: clusterEventsMax},
	}
	for i, r := range records {
		if err := m.apply(r); err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	m.epoch++
	m.append(Record{Start: m.startRecord()})
	m.note(now, Event{Kind: CoordinatorStarted, Text: fmt.Sprintf("epoch %d of cluster %s", m.epoch, m.cluster)})
	for _, j := range slices.Clone(m.jobs) {
		m.resume(now, j)
	}
	m.mend(now)
	for _, w := range m.members {
		m.probe(w)
	}
	return m, nil
}

// Cluster is the id of the cluster.
func (m *Machine) Cluster() string { return m.cluster }

// Epoch is that of this run of the coordinator.
func (m *Machine) Epoch() uint64 { return m.epoch }

// Actions takes what is to be done.
func (m *Machine) Actions() []Action {
	list := m.actions
	m.actions = nil
	return list
}

func (m *Machine) act(a Action) { m.actions = append(m.actions, a) }

func (m *Machine) append(r Record) { m.act(Append{r}) }

// Message takes what a worker has said.
func (m *Machine) Message(now time.Time, c ConnID, msg control.Message) {
	if m.refused[c] {
		return // what it said before it learned that
	}
	w := m.at(c)
	r, registers := msg.(*control.Register)
	switch {
	case registers && w == nil:
		m.register(now, c, r)
	case registers || w == nil:
		m.hangUp(now, c, fmt.Sprintf("want register as the first message and no other, got %q", control.Kind(msg)))
	default:
		w.heard = latest(w.heard, now)
		m.take(now, w, msg)
	}
	m.mend(now)
}

// take handles a message of a worker that has registered.
func (m *Machine) take(now time.Time, w *member, msg control.Message) {
	switch msg := msg.(type) {
	case *control.Heartbeat:
		m.heartbeat(now, w, msg)
	case *control.Deployed:
		m.deployed(now, w, msg)
	case *control.CaughtUp:
		m.caughtUp(now, w, msg)
	case *control.Ended:
		m.ended(now, w, msg)
	case *control.PeerLost:
		m.peerLost(now, w, msg)
	case *control.Profiled: // is for who has asked for it
	default:
		m.hangUp(now, w.conn, fmt.Sprintf("%q is no message of a worker", control.Kind(msg)))
	}
}

// Tick lets time pass. It is to be called every Timing.Tick; if it comes much later, the coordinator itself was held up, and
// nobody is blamed for what could not be heard meanwhile.
func (m *Machine) Tick(now time.Time) {
	late := now.Sub(m.ticked) - m.timing.Tick()
	m.ticked = now
	if late > m.timing.HeartbeatTimeout/beatsPerTimeout {
		for _, w := range m.members {
			w.heard = earliest(w.heard.Add(late), now)
		}
		m.note(now, Event{Kind: CoordinatorLate, Took: late})
	}
	for _, w := range slices.Clone(m.members) {
		m.watch(now, w)
	}
	m.mend(now)
	for _, j := range slices.Clone(m.jobs) {
		m.hurry(now, j)
	}
	m.forgetLost()
	m.forgetOver()
}

// Counts says how many events of each kind there were in this run.
func (m *Machine) Counts() map[EventKind]uint64 { return maps.Clone(m.counts) }

// Events are the cluster's last events, oldest first.
func (m *Machine) Events() []Event { return slices.Clone(m.events.list) }

// at is the worker at the other end of a connection, nil if none has registered.
func (m *Machine) at(c ConnID) *member {
	for _, w := range m.members {
		if w.conn == c && c != 0 {
			return w
		}
	}
	return nil
}

func (m *Machine) member(id string) *member {
	for _, w := range m.members {
		if w.id == id {
			return w
		}
	}
	return nil
}

func (m *Machine) job(id string) *job {
	for _, j := range m.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
