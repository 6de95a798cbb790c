package validator

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/fullspate/spate/bench/linearroad/format"
)

const (
	stoppedReports = 4 // in a row from one place, for a vehicle to be stopped
	scopeSegments  = 4 // how far behind an accident its last affected segment lies
)

// stop is the time for which a vehicle was stopped at a place.
type stop struct {
	place      uint64 // placeKey
	vehicle    uint64 // roadKey
	start, end moment // end is forever while it is not known
	last       uint16 // second of its last report from there
}

// placeKey is where a vehicle stands: xway (12 bits) | dir (1) | lane (3) | pos (20).
func placeKey(t *format.Tuple) uint64 {
	return uint64(t.Xway)<<24 | uint64(t.Dir)<<23 | uint64(t.Lane)<<20 | uint64(t.Pos)
}

// roadOfPlace returns xway<<1 | dir of a placeKey.
func roadOfPlace(place uint64) uint64 { return place >> 23 }

// accident is what two or more stopped vehicles make.
type accident struct {
	place             uint64 // placeKey
	detected, cleared moment // cleared is forever while it is not known
	from, to          int    // minutes in which it is in force; none if to < from
}

// segment returns where the accident is.
func (a *accident) segment() uint8 { return uint8(a.place & 0xfffff / format.SegmentFeet) }

// findStops adds the window's stops to those of the past, and ends those that have ended.
func (c *checker) findStops() {
	w := &c.w
	stops := c.past.stops
	known := len(stops)
	for _, g := range w.groups {
		if g.before >= 0 && c.past.vehicles[g.before].alike >= stoppedReports {
			for k := range stops[:known] {
				if s := &stops[k]; s.vehicle == g.key && s.end == forever {
					c.followStop(s, g.first-1, g.end)
				}
			}
		}
		for i := g.first; i < g.end; i++ {
			t := &w.reports[i]
			if w.trips[i].alike == stoppedReports && t.Lane != format.LaneEntry && t.Lane != format.LaneExit {
				s := stop{place: placeKey(t), vehicle: g.key, start: momentOf(t.Time, w.road[i].at), end: forever, last: t.Time}
				c.followStop(&s, i, g.end)
				stops = append(stops, s)
			}
		}
	}
	for k := range stops {
		if s := &stops[k]; s.end == forever && int(s.last)+gapMax < w.end {
			s.end = silentEnd(s.last)
		}
	}
	c.past.stops = stops
}

// followStop moves the end of a stop along the run of like reports behind road position i, up to its vehicle's end.
func (c *checker) followStop(s *stop, i, end int32) {
	w := &c.w
	for i++; i < end && w.trips[i].alike > 1; i++ {
		s.last = w.reports[i].Time
	}
	switch {
	case i == end:
	case w.trips[i].starts:
		s.end = silentEnd(s.last)
	default:
		s.end = momentOf(w.reports[i].Time, w.road[i].at)
	}
}

// joinStops finds accidents: each start of a stop while another vehicle is stopped at the place, and the first end at
// that place after it. Starts with one end are one accident, detected by the first of them.
func (c *checker) joinStops() {
	c.findStops()
	w := &c.w
	stops := c.past.stops
	slices.SortFunc(stops, func(a, b stop) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.start, b.start))
	})
	w.accidents = w.accidents[:0]
	for i := 0; i < len(stops); {
		end := i + 1
		for end < len(stops) && stops[end].place == stops[i].place {
			end++
		}
		if end-i > 1 {
			c.joinPlace(stops[i:end])
		}
		i = end
	}
	slices.SortFunc(w.accidents, func(a, b accident) int {
		return cmp.Or(cmp.Compare(roadOfPlace(a.place), roadOfPlace(b.place)), cmp.Compare(a.detected, b.detected), cmp.Compare(a.place, b.place))
	})
	for k := range w.accidents {
		if d := w.accidents[k].detected; len(w.in) > 0 && d >= momentOf(w.in[0].Time, 0) {
			c.report.Occurred.Accidents++
		}
	}
}

// joinPlace adds the accidents among the stops of one place, which are sorted by start.
func (c *checker) joinPlace(stops []stop) {
	w := &c.w
	for i := 1; i < len(stops); i++ {
		s := &stops[i]
		others := slices.ContainsFunc(stops[:i], func(o stop) bool { return o.vehicle != s.vehicle && o.end > s.start })
		if !others {
			continue
		}
		first := -1
		for k := range stops {
			if stops[k].end > s.start && (first < 0 || stops[k].end < stops[first].end) {
				first = k
			}
		}
		a := accident{place: s.place, detected: s.start, cleared: stops[first].end, to: math.MaxInt}
		if n := len(w.accidents); n > 0 && w.accidents[n-1].place == a.place && w.accidents[n-1].cleared == a.cleared {
			continue
		}
		a.from = a.detected.minute() + 1
		switch {
		case a.cleared == forever:
		case c.opt.Rules == Official:
			a.to = minuteOf(stops[first].last) + 1
		default:
			a.to = a.cleared.minute()
		}
		w.accidents = append(w.accidents, a)
	}
}

// keepStops drops stops that cannot matter any more: ended so long ago that no accident of theirs is in force, and no
// stop that is kept at their place began before. (Without an end that lies between two kept starts, those would seem
// to belong to one accident, or to make one that others have already cleared.)
func (c *checker) keepStops() {
	if c.w.end == math.MaxInt {
		return
	}
	const memory = 180 // seconds: an accident is in force for less than two minutes after its end
	stops := c.past.stops
	slices.SortFunc(stops, func(a, b stop) int {
		return cmp.Or(cmp.Compare(a.place, b.place), -cmp.Compare(a.end, b.end))
	})
	kept := stops[:0]
	place, earliest := uint64(math.MaxUint64), forever
	for _, s := range stops {
		if s.place != place {
			place, earliest = s.place, forever
		}
		if s.end == forever || int(s.end>>32)+memory >= c.w.end || s.end > earliest {
			kept = append(kept, s)
			earliest = min(earliest, s.start)
		}
	}
	c.past.stops = kept
}

// onRoad returns the accidents of a road (xway<<1 | dir), in force or not.
func (w *window) onRoad(road uint64) []accident {
	n := len(w.accidents)
	first := sort.Search(n, func(i int) bool { return roadOfPlace(w.accidents[i].place) >= road })
	end := first + sort.Search(n-first, func(i int) bool { return roadOfPlace(w.accidents[first+i].place) > road })
	return w.accidents[first:end]
}

// ahead returns how many segments ahead of seg an accident in segment at lies, and whether seg is in its scope.
func ahead(dir, seg, at uint8) (int, bool) {
	d := int(at) - int(seg)
	if dir == 1 {
		d = -d
	}
	return d, d >= 0 && d <= scopeSegments
}
