package task

import (
	"testing"
	"time"

	"github.com/fullspate/spate/wire"
)

// A record is released at the moment that the source is told to wait for, and not before.
func TestClockDueIsWhenTheLimitIsPassed(t *testing.T) {
	for _, pace := range []float64{0.3, 1, 3, 7, 20, 30, 1000, 12345.678} {
		k := Clock{Pace: pace}
		for ms := uint64(1); ms < 100_000; ms += 1 + ms/997 {
			tau := wire.At(ms, 3, 1)
			due := k.due(tau)
			if k.limit(due) <= tau {
				t.Fatalf("pace %v: at %v a record of %d ms is due, but the limit is %v", pace, due, ms, k.limit(due))
			}
			if due > 2 && k.limit(due-2) > tau {
				t.Fatalf("pace %v: a record of %d ms is released 2 ns before it is due, at %v", pace, ms, due)
			}
		}
	}
}

// Between two ticks the bound stays as it is, it moves with each, and it is never below the limit.
func TestClockBoundMovesWithTicks(t *testing.T) {
	for _, pace := range []float64{0.3, 1, 3, 20, 12345.678} {
		k := Clock{Pace: pace}
		for now, n := time.Duration(0), 0; n < 1000; n++ {
			bound, until := k.bound(now), k.boundUntil(now)
			switch {
			case bound < k.limit(now):
				t.Fatalf("pace %v: at %v the bound is %v, below the limit %v", pace, now, bound, k.limit(now))
			case until != until.Truncate(tick) && until != k.due(wire.TimerTime(k.millis(now)+1)):
				t.Fatalf("pace %v: at %v the bound holds until %v, which is neither a tick nor when it is reached", pace, now, until)
			case k.Pace >= 1 && k.bound(until-1) != bound:
				t.Fatalf("pace %v: at %v the bound is %v, before the tick at %v it is %v", pace, now, bound, until, k.bound(until-1))
			case k.bound(until) <= bound:
				t.Fatalf("pace %v: at %v the bound is %v, after %v still %v", pace, now, bound, until, k.bound(until))
			case k.promise(until) > k.bound(now):
				t.Fatalf("pace %v: at %v a source promises %v, beyond the bound before, %v", pace, until, k.promise(until), bound)
			}
			now = until + time.Duration(n)*7919%tick
		}
	}
}
