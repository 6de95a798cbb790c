package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/ft"
)

// rateMin is the least bound in bytes per second: with less, a vault would take what waits for its turn for a peer that is
// stuck.
const rateMin = 1 << 20

// ClientConfig says who asks, and how.
type ClientConfig struct {
	Secret auth.Secret
	// Hello is called for each connection and says who this is: cluster and incarnation. The purpose is set here.
	Hello func() auth.Hello
	// Own is the vault of this process, which is asked directly; nil: there is none.
	Own *Vault
	// TimeOut is for how long nothing may move in an exchange with a host; 0: TimeOutDefault.
	TimeOut time.Duration
	// BytesPerSecond bounds what is sent by Put, over all hosts, in bursts of 64 KiB, so that backups do not take the
	// network from data; 0: no bound. Less than 1 MiB is taken for 1 MiB.
	BytesPerSecond int64
	Logger         *slog.Logger // for what of a host is damaged; nil: silent
}

// Client is one worker's way to the vaults of others. Its methods may be called from any goroutine.
type Client struct {
	cfg       ClientConfig
	transport *http.Transport
	limit     *rate.Limiter // nil: none
	ctx       context.Context
	cancel    context.CancelFunc

	mu      sync.Mutex
	stopped bool           // guarded by mu
	active  sync.WaitGroup // calls under way; added to under mu
}

// NewClient makes one. It dials when it is first asked to.
func NewClient(cfg ClientConfig) *Client {
	if cfg.TimeOut <= 0 {
		cfg.TimeOut = TimeOutDefault
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg}
	if cfg.BytesPerSecond > 0 {
		c.limit = rate.NewLimiter(rate.Limit(max(cfg.BytesPerSecond, rateMin)), burstBytes)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.transport = c.newTransport()
	return c
}

// Stop ends what is under way, and closes all connections.
func (c *Client) Stop() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.cancel()
	c.active.Wait()
	c.transport.CloseIdleConnections()
}

// begin starts a call, which ends with ctx or with Stop; end has to be called.
func (c *Client) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, nil, ErrStopped
	}
	c.active.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	release := context.AfterFunc(c.ctx, func() { cancel(ErrStopped) })
	return ctx, func() { release(); cancel(nil); c.active.Done() }, nil
}

// ended is why a call has ended early, nil if it has not.
func (c *Client) ended(ctx context.Context) error {
	if c.ctx.Err() != nil { // of which ctx may not have heard yet
		return ErrStopped
	}
	return context.Cause(ctx)
}

// holder is a vault, wherever it is.
type holder interface {
	put(ctx context.Context, job string, k checkpoint.Kept) error
	list(ctx context.Context, job string, id ft.TaskID) ([]ft.Info, error)
	get(ctx context.Context, job string, id ft.TaskID, gen uint64) ([]byte, error)
}

// local is the vault of this process.
type local struct {
	*Vault
	incarnation uint64
}

// put implements holder.
func (l local) put(ctx context.Context, job string, k checkpoint.Kept) error {
	return l.Vault.put(ctx, job, l.incarnation, k)
}

// list implements holder.
func (l local) list(ctx context.Context, job string, id ft.TaskID) ([]ft.Info, error) {
	return l.Vault.list(ctx, job, l.incarnation, id)
}

// holder finds the vault of a host.
func (c *Client) holder(h control.Host) holder {
	if own := c.cfg.Hello().Incarnation; c.cfg.Own != nil && h.Incarnation == own {
		return local{c.cfg.Own, own}
	}
	return remote{c, h}
}

// Put has a checkpoint kept by all hosts, which it is sent to at once, and returns nil only if all have it. Kept.Position is
// not looked at, and Kept.Encoded must not be changed any more. The error joins a *HostError for each host that has it not:
// in them are, for errors.As, the *ft.ChainError and other errors of ft.Store.Put, a *FencedError if somebody else runs the
// task, an *UnknownError where the host does not know yet who does, or what has become of the connection.
func (c *Client) Put(ctx context.Context, job string, to []control.Host, k checkpoint.Kept) error {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint %d of %v: %w", k.Generation, k.Task, err)
	}
	defer end()
	errs := make([]error, len(to))
	var puts sync.WaitGroup
	for n, h := range to {
		puts.Go(func() {
			if err := c.holder(h).put(ctx, job, k); err != nil {
				errs[n] = &HostError{h, err}
			}
		})
	}
	puts.Wait()
	return errors.Join(errs...)
}

// candidate is a checkpoint that somebody has.
type candidate struct {
	host   control.Host
	holder holder
	info   ft.Info
}

