package worker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// firstSink is the first of the sinks among the units of the counting program's plan; 0 is the source.
const firstSink = 3

// reassignment is one of tasks of a unit to new ones with the given ranges.
func (c *crew) reassignment(unit int, old []int, ranges []partition.Range) *control.Reassignment {
	c.t.Helper()
	o := *c.order
	r := control.Reassignment{ID: o.Epoch, Unit: unit, Old: old, Phase: control.Registering}
	o.Place, o.Ranges = slices.Clone(o.Place), slices.Clone(o.Ranges)
	o.Place[unit], o.Ranges[unit] = slices.Clone(o.Place[unit]), slices.Clone(o.Ranges[unit])
	for _, keys := range ranges {
		slot := -1
		for slot < 0 || !slices.Contains(c.alive, o.Slots[slot].Worker) {
			slot = c.rand.IntN(len(o.Slots))
		}
		r.New = append(r.New, len(o.Place[unit]))
		o.Place[unit], o.Ranges[unit] = append(o.Place[unit], slot), append(o.Ranges[unit], keys)
		if !slices.ContainsFunc(old, func(i int) bool { return o.Ranges[unit][i].Covers(keys) }) {
			r.Joins = true
		}
	}
	o.Reassign = []control.Reassignment{r}
	c.order = &o
	return &r
}

// plan chooses a reassignment: some tasks that lie side by side, and what is to become of their ranges.
func (c *crew) plan() *control.Reassignment {
	c.t.Helper()
	unit := c.rand.IntN(len(c.order.Place))
	ranges := c.order.Ranges[unit]
	var all []int
	for i, slot := range c.order.Place[unit] {
		if slot != control.Nowhere {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b int) int { return map[bool]int{true: -1, false: 1}[ranges[a].First < ranges[b].First] })
	if unit == 0 || unit >= firstSink { // their tasks can be moved
		i := all[c.rand.IntN(len(all))]
		r := c.reassignment(unit, []int{i}, []partition.Range{ranges[i]})
		r.Stops = unit >= firstSink
		c.order.Reassign[0].Stops = r.Stops
		return r
	}
	n := 1 + c.rand.IntN(min(2, len(all)))
	at := c.rand.IntN(len(all) - n + 1)
	old := slices.Clone(all[at : at+n])
	whole := partition.Range{First: ranges[old[0]].First, Last: ranges[old[n-1]].Last}
	var cuts []uint64
	if len(all) < 8 {
		for range c.rand.IntN(3) {
			cuts = append(cuts, whole.First+1+c.rand.Uint64N(whole.Last-whole.First))
		}
	}
	slices.Sort(cuts)
	parts, err := whole.Cut(slices.Compact(cuts)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.reassignment(unit, old, parts)
}

// announce sends the order to all, under a new epoch, and waits until all have answered. It returns the greatest position that
// any has told.
func (c *crew) announce() (reached wire.Time) {
	c.t.Helper()
	o := *c.order
	o.Epoch++
	o.Recovers = true
	c.order = &o
	for _, i := range c.alive {
		c.send(o.Workers[i].Worker, &o)
	}
	for _, i := range c.alive {
		for c.deployed[o.Workers[i].Worker] != o.Epoch {
			c.until(1, of[*control.Deployed])
		}
	}
	return c.reached
}

// reassign does a reassignment from its beginning to its end, or gives it up before.
func (c *crew) reassign(giveUp bool) { c.end(c.prepare(giveUp), giveUp) }

// prepare does a reassignment until the new tasks have caught up, or could be given up.
func (c *crew) prepare(giveUp bool) *control.Reassignment {
	c.t.Helper()
	r := c.plan()
	c.reached = 0
	r.Cut = c.announce()
	phases := []control.ReassignPhase{control.Restoring}
	if r.Stops {
		phases = []control.ReassignPhase{control.Stopping, control.Restoring}
	}
	for _, r.Phase = range phases {
		if r.Phase == control.Restoring && r.Stops && giveUp && c.rand.IntN(2) == 0 {
			break // the old task is brought back
		}
		o := *c.order
		o.Reassign = []control.Reassignment{*r}
		c.order = &o
		c.announce()
	}
	if !giveUp {
		o := c.order
		waits := map[string]bool{}
		for _, i := range r.New {
			waits[o.Workers[o.Slots[o.Place[r.Unit][i]].Worker].Worker] = true
		}
		for len(waits) > 0 {
			c.until(1, func(m said) bool {
				up, ok := m.message.(*control.CaughtUp)
				if ok && up.Epoch == c.order.Epoch {
					delete(waits, m.worker)
				}
				return ok
			})
		}
	}
	return r
}

// end ends a reassignment: by a switch, or, if it is given up, by dropping what is new.
func (c *crew) end(r *control.Reassignment, giveUp bool) {
	c.t.Helper()
	o := *c.order
	o.Reassign, o.Place = nil, slices.Clone(o.Place)
	o.Place[r.Unit] = slices.Clone(o.Place[r.Unit])
	nowhere := r.Old
	if giveUp {
		nowhere = r.New
	}
	for _, i := range nowhere {
		o.Place[r.Unit][i] = control.Nowhere
	}
	c.order = &o
	c.announce()
}

// TestReassigned splits, merges and moves tasks while the job runs, with losses in between: the results are those of an
// undisturbed run.
func TestReassigned(t *testing.T) {
	s := settings{Rows: rows(60_000), Splits: 5, Keys: 97}
	want := embedded(t, s)
	for seed := range uint64(rows(4)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := control.JobConfig{
				CheckpointInterval: 50 * time.Millisecond, Pace: float64(s.Rows) / 9 / 1000 / 4, FrameBytes: 2 << 10, LogBytes: 256 << 10, Replicas: 2,
			}
			c := newCrew(t, seed, 3, 2, s, cfg)
			c.wait(2)
			for i := range 8 {
				c.reassign(i%4 == 2)
				if i == 4 {
					c.kill(1, true)
					c.wait(2)
				}
			}
			same(t, c.finish(), want)
		})
	}
}

