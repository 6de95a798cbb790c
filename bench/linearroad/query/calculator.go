package query

import (
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
)

// calculator is the toll calculator of one task: handles of its declared state and outputs, and nothing else that could
// be missed when it is thrown away and built again.
type calculator struct {
	rules  Rules
	origin time.Duration // logical time of second 0
	calculatorState
	calculatorOutputs
}

// calculatorState is what there is under each road.
type calculatorState struct {
	vehicles engine.TableState[vehicle]     // by vid
	past     engine.TableState[past]        // by segment
	tallies  engine.TableState[manyReports] // by tallyKey, of the current minute
	spots    engine.TableState[spot]        // by lane and position
	stops    engine.TableState[stop]        // by vid: the vehicles that stand
	road     engine.ValueState[road]

	// Timers of a key fire in the order of their names: who has gone has gone before the minute begins.
	goneTimer   engine.TimerState
	minuteTimer engine.TimerState
	sweepTimer  engine.TimerState
}

// calculatorOutputs are the streams that it emits, each with room for a tuple, so that none need be allocated.
type calculatorOutputs struct {
	notices  engine.OutputPort[Notice]
	charges  engine.OutputPort[Charge]
	activity engine.OutputPort[Activity]
	notice   Notice
	charge   Charge
	active   Activity
}

// tollCalculator declares the stateful heart of the query: vehicles, segment statistics and accidents of each road.
func tollCalculator(g *engine.Graph, reports engine.Stream[Report], cfg Config) *engine.Op {
	return engine.Operator(g, CalculatorID, func(d *engine.Decl) {
		k := &calculator{rules: cfg.Rules, origin: cfg.Origin}
		k.vehicles = engine.Table[vehicle](d, "vehicles")
		k.past = engine.Table[past](d, "past")
		k.tallies = engine.Table[manyReports](d, "tallies")
		k.spots = engine.Table[spot](d, "spots")
		k.stops = engine.Table[stop](d, "stops")
		k.road = engine.Value[road](d, "road")
		k.goneTimer = engine.Timer(d, "gone", k.gone)
		k.minuteTimer = engine.Timer(d, "minute", k.minute)
		k.sweepTimer = engine.Timer(d, "sweep", k.sweep)
		k.notices = engine.Output[Notice](d, "notices")
		k.charges = engine.Output[Charge](d, "charges")
		k.activity = engine.Output[Activity](d, "activity")
		engine.KeyedInput(d, reports, (*Report).road, k.report)
		engine.Ahead(d, 0, k.ahead)
	}).SetWeights(cfg.Roads)
}

// ahead touches the vehicles of a batch, so that their cache misses overlap.
func (k *calculator) ahead(b engine.Batch[Report]) {
	for i := range b.Len() {
		k.vehicles.Touch(b.Hash(i), uint64(b.At(i).VID))
	}
}

// report handles a position report.
func (k *calculator) report(c *engine.Ctx, r *Report) {
	v, _ := k.vehicles.Upsert(c, uint64(r.VID)) // a new record is zero: no trip, no reports
	info := k.road.Mut(c)
	if info == nil {
		info = k.open(c, r)
	}
	s := &info.Segments[r.Seg]
	if s.Minute != minuteOf(r.Time) {
		k.untimely(c, s, r)
		return
	}
	live := v.live(r.Time)

	if !v.turn(r) {
		k.third(c, v, r)
	}
	if n := v.Here.reports(); n >= tallyMax {
		k.many(c, v, s, r)
	} else {
		before := v.Here.mean()
		v.Here = v.Here.add(r.Speed)
		s.Sum += uint64(v.Here.mean()) - uint64(before) // modulo 2^64 where the mean falls
		if n == 0 {
			s.NOV++
		}
	}

	place, became, left := v.stand(r, live)
	if became || left {
		k.traffic(c, v, r, became)
	}
	entered := !live || v.Seg != r.Seg
	v.Place, v.Time, v.Seg = place, r.Time, r.Seg
	if !entered {
		if place&liveBit == 0 {
			v.Due = 0
		}
		return
	}
	if live && v.Due != 0 {
		s.Charges++
		k.charge = Charge{Amount: tollOf(v.Due), VID: r.VID, Time: r.Time, Xway: r.Xway}
		k.charges.Emit(c, &k.charge)
	}
	if place&liveBit == 0 { // on the exit lane
		v.Due = 0
		return
	}
	v.Due = s.Excess
	n := &k.notice
	n.VID, n.Excess, n.Time, n.Xway = r.VID, s.Excess, r.Time, r.Xway
	n.LAV, n.Dir, n.Seg, n.Alert = s.LAV, r.Dir, r.Seg, s.Alert
	k.notices.Emit(c, n)
}

