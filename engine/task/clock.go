package task

import (
	"math"
	"time"

	"github.com/fullspate/spate/wire"
)

// Clock says when records may be released: Pace seconds of logical time pass in a second since the run began. With a
// Pace of 0 everything may be released at once.
type Clock struct {
	Pace float64
	tick time.Duration // 0 for tickLeast
}

// A tick is how often the clock alone moves a source's frontier, at most. All sources do so at the same moments, so that who
// waits for several of them waits once. Where logical time is faster than the clock a frontier is ahead by up to a tick: else it
// would move whenever anybody looked, and one worker's frontier make the next one look.
//
// To move a frontier costs as much as the source's task has channels, and as much again at their other ends: of an idle job it
// is the whole cost. So from tickChannels on, ticks are the rarer the more channels there are, and a source that has released
// nothing for idleAfter has every fourth only.
const (
	tickLeast    = time.Millisecond
	tickMost     = 64 * time.Millisecond
	tickChannels = 32
	tickIdle     = 4
	idleAfter    = 32 * time.Millisecond
)

// tickFor is the tick of a task with so many outgoing channels, some time after it has released its last record.
func tickFor(channels int, after time.Duration) time.Duration {
	tick := tickLeast
	for n := tickChannels; n < channels && tick < tickMost; n *= 2 {
		tick *= 2
	}
	if after >= idleAfter {
		tick *= tickIdle
	}
	return tick
}

// lastTick is the latest tick that is not after now.
func (k Clock) lastTick(now time.Duration) time.Duration { return now.Truncate(max(k.tick, tickLeast)) }

// nextTick is the first tick after now.
func (k Clock) nextTick(now time.Duration) time.Duration {
	return k.lastTick(now) + max(k.tick, tickLeast)
}

// limit is the time below which records may be released.
func (k Clock) limit(now time.Duration) wire.Time {
	if k.Pace <= 0 {
		return wire.TimeMax
	}
	return wire.TimerTime(k.millis(now) + 1)
}

// bound is the time up to which frontiers may go: what limit was at the last tick or, where logical time is faster than the
// clock, will be at the next.
func (k Clock) bound(now time.Duration) wire.Time {
	if k.Pace > 1 {
		return k.limit(k.nextTick(now))
	}
	return k.limit(k.lastTick(now))
}

// boundUntil is the first tick at which bound will be greater than it is now.
func (k Clock) boundUntil(now time.Duration) time.Duration {
	switch {
	case k.Pace <= 0:
		return Never
	case k.Pace > 1:
		return k.nextTick(now)
	}
	return k.nextTick(k.due(k.bound(now)) - 1)
}

// promise is the time before which a live source will give no record any more.
func (k Clock) promise(now time.Duration) wire.Time {
	return wire.TimerTime(k.millis(k.lastTick(now)))
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
// such that a moment computed by division alone can be one nanosecond early, and a source would then wait for ever, or late.
func (k Clock) due(tau wire.Time) time.Duration {
	if k.Pace <= 0 {
		return 0
	}
	ms := tau.Millis()
	d := time.Duration(math.Ceil(float64(ms) * float64(time.Millisecond) / k.Pace))
	for k.millis(d) < ms {
		d++
	}
	for d > 0 && k.millis(d-1) >= ms {
		d--
	}
	return d
}
