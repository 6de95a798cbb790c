package traffic

import "github.com/fullspate/spate/bench/linearroad/history"

// trip is one stay on an expressway, before it is known when it begins.
type trip struct {
	seconds uint32 // how long it lasts
	hash    uint64 // where it begins, which way, how fast: everything else
}

// bin returns which of the equally long bins of durations it falls in.
func (t trip) bin() uint32 { return t.seconds * durationBins / tripSecondsMax }

// rejoin is the second trip of a vehicle that comes back, if there is one.
type rejoin struct {
	trip
	pick   uint8 // index in rejoinAfter, or noRejoin
	beside bool  // on the expressway beside its home
}

// rejoinAfter are the seconds from a vehicle's first entry to its second. They are few, so that those who come back in some second can be
// found among those who entered so much earlier, and no multiples of 30, so that the phase of reports changes.
var rejoinAfter = [4]int{611, 1813, 3019, 4241}

const (
	noRejoin    = uint8(len(rejoinAfter))
	rejoinShare = 39  // of 256: candidates for coming back; some are too short, or come back after the end
	pauseMin    = 95  // seconds between the trips, more than the 60 after which a trip is forgotten
	pauseSpread = 256 // and up to so much more
	lastTripMin = 300 // a journey is long enough to be cut when so much of it is left
	vidFirst    = 100 // index of the first vehicle
	vidScripted = 160000
)

// VIDShift splits a vid: home expressway above, index below.
const VIDShift = history.HomeShift

// mix spreads every bit of x over the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>32) * 0x94d049bb133111eb
	return x ^ x>>31
}

// tripKey is the seed of all vehicles at home on expressway x.
func tripKey(seed uint64, x int) uint64 { return mix(mix(seed+0x6c696e656172) + uint64(x)) }

// journey is the function behind each vehicle: vehicle c of the expressway with this key makes a first trip, and perhaps another.
func (p *plan) journey(key uint64, c int) (trip, rejoin) {
	h := carHash(key, c)
	d := uint32(h >> 32 * tripSecondsMax >> 32)
	first := trip{seconds: d, hash: mix(h)}
	if uint8(h) >= rejoinShare || d < uint32(rejoinAfter[0]+lastTripMin) {
		return first, rejoin{pick: noRejoin}
	}
	return cut(first, h)
}

// carHash is all that is random about a vehicle.
func carHash(key uint64, c int) uint64 { return mix(key + uint64(c)*0x9e3779b97f4a7c15) }

// mayRejoin tells in passing whether a vehicle may come back; most do not.
func mayRejoin(key uint64, c int) bool { return uint8(carHash(key, c)) < rejoinShare }

// cut splits a journey into two trips, which together take as long as the journey was to take.
func cut(whole trip, h uint64) (trip, rejoin) {
	n := uint64(1)
	for int(n) < len(rejoinAfter) && whole.seconds >= uint32(rejoinAfter[n]+lastTripMin) {
		n++
	}
	pick := uint8(h >> 8 & 0xff * n >> 8)
	after := uint32(rejoinAfter[pick])
	pause := pauseMin + uint32(h>>16&(pauseSpread-1))
	second := trip{seconds: whole.seconds - after + pause, hash: mix(whole.hash + 1)}
	whole.seconds = after - pause
	return whole, rejoin{trip: second, pick: pick, beside: h>>24&3 == 0}
}

// enter returns the state of a vehicle with its first report, made before the end of the road.
func (p *plan) enter(t trip, vid uint32, end uint32) car {
	h := t.hash
	shares := &p.entryShare[t.bin()]
	e, at := 0, uint32(h&0xffff)
	for e < entryBins-1 && at >= shares[e] {
		e++
	}
	step := e*entrySteps + int(h>>16&(entrySteps-1))
	low, high := p.entryFeet[step], p.entryFeet[step+1]
	x := low + uint32(uint64(high-low)*(h>>32&0xffff)>>16)
	if end < roadFeet && x >= end-2*segmentFeet {
		x %= end - 2*segmentFeet
	}
	return car{
		vid:   vid,
		rnd:   uint32(h >> 32),
		x:     x,
		left:  uint8(max(t.seconds/reportEvery, 1)),
		pace:  uint8(paceMin + h>>25&0xff*paceSpread>>8),
		dir:   uint8(h >> 24 & 1),
		along: uint8(x / segmentFeet),
	}
}
