package reactor

import (
	"runtime"
	"slices"
	"time"

	"github.com/panjf2000/gnet/v2"
)

const (
	// spins is how many times the loop looks at the network after a fruitless step before it blocks. Each takes three system
	// calls, 3 µs; to block and be woken takes 10 to 25 µs. Of 0 to 32, 2 to 4 gave the most bytes/s; more, or
	// 0, did not make a round trip faster, but 4 took 8 % more processor time at 10,000 messages/s.
	spins = 2

	// pollEvery is for how long work is stepped before the network is polled, which takes three system calls. It delays what
	// arrives meanwhile, and is less than most steps take that do much.
	pollEvery = 50 * time.Microsecond

	// near is how close a deadline has to be for the loop to poll until then: the alarm is later than that.
	near = 20 * time.Microsecond

	// blockedEvery is how often work is stepped while a connection has something pending, since gnet does not say when that
	// has been sent. The kernel has enough to send for longer than that.
	blockedEvery = time.Millisecond

	// yieldEvery is less than the 10 ms after which the runtime takes the processor away from a goroutine by a signal, in the
	// middle of whatever it is doing. Between steps it costs nothing.
	yieldEvery = 4 * time.Millisecond
)

// turn is what the bell is rung for: first what others want done, then a step of all work.
func (r *Reactor) turn() gnet.Action {
	r.busy = true
	defer func() { r.busy = false }()
	why := r.rung.Swap(silent) // before anything is looked at, so that what is published later rings again
	if r.ending.Load() {
		r.end()
		return gnet.Shutdown
	}
	r.run(r.tasks.take())
	r.settle()
	if now := r.Now(); why == toLook && now < r.until {
		r.fruitless++
		r.rest(now, r.until)
	} else {
		r.step()
	}
	return gnet.None
}

// end is the last turn.
func (r *Reactor) end() {
	if r.ended {
		return
	}
	r.ended = true
	r.run(r.tasks.close())
	r.settle()
	close(r.last)
}

func (r *Reactor) run(fns []func()) {
	for i, fn := range fns {
		fns[i] = nil
		_ = r.guard(func() error { fn(); return nil })
	}
}

// step steps all work until there is nothing to do, or the network has to be looked at. It sees to it that there is another
// step when it is due.
func (r *Reactor) step() {
	began := r.Now()
	r.yield(began)
	r.blocked = slices.DeleteFunc(r.blocked, (*conn).drained)
	now := began
	worked, until := r.stepAll(now)
	for worked {
		r.fruitless = 0
		if now = r.Now(); now-began >= pollEvery {
			r.Wake() // through the bell, so that the network is polled in between
			return
		}
		worked, until = r.stepAll(now)
	}
	r.until = until
	r.fruitless++
	r.rest(now, until)
}

// yield offers the processor to others if the loop has run for long. One that has just been woken has not.
func (r *Reactor) yield(now time.Duration) {
	if r.slept {
		r.slept, r.yielded = false, now
	}
	if now-r.yielded >= yieldEvery {
		runtime.Gosched()
		r.yielded = now
	}
}

// rest has the loop block until something arrives or a deadline passes.
func (r *Reactor) rest(now, until time.Duration) {
	if len(r.blocked) > 0 {
		until = min(until, now+blockedEvery)
	}
	if until-now <= near || r.fruitless <= spins {
		r.look()
		return
	}
	r.slept = true
	r.arm(until)
}

func (r *Reactor) stepAll(now time.Duration) (worked bool, until time.Duration) {
	until = Never
	r.stepping = true
	for i := 0; i < len(r.works); i++ { // work may add work
		w := r.works[i]
		if w == nil {
			continue
		}
		err := r.guard(func() error {
			did, at := w.Step(now)
			worked, until = worked || did, min(until, at)
			return nil
		})
		if err != nil {
			r.Remove(w) // who knows what it has left behind; and it would panic again at once
		}
	}
	r.stepping = false
	r.compact()
	r.settle()
	return worked, until
}

// compact closes the gaps of work that was removed.
func (r *Reactor) compact() {
	if slices.Contains(r.works, nil) {
		r.works = slices.DeleteFunc(r.works, func(w Work) bool { return w == nil })
	}
}

// arm sets the alarm for a deadline that is to come. It costs a system call, so one that is set already is left alone.
func (r *Reactor) arm(until time.Duration) {
	if until == r.armed {
		return
	}
	r.armed = until
	if until != Never {
		until = max(until-r.Now(), 1)
	}
	r.bell.alarm(until)
}
