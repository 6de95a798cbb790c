package measure

import (
	"errors"
	"time"

	"github.com/fullspate/spate/engine"
)

// collectors are the sink tasks of one process.
type collectors[P any, A comparable] struct {
	benchmark *Benchmark[P, A]
	params    Params[P]

	counts Counts[collector[A]]
}

// open makes a sink task's writer.
func (cs *collectors[P, A]) open(part engine.SinkPart) (engine.SinkWriter[A], error) {
	b, p := cs.benchmark, &cs.params
	c := &collector[A]{
		due: b.Due, keep: p.Check, pace: p.Pace, from: int64(p.Warm) * 1000, to: int64(b.Seconds(p.Input)) * 1000,
	}
	if c.pace > 0 {
		c.Response = NewResponses()
	}
	return Counting(cs.counts.Add(b.Sink, part, c), &c.counted), nil
}

// tell brings together what the sink tasks have, after they have ended.
func (cs *collectors[P, A]) tell() (any, error) {
	var t told
	var answers []A
	for _, c := range cs.counts.All() {
		answers = append(answers, c.answers...)
		if err := t.merge(told{Count: c.Count, Response: c.Response}); err != nil {
			return nil, err
		}
	}
	if len(answers) == 0 {
		return t, nil
	}
	p, err := pack(answers)
	t.Answers = []packed{p}
	return t, err
}

// collector is a sink task that counts, times and keeps answers. Its loop writes it; it is read when the job has ended.
type collector[A comparable] struct {
	due      func(*A) int64
	keep     bool
	pace     float64 // 0: nothing is timed
	from, to int64   // ms: an answer is timed if from ≤ due < to
	answers  []A
	counted
	Volatile
}

// counted is what a sink task counts.
type counted struct {
	Count    int64      `json:"count"`
	Response *Responses `json:"response,omitempty"` // nil without a pace
}

// Write takes an answer.
func (c *collector[A]) Write(ctx *engine.Ctx, v *A) {
	c.Count++
	if c.keep {
		c.answers = append(c.answers, *v)
	}
	if c.pace == 0 {
		return
	}
	if due := c.due(v); c.from <= due && due < c.to {
		scheduled := time.Duration(float64(due) * float64(time.Millisecond) / c.pace)
		c.Response.Record(ctx.Elapsed() - scheduled)
	}
}

// Leave forgets the answers.
func (c *collector[A]) Leave() { c.answers = nil }

// Restore fails where answers are kept: there may be more than a checkpoint should hold.
func (c *collector[A]) Restore([]byte) error {
	if c.keep {
		return errors.New("the answers to be checked were in the memory of the run before: want a benchmark without validation, or one from the beginning")
	}
	return nil
}
