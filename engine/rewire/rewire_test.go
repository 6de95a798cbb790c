package rewire_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

type number struct{ N uint64 }

// sums is a graph of a source of n numbers, an operator that sums them up by N % 50 and tells each sum at the end of every tenth
// of a second, one that passes on the sums, by their parity, and a sink.
func sums(n int, open func(engine.SinkPart) (engine.SinkWriter[number], error)) *engine.Graph {
	g := engine.NewGraph("sums")
	rows := make([]engine.Record[number], n)
	for i := range rows {
		rows[i] = engine.Record[number]{Millis: int64(i / 7), Value: number{uint64(i*i) % 50}}
	}
	in := engine.SliceSource(g, "in", rows[:n/2], rows[n/2:])
	op := engine.Keyed(g, "sum", in, func(v *number) uint64 { return v.N }, func(d *engine.Decl) engine.Handler[number] {
		sum := engine.Value[number](d, "sum")
		out := engine.Output[number](d, "sums")
		window := engine.Timer(d, "window", func(c *engine.Ctx) { out.Emit(c, sum.Get(c)) })
		return func(c *engine.Ctx, v *number) {
			s, _ := sum.Upsert(c)
			s.N += v.N + 1
			window.Set(c, c.NextMultiple(100e6))
		}
	})
	last := engine.Keyed(g, "last", engine.From[number](op, "sums"), func(v *number) uint64 { return v.N % 2 }, func(d *engine.Decl) engine.Handler[number] {
		count := engine.Value[number](d, "count")
		out := engine.Output[number](d, "all")
		return func(c *engine.Ctx, v *number) {
			n, _ := count.Upsert(c)
			n.N += v.N
			out.Emit(c, n)
		}
	})
	engine.Sink(g, "out", engine.From[number](last, "all"), open)
	return g
}

type lines struct{ list []string }

func (l *lines) Write(c *engine.Ctx, v *number)                          { l.list = append(l.list, fmt.Sprint(c.Time(), v.N)) }
func (l *lines) Commit(wire.Time) ([]byte, error)                        { return nil, nil }
func (l *lines) Restore([]byte) error                                    { return nil }
func (l *lines) Flush() error                                            { return nil }
func (l *lines) Close() error                                            { return nil }
func (l *lines) open(engine.SinkPart) (engine.SinkWriter[number], error) { return l, nil }

// site is a worker that has everything.
type site struct {
	t      *testing.T
	d      *deploy.Deployment
	pool   *slab.Pool
	rand   *rand.Rand
	order  *control.Deploy
	active []*deploy.Task
	left   []*deploy.Task // until nobody reads them
	done   int            // reassignments that came to their end
}

func (s *site) Here(*deploy.Task) bool            { return true }
func (s *site) On(_ *deploy.Task, fn func())      { fn() }
func (s *site) Withdraw(*deploy.Task, uint32)     {}
func (s *site) Link(_, _ *deploy.Task) *link.Link { panic("BUG: there is no other worker") }

// follow follows an order, whose epoch it sets.
func (s *site) follow(o control.Deploy) (reached wire.Time, here []rewire.Place) {
	s.t.Helper()
	o.Epoch = s.order.Epoch + 1
	before := s.order
	s.order = &o
	changes := rewire.Compare(before, s.order, 0, func(p rewire.Place) bool {
		return p.Index < len(s.d.Units[p.Unit]) && s.d.Units[p.Unit][p.Index].Local()
	})
	for _, p := range changes.Going {
		t := s.d.Units[p.Unit][p.Index]
		s.active = slices.DeleteFunc(s.active, func(a *deploy.Task) bool { return a == t })
		rewire.Leave(s.d, s, t, true)
		s.left = append(s.left, t)
	}
	reached, err := rewire.Follow(s.d, s, changes)
	if err != nil {
		s.t.Fatal(err)
	}
	return reached, changes.Here
}

