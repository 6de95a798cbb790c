package oracle

import (
	"cmp"
	"math"
	"slices"
)

// accidents follows who stands where and what comes of it (§5).
type accidents struct {
	rules    Rules
	sites    map[place]*site
	roads    map[road][]*accident // that are or will be in force
	detected int                  // ever
}

// place is where a vehicle can stand.
type place struct {
	road road
	lane uint8
	pos  uint32
}

// site is a place where somebody stands.
type site struct {
	standing map[uint32]int // vid → second of its last report
	accident *accident      // not yet cleared, or nil
}

// accident is in force in the minutes first … last; if first > last, never.
type accident struct {
	seg         uint8
	first, last int
}

// uncleared is the last minute of an accident whose vehicles all still stand.
const uncleared = math.MaxInt

func newAccidents(rules Rules) accidents {
	return accidents{
		rules: rules,
		sites: make(map[place]*site),
		roads: make(map[road][]*accident),
	}
}

// stand notes the report of a stopped vehicle. If it was not stopped there before and is not alone, and no accident is
// there already, this one is detected.
func (a *accidents) stand(at place, seg uint8, vid uint32, now int) {
	s := a.sites[at]
	if s == nil {
		s = &site{standing: make(map[uint32]int)}
		a.sites[at] = s
	}
	_, stood := s.standing[vid]
	s.standing[vid] = now
	if stood || len(s.standing) < 2 || s.accident != nil {
		return
	}
	s.accident = &accident{seg: seg, first: minuteOf(now) + 1, last: uncleared}
	a.roads[at.road] = append(a.roads[at.road], s.accident)
	a.detected++
}

// leave notes that a stopped vehicle has gone, which clears the accident if there is one.
func (a *accidents) leave(at place, vid uint32, gone int) {
	s := a.sites[at]
	lastReport := s.standing[vid]
	delete(s.standing, vid)
	if s.accident != nil {
		s.accident.last = minuteOf(gone)
		if a.rules == Official {
			s.accident.last = minuteOf(lastReport) + 1
		}
		s.accident = nil
	}
	if len(s.standing) == 0 {
		delete(a.sites, at)
	}
}

// advance lets all those go who have been silent for too long in the given second, in the order in which they went,
// and forgets the accidents that are over.
func (a *accidents) advance(now int) {
	type departure struct {
		at   place
		vid  uint32
		gone int
	}
	var silent []departure
	for at, s := range a.sites {
		for vid, lastReport := range s.standing {
			if now-lastReport > silenceMax {
				silent = append(silent, departure{at, vid, lastReport + silenceMax})
			}
		}
	}
	slices.SortFunc(silent, func(x, y departure) int { return cmp.Compare(x.gone, y.gone) })
	for _, d := range silent {
		a.leave(d.at, d.vid, d.gone)
	}
	for on, list := range a.roads {
		a.roads[on] = slices.DeleteFunc(list, func(x *accident) bool { return x.last < minuteOf(now) })
	}
}

// ahead returns the segment of the nearest accident that affects where in the given minute.
func (a *accidents) ahead(where segment, minute int) (seg uint8, ok bool) {
	nearest := accidentSpan + 1
	for _, x := range a.roads[where.road] {
		distance := int(x.seg) - int(where.seg)
		if where.road.dir != 0 {
			distance = -distance
		}
		if minute < x.first || minute > x.last || distance < 0 || distance >= nearest {
			continue
		}
		nearest, seg, ok = distance, x.seg, true
	}
	return seg, ok
}
