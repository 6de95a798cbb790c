package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
)

// latencies runs pairs, three a millisecond, through a keyed operator into a sink that is given each of them, and returns
// the statistics of the operators' tasks.
func latencies(t *testing.T, n int, cfg engine.Config, sink func(c *engine.Ctx)) map[string][]engine.TaskStats {
	t.Helper()
	g := engine.NewGraph("timed")
	in := engine.SliceSource(g, "in", rows(0, n))
	op := engine.Keyed(g, "pass", in, func(p *pair) uint64 { return p.Key }, pass)
	engine.SinkFunc(g, "out", engine.From[pair](op, "out"), func(c *engine.Ctx, _ *pair) { sink(c) })
	s, err := engine.Run(context.Background(), g, cfg)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string][]engine.TaskStats{}
	for _, ts := range s.Tasks {
		by[ts.Operator] = append(by[ts.Operator], ts)
	}
	return by
}

// With a pace latency runs from when a tuple was due: a sink that is late by the clock says so.
func TestLatencyByPace(t *testing.T) {
	var late time.Duration // by the sink's own reckoning, the latest
	by := latencies(t, 600, engine.Config{Loops: 2, Pace: 2}, func(c *engine.Ctx) { late = max(late, c.Elapsed()-c.Now()/2) })
	out, in := by["out"][0].Latency, by["in"][0].Latency
	if in != (engine.Latency{}) {
		t.Errorf("a source has the latency %+v", in)
	}
	// A turn's tuples are handled after it began, which is what the sink sees, and before it is over.
	if out.Count < 2 || out.Count > 200 || out.P50 > out.P95 || out.P95 > out.P99 || out.P99 > out.Max || out.Max <= 0 {
		t.Errorf("%+v, the sink itself saw %v", out, late)
	}
	for _, ts := range by["pass"] {
		if ts.Latency.Count == 0 {
			t.Errorf("a keyed operator has none: %+v", ts)
		}
	}
}

// Without a pace it runs from when a tuple was emitted: what waits for a slow sink has waited that long.
func TestLatencyOfWhatWaits(t *testing.T) {
	const stop = 30 * time.Millisecond
	var first, last time.Time
	handled := 0
	by := latencies(t, 60000, engine.Config{Loops: 2}, func(*engine.Ctx) {
		if handled++; handled == 1 {
			first = time.Now()
			for time.Since(first) < stop { // what a slow sink does
			}
		}
		last = time.Now()
	})
	out := by["out"][0].Latency
	if out.Count == 0 || out.Max < stop || out.Max > 2*(last.Sub(first)+time.Second) {
		t.Errorf("%+v, though the sink was busy for %v with the first tuple", out, stop)
	}
}
