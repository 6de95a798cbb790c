package query

import "math/bits"

// spot is a place of a road where vehicles stand or stood, 8 bytes.
type spot struct {
	Standing uint32 // vehicles stopped there
	Until    uint16 // last minute in which an accident that has been cleared is in force; 0: none
	Seg      uint8
	Open     uint8 // 1: there is an accident that has not been cleared
}

// arrive counts a vehicle that has become stopped, and says whether that is an accident: it is the second one or a later
// one, and there is none yet.
func (s *spot) arrive(seg uint8) (accident bool) {
	s.Seg = seg
	s.Standing++
	if s.Standing < 2 || s.Open != 0 {
		return false
	}
	s.Open = 1
	return true
}

// depart counts a vehicle that stood and has gone in second gone, after its last report from here in second last. It
// clears the accident if there is one. Until is compared with minutes that begin after it was set, so an accident that
// is cleared in the minute of its detection never is in force.
func (s *spot) depart(rules Rules, last, gone uint16) {
	s.Standing--
	if s.Open == 0 {
		return
	}
	s.Open = 0
	until := minuteOf(gone)
	if rules == Official {
		until = minuteOf(last) + 1
	}
	s.Until = max(s.Until, until)
}

// inForce says whether an accident is in force in the minute that begins.
func (s *spot) inForce(minute uint16) bool { return s.Open != 0 || s.Until >= minute }

// stop notes of a vehicle that it stands, 8 bytes.
type stop struct {
	Spot     uint32
	Reserved uint32
}

// blocked is the set of the segments with an accident in force.
type blocked [2]uint64

func (b *blocked) add(seg uint8) { b[seg>>6] |= 1 << (seg & 63) }

// ahead returns the nearest blocked segment from seg on in the direction of traffic, at most alertReach segments away, or
// NoAlert.
func (b *blocked) ahead(seg int, west bool) uint8 {
	first, last := seg, min(seg+alertReach, segments-1)
	if west {
		first, last = max(seg-alertReach, 0), seg
	}
	// The segments first…last as the lowest bits of one word.
	window := b[first>>6] >> (first & 63)
	if first < 64 {
		window |= b[1] << (64 - first)
	}
	window &= 1<<(last-first+1) - 1
	switch {
	case window == 0:
		return NoAlert
	case west:
		return uint8(first + bits.Len64(window) - 1)
	default:
		return uint8(first + bits.TrailingZeros64(window))
	}
}

// road is what the toll calculator keeps once per key, 2,432 bytes. It exists just as long as the road's timers are set.
// The segments are part of it, and no table: all of them exist as long as the road does, every report needs one, and the
// hundred of the road whose turn it is lie in 38 cache lines in a row instead of being scattered over 200.
type road struct {
	Blocked   blocked
	Minute    uint16 // from 1, the current one
	Idle      uint16 // complete minutes without a report
	Vehicles  uint32 // on the road when last counted
	Accidents uint32 // detected in the current minute
	Reserved  uint32
	Segments  [segments]segment
}
