package loop

import (
	"runtime"
	"time"

	"github.com/fullspate/spate/engine/task"
)

// Driver gives a loop a goroutine: it steps it while there is something to do and parks it while there is not.
type Driver struct {
	Loop  *Loop
	Peers []*Loop              // the other loops of the job, woken after every turn that moved something
	Clock func() time.Duration // time since the run began
	Stop  func() bool          // says that the job is given up; looked at between turns
	// Between, if set, is called between turns on the loop's goroutine.
	Between func()
}

// spins is how many fruitless steps a loop takes before it parks: about 10 µs, less than it costs to wake a thread.
const spins = 16

// yieldEvery is less than the 10 ms after which the runtime takes the processor away from a goroutine by a signal, in the
// middle of whatever it is doing. Between turns it costs nothing.
const yieldEvery = 4 * time.Millisecond

// Run drives the loop until its tasks are done, one of them fails, or the job is given up.
func (d *Driver) Run() error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	fruitless := 0
	yielded := d.Clock()
	for !d.Stop() {
		if d.Between != nil {
			d.Between()
		}
		now := d.Clock()
		if now-yielded >= yieldEvery {
			runtime.Gosched()
			yielded = now
		}
		turn, err := d.Loop.Step(now, d.Clock)
		if err != nil {
			return err
		}
		if turn.Worked {
			for _, p := range d.Peers {
				p.Wake()
			}
		}
		switch {
		case turn.Done:
			return nil
		case turn.Worked:
			fruitless = 0
			d.Loop.asleep.Store(false)
		case fruitless < spins:
			fruitless++
			if fruitless == spins {
				d.Loop.asleep.Store(true) // and one more step, for what came before this was seen
			} else {
				runtime.Gosched()
			}
		default:
			d.park(timer, turn.Until)
			d.Loop.asleep.Store(false)
			fruitless = 0
		}
	}
	return nil
}

// park waits for a wake-up or for the deadline.
func (d *Driver) park(timer *time.Timer, until time.Duration) {
	if until == task.Never {
		<-d.Loop.wake
		return
	}
	wait := until - d.Clock()
	if wait <= 0 {
		return
	}
	timer.Reset(wait)
	select {
	case <-d.Loop.wake:
		timer.Stop()
	case <-timer.C:
	}
}
