package measure

import (
	"sync"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// collectors are the sink tasks of one process.
type collectors[P any, A comparable] struct {
	benchmark *Benchmark[P, A]
	params    Params[P]

	mu  sync.Mutex
	all []*collector[A] // guarded by mu
}

// open makes a sink task's writer.
func (cs *collectors[P, A]) open(engine.SinkPart) (engine.SinkWriter[A], error) {
	b, p := cs.benchmark, &cs.params
	c := &collector[A]{
		due: b.Due, keep: p.Check, pace: p.Pace, from: int64(p.Warm) * 1000, to: int64(b.Seconds(p.Input)) * 1000,
	}
	if c.pace > 0 {
		c.response = NewResponses()
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.all = append(cs.all, c)
	return c, nil
}

// tell brings together what the sink tasks have, after they have ended.
func (cs *collectors[P, A]) tell() (any, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var t told
	var answers []A
	for _, c := range cs.all {
		answers = append(answers, c.answers...)
		if err := t.merge(told{Count: c.count, Response: c.response}); err != nil {
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
	count    int64
	answers  []A
	response *Responses
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
		c.response.Record(ctx.Elapsed() - scheduled)
	}
}

// Commit, Restore, Flush and Close have nothing to do: what was collected is not undone.
func (c *collector[A]) Commit(wire.Time) ([]byte, error) { return nil, nil }
func (c *collector[A]) Restore([]byte) error             { return nil }
func (c *collector[A]) Flush() error                     { return nil }
func (c *collector[A]) Close() error                     { return nil }
