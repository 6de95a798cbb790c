package query

import (
	"math/big"
	"math/bits"
)

// segment is what is counted and quoted in a segment of a road in the current minute, 24 bytes.
type segment struct {
	Sum     uint64 // of the vehicles' mean speeds, 1/2520 mph
	NOV     uint32 // distinct vehicles
	Excess  uint32 // vehicles of the minute before beyond those that are free; 0: no toll
	Charges uint32 // that became due on entering here
	Minute  uint16 // from 1
	LAV     int8   // mph, truncated; −1: none
	Alert   uint8  // the nearest accident's segment, or NoAlert
}

// past holds the last five complete minutes of a segment, each at minute mod 5, 64 bytes. A minute without vehicles has
// NOV 0.
type past struct {
	Sum      [lavMinutes]uint64
	NOV      [lavMinutes]uint32
	Reserved uint32
}

// put replaces the oldest minute.
func (p *past) put(minute uint16, sum uint64, nov uint32) {
	p.Sum[minute%lavMinutes], p.NOV[minute%lavMinutes] = sum, nov
}

// empty says that none of the minutes had a vehicle.
func (p *past) empty() bool { return p.NOV == [lavMinutes]uint32{} }

// lav returns the latest average velocity in mph, truncated, or −1 if there is none, and whether the exact value is at
// least 40.
//
// It is the mean of k fractions Sum/NOV in 1/2520 mph. Both questions compare it with whole numbers, and a sum is at
// least a whole number just if its whole part is: so the whole part of the sum of the fractions is all that is needed.
func (p *past) lav() (mph int8, free bool) {
	whole, k := uint64(0), uint64(0)
	var rest, nov [lavMinutes]uint64
	for i, n := range p.NOV {
		if n == 0 {
			continue
		}
		whole += p.Sum[i] / uint64(n)
		rest[k], nov[k] = p.Sum[i]%uint64(n), uint64(n)
		k++
	}
	if k == 0 {
		return -1, false
	}
	whole += wholePart(rest[:k], nov[:k])
	return int8(whole / (speedUnit * k)), whole >= lavFree*speedUnit*k
}

// wholePart returns the whole part of the sum of the fractions a[i]/b[i], each below 1.
func wholePart(a, b []uint64) uint64 {
	num, den := uint64(0), uint64(1)
	for i := range a {
		if a[i] == 0 {
			continue
		}
		// num/den + a/b = (num·b + a·den) / (den·b), in 64 bits as long as it goes: for five minutes of up to 4,096
		// vehicles, always.
		h1, l1 := bits.Mul64(num, b[i])
		h2, l2 := bits.Mul64(a[i], den)
		h3, l3 := bits.Mul64(den, b[i])
		sum, carry := bits.Add64(l1, l2, 0)
		if h1|h2|h3|carry != 0 {
			return bigWholePart(a, b)
		}
		num, den = sum, l3
	}
	return num / den
}

func bigWholePart(a, b []uint64) uint64 {
	sum := new(big.Rat)
	for i := range a {
		part := new(big.Rat).SetFrac(new(big.Int).SetUint64(a[i]), new(big.Int).SetUint64(b[i]))
		sum.Add(sum, part)
	}
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Uint64()
}

// begin starts a minute: what was counted in the one before has gone to the past p, which may be nil if there is none.
func (s *segment) begin(minute uint16, p *past, alert uint8) {
	free := true
	nov := s.NOV
	s.LAV = -1
	if p != nil {
		s.LAV, free = p.lav()
	}
	s.Excess = 0
	if !free && nov > novFree && alert == NoAlert {
		s.Excess = nov - novFree
	}
	s.Sum, s.NOV, s.Charges, s.Minute, s.Alert = 0, 0, 0, minute, alert
}
