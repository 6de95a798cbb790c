package coordinator

import (
	"errors"
	"fmt"
	"time"
)

// Timing is how long things may take. Zero values stand for the defaults.
type Timing struct {
	// HeartbeatTimeout is after how long a worker is lost of which nothing was heard, or whose connection is broken; 0 for
	// 200 ms, which suits a LAN whose workers have processor time to spare. On an overloaded machine heartbeats come up to
	// 400 ms late. 20 ms to 1 h. Workers send four heartbeats in that time, at least two a second.
	HeartbeatTimeout time.Duration
	// Report is the interval of workers' reports; 0 for 500 ms. 10 ms to 1 min.
	Report time.Duration
	// Grace is how long a restarted coordinator waits for the workers that it knows; 0 for 10 s, or the HeartbeatTimeout if
	// that is longer. Up to 1 h.
	Grace time.Duration
	// LinkTimeout is for how long a data connection between two workers may be broken before one of them is lost for the job;
	// 0 for 10 s, or the HeartbeatTimeout if that is longer. Up to 1 h.
	LinkTimeout time.Duration
	// DeployTimeout is how long workers may take to deploy a job; 0 for 1 min. Up to 1 h.
	DeployTimeout time.Duration
	// RecoverTimeout is how long a job that has lost workers may wait for others, and how long these may take to take up what
	// was lost; 0 for 30 s. Up to 1 h.
	RecoverTimeout time.Duration
	// ReassignTimeout is how long each phase of a reassignment may take before it is given up; 0 for 1 min. Up to 1 h.
	ReassignTimeout time.Duration
	// AbortTimeout is how long workers may take to give up a job that has failed; 0 for 10 s. Up to 1 h.
	AbortTimeout time.Duration
}

const (
	// startDelay is how far ahead the moment lies at which a job's clock is 0: enough for Start to reach every worker first.
	startDelay = 30 * time.Millisecond
	// beatsPerTimeout is how many heartbeats may get lost or come late before their worker is lost, and one more.
	beatsPerTimeout = 4
	beatMax         = 500 * time.Millisecond
	timingMax       = time.Hour
)

// Validate reports every problem at once.
func (t Timing) Validate() error {
	var errs []error
	check := func(name string, d, least, most time.Duration) {
		if d != 0 && (d < least || d > most) {
			errs = append(errs, fmt.Errorf("%s is %v, want %v to %v, or 0 for the default", name, d, least, most))
		}
	}
	check("HeartbeatTimeout", t.HeartbeatTimeout, 20*time.Millisecond, timingMax)
	check("Report", t.Report, 10*time.Millisecond, time.Minute)
	check("Grace", t.Grace, 0, timingMax)
	check("LinkTimeout", t.LinkTimeout, 0, timingMax)
	check("DeployTimeout", t.DeployTimeout, 0, timingMax)
	check("RecoverTimeout", t.RecoverTimeout, 0, timingMax)
	check("ReassignTimeout", t.ReassignTimeout, 0, timingMax)
	check("AbortTimeout", t.AbortTimeout, 0, timingMax)
	return errors.Join(errs...)
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&t.HeartbeatTimeout, 200*time.Millisecond)
	set(&t.Report, 500*time.Millisecond)
	set(&t.Grace, max(10*time.Second, t.HeartbeatTimeout))
	set(&t.LinkTimeout, max(10*time.Second, t.HeartbeatTimeout))
	set(&t.DeployTimeout, time.Minute)
	set(&t.RecoverTimeout, 30*time.Second)
	set(&t.ReassignTimeout, time.Minute)
	set(&t.AbortTimeout, 10*time.Second)
	return t
}

// Heartbeat is the interval of workers' heartbeats.
func (t Timing) Heartbeat() time.Duration {
	return min(t.withDefaults().HeartbeatTimeout/beatsPerTimeout, beatMax)
}

// Tick is how often the clock has to be looked at.
func (t Timing) Tick() time.Duration {
	return min(t.withDefaults().HeartbeatTimeout/(2*beatsPerTimeout), 100*time.Millisecond)
}
