package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/cluster"
)

// Latency is how long counts took in a run, in ms.
type Latency struct {
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Worst float64 `json:"worst_100ms"` // the mean of the worst 100 ms
	Max   float64 `json:"max"`
}

// Cost is what a pair of runs came to, one with checkpoints and one without.
type Cost struct {
	With    Latency `json:"with_ms"`
	Without Latency `json:"without_ms"`
	Ratio   Latency `json:"ratio"` // of the one and the other
	// StateBytes is the counter's state at the end, in slabs.
	StateBytes int64 `json:"state_bytes"`
	// Checkpoints are those of all tasks that were taken while it was measured, Bytes what they came to as they were sent, and
	// Held is the longest that one held up a loop at once, in ms, in the whole run.
	Checkpoints int64   `json:"checkpoints"`
	Bytes       int64   `json:"checkpoint_bytes"`
	Held        float64 `json:"held_max_ms"`
	// Changed is what there was to keep: EntryBytes for each word of a dictionary that came in an interval, summed over the
	// intervals that were measured; 0 for text.
	Changed int64 `json:"changed_bytes"`
	Counts  int64 `json:"counts"` // that were timed, of the run with checkpoints
}

// Overhead is what checkpoints cost.
type Overhead struct {
	Config Config
	Costs  []Cost
	Valid  bool
}

// worstSpan is the span that the worst is sought of, after the definition.
const worstSpan = 100 * time.Millisecond

func latencyOf(l Timeline) Latency {
	q := l.quantiles(0.5, 0.95, 0.99, 0.999, 1)
	return Latency{ms(q[0]), ms(q[1]), ms(q[2]), ms(q[3]), ms(l.worst(worstSpan)), ms(q[4])}
}

func (a Latency) over(b Latency) Latency {
	ratio := func(x, y float64) float64 {
		if y == 0 {
			return 0
		}
		return x / y
	}
	return Latency{
		ratio(a.P50, b.P50), ratio(a.P95, b.P95), ratio(a.P99, b.P99), ratio(a.P999, b.P999), ratio(a.Worst, b.Worst), ratio(a.Max, b.Max),
	}
}

// RunOverhead runs the query without checkpoints and with them, Config.Repeat times.
func RunOverhead(ctx context.Context, cfg Config) (_ *Overhead, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Input.Seconds = int((cfg.warm() + cfg.Measured + time.Second - 1) / time.Second)
	want, err := reference(cfg.Input)
	if err != nil {
		return nil, err
	}
	o := &Overhead{Config: cfg, Valid: true}
	for i := range cfg.Repeat {
		var cost Cost
		for k, checkpoints := range []bool{false, true} {
			valid, err := cfg.pass(ctx, checkpoints, want, &cost)
			if err != nil {
				return o, fmt.Errorf("run %d, checkpoints %v: %w", i+1, checkpoints, err)
			}
			o.Valid = o.Valid && valid
			if cfg.Progress != nil {
				cfg.Progress(float64(2*i+k+1) / float64(2*cfg.Repeat))
			}
		}
		cost.Ratio = cost.With.over(cost.Without)
		o.Costs = append(o.Costs, cost)
	}
	return o, nil
}

// pass is one run, in processes of its own.
func (c *Config) pass(ctx context.Context, checkpoints bool, want Totals, cost *Cost) (valid bool, err error) {
	local, err := cluster.StartLocal(ctx, c.Local)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	t, err := c.begin(ctx, local, checkpoints)
	if err != nil {
		return false, err
	}
	before, err := t.warmed(ctx)
	if err != nil {
		t.running.Cancel()
		return false, errors.Join(err, ended(t.running.Wait()))
	}
	_, line, totals, err := t.end()
	if err != nil {
		return false, err
	}
	timed := line.byDue().between(c.warm(), c.warm()+c.Measured)
	if !checkpoints {
		cost.Without = latencyOf(timed)
		return totals == want, nil
	}
	s := t.running.Stats()
	cost.With, cost.Counts, cost.Changed = latencyOf(timed), timed.count(), c.changed()
	cost.Checkpoints, cost.Bytes = int64(s.Checkpoints.Taken-before.Taken), int64(s.Checkpoints.Bytes-before.Bytes)
	cost.Held = ms(s.Checkpoints.SliceMax)
	for i := range s.Tasks {
		if s.Tasks[i].Operator == CounterID {
			cost.StateBytes += s.Tasks[i].StateBytes
		}
	}
	return totals == want, nil
}

// warmed waits until the measurement begins, and returns what checkpoints have come to by then.
func (t *trial) warmed(ctx context.Context) (c engine.Checkpoints, err error) {
	info, err := t.begun(ctx)
	if err != nil {
		return c, err
	}
	err = t.until(ctx, info.Begun.Add(t.cfg.warm()))
	return t.running.Stats().Checkpoints, err
}

// changed is how many bytes of a dictionary's entries change in all intervals of the measured part, each counted once for each
// interval in which it does.
func (c *Config) changed() (bytes int64) {
	in := c.Input
	if in.Load == 0 {
		return 0
	}
	last := make([]int32, in.Words) // the interval in which each word came last, from 1
	for n := int64(in.Words); n < in.records(); n++ {
		at := time.Duration(in.millis(n))*time.Millisecond - c.warm()
		interval := int32(at/c.Interval) + 1
		if rank := in.rank(n); at >= 0 && last[rank] != interval {
			last[rank] = interval
			bytes += EntryBytes
		}
	}
	return bytes
}
