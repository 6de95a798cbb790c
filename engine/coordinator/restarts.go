package coordinator

import (
	"errors"
	"fmt"
	"time"
)

// Restarts bounds how often a job is carried on after losses. Zero values stand for the defaults.
type Restarts struct {
	// Max is how often a job is carried on in all; 0 for 1,000. Up to 1,000,000.
	Max int
	// Burst is how often a task may be lost within Within before it waits; 0 for 5. Up to 60.
	Burst int
	// Within is the time in which losses of a task are counted; 0 for 10 s. Up to 1 h.
	Within time.Duration
	// Delay is how long a task waits that is lost once more than Burst, twice that after the next loss, and so on, up to DelayMax;
	// 0 for 100 ms, and for 5 s. Up to 1 h.
	Delay, DelayMax time.Duration
}

// Validate reports every problem at once.
func (r Restarts) Validate() error {
	var errs []error
	count := func(name string, n, most int) {
		if n < 0 || n > most {
			errs = append(errs, fmt.Errorf("%s is %d, want 1 to %d, or 0 for the default", name, n, most))
		}
	}
	span := func(name string, d time.Duration) {
		if d < 0 || d > timingMax {
			errs = append(errs, fmt.Errorf("%s is %v, want more than 0 and at most %v, or 0 for the default", name, d, timingMax))
		}
	}
	count("Max", r.Max, 1_000_000)
	count("Burst", r.Burst, lossesKept-4) // beyond what is remembered none would be counted
	span("Within", r.Within)
	span("Delay", r.Delay)
	span("DelayMax", r.DelayMax)
	if r = r.withDefaults(); r.Delay > r.DelayMax {
		errs = append(errs, fmt.Errorf("a Delay of %v is more than DelayMax, which is %v", r.Delay, r.DelayMax))
	}
	return errors.Join(errs...)
}

func (r Restarts) withDefaults() Restarts {
	orElse(&r.Max, 1000)
	orElse(&r.Burst, 5)
	orElse(&r.Within, 10*time.Second)
	orElse(&r.Delay, 100*time.Millisecond)
	orElse(&r.DelayMax, 5*time.Second)
	return r
}

func orElse[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

// delay is how long a task waits that was lost n times more often than it may be, n from 1.
func (r Restarts) delay(n int) time.Duration {
	d := r.Delay
	for ; n > 1 && d < r.DelayMax; n-- {
		d *= 2
	}
	return min(d, r.DelayMax)
}
