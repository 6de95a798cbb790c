package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/coordinator"
)

// LocalConfig says what a local cluster is.
type LocalConfig struct {
	// Workers is the number of worker processes, 1 to 64.
	Workers int
	// Loops is the number of event loops of each; 0 for one.
	Loops int
	// Network is what data goes over: "tcp" (the default) or "unix".
	Network string
	// Memory bounds the slab memory of a job on each worker, in bytes; 0 for no bound.
	Memory int64
	// HeartbeatTimeout is after how long a silent worker is lost; 0 for LocalHeartbeatTimeout.
	HeartbeatTimeout time.Duration
	// Respawn starts another worker for each one that ends though nobody has asked it to, for jobs that recover. Otherwise such
	// an end is an error of Close.
	Respawn bool
	// Programs and Build are those of the binary, which the workers are too.
	Programs []engine.Program
	Build    control.Build
	// Command starts a worker: path and leading arguments, to which --coordinator, --listen, --loops, --memory and --until-eof
	// are added. Empty for the running binary with the argument "worker".
	Command []string
	// Output takes what workers write; nil for standard error.
	Output io.Writer
	Logger *slog.Logger
}

// LocalHeartbeatTimeout is the default of LocalConfig.HeartbeatTimeout: workers of one machine share its cores, and may be
// kept from them for a while.
const LocalHeartbeatTimeout = 2 * time.Second

const (
	// LocalWorkersMax is how many workers a local cluster may have: more than any one machine keeps busy.
	LocalWorkersMax = 64

	localReport          = 250 * time.Millisecond
	registrationPatience = 30 * time.Second
	stopPatience         = 3 * time.Second

	// Pause before a worker is started for one that has ended, if that has not lived for long; it doubles each time.
	respawnPause    = 50 * time.Millisecond
	respawnPauseMax = 5 * time.Second
	livedLong       = 2 * time.Second
)

// Validate reports every problem at once.
func (c LocalConfig) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Workers < 1 || c.Workers > LocalWorkersMax {
		fail("Workers is %d, want 1 to %d", c.Workers, LocalWorkersMax)
	}
	if c.Loops < 0 {
		fail("Loops is %d, want 0 (one for each worker) or a positive number", c.Loops)
	}
	if c.Network != "" && c.Network != "tcp" && c.Network != "unix" {
		fail("Network is %q, want tcp or unix", c.Network)
	}
	return errors.Join(errs...)
}

