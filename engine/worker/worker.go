package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/reactor"
	"github.com/fullspate/spate/engine/vault"
	"github.com/fullspate/spate/wire"
)

// Worker is a worker process. The goroutine in Run, its desk, owns all of it but what is guarded by mu.
type Worker struct {
	cfg         Config
	log         *slog.Logger
	programs    map[string]engine.Program
	incarnation uint64
	id          string                 // given by the coordinator
	cluster     string                 // learned from the coordinator
	clusterID   atomic.Pointer[string] // the same, for other goroutines
	epoch       uint64                 // the highest coordinator's that has been seen
	addr        string                 // for data connections
	reactors    []*reactor.Reactor
	acceptor    *auth.Acceptor
	vault       *vault.Vault  // checkpoints of other workers' tasks
	backups     *vault.Client // the way to theirs
	jobs        map[string]*job
	session     *session        // with the coordinator; nil while there is none
	over        error           // why the worker is to end
	quit        <-chan struct{} // closed when the worker is to end

	mu    sync.Mutex
	desk  []func()      // guarded by mu
	ring  chan struct{} // there is something on the desk
	tasks sync.WaitGroup
}

// Run runs a worker until ctx is done or the coordinator ends it, and returns an error if it could not do its work: its
// listener could not be opened, or the coordinator has refused it. It makes connections to the coordinator for as long as
// it lives.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w := &Worker{
		cfg: cfg.withDefaults(), incarnation: rand.Uint64() | 1, jobs: map[string]*job{}, ring: make(chan struct{}, 1),
		programs: map[string]engine.Program{},
	}
	w.log, w.id = w.cfg.Logger, w.cfg.ID
	w.clusterID.Store(new(string))
	for _, p := range w.cfg.Programs {
		w.programs[p.Name] = p
	}
	if err := w.open(ctx); err != nil {
		return fmt.Errorf("worker: %w", errors.Join(err, w.close()))
	}
	ctx, cancel := context.WithCancel(ctx)
	w.quit = ctx.Done()
	w.tasks.Go(func() { w.keepSession(ctx) })
	err := w.serve(ctx)
	cancel()
	return errors.Join(err, w.close())
}

// open starts the loops and listens for data connections.
func (w *Worker) open(ctx context.Context) error {
	if n, err := reactor.RaiseFileLimit(); err != nil {
		w.log.Warn("the limit of open files could not be raised", "limit", n, "error", err)
	}
	w.vault = vault.New(vault.Config{Logger: w.log, Budget: w.cfg.Memory})
	w.backups = vault.NewClient(vault.ClientConfig{
		Secret: w.cfg.Secret, Own: w.vault, BytesPerSecond: backupBytesPerSecond, Logger: w.log,
		Hello: func() auth.Hello { return auth.Hello{Cluster: *w.clusterID.Load(), Incarnation: w.incarnation} },
	})
	for i := range w.cfg.Loops {
		r, err := reactor.Start(reactor.Config{
			Name: fmt.Sprintf("loop-%d", i), Logger: w.log,
			OnPanic: func(v any, stack []byte) { w.log.Error("panic on a loop", "panic", v, "stack", string(stack)) },
		})
		if err != nil {
			return err
		}
		w.reactors = append(w.reactors, r)
	}
	l, err := auth.Listen(ctx, w.cfg.Listen)
	if err != nil {
		return fmt.Errorf("data address: %w", err)
	}
	w.addr = auth.AddressOf(l.Addr()).String()
	if w.cfg.Advertise != "" {
		w.addr = w.cfg.Advertise
	}
	if w.acceptor, err = auth.Serve(l, auth.Config{
		Secret: w.cfg.Secret,
		Hello:  auth.Hello{Incarnation: w.incarnation},
		Policy: auth.Policy{Purposes: []wire.Purpose{wire.PurposeData, wire.PurposeBackup}},
		Handle: func(nc net.Conn, from auth.Peer) {
			if from.Purpose == wire.PurposeBackup {
				w.vault.Serve(nc, from)
				return
			}
			w.post(func() { w.accept(nc, from) })
		},
		Logger: w.log,
	}); err != nil {
		return errors.Join(err, l.Close())
	}
	return nil
}

// serve is the desk: it does what is posted until the worker is to end.
func (w *Worker) serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.ring:
		}
		w.mu.Lock()
		todo := w.desk
		w.desk = nil
		w.mu.Unlock()
		for _, do := range todo {
			do()
		}
		if w.over != nil {
			if errors.Is(w.over, errShutdown) {
				return nil
			}
			return w.over
		}
	}
}

// post puts something on the desk. It never waits; any goroutine may call it.
func (w *Worker) post(do func()) {
	w.mu.Lock()
	w.desk = append(w.desk, do)
	w.mu.Unlock()
	select {
	case w.ring <- struct{}{}:
	default:
	}
}

