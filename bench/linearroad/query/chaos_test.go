package query_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/oracle"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/engine"
)

// chaos is input that no traffic would give: vehicles that report many times a second, from anywhere, stand, fall silent,
// leave and come back within a minute, on roads that are silent for many minutes.
func chaos(rng *rand.Rand, n int) []format.Tuple {
	var tuples []format.Tuple
	second := rng.IntN(100)
	vids, places, roads, slow := 2+rng.IntN(90), 1+rng.IntN(6), 4, 400
	if rng.IntN(3) == 0 { // so many on few segments that there are tolls
		vids, places, roads, slow = 300+rng.IntN(300), 2+rng.IntN(2), 1, 60
	}
	base := uint32(rng.IntN(format.PositionMax - 40*format.SegmentFeet))
	at := make(map[uint32]format.Tuple)
	for len(tuples) < n {
		switch r := rng.IntN(1000); {
		case r == 0:
			second += 300 + rng.IntN(400)
		case r < 10:
			second += 25 + rng.IntN(40)
		case r < slow:
			second += rng.IntN(3)
		}
		if second > format.TimeMax {
			break
		}
		vid := uint32(1 + rng.IntN(vids))
		t := format.Tuple{VID: vid, Time: uint16(second)}
		switch r := rng.IntN(100); {
		case r == 0:
			t.Type, t.QID, t.Xway, t.Day = format.Expenditure, uint32(len(tuples)), uint16(rng.IntN(2)), uint8(rng.IntN(70))
		case r < 5:
			t.Type, t.QID, t.Xway = format.Balance, uint32(len(tuples)), format.NoXway
		case r == 5:
			t.Type, t.QID = format.TravelTime, uint32(len(tuples))
		case r < 50 && at[vid].VID != 0: // again from the same place
			t = at[vid]
			t.Time, t.Speed = uint16(second), uint8(rng.IntN(101))
		default:
			road := rng.IntN(roads)
			t.Xway, t.Dir = uint16(road/2), uint8(road%2)
			t.Pos = base + uint32(rng.IntN(places))*format.SegmentFeet*uint32(1+rng.IntN(2))
			t.Seg, t.Lane, t.Speed = uint8(t.Pos/format.SegmentFeet), uint8(rng.IntN(5)), uint8(rng.IntN(101))
			if rng.IntN(3) > 0 { // mostly slow, so that there are tolls
				t.Speed /= 3
			}
		}
		if t.Type == format.Position {
			at[vid] = t
		}
		tuples = append(tuples, t)
	}
	return tuples
}

// records schedules tuples as those of a file.
func records(tuples []format.Tuple) []engine.Record[format.Tuple] {
	var all []engine.Record[format.Tuple]
	for i := 0; i < len(tuples); {
		n := 1
		for i+n < len(tuples) && tuples[i+n].Time == tuples[i].Time {
			n++
		}
		for k := range n {
			all = append(all, engine.Record[format.Tuple]{Millis: 1000*int64(tuples[i].Time) + int64(1000*k/n), Value: tuples[i+k]})
		}
		i += n
	}
	return all
}

func TestChaos(t *testing.T) {
	sum := oracle.Totals{}
	inputs := uint64(40)
	if testing.Short() {
		inputs = 12
	}
	for n := range inputs {
		rng := rand.New(rand.NewPCG(seed, n))
		tuples := chaos(rng, 3000+rng.IntN(6000))
		rules := query.Rules(n % 2)
		o := oracle.New(oracle.Rules(rules), func(vid uint32, day uint8, xway uint16) (int64, bool) { return builtIn(vid, day, xway), true })
		want := new(answers)
		for i := range tuples {
			all, err := o.Feed(nil, &tuples[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				want[a.Type] = append(want[a.Type], a)
			}
			if tuples[i].Type == format.TravelTime {
				want[format.TravelTime] = append(want[format.TravelTime], format.Answer{Type: format.TravelTime, QID: tuples[i].QID})
			}
		}
		origin := time.Duration(n%3) * 1500 * time.Millisecond
		for _, ec := range []engine.Config{{Loops: 1}, {Loops: 2, Parallelism: map[string]int{query.CalculatorID: 3, query.AssessmentID: 2}}} {
			got := collect(t, query.Config{Rules: rules, BuiltIn: builtIn, Origin: origin}, ec, func(g *engine.Graph) engine.Stream[format.Tuple] {
				rs := records(tuples)
				for i := range rs {
					rs[i].Millis += origin.Milliseconds()
				}
				return engine.SliceSource(g, query.FeederID, rs)
			})
			if compare(t, got, want); t.Failed() {
				t.Fatalf("input %d, %s, rules %v", n, fmt.Sprintf("%+v", ec), rules)
			}
		}
		totals := o.Totals()
		sum.TollsAboveZero += totals.TollsAboveZero
		sum.Alerts += totals.Alerts
		sum.Accidents += totals.Accidents
		sum.Charges += totals.Charges
	}
	t.Logf("%+v", sum)
	if sum.TollsAboveZero == 0 || sum.Alerts == 0 || sum.Charges == 0 {
		t.Errorf("the inputs prove nothing: %+v", sum)
	}
}
