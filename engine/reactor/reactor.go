package reactor

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// ErrStopped is what Enroll returns once Stop has been called, and what connections end with that Stop closes.
var ErrStopped = errors.New("reactor is stopped")

// Work is passive: it is stepped, on the loop, whenever there may be something for it to do.
type Work interface {
	// Step does what can be done now, for at most some 100 µs, and says whether it did anything. If it did not, there will be
	// nothing to do before until either, as long as nothing arrives: Never, if only an arrival can change that. now and until
	// are times since the reactor's start.
	Step(now time.Duration) (worked bool, until time.Duration)
}

// Reactor is an event loop of its own. Its methods may be called from any goroutine except where they say otherwise.
type Reactor struct {
	cfg    Config
	start  time.Time
	client *gnet.Client
	bell   bell
	rung   atomic.Int32 // why the bell has been rung, if no turn has begun since
	tasks  queue        // what Do was given

	enrolling sync.RWMutex // held, shared, while gnet waits for the loop to take a connection
	closed    bool         // no connection is enrolled any more; guarded by enrolling

	stop   sync.Once
	asked  chan struct{} // closed: Stop was called
	ending atomic.Bool   // the next turn is the last
	last   chan struct{} // closed: the last turn is over
	done   chan struct{} // closed: everything has ended

	loopState
}

// loopState belongs to the loop's goroutine.
type loopState struct {
	id uint64 // of the goroutine; set before Start returns

	busy      bool    // inside of one of gnet's calls, so that what it calls in turn is nested
	ended     bool    // the last turn is over
	later     []*conn // those whose handlers have to be told something when the one that runs has returned
	blocked   []*conn // those that had something pending when they were last written to
	works     []Work  // nil where one was removed during a step
	stepping  bool
	fruitless int           // looks in a row that found nothing to do
	until     time.Duration // what the last step has returned
	armed     time.Duration // what the alarm was last set for; Never: it was taken back
	slept     bool          // the loop has blocked since the last step
	yielded   time.Duration // when the processor was last offered to others
}

// Start starts an event loop. It has to be stopped.
func Start(cfg Config) (*Reactor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("reactor %s: %w", cfg.Name, err)
	}
	cfg = cfg.withDefaults()
	r := &Reactor{
		cfg: cfg, start: time.Now(), loopState: loopState{armed: Never},
		asked: make(chan struct{}), last: make(chan struct{}), done: make(chan struct{}),
	}
	if err := r.open(); err != nil {
		return nil, fmt.Errorf("reactor %s: %w", cfg.Name, err)
	}
	go r.supervise()
	return r, nil
}

func (r *Reactor) open() (err error) {
	r.client, err = gnet.NewClient(&events{r: r},
		gnet.WithNumEventLoop(1),
		gnet.WithReadBufferCap(r.cfg.ReadBytes),
		gnet.WithLogger(gnetLog{r.cfg.Logger.With("reactor", r.cfg.Name)}),
	)
	if err != nil {
		return err
	}
	if err = r.client.Start(); err != nil {
		return err
	}
	if r.bell, err = openBell(r.client, r.Wake, r.cfg.plainBell); err != nil {
		return errors.Join(fmt.Errorf("the bell that wakes the loop: %w", err), r.client.Stop())
	}
	return nil
}

// Now is the time since the reactor's start.
func (r *Reactor) Now() time.Duration { return time.Since(r.start) }

// Wake has all work stepped soon, by steps that see what the caller has written before. It costs an atomic swap where that is
// due anyway, else it rings the bell: a system call. After Stop it does nothing.
func (r *Reactor) Wake() {
	if r.rung.Swap(toStep) == silent { // to look first would be cheaper, and order nothing
		r.bell.ring()
	}
}

// look has the loop look at the network and come back, though nobody has anything to be done.
func (r *Reactor) look() {
	if r.rung.CompareAndSwap(silent, toLook) {
		r.bell.ring()
	}
}

// Why the bell has been rung.
const (
	silent = iota // it has not
	toLook        // by the loop, so that the network is polled before it blocks
	toStep        // so that all work is stepped
)

// Do runs fn on the loop, soon, and then steps all work. Functions run in the order in which they were given. It says whether
// fn will be run: not after Stop, unless Stop found it waiting. Who waits for fn must not be on the loop.
func (r *Reactor) Do(fn func()) bool {
	if !r.tasks.put(fn) {
		return false
	}
	r.Wake()
	return true
}

// Add has w stepped from now on. It must be called on the loop.
func (r *Reactor) Add(w Work) {
	r.mustBeLoop("Add")
	r.works = append(r.works, w)
	r.Wake()
}

// Remove ends what Add began: w is not stepped any more, also if it is w itself that removes it, or other work during a step.
// It must be called on the loop. w has to be comparable; what was not added is ignored.
func (r *Reactor) Remove(w Work) {
	r.mustBeLoop("Remove")
	for i, other := range r.works {
		if other != w {
			continue
		}
		r.works[i] = nil
		if !r.stepping {
			r.compact()
		}
		return
	}
}

// Stop runs what Do has accepted, closes all connections with ErrStopped and ends the loop. It returns when all of that is
// done and no goroutine is left. It may be called any number of times.
//
// On the loop, that is by Work, a Handler or a function given to Do, it returns at once, since it would wait for its caller.
// All the same it happens, as soon as they have returned. Two reactors must not stop each other from their loops.
func (r *Reactor) Stop() {
	r.stop.Do(func() { close(r.asked) })
	if !r.onLoop() {
		<-r.done
	}
}

// supervise ends the reactor when it is asked to. Since the loop cannot join itself, that takes another goroutine.
func (r *Reactor) supervise() {
	<-r.asked
	r.enrolling.Lock() // gnet would wait for ever for a loop that has ended
	r.closed = true
	r.enrolling.Unlock()
	r.ending.Store(true)
	r.Wake()
	<-r.last
	if err := r.client.Stop(); err != nil {
		r.cfg.Logger.Error("event loop has ended with an error", "reactor", r.cfg.Name, "error", err)
	}
	r.bell.close()
	close(r.done)
}
