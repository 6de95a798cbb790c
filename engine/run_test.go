package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire/slab"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sums is a graph that adds up pairs by key and hands every sum on.
func sums(splits ...[]engine.Record[pair]) (*engine.Graph, *engine.Op) {
	g := engine.NewGraph("sums")
	in := engine.SliceSource(g, "in", splits...)
	return g, sumOf(g, in)
}

func sumOf(g *engine.Graph, in engine.Stream[pair]) *engine.Op {
	return engine.Keyed(g, "sum", in, func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
		total := engine.Value[pair](d, "total")
		out := engine.Output[pair](d, "sums")
		return func(c *engine.Ctx, p *pair) {
			v, _ := total.Upsert(c)
			v.Key = p.Key
			v.N += p.N
			out.Emit(c, v)
		}
	})
}

func rows(split, n int) []engine.Record[pair] {
	var rs []engine.Record[pair]
	for i := range n {
		rs = append(rs, engine.Record[pair]{Millis: int64(i / 3), Value: pair{Key: uint64((i*7 + split) % 10), N: uint64(i)}})
	}
	return rs
}

// collect runs a graph and returns what its sink was given, in order.
func collect(t *testing.T, g *engine.Graph, out engine.Stream[pair], cfg engine.Config) []string {
	t.Helper()
	var got []string
	engine.SinkFunc(g, "collect", out, func(c *engine.Ctx, p *pair) {
		got = append(got, fmt.Sprintf("%v %d %d", c.Time(), p.Key, p.N))
	})
	if _, err := engine.Run(context.Background(), g, cfg); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestResultsDoNotDependOnHowTheyAreComputed(t *testing.T) {
	var want []string
	for _, cfg := range []engine.Config{
		{Loops: 1},
		{Loops: 2},
		{Loops: 3, Parallelism: map[string]int{"in": 2, "sum": 5}},
		{Loops: 2, LogBytes: 4 << 10, FrameBytes: 512},
		{Loops: 1, NoFuse: true, Parallelism: map[string]int{"sum": 7}, SpillDir: t.TempDir(), LogBytes: 4 << 10},
	} {
		g, op := sums(rows(0, 3000), rows(1, 2000), rows(2, 100))
		got := collect(t, g, engine.From[pair](op, "sums"), cfg)
		if want == nil {
			want = got
		}
		if len(got) != 5100 || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%+v: %d results differ from the first run's %d", cfg, len(got), len(want))
		}
	}
}

func TestGraphFaultsAreAllReported(t *testing.T) {
	g := engine.NewGraph("faulty")
	in := engine.SliceSource(g, "In", rows(0, 1))
	op := engine.Keyed(g, "sum", in, func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
		engine.Output[struct{ S string }](d, "strings")
		engine.Value[struct {
			A uint8
			B uint64
		}](d, "padded")
		return func(*engine.Ctx, *pair) {}
	})
	engine.Stateless(g, "sum", engine.From[pair](op, "nothing"), func(d *engine.Decl) engine.Handler[pair] {
		engine.Value[pair](d, "state")
		return nil
	})
	err := g.Validate()
	for _, want := range []string{`"In"`, "used twice", `output "strings"`, `table "padded"`, `no output "nothing"`, "zero Stream", "no handler", "not keyed", "consumed by nobody"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no mention of %q in:\n%v", want, err)
		}
	}
	if _, err := engine.Run(context.Background(), g, engine.Config{Loops: -1, LogBytes: 1}); err == nil || !strings.Contains(err.Error(), "Loops") {
		t.Errorf("a faulty graph and configuration was run: %v", err)
	}
}

func TestAPanicEndsTheJobAndSaysWhere(t *testing.T) {
	for name, fail := range map[string]func(*engine.Ctx){
		"panic": func(*engine.Ctx) { panic("boom") },
		"error": func(c *engine.Ctx) { c.Fail(errors.New("boom")) },
	} {
		g := engine.NewGraph("failing")
		in := engine.SliceSource(g, "in", rows(0, 100))
		engine.Keyed(g, "op", in, func(p *pair) uint64 { return p.Key }, func(*engine.Decl) engine.Handler[pair] {
			return func(c *engine.Ctx, p *pair) {
				if p.N == 55 {
					fail(c)
				}
			}
		})
		_, err := engine.Run(context.Background(), g, engine.Config{Loops: 2})
		var je *engine.JobError
		if !errors.As(err, &je) {
			t.Fatalf("%s: %v is no JobError", name, err)
		}
		if je.Operator != "op" || je.Key != "5" || je.Time.Millis() != 18 || !strings.Contains(err.Error(), "boom") {
			t.Errorf("%s: %+v", name, je)
		}
		if (len(je.Stack) > 0) != (name == "panic") {
			t.Errorf("%s: a stack of %d bytes", name, len(je.Stack))
		}
	}
}

