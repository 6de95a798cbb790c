package worker

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/control"
	"github.com/fullspate/spate/engine/rewire"
	"github.com/fullspate/spate/wire"
)

// crew is workers that die, and a job that is carried on by those that are left.
type crew struct {
	*fake
	rand     *rand.Rand
	order    *control.Deploy
	ends     []func() // by index of order.Workers
	alive    []int    // indexes
	loops    int
	ended    map[string]*control.Ended // the last, by worker
	deployed map[string]uint64         // the last epoch
	reached  wire.Time                 // the greatest that was told
}

// newCrew starts a job on n workers.
func newCrew(t *testing.T, seed uint64, n, loops int, s settings, cfg control.JobConfig) *crew {
	c := &crew{fake: newFake(t, "tcp://127.0.0.1:0"), rand: rand.New(rand.NewPCG(seed, 1)), loops: loops, ended: map[string]*control.Ended{}, deployed: map[string]uint64{}}
	for i := range n {
		c.ends = append(c.ends, c.start(Config{Loops: loops, Listen: "unix://" + filepath.Join(t.TempDir(), fmt.Sprintf("%d.sock", i))}))
		c.until(1, of[*control.Register])
		c.alive = append(c.alive, i)
	}
	c.order = c.fake.order("j1", s, cfg, map[string]int{"in": 3, "first": 4, "second": 3})
	c.deploy(c.order)
	c.begin(c.order)
	return c
}

// kill ends workers, and has the job carried on by others: by a new one, if hire says so.
func (c *crew) kill(n int, hire bool) {
	c.t.Helper()
	for range n {
		i := c.rand.IntN(len(c.alive))
		dead := c.alive[i]
		c.alive = slices.Delete(c.alive, i, i+1)
		c.ends[dead]()
	}
	if hire {
		c.hireOne()
	}
	c.carryOn()
}

// hireOne starts another worker.
func (c *crew) hireOne() {
	c.t.Helper()
	i := len(c.ends)
	c.ends = append(c.ends, c.start(Config{Loops: c.loops, Listen: "unix://" + filepath.Join(c.t.TempDir(), fmt.Sprintf("%d.sock", i))}))
	c.until(1, of[*control.Register])
	c.alive = append(c.alive, i)
}

// carryOn sends the order that the loss of workers makes necessary.
func (c *crew) carryOn() {
	c.t.Helper()
	o := *c.order
	o.Epoch++
	o.Recovers = true
	o.Workers, _ = c.hosts()
	o.Slots = slices.Clone(o.Slots)
	for w := len(c.order.Workers); w < len(o.Workers); w++ {
		for l := range c.loops {
			o.Slots = append(o.Slots, control.Slot{Worker: w, Loop: l})
		}
	}
	o.Gone = nil
	to := map[int]int{} // who takes over from whom
	for i := range o.Workers {
		if !slices.Contains(c.alive, i) {
			o.Gone = append(o.Gone, i)
			to[i] = c.alive[c.rand.IntN(len(c.alive))]
			if last := len(o.Workers) - 1; last >= len(c.order.Workers) {
				to[i] = last
			}
		}
	}
	o.Place = make([][]int, len(c.order.Place))
	for u, slots := range c.order.Place {
		o.Place[u] = slices.Clone(slots)
		for i, s := range slots {
			if s == control.Nowhere {
				continue
			}
			if heir, gone := to[o.Slots[s].Worker]; gone {
				o.Place[u][i] = slices.Index(o.Slots, control.Slot{Worker: heir, Loop: o.Slots[s].Loop})
			}
		}
	}
	fresh := o.Workers[len(c.order.Workers):]
	c.order = &o
	for _, i := range c.alive {
		c.send(o.Workers[i].Worker, &o)
	}
	for i, h := range fresh {
		if slices.Contains(o.Gone, len(o.Workers)-len(fresh)+i) {
			continue
		}
		for c.deployed[h.Worker] != o.Epoch { // they answer in any order
			c.until(1, of[*control.Deployed])
		}
		c.send(h.Worker, &control.Start{Coordinator: c.epoch, Job: o.Job, Epoch: o.Epoch, At: time.Now().UnixNano()})
	}
}

// until is the fake's, and takes note of ends and of orders that are done.
func (c *crew) until(n int, ok func(said) bool) {
	c.t.Helper()
	c.fake.until(n, func(m said) bool {
		switch said := m.message.(type) {
		case *control.Ended:
			c.ended[m.worker] = said
		case *control.Deployed:
			if said.Error != nil {
				c.t.Fatalf("%s: %v", m.worker, said.Error)
			}
			c.deployed[m.worker] = said.Epoch
			c.reached = max(c.reached, said.Reached)
		}
		return ok(m)
	})
}

// finish waits for the ends of all parts. Those without tasks are told.
func (c *crew) finish() (list []*control.Ended) {
	c.t.Helper()
	for _, i := range c.alive {
		busy := slices.ContainsFunc(rewire.Places(c.order), func(p rewire.Place) bool { return rewire.Slot(c.order, p).Worker == i })
		if !busy {
			c.send(c.order.Workers[i].Worker, &control.End{Coordinator: c.epoch, Job: c.order.Job, Epoch: c.order.Epoch, How: control.Drain})
		}
	}
	for {
		list = list[:0]
		for _, i := range c.alive {
			if e := c.ended[c.order.Workers[i].Worker]; e != nil && e.Epoch == c.order.Epoch {
				list = append(list, e)
			}
		}
		if len(list) == len(c.alive) {
			return list
		}
		c.until(1, of[*control.Ended])
	}
}

// wait lets the job go on for a while: until some reports have come.
func (c *crew) wait(reports int) {
	c.t.Helper()
	c.until(reports, func(m said) bool {
		h, ok := m.message.(*control.Heartbeat)
		return ok && len(h.Jobs) > 0
	})
}

// TestCarriedOn kills workers of a job, now one, now two, with and without others that take their place: the results are
// those of an undisturbed run.
func TestCarriedOn(t *testing.T) {
	s := settings{Rows: rows(60_000), Splits: 5, Keys: 97}
	want := embedded(t, s)
	for seed := range uint64(rows(4)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := control.JobConfig{
				CheckpointInterval: 50 * time.Millisecond, Pace: float64(s.Rows) / 9 / 1000 / 3, FrameBytes: 2 << 10, LogBytes: 256 << 10, Replicas: 2,
			}
			c := newCrew(t, seed, 4, 2, s, cfg)
			c.wait(2)
			c.kill(1, false)
			c.wait(3)
			c.kill(1, true)
			c.wait(2)
			c.hireOne() // who does nothing before the next order
			c.kill(int(1+seed%2), true)
			c.wait(2)
			same(t, c.finish(), want)
		})
	}
}
