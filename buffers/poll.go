package buffers

import "github.com/fullspate/spate/wire"

// Poll returns the published frontier: every tuple below it has been returned by Next, or will be before Next returns
// false. So a reader that polls first need not take all frames over before it may process those below the frontier.
func (c *Cursor) Poll() wire.Time { return wire.Time(c.pub.frontier.Load()) }

// Ending returns the time at which the input ends, once the writer knows it, and with it everything of the end phase. If
// Poll, called before, gave a frontier beyond that time, it is known.
func (c *Cursor) Ending() (wire.Time, bool) {
	if !c.pub.ending.Load() {
		return 0, false
	}
	return wire.Time(c.pub.end.Load()), true
}