// close ends everything.
func (w *Worker) close() error {
	var errs []error
	for _, j := range w.jobs {
		if !j.closed {
			j.abort(errShutdown)
		}
	}
	if w.backups != nil {
		w.backups.Stop()
	}
	if w.acceptor != nil {
		errs = append(errs, w.acceptor.Close())
	}
	if w.vault != nil {
		w.vault.Stop()
	}
	w.tasks.Wait()
	for _, r := range w.reactors {
		r.Stop()
	}
	return errors.Join(errs...)
}

var errShutdown = errors.New("the worker was shut down")

// handle does what the coordinator asks for.
func (w *Worker) handle(m control.Message) {
	if e := control.EpochOf(m); e < w.epoch {
		w.log.Warn("message of an older coordinator", "epoch", e, "known", w.epoch)
		return
	} else if e > w.epoch {
		w.epoch = e
	}
	switch m := m.(type) {
	case *control.Deploy:
		w.deploy(m)
	case *control.Start:
		if j := w.job(m.Job, m.Epoch); j != nil && j.phase == control.PhaseDeployed {
			j.start(time.Unix(0, m.At))
		}
	case *control.End:
		w.end(m)
	case *control.Release:
		if j := w.job(m.Job, m.Epoch); j != nil {
			w.forget(j)
		}
	case *control.Profile:
		w.profile(m)
	case *control.Shutdown:
		w.log.Info("shut down by the coordinator", "reason", m.Reason)
		w.over = errShutdown
	default:
		w.log.Warn("message that workers do not take", "type", fmt.Sprintf("%T", m))
	}
}

func (w *Worker) job(id string, epoch uint64) *job {
	if j := w.jobs[id]; j != nil && j.order.Epoch == epoch {
		return j
	}
	return nil
}

func (w *Worker) deploy(m *control.Deploy) {
	if old := w.jobs[m.Job]; old != nil {
		if old.order.Epoch > m.Epoch {
			return
		}
		if old.order.Epoch == m.Epoch {
			switch {
			case old.answer != nil:
				w.tell(old.answer)
			case old.latest == nil: // else it is said when the tasks are back
				w.tell(&control.Deployed{Job: m.Job, Epoch: m.Epoch})
			}
			return
		}
		if m.Recovers && !old.closed {
			w.log.Info("job carried on", "job", m.Job, "epoch", m.Epoch, "gone", m.Gone)
			old.carryOn(m)
			return
		}
		w.forget(old)
	}
	answer := &control.Deployed{Job: m.Job, Epoch: m.Epoch}
	j, err := w.newJob(m)
	if err != nil {
		w.log.Warn("job could not be deployed", "job", m.Job, "error", err)
		answer.Error = failure(w.id, err)
	} else {
		w.jobs[m.Job] = j
		w.log.Info("job deployed", "job", m.Job, "epoch", m.Epoch, "program", m.Spec.Program)
		if m.Recovers {
			j.carryOn(m)
			return // the answer is given when the tasks are back
		}
	}
	w.tell(answer)
}

func (w *Worker) end(m *control.End) {
	j := w.job(m.Job, m.Epoch)
	switch {
	case j == nil || j.phase == control.PhaseEnded:
	case m.How == control.Abort || j.phase == control.PhaseDeployed:
		w.fail(j, fmt.Errorf("aborted: %s", m.Reason))
	default:
		j.end(m.How)
		w.settle(j)
	}
}

// laneDone notes that a lane has come to its end.
func (w *Worker) laneDone(j *job) {
	j.going--
	w.settle(j)
}

// settle ends a job's part that has come to its end. One that has no task may be given some yet, until it is told to end.
func (w *Worker) settle(j *job) {
	if j.going > 0 || j.phase != control.PhaseRunning || j.durable() && len(j.own) == 0 && !j.ending {
		return
	}
	j.finish()
	w.log.Info("job ended", "job", j.order.Job)
	w.tell(j.ended)
}

// fail ends a job with an error. That is the job's failure, which the coordinator is told of, and not this worker's.
func (w *Worker) fail(j *job, err error) {
	if j.phase == control.PhaseEnded || w.jobs[j.order.Job] != j {
		return
	}
	w.log.Warn("job failed", "job", j.order.Job, "error", err)
	j.abort(err)
	w.tell(j.ended)
}

// forget gives back what a job has and drops it.
func (w *Worker) forget(j *job) {
	if !j.closed {
		j.close()
		if err := j.release(); err != nil {
			w.log.Error("closing a job", "job", j.order.Job, "error", err)
		}
	}
	delete(w.jobs, j.order.Job)
}

// backupBytesPerSecond bounds what backups take of the network: enough for 64 MiB in a quarter of a second, and a quarter of
// what a link of 10 Gbit/s carries.
const backupBytesPerSecond = 256 << 20

// pid is the process id that is told to the coordinator.
func pid() int { return os.Getpid() }
