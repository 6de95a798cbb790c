package checkpoint_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/checkpoint"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// pair is an input, and a result.
type pair struct{ Key, N uint64 }

// rig is a source and a counter with a taker, whose checkpoints wait for the test to keep them.
type rig struct {
	*testing.T
	pool    *slab.Pool
	dep     *deploy.Deployment
	source  *deploy.Task
	counter *deploy.Task
	taker   *checkpoint.Taker
	now     time.Duration
	kept    []checkpoint.Kept // handed over
	done    []func(error)     // of those
}

// newRig makes one with a checkpoint of each task every second.
func newRig(t *testing.T, change func(*checkpoint.Config)) *rig {
	t.Helper()
	r := &rig{T: t, pool: slab.New(slab.Config{})}
	input := make([]engine.Record[pair], 10_000)
	for i := range input {
		input[i] = engine.Record[pair]{Millis: int64(i), Value: pair{uint64(i % 100), 1}}
	}
	g := engine.NewGraph("pairs")
	counter := engine.Keyed(g, "counter", engine.SliceSource(g, "in", input), func(p *pair) uint64 { return p.Key },
		func(d *engine.Decl) engine.Handler[pair] {
			n := engine.Value[uint64](d, "n")
			out := engine.Output[pair](d, "out")
			return func(c *engine.Ctx, p *pair) {
				v, _ := n.Upsert(c)
				*v += p.N
				out.Emit(c, &pair{p.Key, *v})
			}
		})
	engine.SinkFunc(g, "sink", engine.From[pair](counter, "out"), func(*engine.Ctx, *pair) {})
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.dep, err = deploy.New(plan, deploy.Config{Pool: r.pool, LogBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	r.dep.Tasks(func(tk *deploy.Task) {
		switch tk.Operator() {
		case "in":
			r.source = tk
		case "counter":
			r.counter = tk
		}
	})
	cfg := checkpoint.Config{
		Schedule: ft.ScheduleConfig{Interval: time.Second, MinGap: 10 * time.Millisecond}, Backlog: -1, Go: func(fn func()) { fn() },
		Keep: func(c checkpoint.Kept, done func(error)) { r.kept, r.done = append(r.kept, c), append(r.done, done) },
	}
	if change != nil {
		change(&cfg)
	}
	if r.taker, err = checkpoint.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := r.taker.Add(r.counter.Task, ft.Member{Rank: 0, Ranks: 1, Count: 1}, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.taker.Stop()
		if err := errors.Join(r.dep.Close(), r.pool.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// turn lets the tasks process some tuples.
func (r *rig) turn(tuples int) {
	r.Helper()
	r.dep.Tasks(func(tk *deploy.Task) {
		if _, err := tk.Run(r.now, tuples); err != nil {
			r.Fatal(err)
		}
	})
}

// take lets time pass until n more checkpoints have been handed over.
func (r *rig) take(n int) checkpoint.Kept {
	r.Helper()
	for want := len(r.kept) + n; len(r.kept) < want; r.now += 5 * time.Millisecond {
		if r.now > time.Minute {
			r.Fatalf("no checkpoint within %v", r.now)
		}
		r.step()
	}
	return r.kept[len(r.kept)-1]
}

func (r *rig) step() (worked bool) {
	r.Helper()
	worked, _, err := r.taker.Step(r.now)
	if err != nil {
		r.Fatal(err)
	}
	return worked
}

// answer says what has become of the last checkpoint handed over.
func (r *rig) answer(err error) {
	r.done[len(r.done)-1](err)
	r.step()
}

// trimmed is how far the log that feeds the counter is trimmed.
func (r *rig) trimmed() wire.Time {
	l := r.source.Logs[0].Log
	l.Collect()
	return l.TrimPoint()
}

// TestDurable: a task is told that it is durable when its checkpoint is kept, and no sooner; what follows builds upon it.
func TestDurable(t *testing.T) {
	r := newRig(t, nil)
	r.turn(500)
	first := r.take(1)
	if first.Generation != 1 || first.Follows != 0 || first.Position != r.counter.Position() {
		t.Fatalf("the first is %d after %d at %v, want 1 after none at %v", first.Generation, first.Follows, first.Position, r.counter.Position())
	}
	if r.step(); r.trimmed() != 0 {
		t.Fatalf("the log is trimmed at %v before anything is kept", r.trimmed())
	}
	r.answer(nil)
	if got := r.trimmed(); got != first.Position || r.taker.Stats().Taken != 1 {
		t.Fatalf("the log is trimmed at %v, want %v; %+v", got, first.Position, r.taker.Stats())
	}
	for range 3 { // of a few keys
		r.turn(7)
		next := r.take(1)
		info, err := ft.DecodeInfo(next.Encoded)
		if err != nil || next.Follows != next.Generation-1 || info.Kind != state.Delta || info.Tables[0].Records != 7 {
			t.Fatalf("generation %d follows %d, %v, %+v: want a delta of 7 records", next.Generation, next.Follows, err, info)
		}
		r.answer(nil)
	}
}

// TestFailure: what is not kept is not durable, and the next is complete by itself.
func TestFailure(t *testing.T) {
	r := newRig(t, nil)
	r.turn(500)
	r.take(1)
	r.answer(nil)
	at := r.trimmed()
	r.turn(7)
	r.take(1)
	r.answer(errors.New("no room"))
	if r.trimmed() != at || r.taker.Stats().Failed != 1 {
		t.Fatalf("the log is trimmed at %v, want %v; %+v", r.trimmed(), at, r.taker.Stats())
	}
	before := r.now
	again := r.take(1)
	if again.Generation != 3 || again.Follows != 0 {
		t.Fatalf("then comes %d after %d, want 3 after none", again.Generation, again.Follows)
	}
	if r.now-before > time.Second/2 {
		t.Errorf("it is repeated after %v", r.now-before)
	}
}

// TestRenew: what was kept by somebody who is gone does not count, and is taken again although nothing has changed.
func TestRenew(t *testing.T) {
	r := newRig(t, nil)
	r.turn(500)
	r.take(1)
	r.answer(nil)
	r.turn(7)
	r.take(1)
	at := r.trimmed()
	r.taker.Renew(func(id ft.TaskID) bool { return id.Operator == "counter" })
	r.answer(nil) // by those who were to keep it before
	if r.trimmed() != at {
		t.Fatalf("the log is trimmed at %v, want %v: who has the last one is gone", r.trimmed(), at)
	}
	if next := r.take(1); next.Follows != 0 || next.Position != r.counter.Position() {
		t.Fatalf("then comes %d after %d at %v, want a complete one at %v", next.Generation, next.Follows, next.Position, r.counter.Position())
	}
	r.answer(nil)
	if r.trimmed() != r.counter.Position() {
		t.Fatalf("the log is trimmed at %v, want %v", r.trimmed(), r.counter.Position())
	}
}

// TestEnd: a taker is done when the ends of its tasks are durable, or at once where they need not be.
func TestEnd(t *testing.T) {
	for _, alone := range []bool{false, true} {
		r := newRig(t, func(c *checkpoint.Config) { c.EndsAlone = alone })
		for r.counter.Position() < wire.TimeMax {
			r.turn(1000)
		}
		if r.taker.Done() {
			t.Fatal("it is done before the end was heard of")
		}
		r.step()
		if r.taker.Done() != alone {
			t.Fatalf("ends that need no checkpoint: %v; done: %v", alone, r.taker.Done())
		}
		if !alone {
			if len(r.kept) == 0 {
				r.take(1)
			}
			last := r.kept[0]
			info, err := ft.DecodeInfo(last.Encoded)
			if err != nil || last.Position != wire.TimeMax || len(info.Tables) != 0 {
				t.Fatalf("the last is at %v with %d tables, %v: want the end, and none", last.Position, len(info.Tables), err)
			}
			r.answer(nil)
		}
		if !r.taker.Done() || r.trimmed() != wire.TimeMax {
			t.Fatalf("done: %v, trimmed at %v", r.taker.Done(), r.trimmed())
		}
	}
}

// TestStop: nothing is begun any more, and what is consumed is trimmed.
func TestStop(t *testing.T) {
	r := newRig(t, nil)
	r.turn(500)
	r.taker.Stop()
	if !r.step() || r.trimmed() != r.counter.Position() || !r.taker.Done() {
		t.Fatalf("trimmed at %v, want %v; done: %v", r.trimmed(), r.counter.Position(), r.taker.Done())
	}
	r.now += time.Minute
	if r.step(); len(r.kept) != 0 {
		t.Errorf("%d checkpoints were taken", len(r.kept))
	}
}
