package measure

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// Response times are counted in µs, to three digits, up to an hour.
const (
	responseMax    = int64(time.Hour / time.Microsecond)
	responseDigits = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, responseMax, responseDigits) }

// collector is a sink task that counts, times and keeps answers. Its loop writes it; it is read when the job has ended.
type collector[A comparable] struct {
	due      func(*A) int64
	keep     bool
	pace     float64 // 0: nothing is timed
	from, to int64   // ms: an answer is timed if from ≤ due < to
	count    int64
	answers  []A
	response *hdrhistogram.Histogram // µs
}

func newCollector[A comparable](b *Benchmark[A], s *Settings) *collector[A] {
	c := &collector[A]{
		due: b.Due, keep: !s.NoValidation, pace: s.Engine.Pace, from: int64(s.Warm) * 1000, to: int64(b.Seconds) * 1000,
	}
	if c.pace > 0 {
		c.response = newHistogram()
	}
	return c
}

// Write takes an answer.
func (c *collector[A]) Write(ctx *engine.Ctx, v *A) {
	c.count++
	if c.keep {
		c.answers = append(c.answers, *v)
	}
	if c.pace == 0 {
		return
	}
	if due := c.due(v); c.from <= due && due < c.to {
		scheduled := time.Duration(float64(due) * float64(time.Millisecond) / c.pace)
		took := (ctx.Elapsed() - scheduled).Microseconds()
		// The clock is read once per turn, so that what is handed on at once may look as if it took no time.
		_ = c.response.RecordValue(min(max(took, 1), responseMax)) // in range, so there is no error
	}
}

// Commit, Restore, Flush and Close have nothing to do: what was collected is not undone.
func (c *collector[A]) Commit(wire.Time) ([]byte, error) { return nil, nil }
func (c *collector[A]) Restore([]byte) error             { return nil }
func (c *collector[A]) Flush() error                     { return nil }
func (c *collector[A]) Close() error                     { return nil }
