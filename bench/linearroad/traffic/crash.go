package traffic

import "github.com/fullspate/spate/bench/linearroad/format"

const (
	// crashEvery spaces the accidents of an expressway in seconds.
	crashEvery = 1200
	crashSlots = Seconds / crashEvery

	crashReach   = 5  // segments in which traffic slows, that of the accident included
	crashFirst   = 5  // segments along the way between which accidents happen,
	crashLast    = 60 // where most of the traffic is
	crashApart   = 11 // seconds between the first reports of both vehicles
	crashStepFt  = 1400
	crashExiting = 3 // reports between clearing and exit
)

// crash is an accident of two vehicles, which stop at the same place and go on later.
type crash struct {
	begin int // of the first vehicle's standing, seconds
	stand [2]int
	x     uint32 // feet along the way
	dir   uint8
	lane  uint8
}

// planCrashes chooses the accidents: one in each twenty minutes, cleared after ten to twenty.
func (w *Xway) planCrashes() {
	for i := range w.crashes {
		h := mix(w.keys[0] ^ uint64(i+1)<<40)
		c := &w.crashes[i]
		c.begin = 90 + int(h&0xffff*900>>16)
		if i == 0 {
			c.begin = 90 + int(h&0xffff*300>>16) // early, so that short runs have one
		}
		c.begin += i * crashEvery
		for k := range c.stand {
			c.stand[k] = (600 + int(h>>(16+8*k)&0xff*600>>8)) / reportEvery * reportEvery
		}
		along := crashFirst + uint32(h>>32&0xff)*(crashLast-crashFirst)>>8
		c.x = along*segmentFeet + 1500 + uint32(h>>40&0xff)*8
		c.dir = uint8(h >> 48 & 1)
		c.lane = uint8(1 + h>>49&0xff*3>>8)
	}
}

// slow limits the speeds of a row that begins at second t.
func (c *crash) slow(row *speedRow, t int) {
	if t < c.begin || t >= c.begin+max(c.stand[0], c.stand[1]) {
		return
	}
	for back := range min(crashReach, int(c.x/segmentFeet)+1) {
		v := &row[c.dir<<7|uint8(int(c.x/segmentFeet)-back)]
		*v = min(*v, uint16(12+6*back)*16)
	}
}

// write scripts both vehicles: they enter, drive three reports to the place, stand, drive on and exit.
func (c *crash) write(s *script, vid uint32) {
	for k, stand := range c.stand {
		v := s.car(vid+uint32(k), c.begin+k*crashApart-3*reportEvery, c.dir)
		v.report(format.LaneEntry, 25, c.x-3*crashStepFt)
		v.report(c.lane, 33, c.x-2*crashStepFt)
		v.report(c.lane, 31, c.x-crashStepFt)
		for range stand / reportEvery {
			v.report(c.lane, 0, c.x)
		}
		for i := range uint32(crashExiting) {
			v.report(2, 45, c.x+(i+1)*crashStepFt)
		}
		v.exit()
	}
}
