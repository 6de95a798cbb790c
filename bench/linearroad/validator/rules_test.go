package validator

import (
	"cmp"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// TestLatestAverage compares with plain rational arithmetic, with few and with far too many vehicles.
func TestLatestAverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		most := uint64(1) << (1 + r.IntN(24))
		rows := make([]segmentMinute, 1+r.IntN(5))
		sum := new(big.Rat)
		for i := range rows {
			n := 1 + r.Uint64N(most)
			// About 40 mph, and often exactly.
			s := n * 40 * speedUnit
			if r.IntN(3) > 0 {
				s += r.Uint64N(2*n) - n
			}
			rows[i] = segmentMinute{speeds: s, vehicles: n}
			sum.Add(sum, new(big.Rat).SetFrac(new(big.Int).SetUint64(s), new(big.Int).SetUint64(n*speedUnit)))
		}
		sum.Quo(sum, new(big.Rat).SetInt64(int64(len(rows))))
		wantFree := sum.Cmp(big.NewRat(40, 1)) >= 0
		want := new(big.Int).Quo(sum.Num(), sum.Denom()).Int64()
		if got, free := latestAverage(rows); int64(got) != want || free != wantFree {
			t.Fatalf("LAV of %v is %d, free %v; want %d, %v", rows, got, free, want, wantFree)
		}
	}
	if got, free := latestAverage(nil); got != -1 || free {
		t.Errorf("LAV of nothing is %d, free %v; want -1, false", got, free)
	}
}

func TestSortItems(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	var spare []item
	for _, n := range []int{0, 1, 10, radixMin - 1, radixMin, 1000, 5000} {
		for _, mask := range []uint64{0, 0xff, 0xff00ff, ^uint64(0)} {
			items := make([]item, n)
			for i := range items {
				items[i] = item{r.Uint64() & mask, uint32(i)}
			}
			want := slices.Clone(items)
			slices.SortStableFunc(want, func(a, b item) int { return cmp.Compare(a.key, b.key) })
			items, spare = sortItems(items, spare, 0)
			if !slices.Equal(items, want) {
				t.Errorf("%d items with mask %#x are not in order", n, mask)
			}
		}
	}
}

func TestLongestInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		order := make([]placed, r.IntN(12))
		for i := range order {
			order[i] = placed{input: int32(r.IntN(12)), answer: int32(i)}
		}
		// The longest by trying all subsets.
		best := 0
		for set := range 1 << len(order) {
			last, n := int32(-1), 0
			for i, p := range order {
				if set>>i&1 == 1 && n >= 0 {
					if p.input < last {
						n = -1
						break
					}
					last = p.input
					n++
				}
			}
			best = max(best, n)
		}
		got, last := 0, int32(-1)
		for i, in := range longestInOrder(order) {
			if in {
				if order[i].input < last {
					t.Fatalf("%v: member %d is out of order", order, i)
				}
				last = order[i].input
				got++
			}
		}
		if got != best {
			t.Fatalf("%v: %d in order, want %d", order, got, best)
		}
	}
}

// at returns a report from a place in segment 50, every field as an accident needs it.
func at(vid uint32, time int, pos uint32) format.Tuple {
	return format.Tuple{VID: vid, Time: uint16(time), Lane: 2, Pos: pos, Seg: uint8(pos / format.SegmentFeet), Speed: 30}
}

// scene builds an input of vehicles that stand and of one that passes at the end of each minute.
type scene []format.Tuple

// stands lets a vehicle stand from one second through another and then, if leaves, drive on.
func (s *scene) stands(vid uint32, from, to int, leaves bool) {
	for t := from; t <= to; t += 30 {
		*s = append(*s, at(vid, t, 50*format.SegmentFeet+10))
		from = t
	}
	if leaves {
		*s = append(*s, at(vid, from+30, 52*format.SegmentFeet))
	}
}

// alerts returns the minutes in which a vehicle that enters segment 48 is alerted, by whole and by minutes.
func (s scene) alerts(t *testing.T, minutes int, rules Rules) (alerted []int, accidents int64) {
	t.Helper()
	input := slices.Clone(s)
	for m := range minutes {
		input = append(input, at(uint32(1000+m), 60*m+59, 48*format.SegmentFeet))
	}
	slices.SortStableFunc(input, func(a, b format.Tuple) int { return cmp.Compare(a.Time, b.Time) })
	opt := Options{Rules: rules, History: synthHistory}
	answers := answersTo(t, input, opt)
	for _, a := range answers {
		if a.Type == format.Accident && a.VID >= 1000 {
			alerted = append(alerted, int(a.Time)/60+1)
		}
	}
	oo := onlineOptions(input, true)
	oo.Rules, oo.Pace = rules, 0
	r := runOnline(t, input, answers, oo)
	if !r.Valid() {
		t.Errorf("minute by minute:\n%v", r)
	}
	return alerted, r.Occurred.Accidents
}

