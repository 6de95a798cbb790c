package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fullspate/spate/wire"
)

const (
	// PendingDefault is how many unauthenticated connections an Acceptor holds where nothing else is said. Ten workers of
	// four loops each, for a job that has begun, open 160 at once to a worker of four loops.
	PendingDefault = 256
	// pauseMin and pauseMax bound the pause after accept has failed: long enough not to spin, short enough that a worker
	// which is waited for is not given up.
	pauseMin = 5 * time.Millisecond
	pauseMax = time.Second
)

// Config is what an Acceptor needs to know.
type Config struct {
	Secret  Secret
	Hello   Hello         // what this process says of itself; see SetHello
	Policy  Policy        // whom it lets in
	Pending int           // unauthenticated connections held at once, at least 1; 0: PendingDefault
	Timeout time.Duration // for a whole handshake; 0: TimeoutDefault
	// Handle takes an authenticated connection. It is called on several goroutines at once, and its connection counts as
	// pending until it returns: it should hand over and return. It must not call Close.
	Handle func(conn net.Conn, peer Peer)
	Logger *slog.Logger // nil: silent
}

// Validate reports every problem of the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Secret.IsZero() {
		errs = append(errs, ErrNoSecret)
	}
	if _, err := c.Hello.encode(wire.Acceptor); err != nil {
		errs = append(errs, err)
	}
	if c.Pending < 0 {
		errs = append(errs, fmt.Errorf("pending of %d connections: want at least 1, or 0 for %d", c.Pending, PendingDefault))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout of %v: want more than 0, or 0 for %v", c.Timeout, TimeoutDefault))
	}
	if c.Handle == nil {
		errs = append(errs, errors.New("no Handle: want a function that takes connections"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Pending == 0 {
		c.Pending = PendingDefault
	}
	if c.Timeout == 0 {
		c.Timeout = TimeoutDefault
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Acceptor accepts connections and hands on those that authenticate themselves. Its methods may be called from any
// goroutine.
type Acceptor struct {
	cfg      Config
	listener net.Listener
	hello    atomic.Pointer[Hello]
	ctx      context.Context // done once Close has begun, with a refusal as its cause
	cancel   context.CancelCauseFunc
	joined   sync.WaitGroup

	slots   chan struct{} // holds one token for each pending connection
	queue   queue         // those of them that are not authenticated
	crowded *Refused      // what is said to who has to make room
	spare   spare         // of the accepting goroutine

	accepted atomic.Uint64
	failures atomic.Uint64
	refusals *refusals
}

// Serve starts to accept connections from a listener, which the Acceptor takes and closes.
func Serve(listener net.Listener, cfg Config) (*Acceptor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("acceptor: %w", err)
	}
	cfg = cfg.withDefaults()
	a := &Acceptor{cfg: cfg, listener: listener, slots: make(chan struct{}, cfg.Pending), refusals: newRefusals(cfg.Logger)}
	a.crowded = refuse(TooMany, "%d connections wait to be authenticated, and this one has waited longest: try again", cfg.Pending)
	a.hello.Store(&cfg.Hello)
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	a.spare.refill()
	a.joined.Go(a.run)
	return a, nil
}

// SetHello changes what the process says of itself from the next handshake on: a worker learns its cluster only when it has
// registered.
func (a *Acceptor) SetHello(h Hello) error {
	if _, err := h.encode(wire.Acceptor); err != nil {
		return err
	}
	a.hello.Store(&h)
	return nil
}

// Close stops accepting, refuses and closes the connections that are half done, and returns when no goroutine is left. After
// that Handle is not called any more.
func (a *Acceptor) Close() error {
	a.cancel(refuse(Stopping, "the process no longer accepts connections"))
	err := a.listener.Close()
	a.joined.Wait()
	if errors.Is(err, net.ErrClosed) { // closed before, by whoever
		return nil
	}
	return err
}

// run accepts until the listener is closed.
func (a *Acceptor) run() {
	defer a.spare.close()
	pause := pauseMin
	for {
		conn, err := a.listener.Accept()
		switch {
		case err == nil:
			pause = pauseMin
			a.welcome(conn)
			continue
		case errors.Is(err, net.ErrClosed), a.ctx.Err() != nil:
			return
		}
		a.failures.Add(1)
		a.refusals.acceptFailed(err)
		if noDescriptors(err) && a.spare.spend() {
			continue // there is one now, enough to say no to whoever comes
		}
		select {
		case <-a.ctx.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, pauseMax)
		}
	}
}

// noDescriptors reports whether the process, or the machine, has no file descriptor left.
func noDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// welcome begins the handshake of a connection, if there is room or room can be made.
func (a *Acceptor) welcome(conn net.Conn) {
	if !a.spare.refill() {
		a.turnAway(conn, refuse(TooMany, "the process has no file descriptors left: raise its limit (ulimit -n), or try again"))
		a.spare.refill()
		return
	}
	select {
	case a.slots <- struct{}{}:
	default:
		if !a.queue.evict(a.crowded) {
			a.turnAway(conn, refuse(TooMany, "%d authenticated connections have not been taken yet: try again", a.cfg.Pending))
			return
		}
		a.slots <- struct{}{} // who was evicted ends at once
	}
	t := a.queue.enter(a.ctx)
	a.joined.Go(func() { a.authenticate(conn, t) })
}

// turnAway refuses a connection without reading from it.
func (a *Acceptor) turnAway(conn net.Conn, r *Refused) {
	tell(conn, r)
	a.refusals.refused(peerName(conn), r)
	_ = conn.Close() // nothing was sent but the refusal
}

// authenticate takes one connection through its handshake.
func (a *Acceptor) authenticate(conn net.Conn, t *ticket) {
	defer func() { <-a.slots }()
	peer, err := a.shake(t.ctx, conn)
	if off := a.queue.leave(t); err == nil {
		err = off
	}
	if err != nil {
		a.refusals.refused(peerName(conn), err)
		_ = conn.Close() // it was of no use
		return
	}
	a.accepted.Add(1)
	a.cfg.Handle(conn, peer)
}

func (a *Acceptor) shake(ctx context.Context, conn net.Conn) (Peer, error) {
	ctx, done := context.WithTimeout(ctx, a.cfg.Timeout)
	defer done()
	return Server(ctx, conn, a.cfg.Secret, *a.hello.Load(), a.cfg.Policy)
}

// Stats counts what an Acceptor has done since it was started.
type Stats struct {
	Accepted uint64            // connections handed to Handle
	Pending  int               // connections under way now
	Refused  map[Reason]uint64 // connections refused, for each reason that there was
	Declined uint64            // connections that the peer gave up by a refusal of its own
	Failures uint64            // times that accepting itself failed, for want of file descriptors for instance
}

// Stats returns the counters. The map is the caller's.
func (a *Acceptor) Stats() Stats {
	s := Stats{Accepted: a.accepted.Load(), Pending: len(a.slots), Failures: a.failures.Load()}
	s.Refused, s.Declined = a.refusals.counts()
	return s
}
