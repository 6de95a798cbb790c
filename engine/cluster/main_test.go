package cluster

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/auth"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/worker"
	"github.com/fullspate/spate/wire"
)

// asWorker makes the test binary a worker, so that clusters of tests are made of real processes.
const asWorker = "SPATE_TEST_IS_WORKER"

func TestMain(m *testing.M) {
	switch os.Getenv(asWorker) {
	case "":
		goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // gnet has goroutines from the moment it is imported
	case "broken":
		os.Exit(7)
	default:
		if err := beWorker(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// beWorker is a worker's life, from the flags that a Local gives it.
func beWorker() error {
	cfg := worker.Config{Programs: programs, Build: build}
	flag.StringVar(&cfg.Coordinator, "coordinator", "", "")
	flag.StringVar(&cfg.Listen, "listen", "", "")
	flag.IntVar(&cfg.Loops, "loops", 0, "")
	flag.Int64Var(&cfg.Memory, "memory", 0, "")
	untilEOF := flag.Bool("until-eof", false, "")
	if err := flag.CommandLine.Parse(os.Args[1:]); err != nil || !*untilEOF {
		return fmt.Errorf("arguments %q: %w", os.Args, err)
	}
	secret, _, err := auth.FromEnv()
	if err != nil {
		return err
	}
	cfg.Secret = secret
	return worker.Run(UntilInputEnds(context.Background(), os.Stdin, slog.New(slog.DiscardHandler)), cfg)
}

var (
	build    = control.Build{Protocol: int(wire.Protocol), Arch: runtime.GOARCH, Version: "test", Commit: "test"}
	programs = []engine.Program{summing}
)

// settings are the parameters of summing.
type settings struct {
	Rows int
	Fail uint64 // the number that the operator does not want; 0: none
}

// number is its input.
type number struct{ N uint64 }

// summing adds up numbers by their last digit, and tells all sums that there were: one number each millisecond.
var summing = engine.Program{Name: "summing", Build: func(env *engine.Env, params json.RawMessage) (*engine.Graph, error) {
	var s settings
	if err := json.Unmarshal(params, &s); err != nil {
		return nil, err
	}
	rows := make([]engine.Record[number], s.Rows)
	for i := range rows {
		rows[i] = engine.Record[number]{Millis: int64(i), Value: number{uint64(i)}}
	}
	g := engine.NewGraph("summing")
	in := engine.SliceSource(g, "in", rows)
	sum := engine.Keyed(g, "sum", in, func(v *number) uint64 { return v.N % 10 }, func(d *engine.Decl) engine.Handler[number] {
		state, out := engine.Value[number](d, "sum"), engine.Output[number](d, "sums")
		return func(c *engine.Ctx, v *number) {
			if s.Fail != 0 && v.N == s.Fail {
				c.Fail(fmt.Errorf("number %d is not wanted", v.N))
			}
			n, _ := state.Upsert(c)
			n.N += v.N
			out.Emit(c, n)
		}
	})
	var total uint64
	engine.SinkFunc(g, "total", engine.From[number](sum, "sums"), func(_ *engine.Ctx, v *number) { total += v.N })
	env.Result("total", func() (any, error) { return total, nil })
	return g, nil
}}

// paramsOf are parameters of summing.
func paramsOf(t *testing.T, s settings) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// totalOf adds up what the processes of a run had to tell.
func totalOf(t *testing.T, results []engine.Result) (total uint64) {
	t.Helper()
	for _, r := range results {
		var n uint64
		if err := json.Unmarshal(r.Data, &n); err != nil || r.Name != "total" {
			t.Fatalf("result %q of %s: %v", r.Name, r.Worker, err)
		}
		total += n
	}
	return total
}

// localCluster starts a cluster that the test ends, if it has not been closed by then.
func localCluster(t *testing.T, cfg LocalConfig) *Local {
	t.Helper()
	t.Setenv(asWorker, "1")
	cfg.Programs, cfg.Build, cfg.Command = programs, build, []string{os.Args[0]}
	l, err := StartLocal(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// within fails a test that waits for too long.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("waited a minute for %s", what)
	}
}
