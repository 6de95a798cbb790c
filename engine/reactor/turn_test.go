package reactor

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counter is Work that counts its steps, and works in as many as it is told to.
type counter struct {
	left    int
	steps   int
	stepped chan struct{} // told of each fruitless step, if anybody listens
}

func newCounter() *counter { return &counter{stepped: make(chan struct{}, 1)} }

func (c *counter) Step(time.Duration) (bool, time.Duration) {
	c.steps++
	if c.left > 0 {
		c.left--
		return true, Never
	}
	select {
	case c.stepped <- struct{}{}:
	default:
	}
	return false, Never
}

// Work is stepped after each thing that may give it something to do, and then not any more.
func TestWhenWorkIsStepped(t *testing.T) {
	tests := []struct {
		name  string
		cause func(r *Reactor, peer net.Conn)
	}{
		{"wake", func(r *Reactor, _ net.Conn) { r.Wake() }},
		{"do", func(r *Reactor, _ net.Conn) { r.Do(func() {}) }},
		{"traffic", func(_ *Reactor, peer net.Conn) { peer.Write([]byte("x")) }},
		{"a connection that ends", func(_ *Reactor, peer net.Conn) { peer.Close() }},
	}
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				near, far := connect(t, network)
				r := start(t, cfg)
				w := newCounter()
				enroll(t, r, near, newHooks())
				on(t, r, func() { r.Add(w) })
				rested(t, r, w)
				test.cause(r, far)
				await(t, w.stepped, "a step")
				on(t, r, func() { r.Remove(w) })
				rested(t, r, w)
			})
		}
	})
}

// rested waits until the loop has nothing to do, and forgets that w was stepped.
func rested(t *testing.T, r *Reactor, w *counter) {
	t.Helper()
	for resting := false; !resting; {
		on(t, r, func() { resting = r.fruitless > spins })
	}
	select {
	case <-w.stepped:
	default:
	}
}

// countingBell counts how often it is rung.
type countingBell struct {
	bell
	rings atomic.Int64
}

func (b *countingBell) ring() { b.rings.Add(1); b.bell.ring() }

// However many want the loop to wake, the bell is rung once, and few steps are taken.
func TestWakesCoalesce(t *testing.T) {
	r := start(t, Config{})
	w, bell := newCounter(), &countingBell{}
	on(t, r, func() { r.Add(w); bell.bell = r.bell; r.bell = bell })
	rested(t, r, w)
	before := 0
	enter, leave := make(chan struct{}), make(chan struct{})
	r.Do(func() { before = w.steps; close(enter); <-leave })
	await(t, enter, "a function given to Do")
	bell.rings.Store(0)
	for range 10_000 {
		r.Wake()
	}
	if n := bell.rings.Load(); n != 1 {
		t.Errorf("10,000 wakes have rung %d times, want once", n)
	}
	close(leave)
	on(t, r, func() {
		if n := w.steps - before; n < 1 || n > 2 {
			t.Errorf("%d steps after 10,000 wakes while the loop was busy, want 1 or 2", n)
		}
	})
}

// While work always has something to do, functions are run and the network is polled all the same.
func TestBusyWorkDoesNotStarveOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, network string, cfg Config) {
		near, far := connect(t, network)
		r := start(t, cfg)
		heard := make(chan struct{}, 100)
		enroll(t, r, near, &hooks{traffic: func(c Conn) error {
			_, err := c.Read(make([]byte, c.Buffered()))
			heard <- struct{}{}
			return err
		}})
		w := &counter{left: 1 << 60}
		on(t, r, func() { r.Add(w) })
		for range 10 {
			far.Write([]byte("x"))
			await(t, heard, "traffic")
			on(t, r, func() {})
		}
		on(t, r, func() {
			if w.steps == 0 {
				t.Error("the work was not stepped")
			}
		})
	})
}

// alarmed is Work that wants to be stepped at moments an interval apart, and notes how late it is.
type alarmed struct {
	every, due time.Duration
	late       []time.Duration
	early      int
	done       chan struct{}
}

const alarms = 50

func (a *alarmed) Step(now time.Duration) (bool, time.Duration) {
	switch {
	case len(a.late) == alarms:
		return false, Never
	case a.due == 0:
		a.due = now + a.every
		return true, a.due
	case now < a.due:
		a.early++
		return false, a.due
	}
	a.late = append(a.late, now-a.due)
	a.due = now + a.every
	if len(a.late) == alarms {
		close(a.done)
	}
	return true, a.due
}

// A deadline is kept, never before it is due. How late the best is does not depend on how busy the machine is.
func TestDeadlines(t *testing.T) {
	for _, every := range []time.Duration{time.Nanosecond, 10 * time.Microsecond, 300 * time.Microsecond, 3 * time.Millisecond} {
		t.Run(every.String(), func(t *testing.T) {
			everywhere(t, func(t *testing.T, _ string, cfg Config) {
				r := start(t, cfg)
				a := &alarmed{every: every, done: make(chan struct{})}
				on(t, r, func() { r.Add(a) })
				await(t, a.done, "the last deadline")
				on(t, r, func() {
					best, limit := slices.Min(a.late), 2*time.Millisecond
					if cfg.plainBell {
						limit = 20 * time.Millisecond
					}
					if best > limit {
						t.Errorf("the best of %d deadlines was kept %v late", alarms, best)
					}
					if steps := a.early; every >= 300*time.Microsecond && steps > alarms*(spins+2) {
						t.Errorf("%d steps for %d deadlines came early: the loop has not slept", steps, alarms)
					}
				})
			})
		})
	}
}

