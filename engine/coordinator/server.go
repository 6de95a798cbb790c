package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator/journal"
	"github.com/fullspate/spate/wire"
)

// Server runs a Machine: it has the clock, the journal and the connections.
type Server struct {
	cfg      Config
	log      *slog.Logger
	addr     string
	acceptor *auth.Acceptor

	inbox chan errand
	stop  chan struct{}   // closed by Close
	life  context.Context // done by Close: what is asked of others is not waited for then
	halt  context.CancelFunc
	dead  chan struct{} // closed when the desk has ended
	tasks sync.WaitGroup
	once  sync.Once
	err   error // why the desk has ended by itself; readable once dead is closed

	conn atomic.Uint64 // the last ConnID given
	open connSet

	changedMu sync.Mutex
	changed   chan struct{} // guarded by changedMu; closed at the next event

	desk desk // the goroutine in run has it
}

// desk is what only the desk's goroutine touches.
type desk struct {
	machine  *Machine
	journal  *journal.Journal
	compact  int64 // size of the journal at which it is rewritten
	conns    map[ConnID]*control.Conn
	profiles map[uint64]*profiling
	requests uint64
}

// errand is something for the desk to do. done, if there is one, is closed once that, and all that the machine wants because of
// it, is done.
type errand struct {
	do   func(d *desk, now time.Time)
	done chan struct{}
}

const (
	// inboxMax bounds what waits for the desk; beyond it connections are read no further.
	inboxMax = 256
	// compactMin is the size in bytes beyond which a journal is rewritten that has become twice as long as it was.
	compactMin = 16 << 20
)

// Start starts a coordinator. Errors tell of the configuration, of a journal that is damaged or in use, or of an address that
// is not free.
func Start(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("coordinator: %w", err)
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger, inbox: make(chan errand, inboxMax), stop: make(chan struct{}), dead: make(chan struct{}),
		changed: make(chan struct{}), desk: desk{conns: map[ConnID]*control.Conn{}, profiles: map[uint64]*profiling{}},
	}
	s.life, s.halt = context.WithCancel(context.Background())
	if err := s.restore(); err != nil {
		return nil, fmt.Errorf("coordinator: %w", err)
	}
	if err := s.listen(); err != nil {
		close(s.stop)
		s.halt()
		s.tasks.Wait() // for probes
		return nil, fmt.Errorf("coordinator: %w", errors.Join(err, s.desk.journal.Close()))
	}
	s.tasks.Go(s.run)
	return s, nil
}

// restore makes the machine from the journal, and the journal anew from the machine.
func (s *Server) restore() error {
	j, lines, cut, err := journal.Open(s.cfg.StateDir)
	if err != nil {
		return err
	}
	if cut > 0 {
		s.log.Warn("the journal's last record was cut off, as a crash does", "bytes", cut)
	}
	s.desk.journal = j
	records := make([]Record, len(lines))
	for i, line := range lines {
		if records[i], err = DecodeRecord(line); err != nil {
			return errors.Join(fmt.Errorf("journal %s, record %d: %w", j.Path(), i+1, err), j.Close())
		}
	}
	s.desk.machine, err = NewMachine(time.Now(), MachineConfig{
		Cluster: auth.NewCluster(), Build: s.cfg.Build, Timing: s.cfg.Timing, Restarts: s.cfg.Restarts,
	}, records)
	if err != nil {
		return errors.Join(fmt.Errorf("journal %s: %w", j.Path(), err), j.Close())
	}
	// What the machine wants appended so far is in the snapshot, and nobody is connected to be told anything.
	actions := slices.DeleteFunc(s.desk.machine.Actions(), func(a Action) bool { _, ok := a.(Append); return ok })
	if err := s.desk.rewrite(); err != nil {
		return errors.Join(err, j.Close())
	}
	for _, a := range actions {
		s.do(a)
	}
	return nil
}

