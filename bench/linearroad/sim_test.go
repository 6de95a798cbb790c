package linearroad

import (
	"cmp"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/oracle"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/engine/enginetest"
	"github.com/fullspate/spate/engine/sim"
)

// simTuples is at least how many tuples a simulated input has.
const simTuples = 5000

// TestSimulation runs the query by a thousand random schedules, with tasks lost and operator objects forgotten, on inputs
// small enough for that. The plain run must give what the oracle gives, and every schedule what the plain run gives.
func TestSimulation(t *testing.T) {
	schedules := 250
	if testing.Short() {
		schedules = 10
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var sum oracle.Totals
	for i, splits := range [][][]simRecord{crowd(1), crowd(2), crowd(3), hostile(t, 4)} {
		rules := query.Rules(i % 2)
		build := simGraph(splits, rules)
		want, err := enginetest.Reference(build)
		if err != nil {
			t.Fatal(err)
		}
		totals := compareWithOracle(t, splits, rules, want)
		sum.TollsAboveZero += totals.TollsAboveZero
		sum.Alerts += totals.Alerts
		sum.Accidents += totals.Accidents
		sum.Charges += totals.Charges
		if t.Failed() {
			t.Fatalf("input %d", i)
		}
		enginetest.Check(t, build, enginetest.Config{
			Schedules: schedules, Want: want, Sim: sim.Config{Seed: uint64(i) * 1000, SpillDir: t.TempDir(), ParallelismMax: 3},
		})
	}
	if sum.TollsAboveZero == 0 || sum.Alerts == 0 || sum.Accidents == 0 || sum.Charges == 0 {
		t.Errorf("the inputs prove nothing: %+v", sum)
	}
}

type simRecord = engine.Record[format.Tuple]

// crowd is input with more of everything than traffic has: vehicles that report often and from anywhere, on two
// expressways at once, stand, leave, and come back; so many of them on few segments that there are tolls.
func crowd(seed uint64) [][]simRecord {
	r := rand.New(rand.NewPCG(seed, 5))
	splits := make([][]simRecord, 2)
	last := map[uint32]format.Tuple{}
	base := uint32(r.IntN(format.PositionMax - 8*format.SegmentFeet))
	vids, places := 150+r.IntN(100), 1+r.IntN(3)
	second, n := r.IntN(60), 0
	for n < simTuples {
		if r.IntN(40) == 0 {
			second += 40 + r.IntN(60)
		}
		second++
		for range r.IntN(60) {
			tp := format.Tuple{VID: uint32(1 + r.IntN(vids)), Time: uint16(second)}
			xway := r.IntN(2)
			switch x := r.IntN(100); {
			case x == 0:
				tp.Type, tp.QID, tp.Xway, tp.Day = format.Expenditure, uint32(n), uint16(r.IntN(2)), uint8(r.IntN(70))
			case x < 8:
				tp.Type, tp.QID, tp.Xway = format.Balance, uint32(n), format.NoXway
			case x == 8:
				tp.Type, tp.QID = format.TravelTime, uint32(n)
			case x < 50 && last[tp.VID].VID != 0: // again from the same place
				tp = last[tp.VID]
				tp.Time, tp.Speed = uint16(second), 0
				xway = int(tp.Xway)
			default:
				tp.Xway, tp.Dir, tp.Lane, tp.Speed = uint16(xway), uint8(r.IntN(8)/7), uint8(1+r.IntN(4)), uint8(r.IntN(45))
				tp.Pos = base + uint32(r.IntN(places))*format.SegmentFeet
				tp.Seg = uint8(tp.Pos / format.SegmentFeet)
			}
			if tp.Type == format.Position {
				last[tp.VID] = tp
			}
			splits[xway] = append(splits[xway], simRecord{Value: tp})
			n++
		}
	}
	for _, rows := range splits {
		timed(rows)
	}
	return splits
}

// hostile is generated hostile traffic of two expressways, with all of the vehicles that make it hostile but few others.
func hostile(t *testing.T, seed uint64) [][]simRecord {
	tr, err := traffic.New(traffic.Config{Seed: seed, Xways: 2, To: 420, Hostile: true})
	if err != nil {
		t.Fatal(err)
	}
	var splits [][]simRecord
	n := 0
	for x := range 2 {
		w, all, wanted := tr.Xway(x), []format.Tuple(nil), map[uint32]bool{}
		for range 420 {
			all = w.Second(all)
		}
		for _, tp := range all {
			if tp.Type == format.Position && (tp.Dir == 0 && tp.Seg >= 90 || tp.Dir == 1 && tp.Seg < 10) || tp.VID%16 == 0 {
				wanted[tp.VID] = true
			}
		}
		var rows []simRecord
		for _, tp := range all {
			if wanted[tp.VID] {
				rows = append(rows, simRecord{Value: tp})
			}
		}
		timed(rows)
		splits = append(splits, rows)
		n += len(rows)
	}
	if n < simTuples {
		t.Fatalf("only %d tuples", n)
	}
	return splits
}

// timed spreads the tuples of each second over it.
func timed(rows []simRecord) {
	for i := 0; i < len(rows); {
		n := 1
		for i+n < len(rows) && rows[i+n].Value.Time == rows[i].Value.Time {
			n++
		}
		for k := range n {
			rows[i+k].Millis = 1000*int64(rows[i].Value.Time) + int64(1000*k/n)
		}
		i += n
	}
}

func simHistory(vid uint32, day uint8, xway uint16) int64 {
	return int64(history.Toll(9, vid, day, xway))
}

func simGraph(splits [][]simRecord, rules query.Rules) sim.Build {
	return func() *engine.Graph {
		g := engine.NewGraph("linearroad")
		s := query.Build(g, enginetest.Feed(g, query.FeederID, splits...), query.Config{Rules: rules, BuiltIn: simHistory})
		enginetest.Collect(g, "tolls", s.Tolls)
		enginetest.Collect(g, "alerts", s.Alerts)
		enginetest.Collect(g, "balances", s.Balances)
		enginetest.Collect(g, "expenditures", s.Expenditures)
		enginetest.Collect(g, "travels", s.Travels)
		enginetest.Collect(g, "activity", s.Activity)
		enginetest.Collect(g, "totals", s.Totals)
		return g
	}
}

// compareWithOracle compares every answer, in the order of the input.
func compareWithOracle(t *testing.T, splits [][]simRecord, rules query.Rules, got sim.Results) oracle.Totals {
	t.Helper()
	var all []simRecord
	for _, rows := range splits {
		all = append(all, rows...)
	}
	slices.SortStableFunc(all, func(a, b simRecord) int { return cmp.Compare(a.Millis, b.Millis) })
	o := oracle.New(oracle.Rules(rules), func(vid uint32, day uint8, xway uint16) (int64, bool) { return simHistory(vid, day, xway), true })
	want := map[format.Type][]string{}
	var answers []format.Answer
	for i := range all {
		var err error
		if answers, err = o.Feed(answers[:0], &all[i].Value); err != nil {
			t.Fatal(err)
		}
		for k := range answers {
			want[answers[k].Type] = append(want[answers[k].Type], string(format.AppendWithoutEmit(nil, &answers[k])))
		}
	}
	compareAnswers(t, format.Position, want, enginetest.Results[query.Notice](got, "tolls"), (*query.Notice).Answer)
	compareAnswers(t, format.Accident, want, enginetest.Results[query.Notice](got, "alerts"), (*query.Notice).AlertAnswer)
	compareAnswers(t, format.Balance, want, enginetest.Results[query.BalanceAnswer](got, "balances"), (*query.BalanceAnswer).Answer)
	compareAnswers(t, format.Expenditure, want, enginetest.Results[query.ExpenditureAnswer](got, "expenditures"), (*query.ExpenditureAnswer).Answer)
	return o.Totals()
}

func compareAnswers[T any](t *testing.T, kind format.Type, want map[format.Type][]string, got []enginetest.Result[T], answer func(*T) format.Answer) {
	t.Helper()
	if len(got) != len(want[kind]) {
		t.Errorf("%d answers of type %d, the oracle has %d", len(got), kind, len(want[kind]))
	}
	for i := range min(len(got), len(want[kind])) {
		a := answer(&got[i].Value)
		if line := string(format.AppendWithoutEmit(nil, &a)); line != want[kind][i] {
			t.Errorf("type %d, answer %d: %s, the oracle has %s", kind, i, line, want[kind][i])
			return
		}
	}
}
