package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/wire"
)

// session is a connection to the coordinator that has been accepted.
type session struct {
	conn *control.Conn
	seq  atomic.Uint64
	cpu  usage // of the process at the last report; the desk's
}

// usage is how much processor time had been used at a moment.
type usage struct {
	at  time.Time
	cpu time.Duration
}

// Pauses between attempts to reach the coordinator.
const (
	callPauseFirst = 20 * time.Millisecond
	callPauseMax   = 500 * time.Millisecond
)

// keepSession has a session with the coordinator, one after the other, until ctx is done or it refuses the worker.
func (w *Worker) keepSession(ctx context.Context) {
	pause := callPauseFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := w.haveSession(ctx)
		var refused *refusal
		if errors.As(err, &refused) {
			w.post(func() { w.over = refused })
			return
		}
		if time.Since(began) > callPauseMax {
			pause = callPauseFirst // it lasted
		}
		if ctx.Err() == nil {
			w.log.Warn("no session with the coordinator", "coordinator", w.cfg.Coordinator, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, callPauseMax)
	}
}

// refusal is a coordinator's refusal to have this worker at all.
type refusal struct{ reason string }

// Error says who refuses, and why.
func (r *refusal) Error() string { return "the coordinator refuses this worker: " + r.reason }

// haveSession has one session, and returns why it ended.
func (w *Worker) haveSession(ctx context.Context) error {
	hello := auth.Hello{Incarnation: w.incarnation, Purpose: wire.PurposeControl}
	dialling, cancel := context.WithTimeout(ctx, dialTimeout)
	nc, peer, err := auth.Dial(dialling, w.cfg.Coordinator, w.cfg.Secret, hello)
	cancel()
	if err != nil {
		var no *auth.Refused
		if errors.As(err, &no) && final(no.Reason) {
			return &refusal{no.Error()}
		}
		return err
	}
	s := &session{conn: control.NewConn(nc, w.cfg.Coordinator)}
	defer s.conn.Close()
	unhook := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer unhook()
	answer, err := w.register(s, peer.Cluster)
	if err != nil {
		return err
	}
	quit := make(chan struct{})
	defer close(quit)
	w.tasks.Go(func() { w.beat(s, answer, quit) })
	defer w.post(func() {
		if w.session == s {
			w.session = nil
		}
	})
	for {
		m, err := s.conn.Receive()
		if err != nil {
			return err
		}
		w.post(func() { w.handle(m) })
	}
}

// final says whether there is no use in trying again.
func final(r auth.Reason) bool {
	return r == auth.WrongSecret || r == auth.WrongVersion || r == auth.WrongCluster
}

// register says who this is and waits for the answer.
func (w *Worker) register(s *session, cluster string) (*control.Registered, error) {
	who := make(chan *control.Register, 1)
	w.post(func() { w.cluster = cluster; who <- w.introduce() })
	if err := s.conn.Send(<-who); err != nil {
		return nil, err
	}
	m, err := s.conn.Receive()
	if err != nil {
		return nil, err
	}
	answer, ok := m.(*control.Registered)
	if !ok {
		return nil, fmt.Errorf("the coordinator answers a registration with %q", control.Kind(m))
	}
	if answer.Error != "" {
		return nil, &refusal{answer.Error}
	}
	w.post(func() { w.registered(s, answer) })
	return answer, nil
}

// introduce says who this is and what it is running.
func (w *Worker) introduce() *control.Register {
	r := &control.Register{
		Worker: w.id, Incarnation: w.incarnation, PID: pid(), Addr: w.addr, Loops: len(w.reactors), Memory: w.cfg.Memory,
		Build: w.cfg.Build,
	}
	for _, j := range w.jobs {
		r.Jobs = append(r.Jobs, j.state())
	}
	return r
}

// registered begins to use a session: what ended while there was none is told again.
func (w *Worker) registered(s *session, answer *control.Registered) {
	if w.id != answer.Worker {
		w.log.Info("registered", "worker", answer.Worker, "cluster", answer.Cluster, "address", w.addr)
	}
	w.id, w.cluster, w.session = answer.Worker, answer.Cluster, s
	w.clusterID.Store(&answer.Cluster)
	w.epoch = max(w.epoch, answer.Epoch)
	if err := w.acceptor.SetHello(auth.Hello{Cluster: w.cluster, Incarnation: w.incarnation}); err != nil {
		w.over = fmt.Errorf("the coordinator's answer: %w", err)
	}
	s.cpu = usage{time.Now(), engine.ThisProcess().CPU}
	for _, j := range w.jobs {
		if j.ended != nil {
			w.tell(j.ended)
		}
		if j.caughtUp != nil {
			w.tell(j.caughtUp)
		}
	}
}

// tell sends a message to the coordinator, if there is a session. What must not be lost is said again at the next
// registration.
func (w *Worker) tell(m control.Message) {
	if w.session == nil {
		return
	}
	if err := w.session.conn.Send(m); err != nil {
		w.log.Warn("message to the coordinator", "type", control.Kind(m), "error", err)
		w.session = nil
	}
}

// beat sends heartbeats, and has the desk send reports, until the session ends.
func (w *Worker) beat(s *session, r *control.Registered, quit <-chan struct{}) {
	beats, reports := time.NewTicker(r.Heartbeat), time.NewTicker(r.Report)
	defer beats.Stop()
	defer reports.Stop()
	for {
		select {
		case <-quit:
			return
		case due := <-beats.C:
			late := time.Since(due)
			if s.conn.Send(&control.Heartbeat{Seq: s.seq.Add(1), Late: late.Microseconds()}) != nil {
				return
			}
		case <-reports.C:
			w.post(func() { w.report(s) })
		}
	}
}

// report tells how everything is doing.
func (w *Worker) report(s *session) {
	if w.session != s {
		return
	}
	process, now := engine.ThisProcess(), time.Now()
	h := &control.Heartbeat{Seq: s.seq.Add(1), RSS: process.RSSBytes}
	if d := now.Sub(s.cpu.at); d > 0 {
		h.CPU = float64(process.CPU-s.cpu.cpu) / float64(d)
	}
	s.cpu = usage{now, process.CPU}
	for _, j := range w.jobs {
		if !j.closed {
			h.Jobs = append(h.Jobs, control.JobReport{JobState: j.state(), Stats: j.stats(), Links: j.links()})
		}
		if j.caughtUp != nil {
			w.tell(j.caughtUp)
		}
	}
	w.tell(h)
}

func (j *job) state() control.JobState {
	return control.JobState{Job: j.order.Job, Epoch: j.order.Epoch, Phase: j.phase}
}
