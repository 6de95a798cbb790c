package traffic

import "math"

const (
	roadFeet    = 528000 // of one direction
	segmentFeet = 5280
	segments    = 100
	reportEvery = 30 // seconds from one report of a vehicle to its next

	// tripSecondsMax is when the last of the vehicles that entered together leaves: survival falls linearly to 0.
	tripSecondsMax = 6500

	planRows = Seconds / reportEvery
)

// The joint distribution of how long a trip lasts and where it begins is tabulated for equally likely bins of both.
const (
	durationBins = 16
	entryBins    = 32
	entrySteps   = 8  // parts of an entry bin within which entries are flat
	entryMiles   = 40 // the flat part
	fitRounds    = 100
)

// plan is what trips are a function of, besides seed, expressway and vehicle: where trips of some duration begin, and how fast
// traffic flows when and where. It is the same for every seed, expressway and direction.
type plan struct {
	entryShare [durationBins][entryBins]uint32  // of 1<<16, cumulative over the entry bins for trips of a duration
	entryFeet  [entryBins*entrySteps + 1]uint32 // bounds of the steps of entry bins along the way
	speed      [planRows][segments]uint16       // planned mean in 1/16 mph, along the way; a row lasts reportEvery
}

// arrived returns how many vehicles have entered an expressway before second t: the rate rises linearly from 9.5/s to 17/s. Which
// way a fraction is rounded scatters over the seconds, lest some of each thirty always get one more.
func arrived(t int) int {
	scatter := int(uint32(t) * 0x9e3779b1 >> 16 * 43200 >> 16)
	return (410400*t + 15*t*t + 43199 - scatter) / 43200
}

func (p *plan) make() {
	p.planEntries()
	p.planSpeeds()
}

// entryWeights are probabilities of pairs of bins, not necessarily scaled.
type entryWeights [durationBins][entryBins]float64

// planEntries fits the joint distribution of duration and entry: entries are flat over the first 40 miles and then fall to 0,
// durations are uniform, nobody is to drive beyond the end of the road, and apart from that both are independent.
func (p *plan) planEntries() {
	for i := range p.entryFeet {
		p.entryFeet[i] = uint32(entryMile(float64(i)/(entryBins*entrySteps)) * segmentFeet)
	}
	var w entryWeights
	for d := range w {
		miles := (float64(d) + 0.5) / durationBins * tripSecondsMax * freeMPH / 3600
		for e := range w[d] {
			if entryMile((float64(e)+0.5)/entryBins)+miles <= segments {
				w[d][e] = 1
			}
		}
	}
	durations := p.durations()
	for range fitRounds {
		w.scaleDurations(&durations)
		w.scaleEntries()
	}
	for d := range w {
		total, sum := 0.0, 0.0
		for _, v := range w[d] {
			total += v
		}
		for e, v := range w[d] {
			sum += v
			p.entryShare[d][e] = uint32(math.Round(sum / total * (1 << 16)))
		}
	}
}

// entryMile inverts the distribution of entries: the mile before which a share of them enters.
func entryMile(share float64) float64 {
	const area = entryMiles + (segments-entryMiles)/2.0 // under a density of 1 that falls from 1 to 0 behind entryMiles
	if share*area <= entryMiles {
		return share * area
	}
	rest := (1 - share) * (2 * area * (segments - entryMiles))
	return segments - math.Sqrt(rest)
}

// durations samples how likely each duration of a trip is: all alike, but for the journeys that are cut in two.
func (p *plan) durations() (share [durationBins]float64) {
	key := tripKey(planSeed, 1)
	for c := range 1 << 15 {
		first, again := p.journey(key, c)
		share[first.bin()]++
		if again.pick != noRejoin {
			share[again.bin()]++
		}
	}
	return share
}

// scaleDurations makes durations as likely as they are.
func (w *entryWeights) scaleDurations(share *[durationBins]float64) {
	for d := range w {
		sum := 0.0
		for _, v := range w[d] {
			sum += v
		}
		for e := range w[d] {
			w[d][e] *= share[d] / sum
		}
	}
}

// scaleEntries makes all entry bins equally likely.
func (w *entryWeights) scaleEntries() {
	for e := range entryBins {
		sum := 0.0
		for d := range w {
			sum += w[d][e]
		}
		for d := range w {
			w[d][e] /= sum
		}
	}
}

const (
	freeMPH = 53 // mean speed on lanes 1 to 3 when the road is free

	planSeed   = 1
	planSample = 4 // one in so many trips is driven to plan the densities
)

// flow is the speed to which density slows traffic, in 1/16 mph, between these points straight: free below 60 vehicles per
// mile and direction, 10 to 20 mph at 300.
var flow = []struct{ density, speed int32 }{
	{0, freeMPH * 16}, {60, freeMPH * 16}, {80, 44 * 16}, {100, 38 * 16}, {150, 30 * 16}, {200, 25 * 16}, {300, 19 * 16}, {500, 12 * 16},
}

// flowSpeed interpolates flow; density is in 1/64 vehicles per mile and direction.
func flowSpeed(density int32) uint16 {
	for i := 1; i < len(flow); i++ {
		a, b := flow[i-1], flow[i]
		if density < b.density*64 {
			return uint16(a.speed - (a.speed-b.speed)*(density-a.density*64)/((b.density-a.density)*64))
		}
	}
	return uint16(flow[len(flow)-1].speed)
}

// planSpeeds drives a sample of trips through the day, row by row: where they are gives the density, which gives the speed at
// which they and everybody else drive on. Both directions are planned as one.
func (p *plan) planSpeeds() {
	var active []car
	var density [segments]int32 // smoothed, in 1/64 vehicles per mile and direction
	key := tripKey(planSeed, 0)
	for row := range planRows {
		for c := arrived(row * reportEvery); c < arrived((row+1)*reportEvery); c += planSample {
			first, _ := p.journey(key, c)
			active = append(active, p.enter(first, 0, roadFeet))
		}
		var count [segments + 4]int32 // with two more at either end
		for i := range active {
			count[active[i].along+2]++
		}
		for s := range segments {
			around := (count[s] + count[s+1] + count[s+2] + count[s+3] + count[s+4]) * (planSample * 64 / 2) / 5
			density[s] += (around - density[s]) / 8
			p.speed[row][s] = flowSpeed(density[s])
		}
		kept := active[:0]
		for i := range active {
			if c := active[i]; c.skip(p.speed[row][c.along], roadFeet) {
				kept = append(kept, c)
			}
		}
		active = kept
	}
}