// turns gives tasks turns, at random, and sees that one was taken that has not come to its end.
func (s *site) turns(n int) (going bool) {
	s.t.Helper()
	for range n {
		t := s.active[s.rand.IntN(len(s.active))]
		if _, err := t.Run(0, 1+s.rand.IntN(30)); err != nil {
			s.t.Fatal(err)
		}
		if s.rand.IntN(10) == 0 {
			t.Durable(t.Position())
		}
		s.left = slices.DeleteFunc(s.left, func(l *deploy.Task) bool {
			if !l.Idle() {
				return false
			}
			if err := l.Discard(); err != nil {
				s.t.Error(err)
			}
			return true
		})
	}
	return slices.ContainsFunc(s.active, func(t *deploy.Task) bool { return t.Position() != wire.TimeMax })
}

// plan chooses a reassignment.
func (s *site) plan() (o control.Deploy, r control.Reassignment) {
	o = *s.order
	r = control.Reassignment{ID: o.Epoch, Unit: s.rand.IntN(3), Phase: control.Registering}
	ranges := slices.Clone(o.Ranges[r.Unit])
	var all []int // that there are, by range
	for i, slot := range o.Place[r.Unit] {
		if slot != control.Nowhere {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b int) int { return map[bool]int{true: -1, false: 1}[ranges[a].First < ranges[b].First] })
	n := 1
	if r.Unit > 0 {
		n = 1 + s.rand.IntN(min(3, len(all)))
	}
	at := s.rand.IntN(len(all) - n + 1)
	r.Old = all[at : at+n]
	whole := partition.Range{First: ranges[r.Old[0]].First, Last: ranges[r.Old[n-1]].Last}
	parts := []partition.Range{whole}
	if r.Unit > 0 {
		var cuts []uint64
		for range s.rand.IntN(3) {
			cuts = append(cuts, whole.First+1+s.rand.Uint64N(whole.Last-whole.First))
		}
		slices.Sort(cuts)
		var err error
		if parts, err = whole.Cut(slices.Compact(cuts)...); err != nil {
			s.t.Fatal(err)
		}
	}
	place := slices.Clone(o.Place[r.Unit])
	for _, p := range parts {
		r.New = append(r.New, len(ranges))
		ranges, place = append(ranges, p), append(place, 0)
		if !slices.ContainsFunc(r.Old, func(i int) bool { return ranges[i].Covers(p) }) {
			r.Joins = true
		}
	}
	o.Place, o.Ranges = slices.Clone(o.Place), slices.Clone(o.Ranges)
	o.Place[r.Unit], o.Ranges[r.Unit], o.Reassign = place, ranges, []control.Reassignment{r}
	return o, r
}

// end ends a reassignment: its tasks of one kind are nowhere from then on.
func (s *site) end(r control.Reassignment, nowhere []int) {
	s.t.Helper()
	o := *s.order
	o.Reassign = nil
	o.Place = slices.Clone(o.Place)
	o.Place[r.Unit] = slices.Clone(o.Place[r.Unit])
	for _, i := range nowhere {
		o.Place[r.Unit][i] = control.Nowhere
	}
	s.follow(o)
}