// The least deadline counts, and one that has been replaced by a later one, or by none, does not.
func TestLeastDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, _ string, cfg Config) {
		r := start(t, cfg)
		until := []time.Duration{Never, Never}
		steps := make(chan time.Duration, 1000)
		for i := range until {
			w := &workFunc{func(now time.Duration) (bool, time.Duration) {
				if now >= until[i] {
					steps <- until[i]
					until[i] = Never
					return true, Never
				}
				return false, until[i]
			}}
			on(t, r, func() { r.Add(w) })
		}
		on(t, r, func() { until[0], until[1] = r.Now()+time.Hour, r.Now()+time.Millisecond })
		await(t, steps, "the least deadline")
		on(t, r, func() {
			if until[0] == Never || until[1] != Never {
				t.Errorf("deadlines are left at %v, want the one that is an hour away", until)
			}
		})
		on(t, r, func() { until[0] = r.Now() + time.Millisecond })
		await(t, steps, "a deadline that was an hour away")
	})
}

// Work may add and remove work while it is stepped, also itself.
func TestAddAndRemoveInAStep(t *testing.T) {
	r := start(t, Config{})
	late, never := newCounter(), newCounter()
	var self *workFunc
	steps := 0
	self = &workFunc{func(time.Duration) (bool, time.Duration) {
		steps++
		r.Remove(never)
		r.Remove(self)
		r.Remove(self) // once is enough
		r.Add(late)
		return true, Never
	}}
	on(t, r, func() { r.Add(self); r.Add(never) })
	await(t, late.stepped, "a step of the work that was added")
	on(t, r, func() {
		if steps != 1 || never.steps != 0 {
			t.Errorf("%d and %d steps of work that was removed in the first, want 1 and 0", steps, never.steps)
		}
		if len(r.works) != 1 {
			t.Errorf("%d pieces of work are on the loop, want 1", len(r.works))
		}
	})
}

// Neither a wake nor a step nor a function nor a message allocates.
func TestNothingIsAllocated(t *testing.T) {
	if invariants {
		t.Skip("to look who calls allocates")
	}
	near, far := connect(t, "unix")
	a, b := start(t, Config{}), start(t, Config{})
	w := newCounter()
	on(t, a, func() { a.Add(w) })
	p := &pong{buf: make([]byte, 64), heard: make(chan struct{}, 1)}
	enroll(t, a, near, p)
	enroll(t, b, far, &pong{buf: make([]byte, 64), back: true})
	send, busy := func() { p.send() }, func() { w.left = 100 }
	tests := []struct {
		name string
		run  func()
	}{
		{"wake", func() { a.Wake(); <-w.stepped }},
		{"do and a hundred steps", func() { a.Do(busy); <-w.stepped }},
		{"round trip", func() { a.Do(send); <-p.heard }},
	}
	for _, test := range tests {
		for range 1000 {
			test.run() // lists grow to their size
		}
		if n := testing.AllocsPerRun(1000, test.run); n > 0.01 {
			t.Errorf("%s: %v allocations, want none", test.name, n)
		}
	}
}

// pong reads messages of one size, and tells of them or sends them back.
type pong struct {
	hooks
	buf   []byte
	bufs  [2][]byte
	back  bool
	heard chan struct{}
}

func (p *pong) send() {
	p.bufs = [2][]byte{p.buf[:16], p.buf[16:]}
	if _, err := p.conn.Writev(p.bufs[:]); err != nil {
		panic(err)
	}
}

func (p *pong) Traffic(c Conn) error {
	for c.Buffered() >= len(p.buf) {
		if _, err := c.Read(p.buf); err != nil {
			return err
		}
		if p.back {
			p.send()
		} else {
			p.heard <- struct{}{}
		}
	}
	return nil
}

// Many goroutines wake loops, have them run functions, and loops wake each other, all at once: nothing is lost.
func TestStorm(t *testing.T) {
	everywhere(t, func(t *testing.T, _ string, cfg Config) {
		const goroutines, each = 16, 500
		var inbox atomic.Int64 // what is published before a wake
		taken := int64(0)
		all := make(chan struct{})
		r, other := start(t, cfg), start(t, cfg)
		on(t, r, func() {
			r.Add(&workFunc{func(time.Duration) (bool, time.Duration) {
				n := inbox.Swap(0)
				if taken += n; n > 0 && taken == 2*goroutines*each {
					close(all)
				}
				other.Wake()
				return n > 0, Never
			}})
		})
		on(t, other, func() {
			other.Add(&workFunc{func(time.Duration) (bool, time.Duration) { return false, Never }})
		})
		ran := 0
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range each {
					inbox.Add(1)
					r.Wake()
					other.Do(func() { inbox.Add(1); r.Wake() })
					r.Do(func() { ran++ })
				}
			})
		}
		wg.Wait()
		await(t, all, "the last of what was published")
		on(t, r, func() {
			if ran != goroutines*each {
				t.Errorf("%d functions have run, want %d", ran, goroutines*each)
			}
		})
	})
}

// Functions of one goroutine run in the order in which it gave them.
func TestDoKeepsOrder(t *testing.T) {
	r := start(t, Config{})
	var got []int
	for i := range 1000 {
		r.Do(func() { got = append(got, i) })
	}
	on(t, r, func() {
		if len(got) != 1000 || !slices.IsSorted(got) {
			t.Errorf("%d functions have run, in order: %v; want 1000 in order", len(got), slices.IsSorted(got))
		}
	})
}
