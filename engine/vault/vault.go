package vault

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/internal/background"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
)

// TimeOutDefault is how long a peer may be silent in the middle of a transfer where nothing else is said: much longer than a
// saturated machine keeps one waiting, which is half a second.
const TimeOutDefault = 5 * time.Second

// Config says how much a Vault keeps.
type Config struct {
	Logger *slog.Logger // nil: silent
	// Budget bounds the bytes of encoded checkpoints over all jobs, those that are arriving included; 0: without bound.
	Budget int64
	// TimeOut is how long 256 KiB of a checkpoint may take on their way; 0: TimeOutDefault.
	TimeOut time.Duration
}

// Vault is what one worker keeps for others: for each job checkpoints in memory, and who may write of which task. Its methods
// may be called from any goroutine.
type Vault struct {
	cfg    Config
	budget *ft.Budget
	folder *folder
	server *http.Server
	conns  *listener
	served chan struct{} // closed once no connection is accepted any more
	cancel context.CancelFunc
	joined sync.WaitGroup // the folder, and each connection

	mu   sync.Mutex
	jobs map[string]*job
}

// New makes an empty one, which serves whom Serve is given.
func New(cfg Config) *Vault {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.TimeOut <= 0 {
		cfg.TimeOut = TimeOutDefault
	}
	v := &Vault{
		cfg: cfg, budget: ft.NewBudget(cfg.Budget), folder: newFolder(cfg.Logger), conns: newListener(), served: make(chan struct{}),
		jobs: make(map[string]*job),
	}
	v.server = v.newServer()
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel = cancel
	v.joined.Go(func() { background.Run(func() { v.folder.run(ctx) }) })
	go func() {
		defer close(v.served)
		_ = v.server.Serve(v.conns) // it ends with Stop, and says no more than that
	}()
	return v
}

// Serve takes an authenticated connection and answers what comes over it until it ends. It returns at once.
func (v *Vault) Serve(nc net.Conn, from auth.Peer) {
	if from.Purpose != wire.PurposeBackup {
		v.cfg.Logger.Debug("connection refused", "from", from.Addr, "purpose", from.Purpose, "want", wire.PurposeBackup)
		_ = nc.Close() // it was of no use
		return
	}
	v.conns.give(&conn{Conn: nc, from: from})
}

// Open begins to keep checkpoints of a job; nothing changes if it has begun.
func (v *Vault) Open(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.jobs[name] != nil {
		return
	}
	store, err := ft.NewMemory(ft.MemoryConfig{Shared: v.budget})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	v.jobs[name] = &job{name: name, store: store}
}

// Owners says which incarnation runs each task of a job by the newest order: once it has returned only these may put
// checkpoints, each of its tasks. Besides them readers may ask what there is of a task: those whose tasks are to take over from
// it. Checkpoints of tasks that nobody runs any more are forgotten, others stay. Nothing happens if the job is not open.
func (v *Vault) Owners(name string, owners map[ft.TaskID]uint64, readers map[ft.TaskID][]uint64) {
	if j := v.job(name); j != nil {
		j.own(owners, readers)
	}
}

// Close forgets a job and its checkpoints. It is right if there is none.
func (v *Vault) Close(name string) {
	v.mu.Lock()
	j := v.jobs[name]
	delete(v.jobs, name)
	v.mu.Unlock()
	if j != nil {
		j.close()
	}
}

// Bytes is what of the budget is used: encoded checkpoints, those that are arriving included.
func (v *Vault) Bytes() int64 { return v.budget.Used() }

// Tasks tells of the newest checkpoint of each task of a job, by operator and range; nothing if the job is not known.
func (v *Vault) Tasks(name string) []ft.Info {
	if j := v.job(name); j != nil {
		return j.newest()
	}
	return nil
}

// Stop ends all connections, and returns when no goroutine is left. What was kept can still be looked at.
func (v *Vault) Stop() {
	v.cancel()
	_ = v.server.Close() // of our own listener, which has no errors, and of connections that are of no more use
	<-v.served
	_ = v.server.Close() // of a connection that was accepted meanwhile
	v.joined.Wait()
}

func (v *Vault) job(name string) *job {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.jobs[name]
}

// admit says whether an incarnation may put checkpoints of a task of a job now.
func (v *Vault) admit(name string, id ft.TaskID, from uint64) error {
	j := v.job(name)
	if j == nil {
		return &UnknownError{Job: name, Task: id}
	}
	return j.admit(id, from)
}

// put takes a checkpoint from an incarnation.
func (v *Vault) put(ctx context.Context, name string, from uint64, k checkpoint.Kept) error {
	j := v.job(name)
	if j == nil {
		return &UnknownError{Job: name, Task: k.Task}
	}
	if err := j.put(ctx, from, k); err != nil {
		return err
	}
	v.folder.add(j, k.Task)
	return nil
}

// list tells an incarnation what of a task that it is to run can be had. Of a job that is not open there is nothing.
func (v *Vault) list(ctx context.Context, name string, from uint64, id ft.TaskID) ([]ft.Info, error) {
	if j := v.job(name); j != nil {
		return j.list(ctx, from, id)
	}
	return nil, nil
}

// get returns an encoded checkpoint, folded, which must not be changed.
func (v *Vault) get(ctx context.Context, name string, id ft.TaskID, gen uint64) (encoded []byte, err error) {
	j := v.job(name)
	if j == nil {
		return nil, ft.ErrNotFound
	}
	background.Run(func() { encoded, err = j.store.Encoded(ctx, id, gen) })
	return encoded, err
}
