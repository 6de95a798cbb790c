package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire/slab"
)

// late is a feed whose cursor is opened once the other part is there.
type late struct{ *buffers.Cursor }

func (l *late) Next() (buffers.Frame, bool) { return l.Cursor.Next() }

// part is one process's share of a deployment.
type part struct {
	dep  *deploy.Deployment
	outs map[uint32]*buffers.Log
	ins  map[uint32]*late
}

func newPart(t *testing.T, plan *graph.Plan, pool *slab.Pool, here func(unit, index int) bool) *part {
	t.Helper()
	p := &part{outs: map[uint32]*buffers.Log{}, ins: map[uint32]*late{}}
	var err error
	p.dep, err = deploy.New(plan, deploy.Config{
		Pool: pool, FrameBytes: 256, LogBytes: 1 << 20, Local: here,
		Out: func(l deploy.Link, log *buffers.Log) { p.outs[l.Channel] = log },
		In: func(l deploy.Link, port task.Port) task.Feed {
			if port.Stream == 0 {
				t.Errorf("channel %d has no stream", l.Channel)
			}
			f := &late{}
			p.ins[l.Channel] = f
			return f
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A plan that is deployed in two parts, each of which knows the channels of the other by their numbers alone, computes what
// it computes in one.
func TestParts(t *testing.T) {
	want, got := &lines{}, &lines{}
	pool := slab.New(slab.Config{})
	whole, err := newDeployment(t, counting(1000, want.open), nil, pool)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, whole, 100, nil)

	parallelism := map[string]int{"count": 3, "in": 2}
	plan := func() *graph.Plan {
		p, err := graph.NewPlan(counting(1000, got.open).Untyped(), graph.PlanConfig{Parallelism: parallelism})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	even := func(unit, index int) bool { return (unit+index)%2 == 0 }
	a := newPart(t, plan(), pool, even)
	b := newPart(t, plan(), pool, func(unit, index int) bool { return !even(unit, index) })
	if len(a.ins)+len(b.ins) != 5 { // of 2·3 + 3 channels, those whose ends are in different parts
		t.Errorf("%d channels cross", len(a.ins)+len(b.ins))
	}
	join := func(to, from *part) {
		for ch, in := range to.ins {
			log, ok := from.outs[ch]
			if !ok {
				t.Fatalf("channel %d is not sent", ch)
			}
			if in.Cursor, err = log.OpenCursor(0); err != nil {
				t.Fatal(err)
			}
		}
		if len(to.ins) != len(from.outs) {
			t.Errorf("%d channels are sent, %d received", len(from.outs), len(to.ins))
		}
	}
	join(a, b)
	join(b, a)
	for turn, left := 0, 1; left > 0 && turn < 10000; turn++ {
		left = 0
		for _, p := range []*part{a, b} {
			p.dep.Tasks(func(tk *deploy.Task) {
				progress, err := tk.Run(0, 50)
				if err != nil {
					t.Fatal(err)
				}
				if !progress.Done {
					left++
				}
			})
		}
	}
	if len(got.list) != 1000 || strings.Join(got.list, "\n") != strings.Join(want.list, "\n") {
		t.Errorf("%d results differ from the %d of one process", len(got.list), len(want.list))
	}
	if err := errors.Join(whole.Close(), a.dep.Close(), b.dep.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
}

// No two channels have the same number.
func TestNumbers(t *testing.T) {
	pool := slab.New(slab.Config{})
	plan, err := graph.NewPlan(counting(10, (&lines{}).open).Untyped(), graph.PlanConfig{Default: 3})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]string{}
	d, err := deploy.New(plan, deploy.Config{Pool: pool, Feed: func(l deploy.Link, c *buffers.Cursor) task.Feed {
		name := fmt.Sprintf("%d→%d", l.From.Number, l.To.Number)
		if old, ok := seen[l.Channel]; ok {
			t.Errorf("channel %d is %s and %s", l.Channel, old, name)
		}
		seen[l.Channel] = name
		return c
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2*3+3 { // two splits are read by no more than two tasks
		t.Errorf("%d channels, want 9", len(seen))
	}
	if err := errors.Join(d.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
}
