package auth

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// logFirst is how many refusals of each reason are logged one by one: a cluster's worth of workers with a wrong secret.
	logFirst = 20
	// logEvery is how often after that.
	logEvery = time.Second
)

// refusals counts refusals and logs them, by reason, so that a flood of one kind hides neither itself nor another kind.
type refusals struct {
	logger *slog.Logger

	mu       sync.Mutex
	tallies  map[Reason]*tally // guarded by mu
	declined tally             // guarded by mu
	failures tally             // guarded by mu
}

// tally counts events of a kind, and how many of them have not been logged.
type tally struct {
	count, silent uint64
	limit         rate.Sometimes
}

func newTally() tally { return tally{limit: rate.Sometimes{First: logFirst, Interval: logEvery}} }

// add counts an event. Where it should be logged it returns true, and how many were not logged since the last that was.
func (t *tally) add() (silent uint64, say bool) {
	t.count++
	t.silent++
	t.limit.Do(func() { say, silent, t.silent = true, t.silent-1, 0 })
	return silent, say
}

func newRefusals(logger *slog.Logger) *refusals {
	return &refusals{logger: logger, tallies: make(map[Reason]*tally), declined: newTally(), failures: newTally()}
}

// refused counts a connection that came to nothing. An error that is not a *Refused cannot come from outside.
func (r *refusals) refused(peer string, err error) {
	refused, ok := errors.AsType[*Refused](err)
	if !ok {
		r.logger.Error("connection not opened", "peer", peer, "error", err)
		return
	}
	silent, say := r.count(refused)
	if !say {
		return
	}
	what := "connection refused"
	if refused.Remote {
		what = "connection declined by the peer"
	}
	r.logger.Warn(what, "reason", refused.Reason.String(), "peer", peer, "why", refused.why(), "unlogged", silent)
}

func (r *refusals) count(refused *Refused) (silent uint64, say bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refused.Remote { // what reason a stranger names is not worth a counter
		return r.declined.add()
	}
	t := r.tallies[refused.Reason]
	if t == nil {
		t = new(newTally())
		r.tallies[refused.Reason] = t
	}
	return t.add()
}

// acceptFailed counts and logs a failure to accept.
func (r *refusals) acceptFailed(err error) {
	r.mu.Lock()
	silent, say := r.failures.add()
	r.mu.Unlock()
	if say {
		r.logger.Warn("accepting failed", "error", err, "unlogged", silent)
	}
}

func (r *refusals) counts() (refused map[Reason]uint64, declined uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused = make(map[Reason]uint64, len(r.tallies))
	for reason, t := range r.tallies {
		refused[reason] = t.count
	}
	return refused, r.declined.count
}
