package engine_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
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

// errPlanted is what a key function or an Ahead callback of these tests panics with.
var errPlanted = errors.New("planted")

// keyBut55 is the key of every pair but one.
func keyBut55(p *pair) uint64 {
	if p.N == 55 {
		panic(errPlanted)
	}
	return p.Key
}

// nothing is the declaration of an operator that takes pairs and does nothing.
func nothing(*engine.Decl) engine.Handler[pair] { return func(*engine.Ctx, *pair) {} }

// pass declares an operator that passes pairs on.
func pass(d *engine.Decl) engine.Handler[pair] {
	out := engine.Output[pair](d, "out")
	return func(c *engine.Ctx, p *pair) { out.Emit(c, p) }
}

// A key function is called where tuples are sent, and its fault is that of the operator whose it is.
func TestAFaultInAKeyFunctionNamesItsOperator(t *testing.T) {
	for name, tt := range map[string]struct {
		sender  string
		declare func(g *engine.Graph, in engine.Stream[pair])
	}{
		"of a source": {"in", func(g *engine.Graph, in engine.Stream[pair]) { engine.Keyed(g, "counter", in, keyBut55, nothing) }},
		"beside another": {"in", func(g *engine.Graph, in engine.Stream[pair]) {
			engine.Keyed(g, "first", in, func(p *pair) uint64 { return p.N }, nothing)
			engine.Keyed(g, "counter", in, keyBut55, nothing)
		}},
		"of a fused operator": {"pass", func(g *engine.Graph, in engine.Stream[pair]) {
			op := engine.Stateless(g, "pass", in, pass)
			engine.Keyed(g, "counter", engine.From[pair](op, "out"), keyBut55, nothing)
		}},
		"of a keyed operator": {"other", func(g *engine.Graph, in engine.Stream[pair]) {
			op := engine.Keyed(g, "other", in, func(p *pair) uint64 { return p.N }, pass)
			engine.Keyed(g, "counter", engine.From[pair](op, "out"), keyBut55, nothing)
		}},
		"of bytes": {"in", func(g *engine.Graph, in engine.Stream[pair]) {
			engine.KeyedBytes(g, "counter", in, func(p *pair) []byte { return []byte{byte(keyBut55(p))} }, nothing)
		}},
		"of payloads of variable size": {"text", func(g *engine.Graph, in engine.Stream[pair]) {
			op := engine.Stateless(g, "text", in, func(d *engine.Decl) engine.Handler[pair] {
				out := engine.OutputOf(d, "out", wire.Bytes())
				return func(c *engine.Ctx, p *pair) {
					s := strconv.AppendUint(nil, p.N, 10)
					out.Emit(c, &s)
				}
			})
			engine.Keyed(g, "counter", engine.From[[]byte](op, "out"), func(s *[]byte) uint64 {
				n, _ := strconv.ParseUint(string(*s), 10, 64)
				return keyBut55(&pair{N: n})
			}, func(*engine.Decl) engine.Handler[[]byte] { return func(*engine.Ctx, *[]byte) {} })
		}},
	} {
		g := engine.NewGraph("failing")
		tt.declare(g, engine.SliceSource(g, "in", rows(0, 100)))
		_, err := engine.Run(context.Background(), g, engine.Config{Loops: 2})
		var e *engine.JobError
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v is no JobError", name, err)
		}
		if e.Operator != "counter" || e.Function != task.KeyFunction || e.Sender != tt.sender || e.Time.Millis() != 18 || e.Key != "" {
			t.Errorf("%s: %+v", name, e)
		}
		if !errors.Is(err, errPlanted) || !strings.Contains(string(e.Stack), "engine_test.keyBut55(") {
			t.Errorf("%s: %v, stack\n%s", name, err, e.Stack)
		}
		want := `operator "counter": key function, called by operator "` + tt.sender + `", task 0, at `
		if !strings.HasPrefix(err.Error(), want) && tt.sender != "other" { // which of two tasks that is its key says
			t.Errorf("%s: %q, want %q…", name, err, want)
		}
	}
}

// After a key function has done its work a fault of the operator that sends is its own.
func TestAFaultAfterAKeyFunctionIsTheHandlers(t *testing.T) {
	g := engine.NewGraph("failing")
	op := engine.Keyed(g, "op", engine.SliceSource(g, "in", rows(0, 100)), func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
		out := engine.Output[pair](d, "out")
		return func(c *engine.Ctx, p *pair) {
			out.Emit(c, p)
			if p.N == 55 {
				panic(errPlanted)
			}
		}
	})
	engine.Keyed(g, "next", engine.From[pair](op, "out"), func(p *pair) uint64 { return p.N }, nothing)
	_, err := engine.Run(context.Background(), g, engine.Config{Loops: 2})
	var e *engine.JobError
	if !errors.As(err, &e) || e.Operator != "op" || e.Function != task.Handling || e.Sender != "" || e.Key != "5" {
		t.Errorf("got %v", err)
	}
}

// What an Ahead callback is shown is no step: its fault has the times of the tuples, and no key.
func TestAFaultInAheadNamesTheBatch(t *testing.T) {
	g := engine.NewGraph("failing")
	in := engine.SliceSource(g, "in", rows(0, 100))
	engine.Keyed(g, "counter", in, func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
		engine.Ahead(d, 0, func(b engine.Batch[pair]) {
			for i := range b.Len() {
				keyBut55(b.At(i))
			}
		})
		return func(*engine.Ctx, *pair) {}
	}).SetParallelism(1)
	_, err := engine.Run(context.Background(), g, engine.Config{Loops: 2})
	var e *engine.JobError
	if !errors.As(err, &e) {
		t.Fatalf("%v is no JobError", err)
	}
	if e.Operator != "counter" || e.Function != task.AheadCallback || e.Key != "" || e.Time.Millis() > 18 || e.Last.Millis() < 18 || e.Last < e.Time {
		t.Errorf("%+v", e)
	}
	if !errors.Is(err, errPlanted) || len(e.Stack) == 0 || !strings.HasPrefix(err.Error(), `operator "counter", task 0: Ahead callback for tuples at `) {
		t.Errorf("got %v", err)
	}
}

// A key function that fails where its operator runs, though it did not where the tuple was sent, names nobody else.
func TestAFaultInAKeyFunctionAtItsOperator(t *testing.T) {
	g := engine.NewGraph("failing")
	var calls atomic.Int32
	engine.KeyedBytes(g, "counter", engine.SliceSource(g, "in", rows(0, 100)), func(p *pair) []byte {
		if p.N == 55 && calls.Add(1) == 2 {
			panic(errPlanted)
		}
		return []byte{byte(p.Key)}
	}, nothing)
	_, err := engine.Run(context.Background(), g, engine.Config{Loops: 2})
	var e *engine.JobError
	if !errors.As(err, &e) || e.Operator != "counter" || e.Function != task.KeyFunction || e.Sender != "" || e.Time.Millis() != 18 || e.Key != "" {
		t.Errorf("got %v", err)
	}
}
