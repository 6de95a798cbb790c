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
			if due > 0 && k.limit(due-1) > tau {
				t.Fatalf("pace %v: a record of %d ms is released before it is due, at %v", pace, ms, due)
			}
		}
	}
}

// Between two ticks the bound stays as it is, and it moves with the tick at which it is said to.
func TestClockBoundMovesWithTicks(t *testing.T) {
	for _, pace := range []float64{0.3, 0.7, 1, 3, 20, 12345.678} {
		for _, channels := range []int{1, 40, 100, 100_000} {
			k := Clock{Pace: pace, tick: tickFor(channels, 0)}
			for now, n := time.Duration(0), 0; n < 1000; n++ {
				bound, until := k.bound(now), k.boundUntil(now)
				switch {
				case until <= now || until%k.tick != 0:
					t.Fatalf("%+v: at %v the bound holds until %v, want a tick to come", k, now, until)
				case k.bound(until-1) != bound:
					t.Fatalf("%+v: at %v the bound is %v, before the tick at %v it is %v", k, now, bound, until, k.bound(until-1))
				case k.bound(until) <= bound:
					t.Fatalf("%+v: at %v the bound is %v, after %v still %v", k, now, bound, until, k.bound(until))
				case pace > 1 && bound < k.limit(now):
					t.Fatalf("%+v: at %v the bound is %v, below the limit %v", k, now, bound, k.limit(now))
				case k.promise(until) > k.bound(until):
					t.Fatalf("%+v: at %v a source promises %v, beyond the bound %v", k, until, k.promise(until), k.bound(until))
				}
				now = until + time.Duration(n)*7919%k.tick
			}
		}
	}
}

// Up to 32 channels have a tick of 1 ms; 100 one of 4 ms.
func TestTicksAreRareWhereChannelsAreMany(t *testing.T) {
	for channels, want := range map[int]time.Duration{
		0: time.Millisecond, 32: time.Millisecond, 33: 2 * time.Millisecond, 100: 4 * time.Millisecond, 1 << 20: 64 * time.Millisecond,
	} {
		if got := tickFor(channels, idleAfter-1); got != want {
			t.Errorf("%d channels: a tick of %v, want %v", channels, got, want)
		}
		if got := tickFor(channels, idleAfter); got != 4*want {
			t.Errorf("%d channels of an idle source: a tick of %v, want %v", channels, got, 4*want)
		}
	}
}
