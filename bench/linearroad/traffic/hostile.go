package traffic

import (
	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
)

const (
	// stageFeet is where the last ten segments of either direction begin. In hostile traffic nobody but scripted vehicles goes there, so
	// that counts and speeds are exact.
	stageFeet = 90 * segmentFeet

	// actEvery repeats the script, so that a slice of any twenty minutes has every case.
	actEvery = 1200

	crowdFree   = 50 // vehicles in a segment and minute which cost nothing
	wreckPhase  = 7  // seconds between the reports of vehicles that stand together
	wreckStepFt = 1400
	passStepFt  = 4400 // 100 mph for 30 seconds
)

// hostile scripts all cases, in both directions, again and again through the day.
func (s *script) hostile(seed uint64) {
	for t := 0; t < Seconds; t += actEvery {
		for dir := range uint8(2) {
			s.crowds(t, dir)
			s.phases(t, dir)
			s.wrecks(t, dir)
			s.stands(t, dir)
			s.silences(t, dir)
		}
		s.questions(t, seed)
	}
}

// enter begins the next new vehicle.
func (s *script) enter(t int, dir uint8) *actor {
	s.vid++
	return s.car(s.vid-1, t, dir)
}

// crowds fills segments in the second minute of the act, each vehicle at one speed, and sends witnesses in the third: 50 and 51
// vehicles, with a mean of 40 mph and of a little less. Some witnesses leave where they were quoted the toll, some in the next segment.
func (s *script) crowds(t int, dir uint8) {
	for i, c := range []struct{ vehicles, slow, fast int }{
		{crowdFree + 1, 25, 25}, // mean 40: free
		{crowdFree, 50, 0},      // slow, but few enough: free
		{crowdFree + 1, 51, 0},  // one more: costs 2
		{crowdFree + 1, 25, 24}, // mean 40 − 1/51: costs 2
	} {
		x := stageFeet + uint32(i)*segmentFeet + 200
		for k := range c.vehicles {
			speed := uint8(40)
			if k < c.slow {
				speed = 39
			} else if k < c.slow+c.fast {
				speed = 41
			}
			a := s.enter(t+60+k%reportEvery, dir)
			a.report(format.LaneEntry, speed, x)
			a.report(format.LaneExit, speed, x+uint32(k)*10+100)
		}
		for k := range 3 {
			a := s.enter(t+120+10*k, dir)
			a.report(format.LaneEntry, 30, x)
			switch k {
			case 0:
				a.report(2, 100, x+passStepFt).report(2, 90, x+segmentFeet).exit()
			case 1:
				a.report(2, 30, x+1000).exit() // leaves without paying
			case 2:
				a.report(format.LaneExit, 100, x+segmentFeet) // leaves into a new segment, and pays
			}
		}
	}
}

// pass drives through at 100 mph, from the beginning of a segment along the way.
func (s *script) pass(t int, dir uint8, segment uint32, reports int) {
	a := s.enter(t, dir)
	x := segment*segmentFeet + 100
	a.report(format.LaneEntry, 20, x)
	for range reports - 1 {
		if x += passStepFt; x >= roadFeet {
			break
		}
		a.report(1, 100, x)
	}
	a.exit()
}

// phases has reports at the edges of minutes and half minutes.
func (s *script) phases(t int, dir uint8) {
	for _, second := range []int{29, 30, 59, 60} {
		s.pass(t+second, dir, 94, 4)
	}
}

// wreck makes vehicles stand at the same place of a segment along the way, each for so many reports, on the lanes given in turn; with leave
// they drive on and exit, else they are not heard of again.
func (s *script) wreck(t int, dir uint8, segment uint32, lanes []uint8, leave bool, stands ...int) {
	x := segment*segmentFeet + 3000
	for k, stand := range stands {
		s.stand(t+k*wreckPhase, dir, x, lanes[k%len(lanes)], stand, leave)
	}
}