func (c LocalConfig) withDefaults() LocalConfig {
	if c.Loops == 0 {
		c.Loops = 1
	}
	if c.HeartbeatTimeout == 0 {
		c.HeartbeatTimeout = LocalHeartbeatTimeout
	}
	if c.Output == nil {
		c.Output = os.Stderr
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Local is a cluster of worker processes on this machine, and their coordinator in this process.
type Local struct {
	*coordinator.Server
	Secret  auth.Secret
	cfg     LocalConfig
	dir     string
	alive   *os.File // locked, in dir
	spawner *spawner
	spawned atomic.Int32  // workers, so far
	closing chan struct{} // closed once nothing is to be started any more
	keepers sync.WaitGroup

	mu      sync.Mutex
	workers []*Spawned // guarded by mu
}

// StartLocal starts a cluster and waits until its workers have registered. It is to be closed.
func StartLocal(ctx context.Context, cfg LocalConfig) (*Local, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("local cluster: %w", err)
	}
	l := &Local{cfg: cfg.withDefaults(), Secret: auth.NewSecret(), closing: make(chan struct{})}
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("local cluster: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

func (l *Local) open(ctx context.Context) (err error) {
	sweep(os.TempDir(), time.Now())
	if l.dir, l.alive, err = makeDir(); err != nil {
		return err
	}
	l.Server, err = coordinator.Start(coordinator.Config{
		Listen: "unix://" + filepath.Join(l.dir, "coordinator.sock"), StateDir: filepath.Join(l.dir, "journal"), Secret: l.Secret,
		Programs: l.cfg.Programs, Build: l.cfg.Build, Logger: l.cfg.Logger,
		Timing: coordinator.Timing{HeartbeatTimeout: l.cfg.HeartbeatTimeout, Report: localReport},
	})
	if err != nil {
		return err
	}
	l.spawner = newSpawner()
	for range l.cfg.Workers {
		if _, err := l.spawn(); err != nil {
			return err
		}
	}
	if err := l.await(ctx); err != nil || !l.cfg.Respawn {
		return err
	}
	for _, w := range l.Processes() {
		l.keepers.Go(func() { l.keep(w) })
	}
	return nil
}

// keep starts another worker whenever one has ended, until the cluster is closed.
func (l *Local) keep(w *Spawned) {
	pause := respawnPause
	for {
		began := time.Now()
		select {
		case <-l.closing:
			return
		case <-w.Done():
		}
		if time.Since(began) > livedLong {
			pause = respawnPause
		}
		l.cfg.Logger.Warn("a worker process has ended; another one is started", "pid", w.PID(), "after", time.Since(began))
		for next := (*Spawned)(nil); next == nil; pause = min(2*pause, respawnPauseMax) {
			select {
			case <-l.closing:
				return
			case <-time.After(pause):
			}
			var err error
			if next, err = l.spawn(); err != nil {
				l.cfg.Logger.Error("a worker could not be started", "error", err)
				continue
			}
			w = next
		}
	}
}

// spawn starts a worker.
func (l *Local) spawn() (*Spawned, error) {
	command := l.cfg.Command
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command = []string{self, "worker"}
	}
	listen := "tcp://127.0.0.1:0"
	if l.cfg.Network == "unix" {
		listen = "unix://" + filepath.Join(l.dir, fmt.Sprintf("worker-%d.sock", l.spawned.Add(1)))
	}
	args := append(command[1:len(command):len(command)],
		"--coordinator", l.Server.Addr(), "--listen", listen, "--loops", strconv.Itoa(l.cfg.Loops), "--until-eof")
	if l.cfg.Memory > 0 {
		args = append(args, "--memory", strconv.FormatInt(l.cfg.Memory, 10))
	}
	w, err := l.spawner.spawn(command[0], args, []string{auth.SecretEnv + "=" + l.Secret.Reveal()}, l.cfg.Output)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.workers = append(l.workers, w)
	return w, nil
}

// await waits until all workers have registered.
func (l *Local) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registrationPatience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		info, err := l.Server.Info(ctx)
		if err != nil {
			return err
		}
		if info.Workers[coordinator.WorkerReady] >= l.cfg.Workers {
			return nil
		}
		for _, w := range l.Processes() {
			select {
			case <-w.Done():
				return errors.New("a worker has ended before it registered")
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d workers have registered: %w", info.Workers[coordinator.WorkerReady], l.cfg.Workers, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Runner runs programs on all workers of the cluster.
func (l *Local) Runner() Runner { return Runner{Manager: l.Server} }

// Processes are the workers, in the order in which they were started, those that have ended included.
func (l *Local) Processes() []*Spawned {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.workers)
}

// Close ends the workers and the coordinator, and removes what they had on disk. Workers that had ended by themselves are an
// error: that is for nobody else to do.
func (l *Local) Close() error {
	close(l.closing)
	l.keepers.Wait()
	var errs []error
	if !l.cfg.Respawn {
		errs = l.casualties()
	}
	workers := l.Processes()
	for _, w := range workers {
		_ = w.stdin.Close() // all at once; one that has ended does not mind
	}
	for _, w := range workers {
		w.stop(stopPatience)
	}
	if l.spawner != nil {
		l.spawner.close()
		l.spawner = nil
	}
	if l.Server != nil {
		errs = append(errs, l.Server.Close())
	}
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	if l.alive != nil {
		errs = append(errs, l.alive.Close())
	}
	return errors.Join(errs...)
}

// casualties says which workers have ended though nobody has asked them to.
func (l *Local) casualties() (errs []error) {
	for _, w := range l.Processes() {
		select {
		case <-w.Done():
			how := "exit status 0"
			if err := w.Err(); err != nil {
				how = err.Error()
			}
			errs = append(errs, fmt.Errorf("worker process %d has ended by itself: %s", w.PID(), how))
		default:
		}
	}
	return errs
}
