package query

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactLAV computes with fractions what past.lav computes without.
func exactLAV(p *past) (mph int8, free bool) {
	sum, k := new(big.Rat), int64(0)
	for i, n := range p.NOV {
		if n != 0 {
			sum.Add(sum, new(big.Rat).SetFrac(new(big.Int).SetUint64(p.Sum[i]), new(big.Int).SetUint64(uint64(n))))
			k++
		}
	}
	if k == 0 {
		return -1, false
	}
	sum.Quo(sum, big.NewRat(speedUnit*k, 1))
	whole := new(big.Int).Quo(sum.Num(), sum.Denom())
	return int8(whole.Int64()), sum.Cmp(big.NewRat(lavFree, 1)) >= 0
}

func TestLAVIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var p past
		for i := range p.NOV {
			switch rng.IntN(4) {
			case 0: // none
			case 1: // few, around 40 mph
				p.NOV[i] = 1 + rng.Uint32N(7)
				p.Sum[i] = uint64(p.NOV[i])*lavFree*speedUnit + rng.Uint64N(5) - 2
			case 2:
				p.NOV[i] = 1 + rng.Uint32N(500)
				p.Sum[i] = rng.Uint64N(uint64(p.NOV[i])*100*speedUnit + 1)
			case 3: // so many that 64 bits are not enough
				p.NOV[i] = 1<<31 + rng.Uint32N(1<<31)
				p.Sum[i] = uint64(p.NOV[i])*lavFree*speedUnit + rng.Uint64N(5) - 2
			}
		}
		mph, free := p.lav()
		if wantMPH, wantFree := exactLAV(&p); mph != wantMPH || free != wantFree {
			t.Fatalf("%+v: LAV %d, free %v, want %d, %v", p, mph, free, wantMPH, wantFree)
		}
	}
}

func TestLAVOfFractionsThatAddUp(t *testing.T) {
	// 39 + 1/2 and 40 + 1/2 mph are 40 together, and one part less is not.
	p := past{NOV: [lavMinutes]uint32{2, 0, 2}, Sum: [lavMinutes]uint64{79 * speedUnit, 0, 81 * speedUnit}}
	if mph, free := p.lav(); mph != 40 || !free {
		t.Errorf("LAV %d, free %v, want 40 and free", mph, free)
	}
	p.Sum[0]--
	if mph, free := p.lav(); mph != 39 || free {
		t.Errorf("LAV %d, free %v, want 39 and not free", mph, free)
	}
}

func TestSegmentBegins(t *testing.T) {
	slow := past{NOV: [lavMinutes]uint32{51}, Sum: [lavMinutes]uint64{51 * 20 * speedUnit}}
	fast := past{NOV: [lavMinutes]uint32{51}, Sum: [lavMinutes]uint64{51 * 40 * speedUnit}}
	for _, test := range []struct {
		name   string
		nov    uint32
		past   *past
		alert  uint8
		excess uint32
		lav    int8
	}{
		{"nobody ever", 0, nil, NoAlert, 0, -1},
		{"fifty are free", 50, &slow, NoAlert, 0, 20},
		{"fifty-one are not", 51, &slow, NoAlert, 1, 20},
		{"forty mph is free", 51, &fast, NoAlert, 0, 40},
		{"an accident is free", 51, &slow, 7, 0, 20},
	} {
		s := segment{Sum: 1, NOV: test.nov, Excess: 9, Charges: 3, Minute: 4}
		s.begin(5, test.past, test.alert)
		want := segment{Excess: test.excess, Minute: 5, LAV: test.lav, Alert: test.alert}
		if s != want {
			t.Errorf("%s: %+v, want %+v", test.name, s, want)
		}
	}
	if tollOf(0) != 0 || tollOf(1) != 2 || tollOf(51) != 5202 {
		t.Errorf("tolls %d, %d, %d, want 0, 2, 5202", tollOf(0), tollOf(1), tollOf(51))
	}
}

func TestBlockedAhead(t *testing.T) {
	for accidents := range 1 << 3 {
		places := []uint8{0, 62, 99}
		var b blocked
		set := map[int]bool{}
		for i, p := range places {
			if accidents>>i&1 != 0 {
				b.add(p)
				b.add(p - min(p, 6))
				set[int(p)], set[int(p-min(p, 6))] = true, true
			}
		}
		for seg := range segments {
			for _, west := range []bool{false, true} {
				want := uint8(NoAlert)
				for d := alertReach; d >= 0; d-- {
					at := seg + d
					if west {
						at = seg - d
					}
					if set[at] {
						want = uint8(at)
					}
				}
				if got := b.ahead(seg, west); got != want {
					t.Errorf("accidents at %v, segment %d, west %v: %d, want %d", set, seg, west, got, want)
				}
			}
		}
	}
}

func TestSpot(t *testing.T) {
	var s spot
	if s.arrive(8) {
		t.Error("one car is an accident")
	}
	if !s.arrive(8) {
		t.Error("two cars are no accident")
	}
	if s.arrive(8) {
		t.Error("the third car is another accident")
	}
	s.depart(Paper, 100, 130) // minute 3
	if s.Open != 0 || s.Until != 3 || !s.inForce(3) || s.inForce(4) {
		t.Errorf("cleared in minute 3: %+v", s)
	}
	s.depart(Paper, 100, 190)
	if s.Until != 3 {
		t.Errorf("the second car to go changed the accident: %+v", s)
	}
	if !s.arrive(8) {
		t.Error("another car beside the one that still stands is no accident")
	}
	s.depart(Official, 200, 210) // both in minute 4
	if s.Until != 5 || !s.inForce(5) {
		t.Errorf("by official rules in force in minute 5 too: %+v", s)
	}
}