func TestAccidents(t *testing.T) {
	const A, B, C, D = 1, 2, 3, 4
	span := func(ranges ...int) (all []int) {
		for i := 0; i < len(ranges); i += 2 {
			for m := ranges[i]; m <= ranges[i+1]; m++ {
				all = append(all, m)
			}
		}
		return all
	}
	for _, test := range []struct {
		name            string
		scene           func(s *scene)
		paper, official []int
		accidents       int64
	}{
		{"one alone", func(s *scene) { s.stands(A, 0, 600, true) }, nil, nil, 0},
		{"three reports only", func(s *scene) { s.stands(A, 0, 600, true); s.stands(B, 60, 120, true) }, nil, nil, 0},
		// B is stopped at 100 (minute 2); A leaves at 330 (minute 6), last seen there at 300 (minute 6).
		{"two", func(s *scene) { s.stands(A, 0, 300, true); s.stands(B, 10, 600, true) }, span(3, 6), span(3, 7), 1},
		// A's last report is at 300, so it has gone at 360 (minute 7).
		{"silence", func(s *scene) { s.stands(A, 0, 300, false); s.stands(B, 10, 600, true) }, span(3, 7), span(3, 7), 1},
		{"cleared in the same minute", func(s *scene) { s.stands(A, 30, 120, true); s.stands(B, 25, 300, true) }, nil, span(4, 4), 1},
		// A clears it for all three; B and C stand on for long without an accident until D stops at 1290 (minute 22).
		{"three", func(s *scene) {
			s.stands(A, 0, 300, true)
			s.stands(B, 10, 1530, true)
			s.stands(C, 20, 1600, true)
			s.stands(D, 1200, 1700, true)
		}, span(3, 6, 23, 26), span(3, 7, 23, 27), 2},
		// The third joins after the second and goes first.
		{"the last goes first", func(s *scene) {
			s.stands(A, 0, 900, true)
			s.stands(B, 10, 930, true)
			s.stands(C, 200, 320, true)
		}, span(3, 6), span(3, 7), 1},
		{"twice in one place", func(s *scene) {
			s.stands(A, 0, 300, true)
			s.stands(B, 10, 310, true)
			s.stands(C, 900, 1200, true)
			s.stands(D, 910, 1210, true)
		}, span(3, 6, 18, 21), span(3, 7, 18, 22), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s scene
			test.scene(&s)
			for rules, want := range [][]int{test.paper, test.official} {
				got, n := s.alerts(t, 32, Rules(rules))
				if !slices.Equal(got, want) || n != test.accidents {
					t.Errorf("rules %v: alerts in minutes %v of %d accidents, want %v of %d", Rules(rules), got, n, want, test.accidents)
				}
			}
		})
	}
}

func TestScope(t *testing.T) {
	for _, test := range []struct {
		dir, seg, accident uint8
		in                 bool
	}{
		{0, 50, 50, true}, {0, 46, 50, true}, {0, 45, 50, false}, {0, 51, 50, false}, {0, 99, 99, true}, {0, 95, 99, true},
		{1, 50, 50, true}, {1, 54, 50, true}, {1, 55, 50, false}, {1, 49, 50, false}, {1, 0, 0, true}, {1, 4, 0, true}, {1, 5, 0, false},
	} {
		if _, in := ahead(test.dir, test.seg, test.accident); in != test.in {
			t.Errorf("direction %d, segment %d, accident in %d: in scope %v, want %v", test.dir, test.seg, test.accident, in, test.in)
		}
	}
}

// TestAcceptance goes around the bounds of (resulttime, balance): charges of 10 at second 100, 5 at 150 and 2 at 160 ahead
// of the request, and 1 behind it.
func TestAcceptance(t *testing.T) {
	d := due{
		before: 10, at: momentOf(160, 7), recent: []charge{{amount: 10, at: momentOf(100, 3)}},
		charges: []charge{{amount: 5, at: momentOf(150, 1)}, {amount: 2, at: momentOf(160, 5)}, {amount: 1, at: momentOf(160, 9)}},
	}
	for _, test := range []struct {
		second uint16
		value  int64
		wrong  string
	}{
		{160, 17, ""}, {160, 18, "balance"}, {160, 15, "balance"}, {159, 15, ""}, {150, 15, ""}, {149, 10, ""}, {149, 15, "balance"},
		{100, 10, ""}, {99, 0, "resulttime"}, {161, 17, "resulttime"},
	} {
		var got differences
		d.compare(160, &format.Answer{ResultTime: test.second, Value: test.value}, &got)
		field := ""
		if got.n > 0 {
			field = got.list[0].field
		}
		if field != test.wrong {
			t.Errorf("(%d, %d) is wrong in %q, want %q", test.second, test.value, field, test.wrong)
		}
	}
	d.at = momentOf(159, 0)
	if got := d.atSecond(99); got != 0 {
		t.Errorf("balance at 99 is %d, want 0", got)
	}
}

func TestSchedule(t *testing.T) {
	lines := []format.Tuple{{Time: 5}, {Time: 7}, {Time: 7}, {Time: 7, Type: format.Balance, Xway: format.NoXway}}
	generated := []format.Tuple{
		{Time: 5}, {Time: 7}, {Time: 7, Type: format.Balance, Xway: format.NoXway}, {Time: 7, Xway: 2}, {Time: 7, Xway: 2}, {Time: 7, Type: format.Expenditure, Xway: 1},
	}
	for _, test := range []struct {
		name  string
		input []format.Tuple
		opt   Options
		want  []int64
	}{
		{"file", lines, Options{Pace: 1}, []int64{5000, 7000, 7333, 7666}},
		{"file, faster", lines, Options{Pace: 20}, []int64{250, 350, 366, 383}},
		{"file, slower", lines, Options{Pace: 0.5}, []int64{10000, 14000, 14666, 15332}},
		{"file, from the middle", lines, Options{Pace: 1, From: 5}, []int64{0, 2000, 2333, 2666}},
		// Four expressways have a quarter of a second each; the requests belong to the expressway of the reports before.
		{"generated", generated, Options{Pace: 1, Xways: 4}, []int64{5000, 7000, 7125, 7500, 7583, 7666}},
	} {
		c := newChecker(test.opt)
		c.w.in, c.w.runs = test.input, wholeRuns(test.input, test.opt.Xways)
		var got []int64
		for i := range test.input {
			got = append(got, c.due(uint32(i)))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: due at %v, want %v", test.name, got, test.want)
		}
	}
}
