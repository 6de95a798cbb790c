package query

import "github.com/fullspate/spate/bench/linearroad/format"

// vehicle is what the toll calculator knows of a vehicle on a road, 16 bytes:
//
//	Place   pos 20 | lane 3 | – 1 | stops 3 | live 1 | – 4       bits, from the lowest
//	Time    of the last report, seconds
//	Seg     of the last report                   Other   another segment of the same minute, if There is not 0
//	Due     the toll quoted for Seg, as the excess of vehicles that it is computed from
//	Here    the reports from Seg in the minute of Time            There   those from Other
//
// The reports of a minute and segment are kept because a minute's mean speed takes each vehicle's mean, rounded down,
// once. A legal vehicle sends two in a minute, so two tallies hold them; beyond that they go to the table of tallies
// (see tally.many). A record outlives the trip until the end of the minute, so that a vehicle that comes back within the
// minute is not counted as another.
type vehicle struct {
	Place uint32
	Time  uint16
	Seg   uint8
	Other uint8
	Due   uint32
	Here  tally
	There tally
}

const (
	laneShift  = 20
	stopsShift = 24
	spotMask   = 1<<23 - 1
	stopsMask  = 7 << stopsShift
	liveBit    = 1 << 27
)

// spotOf returns the place of a report on its road: lane and position.
func spotOf(r *Report) uint32 { return r.Pos | uint32(r.Lane)<<laneShift }

// spot returns the place of the last report.
func (v *vehicle) spot() uint32 { return v.Place & spotMask }

// stopped says whether the vehicle stands: its last reports all came from one place in a travel lane.
func (v *vehicle) stopped() bool { return v.Place&stopsMask == stopReports<<stopsShift }

// live says whether the trip goes on with a report of that second: it has not left by the exit, nor been silent for
// too long.
func (v *vehicle) live(second uint16) bool {
	return v.Place&liveBit != 0 && second-v.Time <= silenceMax
}

// forgotten says whether the record can no longer change an answer at that second or later.
func (v *vehicle) forgotten(second uint16) bool {
	return second-v.Time > silenceMax || v.Place&liveBit == 0 && minuteOf(v.Time) != minuteOf(second)
}

// park forgets that the vehicle stands.
func (v *vehicle) park() { v.Place &^= stopsMask }

// turn brings the tally of the report's segment to Here, as far as two tallies go. If it says false, the vehicle is in
// its third segment of the minute (or back in its first): There has to give way.
func (v *vehicle) turn(r *Report) bool {
	switch {
	case v.Time/minuteSeconds != r.Time/minuteSeconds:
		v.Here, v.There = 0, 0
	case v.Seg == r.Seg:
	case v.There == 0:
		v.There, v.Other, v.Here = v.Here, v.Seg, 0
	case v.Other == r.Seg:
		v.Here, v.There, v.Other = v.There, v.Here, v.Seg
	default:
		return false
	}
	return true
}

// stand returns what Place becomes with the report, for a vehicle whose trip goes on or begins with it; became says that
// it has stopped with this report, left that it stood before and does not any more.
func (v *vehicle) stand(r *Report, live bool) (place uint32, became, left bool) {
	place = spotOf(r)
	if r.Lane == format.LaneExit {
		return place, false, v.stopped()
	}
	stops := uint32(0)
	if r.Lane != format.LaneEntry {
		stops = 1
	}
	if live && stops != 0 && v.spot() == place {
		stops = v.Place & stopsMask >> stopsShift
		if stops < stopReports {
			stops++
			became = stops == stopReports
		}
	} else {
		left = v.stopped()
	}
	return place | stops<<stopsShift | liveBit, became, left
}

// tally counts the reports of a vehicle from a segment in a minute: their number in the upper 4 bits, the sum of their
// speeds in the lower 12. Its mean speed is exact up to ten of them.
type tally uint16

const (
	tallyShift = 12
	tallySum   = 1<<tallyShift - 1
	tallyMax   = 14               // reports that fit: 14 · 100 mph < 4096
	tallyMany  = 15 << tallyShift // the reports are in the table of tallies
)

// reports returns how many there are: 15 means that they are in the table of tallies.
func (t tally) reports() uint16 { return uint16(t) >> tallyShift }

// add counts one more, for a tally below tallyMax.
func (t tally) add(speed uint8) tally { return t + 1<<tallyShift + tally(speed) }

// mean returns the mean speed in 1/2520 mph, rounded down; 0 for an empty tally. It must not be tallyMany.
func (t tally) mean() uint32 {
	sum := uint32(t) & tallySum
	n := uint32(t) >> tallyShift
	if n <= 2 {
		return sum * speedUnit >> (n >> 1)
	}
	return sum * speedUnit / n
}

// manyReports is a tally in the table of tallies: for the vehicle that sends more reports from a segment in a minute, or
// sends them from more segments, than its record holds.
type manyReports struct {
	Count uint64
	Sum   uint64
}

// mean returns the mean speed in 1/2520 mph, rounded down.
func (m *manyReports) mean() uint64 { return m.Sum * speedUnit / m.Count }

// tallyKey is where the reports of a vehicle from a segment are in the table of tallies.
func tallyKey(vid uint32, seg uint8) uint64 { return uint64(vid)<<8 | uint64(seg) }
