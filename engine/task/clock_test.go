package task

import (
	"testing"

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
