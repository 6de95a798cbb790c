package validator

import (
	"math"
	"slices"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// roadKey is what a trip belongs to: xway (12 bits) | dir (1) | vid (32).
func roadKey(t *format.Tuple) uint64 {
	return uint64(t.Xway)<<33 | uint64(t.Dir)<<32 | uint64(t.VID)
}

// group is the reports of one vehicle on one road in this window, in order of input.
type group struct {
	key        uint64 // roadKey
	first, end int32  // in road
	before     int32  // in past.vehicles, −1 if the vehicle was on no trip here
}

// step is what the reports before a report make of it.
type step struct {
	alike   uint16 // how many reports in a row, up to this one, came from its place on its trip; saturates
	starts  bool   // the first report of its trip
	entered bool   // the first report of its trip in its segment
}

// vehicle is where a vehicle on a trip stood at the end of a window.
type vehicle struct {
	key   uint64 // roadKey
	toll  int64  // quoted for its segment
	pos   uint32
	time  uint16
	alike uint16
	seg   uint8
	lane  uint8
}

func (v *vehicle) stoodAs(t *format.Tuple) bool { return v.lane == t.Lane && v.pos == t.Pos }

// followTrips cuts each vehicle's reports into trips, segments and places.
func (c *checker) followTrips() {
	w := &c.w
	w.trips = slices.Grow(w.trips[:0], len(w.road))[:len(w.road)]
	for _, g := range w.groups {
		var last vehicle
		on := g.before >= 0
		if on {
			last = c.past.vehicles[g.before]
		}
		for i := g.first; i < g.end; i++ {
			t := &w.reports[i]
			s := step{alike: 1}
			s.starts = !on || t.Time-last.time > gapMax || last.lane == format.LaneExit
			s.entered = s.starts || t.Seg != last.seg
			if !s.starts && last.stoodAs(t) {
				s.alike = last.alike
				if s.alike < math.MaxUint16 {
					s.alike++
				}
			}
			w.trips[i] = s
			last, on = vehicle{time: t.Time, pos: t.Pos, lane: t.Lane, seg: t.Seg, alike: s.alike}, true
		}
	}
}

// keepVehicles merges the window's vehicles into those of the past and drops whose trip is over, or cannot go on since
// too much time will have passed.
func (c *checker) keepVehicles() {
	w := &c.w
	if w.end == math.MaxInt {
		return
	}
	kept := c.vehicles[:0]
	p := 0
	keep := func(v vehicle) {
		if v.lane != format.LaneExit && w.end-int(v.time) <= gapMax {
			kept = append(kept, v)
		}
	}
	for _, g := range w.groups {
		for ; p < len(c.past.vehicles) && c.past.vehicles[p].key < g.key; p++ {
			keep(c.past.vehicles[p])
		}
		if g.before >= 0 {
			p++
		}
		t := &w.reports[g.end-1]
		keep(vehicle{
			key: g.key, toll: c.pending(g), pos: t.Pos, time: t.Time,
			alike: w.trips[g.end-1].alike, seg: t.Seg, lane: t.Lane,
		})
	}
	for ; p < len(c.past.vehicles); p++ {
		keep(c.past.vehicles[p])
	}
	c.past.vehicles, c.vehicles = kept, c.past.vehicles
}

// pending returns the toll that was quoted for the segment in which a group ends.
func (c *checker) pending(g group) int64 {
	w := &c.w
	for i := g.end - 1; i >= g.first; i-- {
		if w.trips[i].entered {
			return c.quoted(i)
		}
	}
	return c.past.vehicles[g.before].toll
}

// quoted returns the toll quoted at road position i, which enters a segment; an exit is quoted none.
func (c *checker) quoted(i int32) int64 {
	if q := c.w.ref[c.w.road[i].at]; q >= 0 {
		return c.w.quotes[q].toll
	}
	return 0
}