// TestReassignedAtTheEnd reassigns tasks whose input is over, before the job has been told to end: new ones have nothing left to do but
// to hear and to say so.
func TestReassignedAtTheEnd(t *testing.T) {
	s := settings{Rows: 2_000, Splits: 5, Keys: 97}
	want := embedded(t, s)
	for seed := range uint64(rows(8)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newCrew(t, seed, 3, 2, s, control.JobConfig{CheckpointInterval: 50 * time.Millisecond, FrameBytes: 2 << 10, LogBytes: 256 << 10, Replicas: 2})
			c.wait(6)
			for i := range 6 {
				c.reassign(i%4 == 2)
			}
			same(t, c.finish(), want)
		})
	}
}

// TestReassignedBeyondTheEnd has the input come to its end while new tasks have caught up, and have not taken over yet.
func TestReassignedBeyondTheEnd(t *testing.T) {
	s := settings{Rows: 2_000, Splits: 5, Keys: 97}
	want := embedded(t, s)
	for seed := range uint64(rows(8)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := control.JobConfig{CheckpointInterval: 50 * time.Millisecond, Pace: float64(s.Rows) / 9 / 1000, FrameBytes: 2 << 10, LogBytes: 256 << 10, Replicas: 2}
			c := newCrew(t, seed, 3, 2, s, cfg)
			c.wait(2)
			r := c.prepare(false)
			over := map[string]bool{}
			for len(over) < len(c.alive) {
				c.until(1, func(m said) bool {
					h, ok := m.message.(*control.Heartbeat)
					if ok && len(h.Jobs) > 0 && !slices.ContainsFunc(h.Jobs[0].Stats.Tasks, func(t engine.TaskStats) bool { return t.Position < wire.TimeMax }) {
						over[m.worker] = true
					}
					return ok
				})
			}
			c.end(r, false)
			same(t, c.finish(), want)
		})
	}
}
