package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type number struct{ N uint64 }

// counting is a graph of a source of n numbers, an operator that counts them by N % 10, and a sink.
func counting(n int, open func(engine.SinkPart) (engine.SinkWriter[number], error)) *engine.Graph {
	g := engine.NewGraph("counting")
	rows := make([]engine.Record[number], n)
	for i := range rows {
		rows[i] = engine.Record[number]{Millis: int64(i / 7), Value: number{uint64(i % 10)}}
	}
	in := engine.SliceSource(g, "in", rows[:n/2], rows[n/2:])
	op := engine.Keyed(g, "count", in, func(v *number) uint64 { return v.N }, func(d *engine.Decl) engine.Handler[number] {
		count := engine.Value[number](d, "count")
		out := engine.Output[number](d, "counts")
		return func(c *engine.Ctx, v *number) {
			n, _ := count.Upsert(c)
			n.N++
			out.Emit(c, n)
		}
	})
	engine.Sink(g, "out", engine.From[number](op, "counts"), open)
	return g
}

type lines struct{ list []string }

func (l *lines) Write(c *engine.Ctx, v *number) { l.list = append(l.list, fmt.Sprint(c.Time(), v.N)) }
func (l *lines) Commit(wire.Time) ([]byte, error) {
	return []byte{byte(len(l.list)), byte(len(l.list) >> 8)}, nil
}
func (l *lines) Restore(mark []byte) error {
	l.list = l.list[:int(mark[0])|int(mark[1])<<8]
	return nil
}
func (l *lines) Flush() error                                            { return nil }
func (l *lines) Close() error                                            { return nil }
func (l *lines) open(engine.SinkPart) (engine.SinkWriter[number], error) { return l, nil }

func newDeployment(t *testing.T, g *engine.Graph, parallelism map[string]int, pool *slab.Pool) (*deploy.Deployment, error) {
	t.Helper()
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: 2, Parallelism: parallelism})
	if err != nil {
		t.Fatal(err)
	}
	return deploy.New(plan, deploy.Config{Pool: pool, FrameBytes: 256, LogBytes: 1 << 20})
}

// finish runs all tasks to their end.
func finish(t *testing.T, d *deploy.Deployment, budget int, between func(turn int)) {
	t.Helper()
	for turn, left := 0, 1; left > 0; turn++ {
		left = 0
		d.Tasks(func(tk *deploy.Task) {
			p, err := tk.Run(0, budget)
			if err != nil || turn > 100000 {
				t.Fatal(turn, err)
			}
			if !p.Done {
				left++
			}
		})
		if between != nil {
			between(turn)
		}
	}
}

// Every task in turn is thrown away in the midst of the run and replaced by one that is restored from a checkpoint.
func TestReplace(t *testing.T) {
	want, got := &lines{}, &lines{}
	pool := slab.New(slab.Config{})
	d, err := newDeployment(t, counting(1000, want.open), nil, pool)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, d, 100, nil)
	if err := d.Close(); err != nil || len(want.list) != 1000 {
		t.Fatal(err, len(want.list))
	}

	if d, err = newDeployment(t, counting(1000, got.open), map[string]int{"count": 3}, pool); err != nil {
		t.Fatal(err)
	}
	finish(t, d, 10, func(turn int) {
		if turn%3 != 2 {
			return
		}
		unit := turn / 3 % len(d.Units)
		replace(t, d, pool, d.Units[unit][turn/9%len(d.Units[unit])])
	})
	if strings.Join(got.list, "\n") != strings.Join(want.list, "\n") {
		t.Errorf("%d results differ from the %d without replacements", len(got.list), len(want.list))
	}
	if err := errors.Join(d.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
}

// replace checkpoints a task, throws it away, and puts a restored one in its place.
func replace(t *testing.T, d *deploy.Deployment, pool *slab.Pool, old *deploy.Task) {
	t.Helper()
	c, err := old.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	// Its consumers have taken over nothing beyond their positions that they could not have again.
	if err := old.Discard(); err != nil {
		t.Fatal(err)
	}
	n, err := d.Build(old.Unit, old.Index)
	if err != nil {
		t.Fatal(err)
	}
	d.Install(n)
	if err := errors.Join(n.Restore(c, pool), d.Connect(n, c.Position)); err != nil {
		t.Fatal(err)
	}
	for _, e := range n.Logs {
		var ended []*task.Channel
		for _, ch := range e.To.Channels() {
			if ch.ID.Port == e.Port && ch.ID.Up == n.Range.First {
				ended = append(ended, ch)
			}
		}
		at := e.To.Position()
		ch, err := d.Channel(deploy.Link{From: n, To: e.To, Port: e.Port}, e.Log, at)
		if err != nil {
			t.Fatal(err)
		}
		if at == wire.TimeMax {
			continue
		}
		if err := e.To.Switch(at, ended, []*task.Channel{ch}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFailedDeploymentLeavesNothingBehind(t *testing.T) {
	fault := errors.New("no such directory")
	pool := slab.New(slab.Config{})
	opened := 0
	_, err := newDeployment(t, counting(10, func(engine.SinkPart) (engine.SinkWriter[number], error) {
		if opened++; opened == 2 {
			return nil, fault
		}
		return &lines{}, nil
	}), map[string]int{"out": 3}, pool)
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), `"out"`) {
		t.Errorf("got %v", err)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

// Feed stands between a log and its channel, and is told which.
func TestFeedIsTold(t *testing.T) {
	pool := slab.New(slab.Config{})
	plan, err := graph.NewPlan(counting(10, (&lines{}).open).Untyped(), graph.PlanConfig{Default: 2})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	d, err := deploy.New(plan, deploy.Config{Pool: pool, Feed: func(l deploy.Link, c *buffers.Cursor) task.Feed {
		seen[fmt.Sprintf("%s/%d→%s/%d:%d", l.From.Operator(), l.From.Index, l.To.Operator(), l.To.Index, l.Port)]++
		return c
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"in/0→count/0:0": 1, "in/0→count/1:0": 1, "in/1→count/0:0": 1, "in/1→count/1:0": 1, "count/0→out/0:0": 1, "count/1→out/0:0": 1}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("feeds %v, want %v", seen, want)
	}
	if err := errors.Join(d.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
}
