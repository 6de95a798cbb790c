package linktest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// number is a payload of the diamond.
type number struct{ Key, Value uint64 }

func (n *number) key() uint64 { return n.Key }

// diamond is a graph in which two paths part and meet again, with real tasks:
//
//	in ──▶ fan ──left──▶ none ──▶ join ──▶ out
//	        └───right──▶ many ──▶
//
// none drops everything, so that only its frontier moves; many emits hundreds of tuples at some times. The operators are
// spread over loops so that each channel leads from one loop to another, and the loops form circles.
func diamond(out *[]string) *engine.Graph {
	g := engine.NewGraph("diamond")
	r := rand.New(rand.NewPCG(1, 2))
	splits := make([][]engine.Record[number], 2)
	for s := range splits {
		for i := range 1500 {
			splits[s] = append(splits[s], engine.Record[number]{Millis: int64(i / 3), Value: number{r.Uint64N(50), r.Uint64()}})
		}
	}
	fan := engine.Keyed(g, "fan", engine.SliceSource(g, "in", splits...), (*number).key, func(d *engine.Decl) engine.Handler[number] {
		left, right := engine.Output[number](d, "left"), engine.Output[number](d, "right")
		return func(c *engine.Ctx, v *number) {
			left.Emit(c, v)
			right.Emit(c, v)
		}
	})
	none := engine.Keyed(g, "none", engine.From[number](fan, "left"), (*number).key, func(d *engine.Decl) engine.Handler[number] {
		engine.Output[number](d, "out")
		return func(*engine.Ctx, *number) {}
	})
	many := engine.Keyed(g, "many", engine.From[number](fan, "right"), (*number).key, func(d *engine.Decl) engine.Handler[number] {
		o := engine.Output[number](d, "out")
		return func(c *engine.Ctx, v *number) {
			n := uint64(1)
			if v.Value%97 == 0 {
				n = 900
			}
			for i := range n {
				o.Emit(c, &number{v.Value % 31, v.Value + i})
			}
		}
	})
	join := engine.Operator(g, "join", func(d *engine.Decl) {
		count := engine.Value[number](d, "count")
		o := engine.Output[number](d, "out")
		add := func(c *engine.Ctx, v *number) {
			n, _ := count.Upsert(c)
			n.Key, n.Value = v.Key, n.Value*31+v.Value
			o.Emit(c, n)
		}
		engine.KeyedInput(d, engine.From[number](none, "out"), (*number).key, add)
		engine.KeyedInput(d, engine.From[number](many, "out"), (*number).key, add)
	})
	engine.SinkFunc(g, "out", engine.From[number](join, "out"), func(c *engine.Ctx, v *number) {
		*out = append(*out, fmt.Sprintf("%v %d %x", c.Time(), v.Key, v.Value))
	})
	return g
}

// diamondPlace is the loop of each unit: in, fan, none, many, join, out.
var diamondPlace = []int{0, 1, 2, 3, 0, 1}

// newPart makes the part of the diamond that is on one loop, or all of it for a loop of -1.
func newPart(t *testing.T, loop int, pool *slab.Pool, out *[]string, links func(to int) *link.Link) *deploy.Deployment {
	t.Helper()
	plan, err := graph.NewPlan(diamond(out).Untyped(), graph.PlanConfig{Default: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Units) != len(diamondPlace) {
		t.Fatalf("the plan has %d units, want %d", len(plan.Units), len(diamondPlace))
	}
	cfg := deploy.Config{Pool: pool, LogBytes: 64 << 10, FrameBytes: 4 << 10, TrimOnAck: true}
	if loop >= 0 {
		cfg.Local = func(unit, _ int) bool { return diamondPlace[unit] == loop }
		cfg.Out = func(d deploy.Link, l *buffers.Log) {
			links(diamondPlace[d.To.Unit]).Send(d.Channel, d.From.Number, l)
		}
		cfg.In = func(d deploy.Link, p task.Port) task.Feed {
			return links(diamondPlace[d.From.Unit]).Receive(d.Channel, d.From.Number, link.ChannelSpec{Stream: p.Stream, PayloadSize: p.PayloadSize})
		}
	}
	d, err := deploy.New(plan, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// turn gives each task of a part a turn. It says whether all are done.
func turn(d *deploy.Deployment) (worked, done bool, err error) {
	done = true
	d.Tasks(func(tk *deploy.Task) {
		if tk.Position() == wire.TimeMax {
			return
		}
		p, e := tk.Run(0, 256)
		if e != nil {
			err = e
		}
		worked, done = worked || p.Worked, done && p.Done
	})
	return worked, done, err
}

// testDiamond runs the diamond on four loops, with windows of 4 KiB and logs of 64 KiB, and compares with what one loop
// without links gives.
func testDiamond(t *testing.T, open func(testing.TB) Transport) {
	var want, got []string
	pool := slab.New(slab.Config{})
	whole := newPart(t, -1, pool, &want, nil)
	for done := false; !done; {
		var err error
		if _, done, err = turn(whole); err != nil {
			t.Fatal(err)
		}
	}
	if err := whole.Close(); err != nil {
		t.Error(err)
	}

	r := newRig(t, open, 4)
	var pairs [][2]*end
	links := make([][4]*link.Link, 4)
	for i := range 4 {
		for j := range i {
			a, b := r.link(j, i, link.Config{Window: 4 << 10, TurnBytes: 16 << 10})
			links[j][i], links[i][j] = a.link, b.link
			pairs = append(pairs, [2]*end{a, b})
		}
	}
	var parts []*deploy.Deployment
	for i, n := range r.nodes {
		part := newPart(t, i, r.pools[i], &got, func(to int) *link.Link { return links[i][to] })
		parts = append(parts, part)
		done := false
		n.turns = append(n.turns, func() (worked bool) {
			var err error
			if worked, done, err = turn(part); err != nil {
				t.Error(err)
			}
			return worked
		})
		n.goals = append(n.goals, func() bool { return done })
	}
	done := r.start()
	for _, p := range pairs {
		r.connect(p[0], p[1])
	}
	r.run(done)
	if len(want) < 3000 || !slices.Equal(got, want) {
		t.Errorf("%d results on four loops differ from %d on one", len(got), len(want))
	}
	for _, p := range parts {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	r.release()
}