// Newest returns the newest checkpoint of a task, folded: all hosts and the own vault are asked at once what they have, and
// of that the one with the greatest position is fetched, of several the one with the highest generation; if it cannot be had,
// or is damaged, the next one. It may share memory with the own vault and must not be changed. The error is ft.ErrNotFound if
// everybody has answered and nobody has one; an *IncompleteError says that somebody has not answered, or does not know yet that
// the task is to run here: then it may be asked again.
func (c *Client) Newest(ctx context.Context, job string, from []control.Host, id ft.TaskID) (*ft.Checkpoint, error) {
	return c.newest(ctx, job, from, id, true, func(ft.Info) bool { return true })
}

// Wanted is Newest among the checkpoints that are wanted, for a task that takes over from id. It is enough that somebody has
// one, whoever does not answer.
func (c *Client) Wanted(ctx context.Context, job string, from []control.Host, id ft.TaskID, wanted func(ft.Info) bool) (*ft.Checkpoint, error) {
	return c.newest(ctx, job, from, id, false, wanted)
}

// newest fetches the best of the checkpoints that are wanted; with all only if everybody has answered.
func (c *Client) newest(ctx context.Context, job string, from []control.Host, id ft.TaskID, all bool, wanted func(ft.Info) bool) (*ft.Checkpoint, error) {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("newest checkpoint of %v: %w", id, err)
	}
	defer end()
	found, failed := c.ask(ctx, job, from, id)
	if all && len(failed) > 0 && c.ended(ctx) == nil {
		return nil, &IncompleteError{id, failed} // whoever has not answered may have the newest
	}
	for _, f := range found {
		if !wanted(f.info) {
			continue
		}
		got, err := f.fetch(ctx, job, id)
		if err == nil {
			return got, nil
		}
		c.cfg.Logger.Warn("a checkpoint cannot be had", "task", id, "generation", f.info.Generation, "worker", f.host.Worker, "error", err)
		failed = append(failed, &HostError{f.host, fmt.Errorf("checkpoint %d: %w", f.info.Generation, err)})
	}
	switch {
	case c.ended(ctx) != nil:
		return nil, fmt.Errorf("newest checkpoint of %v: %w", id, c.ended(ctx))
	case len(failed) > 0:
		return nil, &IncompleteError{id, failed}
	}
	return nil, fmt.Errorf("newest checkpoint of %v: %w", id, ft.ErrNotFound)
}

// asked returns whom to ask: the hosts, and the own vault.
func (c *Client) asked(from []control.Host) (all []candidate) {
	if c.cfg.Own != nil {
		own := c.cfg.Hello().Incarnation
		all = append(all, candidate{host: control.Host{Incarnation: own}, holder: local{c.cfg.Own, own}})
	}
	for _, h := range from {
		holder := c.holder(h)
		if _, own := holder.(local); !own {
			all = append(all, candidate{host: h, holder: holder})
		}
	}
	return all
}

// ask asks everybody what there is, and returns it, best first, and who has not answered.
func (c *Client) ask(ctx context.Context, job string, from []control.Host, id ft.TaskID) (found []candidate, failed []*HostError) {
	all := c.asked(from)
	infos, errs := make([][]ft.Info, len(all)), make([]error, len(all))
	var asking sync.WaitGroup
	for n, a := range all {
		asking.Go(func() { infos[n], errs[n] = a.holder.list(ctx, job, id) })
	}
	asking.Wait()
	for n, a := range all {
		if errs[n] != nil {
			failed = append(failed, &HostError{a.host, errs[n]})
		}
		for _, i := range infos[n] {
			found = append(found, candidate{a.host, a.holder, i})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.info.Position, a.info.Position), cmp.Compare(b.info.Generation, a.info.Generation))
	})
	return found, failed
}

// fetch gets a checkpoint and sees whether it is what it was said to be.
func (f candidate) fetch(ctx context.Context, job string, id ft.TaskID) (*ft.Checkpoint, error) {
	encoded, err := f.holder.get(ctx, job, id, f.info.Generation)
	if err != nil {
		return nil, err
	}
	c, err := ft.Decode(encoded)
	if err != nil {
		return nil, err
	}
	if c.Task() != id || c.Generation != f.info.Generation || c.Position != f.info.Position || c.Follows != 0 {
		return nil, fmt.Errorf("checkpoint %d of %v at %v, which follows %d, was sent for checkpoint %d of %v at %v",
			c.Generation, c.Task(), c.Position, c.Follows, f.info.Generation, id, f.info.Position)
	}
	return c, nil
}