// untimely ends the job: a report came at a logical time that is not in its minute.
func (k *calculator) untimely(c *engine.Ctx, s *segment, r *Report) {
	c.Fail(fmt.Errorf("report of vehicle %d at second %d came in minute %d, want minute %d: the source's record times do not agree with its tuples",
		r.VID, r.Time, s.Minute, minuteOf(r.Time)))
}

// open begins a road: its segments and its timers.
func (k *calculator) open(c *engine.Ctx, r *Report) *road {
	minute := minuteOf(r.Time)
	info, _ := k.road.Upsert(c)
	info.Minute = minute
	for i := range info.Segments {
		s := &info.Segments[i]
		s.Minute, s.LAV, s.Alert = minute, -1, NoAlert
	}
	next := k.origin + time.Duration(minute)*time.Minute
	k.minuteTimer.Set(c, next)
	k.sweepTimer.Set(c, next+sweepOffset(c.Key()))
	return info
}

// sweepOffset spreads the sweeps of the roads over the minute.
func sweepOffset(key uint64) time.Duration {
	const golden = 0x9e3779b97f4a7c15
	return time.Duration(key*golden>>32*60_000>>32) * time.Millisecond
}

// third makes room in the record of a vehicle that reports from a third segment within a minute, or is back in its first.
func (k *calculator) third(c *engine.Ctx, v *vehicle, r *Report) {
	k.spill(c, r.VID, v.Other, v.There)
	v.There, v.Other, v.Here = v.Here, v.Seg, 0
	if k.tallies.Get(c, tallyKey(r.VID, r.Seg)) != nil {
		v.Here = tallyMany
	}
}

// spill moves a tally to the table of tallies, unless it is there already.
func (k *calculator) spill(c *engine.Ctx, vid uint32, seg uint8, t tally) *manyReports {
	m, known := k.tallies.Upsert(c, tallyKey(vid, seg))
	if !known {
		m.Count, m.Sum = uint64(t.reports()), uint64(t&tallySum)
	}
	return m
}

// many counts a report of a vehicle whose tally does not hold it.
func (k *calculator) many(c *engine.Ctx, v *vehicle, s *segment, r *Report) {
	m := k.spill(c, r.VID, r.Seg, v.Here)
	before := m.mean()
	m.Count++
	m.Sum += uint64(r.Speed)
	s.Sum += m.mean() - before // modulo 2^64 where the mean falls
	v.Here = tallyMany
}

// traffic follows a vehicle that has become stopped with the report, or has left the place where it stood; v is still as
// before the report.
func (k *calculator) traffic(c *engine.Ctx, v *vehicle, r *Report, became bool) {
	if !became {
		k.depart(c, r.VID, v, r.Time)
		return
	}
	at := spotOf(r)
	s, _ := k.spots.Upsert(c, uint64(at))
	if s.arrive(r.Seg) {
		k.road.Mut(c).Accidents++
	}
	standing, _ := k.stops.Upsert(c, uint64(r.VID))
	standing.Spot = at
	if _, pending := k.goneTimer.Due(c); !pending {
		k.goneTimer.Set(c, k.goneBy(r.Time))
	}
}

// depart takes a vehicle that stood out of its place, which it left in second gone.
func (k *calculator) depart(c *engine.Ctx, vid uint32, v *vehicle, gone uint16) {
	k.stops.Delete(c, uint64(vid))
	s := k.spots.Mut(c, uint64(v.spot()))
	if s == nil || s.Standing == 0 {
		panic(fmt.Sprintf("BUG: vehicle %d stood at %#x of road %d, where nobody stands", vid, v.spot(), c.Key()))
	}
	s.depart(k.rules, v.Time, gone)
}

// goneBy returns when a vehicle that last reported in that second has been silent for too long: as the second begins in
// which a report would be too late.
func (k *calculator) goneBy(last uint16) time.Duration {
	return k.origin + time.Duration(last+silenceMax+1)*time.Second
}

// second returns the run's second of the step.
func (k *calculator) second(c *engine.Ctx) uint16 {
	return uint16((c.Now() - k.origin) / time.Second)
}

// gone lets those vehicles go that stood and have been silent for too long, and waits for the next.
func (k *calculator) gone(c *engine.Ctx) {
	now := k.second(c)
	var silent []uint32
	waiting, oldest := false, uint16(0)
	k.stops.Each(c, func(vid uint64, _ *stop) bool {
		v := k.vehicles.Get(c, vid)
		switch {
		case v == nil || !v.stopped():
			panic(fmt.Sprintf("BUG: vehicle %d of road %d stands but is not stopped: %+v", vid, c.Key(), v))
		case now-v.Time > silenceMax:
			silent = append(silent, uint32(vid))
		case !waiting || v.Time < oldest:
			waiting, oldest = true, v.Time
		}
		return true
	})
	for _, vid := range silent {
		v := k.vehicles.Mut(c, uint64(vid))
		k.depart(c, vid, v, v.Time+silenceMax)
		v.park()
	}
	if waiting {
		k.goneTimer.Set(c, k.goneBy(oldest))
	}
}