func TestMemoryBudgetEndsTheJobWithAnError(t *testing.T) {
	g := engine.NewGraph("large")
	in := engine.Source(g, "in", engine.SourceSpec[pair]{
		Splits: []engine.Split{{}},
		Open: func(engine.Split, engine.Offset) (engine.Reader[pair], error) {
			return &pairs{n: 1 << 22, keys: 1 << 40}, nil
		},
	})
	sum := sumOf(g, in)
	engine.SinkFunc(g, "out", engine.From[pair](sum, "sums"), func(*engine.Ctx, *pair) {})
	_, err := engine.Run(context.Background(), g, engine.Config{Loops: 1, Memory: 16 << 20})
	var be *slab.BudgetError
	if !errors.As(err, &be) {
		t.Fatalf("got %v, want a budget error", err)
	}
}

func TestPushDrainAndCancel(t *testing.T) {
	for _, how := range []string{"close", "drain", "cancel"} {
		g := engine.NewGraph("push")
		src := engine.NewPush[pair](4)
		fired, got := 0, 0
		op := engine.Keyed(g, "op", src.Source(g, "in"), func(p *pair) uint64 { return p.Key }, func(d *engine.Decl) engine.Handler[pair] {
			out := engine.Output[pair](d, "out")
			late := engine.Timer(d, "late", func(c *engine.Ctx) { out.Emit(c, &pair{N: 1000}) })
			return func(c *engine.Ctx, p *pair) {
				late.Set(c, c.Now()+time.Hour)
				out.Emit(c, p)
			}
		})
		seen := make(chan struct{}, 100)
		engine.SinkFunc(g, "sink", engine.From[pair](op, "out"), func(c *engine.Ctx, p *pair) {
			if p.N == 1000 {
				fired++
			} else {
				got++
				seen <- struct{}{}
			}
		})
		job, err := engine.Start(context.Background(), g, engine.Config{Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(50) {
			if err := src.Send(context.Background(), &pair{Key: i % 5, N: i}); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			<-seen
		}
		var wantErr error
		wantFired := 5
		switch how {
		case "close":
			src.Close()
		case "drain":
			job.Drain()
		case "cancel":
			job.Cancel()
			wantErr, wantFired = context.Canceled, 0
		}
		if err := job.Wait(); !errors.Is(err, wantErr) {
			t.Fatalf("%s: %v, want %v", how, err, wantErr)
		}
		if got != 50 || fired != wantFired {
			t.Errorf("%s: %d tuples and %d timers, want 50 and %d", how, got, fired, wantFired)
		}
		if err := src.Send(context.Background(), &pair{}); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s: sending afterwards: %v", how, err)
		}
	}
}

func TestContextCancelsAJobThatWouldNotEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	g := engine.NewGraph("endless")
	src := engine.NewPush[pair](1)
	engine.SinkFunc(g, "sink", src.Source(g, "in"), func(c *engine.Ctx, p *pair) {
		cancel(errors.New("enough"))
	})
	job, err := engine.Start(ctx, g, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Send(ctx, &pair{}); err != nil {
		t.Fatal(err)
	}
	if err := job.Wait(); err == nil || err.Error() != "enough" {
		t.Errorf("got %v, want the context's cause", err)
	}
}

func TestTwoEnginesAtOnce(t *testing.T) {
	done := make(chan []string, 2)
	for range 2 {
		go func() {
			g, op := sums(rows(0, 3000), rows(1, 2000))
			done <- collect(t, g, engine.From[pair](op, "sums"), engine.Config{Loops: 2})
		}()
	}
	a, b := <-done, <-done
	if strings.Join(a, "\n") != strings.Join(b, "\n") {
		t.Error("two engines in one process disturb each other")
	}
}

func TestFileSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sums.csv")
	g, op := sums(rows(0, 1000))
	engine.FileSink(g, "file", engine.From[pair](op, "sums"), path, func(dst []byte, c *engine.Ctx, p *pair) []byte {
		return fmt.Appendf(dst, "%d,%d\n", p.Key, p.N)
	})
	if _, err := engine.Run(context.Background(), g, engine.Config{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Count(string(b), "\n") != 1000 || !strings.HasPrefix(string(b), "0,0\n7,1\n4,2\n") {
		t.Errorf("%v, %d lines: %.30q", err, strings.Count(string(b), "\n"), b)
	}

	g, op = sums(rows(0, 1000))
	engine.FileSink(g, "file", engine.From[pair](op, "sums"), filepath.Join(path, "below"), nil)
	if _, err := engine.Run(context.Background(), g, engine.Config{}); err == nil || !strings.Contains(err.Error(), "below") {
		t.Errorf("a file that cannot be made: %v", err)
	}
}

func TestPace(t *testing.T) {
	g, op := sums(rows(0, 300)) // 100 ms of logical time
	start := time.Now()
	collect(t, g, engine.From[pair](op, "sums"), engine.Config{Pace: 2})
	if d := time.Since(start); d < 49*time.Millisecond {
		t.Errorf("100 ms at pace 2 took %v, want 50 ms at least", d)
	}
}
