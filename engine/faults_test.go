package engine_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine"
)

// A handler that ends its goroutine, as testing.T.FailNow does, ends the job with an error and not in silence.
func TestGoexitEndsTheJobWithAnError(t *testing.T) {
	g := engine.NewGraph("goexit")
	in := engine.SliceSource(g, "in", rows(0, 100))
	engine.SinkFunc(g, "out", in, func(c *engine.Ctx, p *pair) {
		if p.N == 50 {
			runtime.Goexit()
		}
	})
	if _, err := engine.Run(context.Background(), g, engine.Config{Loops: 2}); err == nil || !strings.Contains(err.Error(), "Goexit") {
		t.Errorf("got %v", err)
	}
}

// What Send has taken is processed, though the job is drained or cancelled at that moment.
func TestPushLosesNothing(t *testing.T) {
	for _, end := range []func(*engine.Job){(*engine.Job).Drain, (*engine.Job).Cancel} {
		g := engine.NewGraph("push")
		push := engine.NewPush[pair](100)
		got := 0
		engine.SinkFunc(g, "out", push.Source(g, "in"), func(*engine.Ctx, *pair) { got++ })
		job, err := engine.Start(context.Background(), g, engine.Config{Loops: 2, Pace: 1})
		if err != nil {
			t.Fatal(err)
		}
		var sent atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for push.SendAt(context.Background(), time.Minute, &pair{}) == nil || push.Send(context.Background(), &pair{}) == nil {
					if sent.Add(1) == 40 {
						end(job)
					}
				}
			})
		}
		wg.Wait()
		if err := job.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if int64(got) != sent.Load() {
			t.Errorf("%d of %d tuples that were taken have arrived", got, sent.Load())
		}
	}
}

// A step that emits without end ends the job, and says where.
func TestStepBytes(t *testing.T) {
	g := engine.NewGraph("flood")
	in := engine.SliceSource(g, "in", rows(0, 10))
	op := engine.Keyed(g, "flood", in, func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
		out := engine.Output[pair](d, "out")
		return func(c *engine.Ctx, p *pair) {
			for p.N == 7 {
				out.Emit(c, p)
			}
		}
	})
	engine.SinkFunc(g, "sink", engine.From[pair](op, "out"), func(*engine.Ctx, *pair) {})
	_, err := engine.Run(context.Background(), g, engine.Config{Loops: 1, StepBytes: 4 << 20})
	var job *engine.JobError
	var over *buffers.OverrunError
	if !errors.As(err, &job) || job.Operator != "flood" || job.Time == 0 || !errors.As(err, &over) {
		t.Errorf("got %v", err)
	}
}

// A parallelism that no memory would hold is refused, and so is one of two operators together.
func TestParallelismIsBounded(t *testing.T) {
	for want, parallelism := range map[string]map[string]int{
		"want 1 to":        {"sum": math.MaxInt32},
		"channels between": {"sum": 1024, "again": 1024},
	} {
		g, op := sums(rows(0, 10))
		engine.Keyed(g, "again", engine.From[pair](op, "sums"), func(p *pair) uint64 { return p.N }, func(d *engine.Decl) engine.Handler[pair] {
			return func(*engine.Ctx, *pair) {}
		})
		if _, err := engine.Run(context.Background(), g, engine.Config{Parallelism: parallelism}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", parallelism, err, want)
		}
	}
}
