package oracle

import "math/big"

// statistics holds what is known about segments (§3).
type statistics struct {
	minute int                               // the open one
	open   map[segment]map[uint32]speeds     // its reports, by segment and vehicle
	closed map[int]map[segment]minuteSummary // the minutes before it that still count
	known  map[segment]conditions            // computed for the open minute so far
}

// segment is one of the hundred of a road.
type segment struct {
	road road
	seg  uint8
}

// speeds are the reports of one vehicle in one segment and minute.
type speeds struct {
	sum   int // mph
	count int
}

// minuteSummary is a completed minute of a segment: AVGS is sumAVGV / nov.
type minuteSummary struct {
	nov     int
	sumAVGV int64 // over the vehicles, in 1/2520 mph
}

// conditions are what a vehicle that enters a segment is told and charged by.
type conditions struct {
	nov  int   // vehicles in the minute before
	lav  int16 // mph truncated, −1 for none
	free bool  // the LAV is at least 40 mph, or there is none
}

const (
	speedUnit = 2520 // AVGV counts in 1/2520 mph: a multiple of 1…10, the usual numbers of reports
	lavSpan   = 5    // minutes that the LAV looks back
)

func newStatistics() statistics {
	return statistics{
		minute: minuteOf(0),
		open:   make(map[segment]map[uint32]speeds),
		closed: make(map[int]map[segment]minuteSummary),
		known:  make(map[segment]conditions),
	}
}

// count adds a position report to the open minute.
func (s *statistics) count(where segment, vid uint32, mph uint8) {
	vehicles := s.open[where]
	if vehicles == nil {
		vehicles = make(map[uint32]speeds)
		s.open[where] = vehicles
	}
	v := vehicles[vid]
	v.sum += int(mph)
	v.count++
	vehicles[vid] = v
}

// advance completes the open minute if the given one is later, and forgets those that no LAV will look at again.
func (s *statistics) advance(minute int) {
	if minute == s.minute {
		return
	}
	done := make(map[segment]minuteSummary, len(s.open))
	for where, vehicles := range s.open {
		summary := minuteSummary{nov: len(vehicles)}
		for _, v := range vehicles {
			summary.sumAVGV += int64(v.sum * speedUnit / v.count)
		}
		done[where] = summary
	}
	s.closed[s.minute] = done
	s.minute = minute
	for m := range s.closed {
		if m < minute-lavSpan {
			delete(s.closed, m)
		}
	}
	s.open = make(map[segment]map[uint32]speeds)
	s.known = make(map[segment]conditions)
}

// conditions returns those of a segment in the open minute.
func (s *statistics) conditions(where segment) conditions {
	c, ok := s.known[where]
	if ok {
		return c
	}
	c = conditions{nov: s.closed[s.minute-1][where].nov, lav: -1, free: true}
	if lav := s.latestAverageVelocity(where); lav != nil {
		c.lav = int16(new(big.Int).Quo(lav.Num(), lav.Denom()).Int64())
		c.free = lav.Cmp(big.NewRat(tollLAV, 1)) >= 0
	}
	s.known[where] = c
	return c
}

// latestAverageVelocity returns the LAV of a segment in the open minute, in mph, nil if there is none.
func (s *statistics) latestAverageVelocity(where segment) *big.Rat {
	sum, count := new(big.Rat), int64(0)
	for m := s.minute - lavSpan; m < s.minute; m++ {
		summary, ok := s.closed[m][where]
		if !ok {
			continue
		}
		sum.Add(sum, big.NewRat(summary.sumAVGV, int64(summary.nov)*speedUnit))
		count++
	}
	if count == 0 {
		return nil
	}
	return sum.Quo(sum, big.NewRat(count, 1))
}

// toll returns what the segment costs while no accident is in scope (§4).
func (c conditions) toll() int64 {
	if c.free || c.nov <= tollNOV {
		return 0
	}
	over := int64(c.nov - tollNOV)
	return 2 * over * over
}