// rewrite makes the journal as short as it can be.
func (d *desk) rewrite() error {
	var lines [][]byte
	for _, r := range d.machine.Snapshot() {
		line, err := EncodeRecord(r)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	if err := d.journal.Rewrite(lines); err != nil {
		return err
	}
	d.compact = max(compactMin, 2*d.journal.Size())
	return nil
}

// listen begins to take connections of workers.
func (s *Server) listen() error {
	l, err := auth.Listen(context.Background(), s.cfg.Listen)
	if err != nil {
		return err
	}
	s.addr = auth.AddressOf(l.Addr()).String()
	s.acceptor, err = auth.Serve(l, auth.Config{
		Secret: s.cfg.Secret, Logger: s.log, Handle: s.welcome,
		Hello:  auth.Hello{Cluster: s.desk.machine.Cluster(), Incarnation: rand.Uint64() | 1},
		Policy: auth.Policy{Newcomers: true, Purposes: []wire.Purpose{wire.PurposeControl}},
	})
	return err
}

// Addr is where workers connect.
func (s *Server) Addr() string { return s.addr }

// Done is closed when the coordinator has ended, by Close or because its journal could not be written.
func (s *Server) Done() <-chan struct{} { return s.dead }

// Err is why the coordinator has ended by itself. It is nil before that, and after Close.
func (s *Server) Err() error {
	select {
	case <-s.dead:
		return s.err
	default:
		return nil
	}
}

// Close ends the coordinator. Workers and their jobs go on; they register again with the next one.
func (s *Server) Close() error {
	var errs []error
	s.once.Do(func() {
		errs = append(errs, s.acceptor.Close())
		close(s.stop)
		s.halt()
		s.tasks.Wait()
		errs = append(errs, s.err, s.desk.journal.Close())
	})
	return errors.Join(errs...)
}

// run is the desk.
func (s *Server) run() {
	defer close(s.dead)
	defer s.open.close(func(c *control.Conn) { s.tasks.Go(func() { s.closeConn(c) }) })
	ticker := time.NewTicker(s.cfg.Timing.Tick())
	defer ticker.Stop()
	for {
		var batch []errand
		tick := false
		select {
		case <-s.stop:
			return
		case e := <-s.inbox:
			batch = append(batch, e)
		case <-ticker.C:
			tick = true
		}
		if err := s.work(batch, tick); err != nil {
			s.err = err
			s.log.Error("the coordinator ends: it cannot keep its journal", "error", err)
			return
		}
	}
}

// work does a batch and whatever else is waiting, then all that the machine wants because of it, with one sync for all. A tick
// comes last: it must not find silent whom the desk has not listened to.
func (s *Server) work(batch []errand, tick bool) error {
	for len(s.inbox) > 0 && len(batch) < inboxMax {
		batch = append(batch, <-s.inbox)
	}
	now := time.Now()
	for _, e := range batch {
		e.do(&s.desk, now)
	}
	if tick {
		s.desk.machine.Tick(now)
	}
	if err := s.act(); err != nil {
		return err
	}
	for _, e := range batch {
		if e.done != nil {
			close(e.done)
		}
	}
	return nil
}

// act does what the machine wants.
func (s *Server) act() error {
	actions := s.desk.machine.Actions()
	for _, a := range actions {
		if a, ok := a.(Append); ok {
			line, err := EncodeRecord(a.Record)
			if err != nil {
				return err
			}
			if err := s.desk.journal.Append(line); err != nil {
				return err
			}
		}
	}
	if err := s.desk.journal.Sync(); err != nil {
		return err
	}
	for _, a := range actions {
		s.do(a)
	}
	if s.desk.journal.Size() > s.desk.compact {
		return s.desk.rewrite()
	}
	return nil
}

// do does what does not concern the journal.
func (s *Server) do(a Action) {
	switch a := a.(type) {
	case Send:
		s.send(a.Conn, a.Message)
	case Close:
		if c := s.desk.conns[a.Conn]; c != nil {
			s.tasks.Go(func() { s.closeConn(c) }) // it may take a while until the peer has read the last message
		}
	case Probe:
		s.tasks.Go(func() { s.probe(a) })
	case Notify:
		s.notify(a.Event)
	}
}

// notify tells an event to the log, and to those who wait for something to happen.
func (s *Server) notify(e Event) {
	level := slog.LevelInfo
	switch e.Kind {
	case ReassignmentGivenUp, CoordinatorLate, WorkerRefused, WorkerDisconnected, WorkerLost, WorkerFenced, LinkBroken, JobRecovering, RecoveryDelayed, JobFailing, JobFailed:
		level = slog.LevelWarn
	case PartDeployed, PartEnded, ReassignmentRegistered, ReassignmentRestored:
		level = slog.LevelDebug
	}
	s.log.LogAttrs(context.Background(), level, string(e.Kind), e.attrs()...)
	s.changedMu.Lock()
	defer s.changedMu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// post puts something on the desk; false if there is no desk any more.
func (s *Server) post(do func(d *desk, now time.Time)) bool {
	return s.put(context.Background(), errand{do: do}) == nil
}

func (s *Server) put(ctx context.Context, e errand) error {
	select {
	case <-s.stop:
		return errStopping
	case <-s.dead:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	case s.inbox <- e:
		return nil
	}
}

// ask has the desk do something and waits until it is done, and what follows from it is on disk. ctx bounds the wait for the
// desk's attention only.
func (s *Server) ask(ctx context.Context, do func(d *desk, now time.Time)) error {
	e := errand{do, make(chan struct{})}
	if err := s.put(ctx, e); err != nil {
		return err
	}
	select {
	case <-e.done:
		return nil
	case <-s.dead:
		return errStopping
	}
}

var errStopping = errorf(Unavailable, "the coordinator is stopping")
