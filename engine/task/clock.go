package task

import (
	"math"
	"time"

	"github.com/fullspate/spate/wire"
)

// Clock says when records may be released: Pace seconds of logical time pass in a second since the run began. With a
// Pace of 0 everything may be released at once.
type Clock struct{ Pace float64 }

// tick is how often the clock alone moves frontiers, at most. All sources do so at the same moments, so that who waits for
// several of them waits once. Where logical time is faster than the clock a frontier is ahead by up to a tick: else it would
// move whenever anybody looked, and one worker's frontier make the next one look.
const tick = time.Millisecond

// nextTick is the first tick after now.
func nextTick(now time.Duration) time.Duration { return now.Truncate(tick) + tick }

// limit is the time below which records may be released.
func (k Clock) limit(now time.Duration) wire.Time {
	if k.Pace <= 0 {
		return wire.TimeMax
	}
	return wire.TimerTime(k.millis(now) + 1)
}

// bound is the time up to which frontiers may go: limit, or what that will be at the next tick.
func (k Clock) bound(now time.Duration) wire.Time {
	if k.Pace > 1 {
		now = nextTick(now)
	}
	return k.limit(now)
}

// boundUntil is until when bound will not be greater than it is now.
func (k Clock) boundUntil(now time.Duration) time.Duration {
	if k.Pace <= 0 {
		return Never
	}
	return max(nextTick(now), k.due(wire.TimerTime(k.millis(now)+1)))
}

// promise is the time before which a live source will give no record any more.
func (k Clock) promise(now time.Duration) wire.Time {
	if k.Pace > 1 {
		now = now.Truncate(tick)
	}
	return wire.TimerTime(k.millis(now))
}

// millis is the logical time that has been reached, in ms.
func (k Clock) millis(now time.Duration) uint64 {
	pace := k.Pace
	if pace <= 0 {
		pace = 1
	}
	return uint64(float64(now) * pace / float64(time.Millisecond))
}

// due is the first moment at which a record at tau is below limit. It is the exact inverse of millis, whose rounding is
// such that a moment computed by division alone can be one nanosecond early: a source would then wait for ever.
func (k Clock) due(tau wire.Time) time.Duration {
	if k.Pace <= 0 {
		return 0
	}
	ms := tau.Millis()
	d := time.Duration(math.Ceil(float64(ms) * float64(time.Millisecond) / k.Pace))
	for k.millis(d) < ms {
		d++
	}
	return d
}