// stand makes one vehicle enter, stand and leave.
func (s *script) stand(t int, dir uint8, x uint32, lane uint8, reports int, leave bool) {
	a := s.enter(t, dir)
	a.report(format.LaneEntry, 30, x-wreckStepFt)
	for range reports {
		a.report(lane, 0, x)
	}
	if leave {
		a.report(lane, 32, x+wreckStepFt).exit()
	}
}

// wrecks are accidents, and those who meet them.
func (s *script) wrecks(t int, dir uint8) {
	one := []uint8{2}
	s.wreck(t+60, dir, 99, one, true, 8, 10) // at the end of the road
	s.pass(t+245, dir, 94, 6)
	s.pass(t+360, dir, 94, 6)

	s.wreck(t+90, dir, 0, one, true, 8, 9) // at its beginning
	s.pass(t+245, dir, 0, 3)

	s.wreck(t+420, dir, 96, one, true, 8, 6, 10) // three
	s.pass(t+575, dir, 91, 6)
	s.pass(t+660, dir, 91, 6)
	s.pass(t+720, dir, 91, 6)

	s.wreck(t+420, dir, 98, []uint8{1}, true, 5, 5) // twice at the same place
	s.pass(t+610, dir, 95, 4)
	s.wreck(t+660, dir, 98, []uint8{1}, true, 5, 5)
	s.pass(t+860, dir, 95, 4)

	s.wreck(t+660, dir, 97, one, true, 8, 8) // four and five segments apart
	s.wreck(t+660, dir, 93, one, true, 8, 8)
	s.wreck(t+660, dir, 92, one, true, 8, 8)
	s.pass(t+845, dir, 90, 4)
	s.pass(t+850, dir, 93, 5)

	s.stand(t+152, dir, 94*segmentFeet+3000, 3, 5, true) // gone, 27 seconds after the other has stopped, in the same minute
	s.stand(t+185, dir, 94*segmentFeet+3000, 3, 6, true)
	s.pass(t+365, dir, 94, 3)

	s.wreck(t+152, dir, 97, []uint8{1}, false, 6, 6) // fall silent
	s.pass(t+430, dir, 94, 5)
}

// stands are no accidents.
func (s *script) stands(t int, dir uint8) {
	s.wreck(t+420, dir, 95, []uint8{3}, true, 6)       // alone
	s.wreck(t+420, dir, 94, []uint8{1, 2}, true, 5, 5) // in different lanes
	s.wreck(t+420, dir, 91, []uint8{2}, true, 3, 3)    // three equal reports
}

// silences are vehicles that miss reports, come back after a while, never entered or never leave.
func (s *script) silences(t int, dir uint8) {
	const x = 94*segmentFeet + 100
	for i, gap := range []int{60, 61, 90, 200} {
		a := s.enter(t+900+i, dir)
		a.report(format.LaneEntry, 30, x).report(2, 50, x+2000)
		a.time += gap - reportEvery
		a.report(2, 50, x+2*segmentFeet).report(2, 50, x+2*segmentFeet+2000).exit()
	}
	s.enter(t+905, dir).report(format.LaneEntry, 30, x).report(2, 50, x+2000) // vanishes
	s.enter(t+906, dir).report(3, 50, x+2000).report(3, 50, x+segmentFeet)    // never entered
}

// questions are requests that have no answer but 0: for day 0, for a vehicle without history, for a row on another expressway,
// for vehicles that were never seen.
func (s *script) questions(t int, seed uint64) {
	unknown := s.vid
	for history.Known(seed, unknown) {
		unknown++
	}
	s.vid = unknown + 2
	known := unknown + 1
	for !history.Known(seed, known) {
		known++
		s.vid++
	}
	at := uint16(t + 300)
	home, _, _ := history.Lookup(seed, known, 7)
	s.tuples = append(s.tuples,
		format.Tuple{Type: format.Expenditure, Time: at, VID: known, Xway: s.xway, Day: 0},
		format.Tuple{Type: format.Expenditure, Time: at, VID: unknown, Xway: s.xway, Day: 5},
		format.Tuple{Type: format.Expenditure, Time: at, VID: known, Xway: home ^ 1, Day: 7},
		format.Tuple{Type: format.Balance, Time: at, VID: unknown, Xway: format.NoXway},
	)
}