// reassign does one from the beginning to its end, or gives it up in between.
func (s *site) reassign() {
	s.t.Helper()
	o, r := s.plan()
	reached, here := s.follow(o)
	if len(here) > 0 {
		s.t.Fatalf("%v are to be made before anything is registered", here)
	}
	olds := make([]*deploy.Task, len(r.Old))
	for i, index := range r.Old {
		olds[i] = s.d.Units[r.Unit][index]
		reached = max(reached, olds[i].Position())
	}
	if r.Joins {
		for _, t := range olds {
			t.Hold(reached)
		}
	}
	s.turns(s.rand.IntN(30))
	pieces := make([]*ft.Checkpoint, len(olds))
	for i, t := range olds {
		for n := 0; t.Position() < reached; n++ {
			if s.turns(1); n > 1e6 {
				s.t.Fatalf("operator %q is at %v, and never comes to %v", t.Operator(), t.Position(), reached)
			}
		}
		var err error
		if pieces[i], err = t.Checkpoint(); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, t := range olds {
		t.Hold(wire.TimeMax)
	}
	if s.rand.IntN(6) == 0 {
		s.end(r, r.New)
		return
	}
	o = *s.order
	r.Phase, r.Cut = control.Restoring, reached
	o.Reassign = []control.Reassignment{r}
	_, here = s.follow(o)
	if len(here) != len(r.New) {
		s.t.Fatalf("%v are to be made, want %v", here, r.New)
	}
	s.make(r, here, pieces)
	s.turns(s.rand.IntN(200))
	if s.rand.IntN(6) == 0 {
		s.end(r, r.New)
		return
	}
	s.end(r, r.Old)
	s.done++
}

// make makes new tasks out of checkpoints of the old ones.
func (s *site) make(r control.Reassignment, here []rewire.Place, pieces []*ft.Checkpoint) {
	s.t.Helper()
	var err error
	type made struct {
		*deploy.Task
		from wire.Time
	}
	var list []made
	for _, p := range here {
		keys, from := s.order.Ranges[p.Unit][p.Index], pieces
		if !r.Joins {
			i := slices.IndexFunc(pieces, func(c *ft.Checkpoint) bool { return c.Range.Covers(keys) })
			from = pieces[i : i+1]
		}
		var ranges []partition.Range
		for _, i := range r.New {
			if n := s.order.Ranges[r.Unit][i]; slices.ContainsFunc(from, func(c *ft.Checkpoint) bool { return c.Range.Overlaps(n) }) {
				ranges = append(ranges, n)
			}
		}
		if len(from)+len(ranges) > 2 {
			if from, err = ft.Repartition(from, ranges); err != nil {
				s.t.Fatal(err)
			}
		}
		c := from[slices.Index(ranges, keys)]
		t, err := s.d.Build(p.Unit, p.Index)
		if err == nil {
			err = t.Restore(c, s.pool)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		s.d.Install(t)
		list = append(list, made{t, c.Position})
	}
	for _, m := range list {
		if err := rewire.Join(s.d, s, m.Task, m.from, func(*deploy.Task) bool { return true }); err != nil {
			s.t.Fatal(err)
		}
		s.active = append(s.active, m.Task)
	}
}

// newSite deploys a graph on one worker.
func newSite(t *testing.T, g *engine.Graph, parallelism map[string]int, seed uint64) *site {
	t.Helper()
	s := &site{t: t, pool: slab.New(slab.Config{}), rand: rand.New(rand.NewPCG(seed, 1))}
	plan, err := graph.NewPlan(g.Untyped(), graph.PlanConfig{Default: 1, Parallelism: parallelism})
	if err == nil {
		s.d, err = deploy.New(plan, deploy.Config{Pool: s.pool, Clock: task.Clock{}, FrameBytes: 256, LogBytes: 1 << 20})
	}
	if err != nil {
		t.Fatal(err)
	}
	s.order = &control.Deploy{Epoch: 1, Workers: []control.Host{{Worker: "w"}}, Slots: []control.Slot{{}}}
	for _, u := range plan.Units {
		s.order.Place, s.order.Ranges = append(s.order.Place, make([]int, u.Tasks)), append(s.order.Ranges, u.Ranges)
	}
	s.d.Tasks(func(t *deploy.Task) { s.active = append(s.active, t) })
	return s
}

// close gives everything back.
func (s *site) close() {
	s.t.Helper()
	for _, t := range s.left {
		s.t.Errorf("operator %q, task %d, has left and is still read", t.Operator(), t.Index)
	}
	if err := errors.Join(s.d.Close(), s.pool.Close()); err != nil {
		s.t.Error(err)
	}
}

// TestReassign splits, merges, moves and cuts anew tasks of every operator but the sink again and again while the job runs, and
// compares what comes out with a run in which nothing of that happens.
func TestReassign(t *testing.T) {
	const n = 4000
	want := &lines{}
	s := newSite(t, sums(n, want.open), nil, 0)
	for s.turns(100) {
	}
	s.close()
	done := 0
	for seed := range uint64(100) {
		got := &lines{}
		s := newSite(t, sums(n, got.open), map[string]int{"in": 2, "sum": 1 + int(seed%3), "last": 1 + int(seed%2)}, seed)
		for s.turns(20) {
			s.reassign()
		}
		s.turns(100)
		s.close()
		done += s.done
		if strings.Join(got.list, "\n") != strings.Join(want.list, "\n") {
			t.Fatalf("seed %d: %d results differ from the %d without reassignments, of which there were %d", seed, len(got.list), len(want.list), s.done)
		}
	}
	if done < 300 {
		t.Errorf("%d reassignments came to their end in all, want more for this to show anything", done)
	}
}
