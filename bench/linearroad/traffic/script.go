package traffic

import (
	"slices"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// script collects tuples that are made in advance: vehicles whose every report is chosen.
type script struct {
	xway   uint16
	vid    uint32 // the next one
	tuples []format.Tuple
}

// writeScript returns the expressway's scripted tuples by time.
func (w *Xway) writeScript() []format.Tuple {
	s := script{xway: w.x, vid: w.homes[0] + vidScripted}
	for i := range w.crashes {
		w.crashes[i].write(&s, s.vid)
		s.vid += uint32(len(w.crashes[i].stand))
	}
	if w.t.cfg.Hostile {
		s.hostile(w.t.cfg.Seed)
	}
	s.tuples = slices.DeleteFunc(s.tuples, func(t format.Tuple) bool { return t.Time > format.TimeMax })
	slices.SortStableFunc(s.tuples, func(a, b format.Tuple) int { return int(a.Time) - int(b.Time) })
	return slices.Clip(s.tuples)
}

// actor is a scripted vehicle; its reports are 30 seconds apart.
type actor struct {
	s    *script
	vid  uint32
	time int // of the next report
	x    uint32
	dir  uint8
}

// car begins a vehicle whose first report is made at second t.
func (s *script) car(vid uint32, t int, dir uint8) *actor {
	return &actor{s: s, vid: vid, time: t, dir: dir}
}

// report makes the next report, x feet along the way. What is later than the day is dropped in the end.
func (a *actor) report(lane, speed uint8, x uint32) *actor {
	a.x = x
	c := car{vid: a.vid, x: x, dir: a.dir, along: uint8(x / segmentFeet)}
	var t format.Tuple
	c.put(&t, uint16(a.time), a.s.xway, uint32(lane), uint32(speed))
	a.s.tuples = append(a.s.tuples, t)
	a.time += reportEvery
	return a
}

// exit makes the last report, on the exit lane, at the end of the segment of the one before.
func (a *actor) exit() {
	a.report(format.LaneExit, 30, (a.x/segmentFeet+1)*segmentFeet-1)
}
