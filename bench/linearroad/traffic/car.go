package traffic

import "github.com/fullspate/spate/bench/linearroad/format"

// car is a vehicle on the road, as of its last report: 16 bytes, so that the 50,000 of an expressway stream through the cache.
type car struct {
	vid   uint32
	rnd   uint32 // a congruential generator, advanced once a report
	x     uint32 // feet along the way
	left  uint8  // reports still to come
	pace  uint8  // its speed among others, in 1/64
	dir   uint8
	along uint8 // x / segmentFeet
}

const (
	paceMin    = 54 // 64 ± 10: all keep within 15 % of the mean
	paceSpread = 21

	// feetPerMPH is how far one mph carries from one report to the next. At 100 mph that is less than a segment.
	feetPerMPH = segmentFeet * reportEvery / 3600

	rndMul, rndAdd = 1664525, 1013904223

	// requestLimit makes 1 % of reports bring a request: it is compared with 22 bits of rnd.
	requestLimit = 1 << 22 / 100
)

// bringsRequest tells whether the report made with these random bits brings a request.
func bringsRequest(rnd uint32) bool { return rnd>>4&(1<<22-1) < requestLimit }

// mph returns the speed of a car where the plan has this speed; rnd varies it by 12 %. It is 7 to 72, so that nobody stands.
func (c *car) mph(planned uint16, rnd uint32) uint32 {
	return uint32(planned) * uint32(c.pace) * (224 + rnd>>26) >> 18
}

// skip advances the car by one report without making it, and tells whether it is still on the road then.
func (c *car) skip(planned uint16, end uint32) bool {
	c.rnd = c.rnd*rndMul + rndAdd
	x := c.x + feetPerMPH*c.mph(planned, c.rnd)
	if c.left <= 1 || x >= end {
		return false
	}
	c.left--
	c.x, c.along = x, uint8(x/segmentFeet)
	return true
}

// speedRow is the planned speed in 1/16 mph of both directions for 30 seconds, by direction<<7 | segment along the way.
type speedRow [256]uint16

// at returns the planned speed where the car is.
func (r *speedRow) at(c *car) uint16 { return r[c.dir<<7|c.along&127] }

// put writes the car's position report.
func (c *car) put(out *format.Tuple, t, xway uint16, lane, speed uint32) {
	mirror := -uint32(c.dir) // all ones for west, whose positions and segments count the other way
	out.VID = c.vid
	out.Pos = (c.x ^ mirror) + roadFeet&mirror
	out.QID = 0
	out.Time = t
	out.Xway = xway
	out.TOD = 0
	out.Type = format.Position
	out.Speed = uint8(speed)
	out.Lane = uint8(lane)
	out.Dir = c.dir
	out.Seg = uint8((uint32(c.along) ^ mirror) + segments&mirror)
	out.Day = 0
}

// lane chooses a travel lane: lane 2 twice as often as 1 or 3, kept for some six miles.
func (c *car) lane() uint32 {
	z := c.vid * 0x9e3779b1 >> (8 + c.x>>15)
	return 1 + z&1 + z>>1&1
}

// skipTo advances the car by so many reports, one for each of the first rows, and tells whether it is still on the road then.
func (c *car) skipTo(rows []speedRow, reports int, end uint32) bool {
	if reports >= int(c.left) {
		return false
	}
	for i := range reports {
		if !c.skip(rows[i].at(c), end) {
			return false
		}
	}
	return true
}
