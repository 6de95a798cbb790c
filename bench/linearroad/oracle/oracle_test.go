package oracle

import (
	"math/big"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

func TestVelocityIsRoundedDownPerVehicle(t *testing.T) {
	s := newStatistics()
	where := segment{road{0, 0}, 7}
	// Eleven reports that sum up to 439 and to 441 have a mean of 40 together, but 439·2520/11 and 441·2520/11 lose
	// 10/11 and 1/11 when they are rounded down.
	for vid, sum := range map[uint32]int{1: 439, 2: 441} {
		for i := range 11 {
			mph := 40
			if i == 0 {
				mph += sum - 440
			}
			s.count(where, vid, uint8(mph))
		}
	}
	s.advance(2)
	if got, want := s.latestAverageVelocity(where), big.NewRat(2*40*speedUnit-1, 2*speedUnit); got.Cmp(want) != 0 {
		t.Errorf("LAV is %v, want %v", got, want)
	}
	if c := s.conditions(where); c.lav != 39 || c.free || c.nov != 2 {
		t.Errorf("conditions are %+v, want an LAV of 39 from 2 vehicles, not free", c)
	}
}

func TestVelocityIsExactUpToTenReports(t *testing.T) {
	for count := 1; count <= 10; count++ {
		s := newStatistics()
		where := segment{road{0, 1}, 99}
		sum := 0
		for i := range count {
			mph := 37 + i*i%7
			sum += mph
			s.count(where, 1, uint8(mph))
		}
		s.advance(2)
		if got, want := s.latestAverageVelocity(where), big.NewRat(int64(sum), int64(count)); got.Cmp(want) != 0 {
			t.Errorf("%d reports: LAV is %v, want %v", count, got, want)
		}
	}
}

func TestOnlyMinutesThatCountAreKept(t *testing.T) {
	s := newStatistics()
	for minute := 1; minute <= 180; minute++ {
		s.advance(minute)
		s.count(segment{}, 1, 50)
		for m := range s.closed {
			if m >= minute || m < minute-lavSpan {
				t.Fatalf("in minute %d, minute %d is kept", minute, m)
			}
		}
	}
}

func TestRefusedTuplesChangeNothing(t *testing.T) {
	o := New(Paper, nil)
	first := format.Tuple{Type: format.Position, VID: 1, Time: 30, Speed: 30, Lane: 1, Pos: 100}
	if _, err := o.Feed(nil, &first); err != nil {
		t.Fatal(err)
	}
	early, odd := first, first
	early.Time = 29
	odd.Type = format.Accident
	for want, tuple := range map[string]format.Tuple{"after second 30": early, "type 1": odd} {
		answers, err := o.Feed(nil, &tuple)
		if err == nil || !strings.Contains(err.Error(), want) || len(answers) != 0 {
			t.Errorf("fed %+v: got %v, %v, want an error with %q", tuple, answers, err, want)
		}
	}
	if got, want := o.Totals(), (Totals{Reports: 1}); got != want {
		t.Errorf("totals are %+v, want %+v", got, want)
	}
}

func TestTotals(t *testing.T) {
	o := tell(t, Paper, nil, `
		crowd 0 60 20 100`+stopAt("1 0 2 58080")+stopAt("2 0 2 58080")+`
		at 60 3 20 1 100
		> 20 200
		at 90 3 20 1 52800
		> -1 0
		! 11`)
	request := format.Tuple{Type: format.TravelTime, Time: 100, QID: 1}
	if answers, err := o.Feed(nil, &request); err != nil || len(answers) != 0 {
		t.Errorf("a travel time request got %v, %v", answers, err)
	}
	want := Totals{Reports: 70, TollsAboveZero: 1, Alerts: 1, Accidents: 1, Charges: 1, Unanswered: 1}
	if got := o.Totals(); got != want {
		t.Errorf("totals are %+v, want %+v", got, want)
	}
}
