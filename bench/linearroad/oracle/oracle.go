package oracle

import (
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// Rules says how long an accident stays in force (§5). Everything else is the same in both.
type Rules uint8

const (
	// Paper: until the minute in which the first vehicle has gone.
	Paper Rules = iota
	// Official: until the minute after the last stopped report of that vehicle, as the official validator has it.
	Official
)

// History returns the toll that vid paid on day (0…69) on xway, and false if there is no such row. It must be a pure
// function for as long as the oracle is used.
type History func(vid uint32, day uint8, xway uint16) (toll int64, ok bool)

// Totals counts what the input made happen, since an input in which nothing does proves nothing.
type Totals struct {
	Reports        int // type 0 tuples
	TollsAboveZero int // notifications that quoted a toll
	Alerts         int // accident alerts
	Accidents      int // detected, whether they ever were in force or not
	Charges        int // tolls above zero that were charged
	Unanswered     int // travel time requests, the only tuples without an answer
}

// Oracle answers tuples fed in order. It belongs to one goroutine.
type Oracle struct {
	history    History
	now        int // second of the newest tuple
	statistics statistics
	accidents  accidents
	trips      map[tripID]*trip
	balances   map[uint32]int64
	totals     Totals
}

// road is one direction of an expressway.
type road struct {
	xway uint16
	dir  uint8
}

// tripID tells trips apart: a vehicle has at most one at a time on each road.
type tripID struct {
	vid  uint32
	road road
}

// trip is a vehicle's way along a road, from its first report to the one on the exit lane, or to a silence.
type trip struct {
	time    int   // second of the last report
	seg     uint8 // of the last report
	pending int64 // the toll quoted for seg, charged on entering the next one
	place   place // of the last report
	repeats int   // consecutive reports from place
}

const (
	silenceMax   = 60 // seconds between two reports of one trip, at most
	stopReports  = 4  // consecutive reports from one place make a stop
	tollNOV      = 50 // vehicles up to which a segment is free
	tollLAV      = 40 // mph from which on a segment is free
	accidentSpan = 4  // segments before the accident's own that it affects
)

// New returns an oracle at the start of the run. A nil history has no rows.
func New(rules Rules, history History) *Oracle {
	if history == nil {
		history = func(uint32, uint8, uint16) (int64, bool) { return 0, false }
	}
	return &Oracle{
		history:    history,
		statistics: newStatistics(),
		accidents:  newAccidents(rules),
		trips:      make(map[tripID]*trip),
		balances:   make(map[uint32]int64),
	}
}

// Feed appends the answers to t, none to two, to dst; it borrows t. Tuples must come in order of time: one that does
// not is refused with an error and changes nothing, and so is a type of tuple that the benchmark does not have.
func (o *Oracle) Feed(dst []format.Answer, t *format.Tuple) ([]format.Answer, error) {
	if int(t.Time) < o.now {
		return dst, fmt.Errorf("linear road: tuple of second %d after second %d, want input sorted by time", t.Time, o.now)
	}
	switch t.Type {
	case format.Position, format.Balance, format.Expenditure, format.TravelTime:
	default:
		return dst, fmt.Errorf("linear road: tuple of type %d at second %d, want 0, 2, 3 or 4", t.Type, t.Time)
	}
	o.advance(int(t.Time))
	switch t.Type {
	case format.Position:
		dst = o.position(dst, t)
	case format.Balance:
		dst = append(dst, format.Answer{
			Type: format.Balance, VID: t.VID, QID: t.QID, Time: t.Time, ResultTime: t.Time, Value: o.balances[t.VID],
		})
	case format.Expenditure:
		toll, ok := o.history(t.VID, t.Day, t.Xway)
		if !ok {
			toll = 0
		}
		dst = append(dst, format.Answer{
			Type: format.Expenditure, VID: t.VID, QID: t.QID, Time: t.Time, Value: toll,
		})
	case format.TravelTime:
		o.totals.Unanswered++
	}
	return dst, nil
}

// Totals returns the counts over everything fed so far.
func (o *Oracle) Totals() Totals {
	total := o.totals
	total.Accidents = o.accidents.detected
	return total
}

// minuteOf is M(t) of §3.
func minuteOf(second int) int { return second/60 + 1 }

// advance brings the oracle to a second: minutes before its minute are complete, and who has been silent for too long
// has gone.
func (o *Oracle) advance(second int) {
	if second == o.now {
		return
	}
	o.now = second
	o.statistics.advance(minuteOf(second))
	o.accidents.advance(second)
}

// position answers a position report.
func (o *Oracle) position(dst []format.Answer, t *format.Tuple) []format.Answer {
	o.totals.Reports++
	on := road{t.Xway, t.Dir}
	where := segment{on, t.Seg}
	o.statistics.count(where, t.VID, t.Speed)

	id := tripID{t.VID, on}
	tr, entered := o.continueTrip(id, t)
	o.stop(tr, t)
	if t.Lane == format.LaneExit {
		delete(o.trips, id)
		return dst
	}
	if !entered {
		return dst
	}

	now := o.statistics.conditions(where)
	seg, alert := o.accidents.ahead(where, minuteOf(int(t.Time)))
	tr.pending = 0
	if !alert {
		tr.pending = now.toll()
	}
	if tr.pending > 0 {
		o.totals.TollsAboveZero++
	}
	dst = append(dst, format.Answer{
		Type: format.Position, VID: t.VID, Time: t.Time, LAV: now.lav, Value: tr.pending, Xway: t.Xway, Dir: t.Dir,
	})
	if alert {
		o.totals.Alerts++
		dst = append(dst, format.Answer{
			Type: format.Accident, VID: t.VID, Time: t.Time, Seg: seg, Xway: t.Xway, Dir: t.Dir,
		})
	}
	return dst
}

// continueTrip returns the trip that the report belongs to, a new one if it is the first after a silence, an exit or
// ever, and whether the vehicle enters a segment with it. Entering another segment of the same trip charges the toll
// quoted for the one before (§6).
func (o *Oracle) continueTrip(id tripID, t *format.Tuple) (tr *trip, entered bool) {
	tr = o.trips[id]
	if tr == nil || int(t.Time)-tr.time > silenceMax {
		tr = &trip{time: int(t.Time), seg: t.Seg}
		o.trips[id] = tr
		return tr, true
	}
	entered = tr.seg != t.Seg
	if entered && tr.pending > 0 {
		o.balances[t.VID] += tr.pending
		o.totals.Charges++
	}
	tr.time, tr.seg = int(t.Time), t.Seg
	return tr, entered
}

// stop follows whether the vehicle stands (§5). A new trip has no place yet, so that it cannot leave one.
func (o *Oracle) stop(tr *trip, t *format.Tuple) {
	here := place{road: road{t.Xway, t.Dir}, lane: t.Lane, pos: t.Pos}
	if tr.place == here && tr.repeats > 0 {
		tr.repeats++
	} else {
		if tr.stopped() {
			o.accidents.leave(tr.place, t.VID, int(t.Time))
		}
		tr.place, tr.repeats = here, 1
	}
	if tr.stopped() {
		o.accidents.stand(here, t.Seg, t.VID, int(t.Time))
	}
}

// stopped says whether the vehicle stands in a travel lane.
func (tr *trip) stopped() bool {
	return tr.repeats >= stopReports && tr.place.lane != format.LaneEntry && tr.place.lane != format.LaneExit
}
