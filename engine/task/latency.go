package task

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/wire"
)

// Latency is how long what a task has processed lately had been on its way by then: see Ages. It is that of about one tuple
// in a millisecond, the last of a turn, over the last whole second in which the job ran; Max is of those, too. Quantiles are
// exact to 1 %. In a job that was shorter it is that of its whole run.
type Latency struct {
	Count              uint64 // tuples of which it was taken; 0 if none was, or it is not known
	P50, P95, P99, Max time.Duration
}

const (
	latencyEvery  = time.Millisecond // between two tuples whose latency is taken
	latencySpan   = time.Second      // over which quantiles are formed
	latencyMax    = time.Hour        // what takes longer counts as that
	latencyDigits = 2                // of quantiles: 27 KiB for a task
)

// latencies take the latency of a task.
type latencies struct {
	ages  *Ages
	taken wire.Time     // whose latency was taken last
	next  time.Duration // when there will be another
	span  time.Duration // when the second began
	hist  *hdrhistogram.Histogram
	last  Latency // of the second before
}

// take takes the latency of what was processed at tau.
func (l *latencies) take(tau wire.Time, now time.Duration) {
	if l.ages == nil || now < l.next || tau == l.taken {
		return
	}
	l.taken, l.next = tau, now+latencyEvery
	at, ok := l.ages.since(tau)
	if !ok || now < at { // the end of the input brings about what is not due yet
		return
	}
	if l.hist == nil {
		l.hist = hdrhistogram.New(1, latencyMax.Microseconds(), latencyDigits)
	}
	l.hist.RecordValue(min(now-at, latencyMax).Microseconds()) // never out of range
}

// latest is the latency of the last second that is over. A task that has come to its end does not wait for that.
func (l *latencies) latest(now time.Duration, ended bool) Latency {
	over := now-l.span >= latencySpan
	if over || ended && l.last.Count == 0 {
		l.last = Latency{}
		if l.hist != nil && l.hist.TotalCount() > 0 {
			l.last = quantiles(l.hist)
			l.hist.Reset()
		}
	}
	if over {
		l.span = now
	}
	return l.last
}

func quantiles(h *hdrhistogram.Histogram) Latency {
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) * time.Microsecond }
	return Latency{Count: uint64(h.TotalCount()), P50: at(50), P95: at(95), P99: at(99), Max: at(100)}
}
