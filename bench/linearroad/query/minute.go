package query

import (
	"fmt"
	"time"

	"github.com/fullspate/spate/engine"
)

// minute begins a minute of a road: every report of the ones before has been counted. Segments are quoted anew, once,
// from complete minutes and from the accidents that are in force as the minute begins.
func (k *calculator) minute(c *engine.Ctx) {
	info := k.road.Mut(c)
	now := k.second(c)
	if info == nil || info.Minute+1 != minuteOf(now) {
		panic(fmt.Sprintf("BUG: minute of road %d begins in second %d after %+v", c.Key(), now, info))
	}
	k.active = Activity{
		Road: uint32(c.Key()), Minute: uint32(info.Minute), Vehicles: info.Vehicles, Accidents: info.Accidents,
	}
	info.Minute++
	info.Accidents = 0
	info.Blocked = k.blocked(c, info.Minute)
	k.tallies.DeleteIf(c, func(uint64, *manyReports) bool { return true })
	reported := k.quote(c, info)
	k.activity.Emit(c, &k.active)

	info.Idle++
	if reported {
		info.Idle = 0
	}
	if info.Idle >= idleMinutes {
		k.close(c)
		return
	}
	k.minuteTimer.Set(c, c.Now()+time.Minute)
}

// blocked returns the segments with an accident in force in the minute, and forgets the places where nobody stands.
func (k *calculator) blocked(c *engine.Ctx, minute uint16) (b blocked) {
	k.spots.DeleteIf(c, func(_ uint64, s *spot) bool {
		if s.inForce(minute) {
			b.add(s.Seg)
			return false
		}
		return s.Standing == 0
	})
	return b
}

// quote closes the minute of every segment and begins the next, and says whether there was a report in it.
func (k *calculator) quote(c *engine.Ctx, info *road) (reported bool) {
	west := c.Key()&1 != 0
	for i := range info.Segments {
		s := &info.Segments[i]
		k.active.Charges += s.Charges
		var p *past
		if s.NOV != 0 {
			reported = true
			p, _ = k.past.Upsert(c, uint64(i))
		} else {
			p = k.past.Mut(c, uint64(i))
		}
		if p != nil {
			p.put(s.Minute, s.Sum, s.NOV)
		}
		s.begin(info.Minute, p, info.Blocked.ahead(i, west))
		if p != nil && p.empty() {
			k.past.Delete(c, uint64(i))
		}
	}
	return reported
}

// sweep forgets vehicles that have left, and counts the others.
func (k *calculator) sweep(c *engine.Ctx) {
	now := k.second(c)
	on := uint32(0)
	k.vehicles.DeleteIf(c, func(_ uint64, v *vehicle) bool {
		if v.forgotten(now) {
			return true
		}
		if v.Place&liveBit != 0 {
			on++
		}
		return false
	})
	k.road.Mut(c).Vehicles = on
	k.sweepTimer.Set(c, c.Now()+time.Minute)
}

// close forgets a road that has been silent for so long that nothing of it can change an answer any more. The next
// report opens it again.
func (k *calculator) close(c *engine.Ctx) {
	all := func(uint64, *vehicle) bool { return true }
	k.vehicles.DeleteIf(c, all)
	k.sweepTimer.Cancel(c)
	k.road.Delete(c)
}
