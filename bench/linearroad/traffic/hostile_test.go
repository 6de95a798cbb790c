package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
)

// spot is where a vehicle stands.
type spot struct {
	dir, lane uint8
	pos       uint32
}

// stay is a run of equal reports of one vehicle.
type stay struct {
	vid     uint32
	from    int // time of the first
	reports int
	gone    int // time at which it was elsewhere, or 60 s after the last if it was not
	silent  bool
}

// stopped returns when the fourth report was made.
func (s stay) stopped() int { return s.from + 3*reportEvery }

// stays collects all runs of at least three equal reports.
func stays(all []format.Tuple) map[spot][]stay {
	cars := map[uint32][]format.Tuple{}
	for _, a := range all {
		if a.Type == format.Position {
			cars[a.VID] = append(cars[a.VID], a)
		}
	}
	found := map[spot][]stay{}
	for vid, reports := range cars {
		for i := 0; i < len(reports); {
			a := reports[i]
			n := 1
			for i+n < len(reports) && reports[i+n].Pos == a.Pos && reports[i+n].Lane == a.Lane && reports[i+n].Dir == a.Dir {
				n++
			}
			s := stay{vid: vid, from: int(a.Time), reports: n, gone: int(reports[i+n-1].Time) + 60, silent: true}
			if i+n < len(reports) {
				s.gone, s.silent = int(reports[i+n].Time), false
			}
			if n >= 3 {
				k := spot{a.Dir, a.Lane, a.Pos}
				found[k] = append(found[k], s)
			}
			i += n
		}
	}
	for _, s := range found {
		slices.SortFunc(s, func(a, b stay) int { return cmp.Compare(a.from, b.from) })
	}
	return found
}

// wreckCases names what the stays at one spot are a case of; other holds the stays at the same position on other lanes.
func wreckCases(at spot, here []stay, otherLane bool) (names []string) {
	segment := fmt.Sprintf("segment %d dir %d", at.pos/segmentFeet, at.dir)
	stopped := slices.DeleteFunc(slices.Clone(here), func(s stay) bool { return s.reports < 4 })
	switch {
	case len(stopped) == 0 && len(here) == 2 && here[0].reports == 3:
		return []string{"three equal reports"}
	case len(stopped) == 1 && otherLane:
		return []string{"different lanes"}
	case len(stopped) == 1:
		return []string{"alone"}
	case len(stopped) == 0:
		return nil
	}
	names = append(names, "accident in "+segment)
	if len(stopped) == 3 && stopped[2].stopped() < min(stopped[0].gone, stopped[1].gone) {
		names = append(names, "three")
	}
	if len(stopped) >= 4 && stopped[2].from > max(stopped[0].gone, stopped[1].gone) {
		names = append(names, "twice at the same place")
	}
	first, second := stopped[0], stopped[1]
	cleared := min(first.gone, second.gone)
	if second.stopped() < cleared && second.stopped()/60 == cleared/60 {
		names = append(names, "cleared in the same minute")
	}
	if first.silent && second.silent {
		names = append(names, "cleared by silence")
	}
	return names
}

// accidents returns when each spot with two stopped vehicles is in force, roughly.
func accidents(found map[spot][]stay) (spots []spot, detected []int) {
	for at, s := range found {
		if len(s) >= 2 && s[0].reports >= 4 && s[1].reports >= 4 {
			spots = append(spots, at)
			detected = append(detected, s[1].stopped())
		}
	}
	return spots, detected
}

// carCases finds what single vehicles do.
func carCases(all []format.Tuple, end int, seen map[string]int) {
	last := map[uint32]format.Tuple{}
	for _, a := range all {
		if a.Type != format.Position {
			continue
		}
		switch a.Time % 60 {
		case 29, 30, 59, 0:
			seen[fmt.Sprintf("report at second %d", a.Time%60)]++
		}
		before, known := last[a.VID]
		last[a.VID] = a
		switch gap := int(a.Time) - int(before.Time); {
		case !known && a.Lane != format.LaneEntry:
			seen["never entered"]++
		case known && gap != reportEvery && before.Lane != format.LaneExit:
			seen[fmt.Sprintf("reappears after %d", gap)]++
		case known && a.Lane == format.LaneExit && a.Seg != before.Seg:
			seen["exit into a new segment"]++
		}
	}
	for _, a := range last {
		if a.Lane != format.LaneExit && int(a.Time) < end-60 {
			seen["vanishes"]++
		}
	}
}

// crowdCases looks at the second minute of an act: vehicles and mean speed of a segment. Each vehicle keeps its speed.
func crowdCases(all []format.Tuple, act int, dir uint8, seen map[string]int) {
	speeds := map[int]map[uint32]int{}
	for _, a := range all {
		if a.Type != format.Position || a.Dir != dir || along(&a) < stageFeet/segmentFeet || int(a.Time)/60 != act/60+1 {
			continue
		}
		if speeds[along(&a)] == nil {
			speeds[along(&a)] = map[uint32]int{}
		}
		speeds[along(&a)][a.VID] = int(a.Speed)
	}
	for segment := stageFeet / segmentFeet; segment < stageFeet/segmentFeet+4; segment++ {
		cars, sum := len(speeds[segment]), 0
		for _, v := range speeds[segment] {
			sum += v
		}
		mean := "above 40"
		switch {
		case sum == 40*cars:
			mean = "exactly 40"
		case sum == 40*cars-1:
			mean = "just below 40"
		case sum < 40*cars:
			mean = "below 40"
		}
		seen[fmt.Sprintf("%d vehicles, mean %s", cars, mean)]++
	}
}

// requestCases finds requests to which the answer is 0.
func requestCases(all []format.Tuple, seed uint64, seen map[string]int) {
	cars := map[uint32]bool{}
	for _, a := range all {
		switch {
		case a.Type == format.Position:
			cars[a.VID] = true
		case a.Type == format.Balance && !cars[a.VID]:
			seen["balance of a vehicle never seen"]++
		case a.Type != format.Expenditure:
		case a.Day == 0:
			seen["day 0"]++
		case !history.Known(seed, a.VID):
			seen["vehicle without history"]++
		case history.Toll(seed, a.VID, a.Day, a.Xway) == 0:
			seen["row on another expressway"]++
		}
	}
}

func TestHostileCases(t *testing.T) {
	const seed = 77
	tr := newTraffic(t, Config{Seed: seed, Xways: 3, To: 2 * actEvery, Hostile: true})
	for x := range 3 {
		all := drain(tr.Xway(x))
		for act := 0; act < 2; act++ {
			from, _ := slices.BinarySearchFunc(all, act*actEvery, func(a format.Tuple, s int) int { return int(a.Time) - s })
			to, _ := slices.BinarySearchFunc(all, (act+1)*actEvery, func(a format.Tuple, s int) int { return int(a.Time) - s })
			checkAct(t, all[from:to], act*actEvery, seed)
		}
	}
}

// checkAct checks that twenty minutes have every case, and each where it should be.
func checkAct(t *testing.T, all []format.Tuple, act int, seed uint64) {
	seen := map[string]int{}
	found := stays(all)
	for at, here := range found {
		other := false
		for lane := uint8(1); lane <= 3; lane++ {
			other = other || lane != at.lane && len(found[spot{at.dir, lane, at.pos}]) > 0
		}
		for _, name := range wreckCases(at, here, other) {
			seen[name]++
		}
	}
	spots, detected := accidents(found)
	for i, a := range spots {
		for j, b := range spots {
			if apart := int(a.pos/segmentFeet) - int(b.pos/segmentFeet); a.dir == b.dir && detected[i]/60 == detected[j]/60 {
				seen[fmt.Sprintf("%d segments apart", apart)]++
			}
		}
	}
	carCases(all, act+actEvery, seen)
	crowdCases(all, act, 0, seen)
	crowdCases(all, act, 1, seen)
	requestCases(all, seed, seen)
	for _, want := range []struct {
		name string
		n    int
	}{
		{"three", 2}, {"alone", 2}, {"different lanes", 4}, {"three equal reports", 2}, {"twice at the same place", 2},
		{"4 segments apart", 1}, {"5 segments apart", 1}, {"cleared in the same minute", 2}, {"cleared by silence", 2},
		{"accident in segment 0 dir 0", 1}, {"accident in segment 0 dir 1", 1},
		{"accident in segment 99 dir 0", 1}, {"accident in segment 99 dir 1", 1},
		{"51 vehicles, mean exactly 40", 2}, {"50 vehicles, mean below 40", 2}, {"51 vehicles, mean below 40", 2},
		{"51 vehicles, mean just below 40", 2},
		{"report at second 0", 4}, {"report at second 29", 4}, {"report at second 30", 4}, {"report at second 59", 4},
		{"vanishes", 4}, {"reappears after 60", 2}, {"reappears after 61", 2}, {"reappears after 200", 2}, {"reappears after 90", 2}, {"never entered", 2},
		{"exit into a new segment", 8}, {"day 0", 1}, {"vehicle without history", 1}, {"row on another expressway", 1},
		{"balance of a vehicle never seen", 1},
	} {
		if seen[want.name] < want.n {
			t.Errorf("act at %d: %q comes %d times, want at least %d", act, want.name, seen[want.name], want.n)
		}
	}
}

// TestHostileIsValid checks that hostile lines are lines nevertheless, and that the bound of a second holds.
func TestHostileIsValid(t *testing.T) {
	w := newTraffic(t, Config{Seed: 1, Xways: 1, From: 9600, Hostile: true}).Xway(0)
	var line []byte
	for !w.Done() {
		second := w.Second(nil)
		if len(second) > MaxPerSecond {
			t.Fatalf("%d tuples in a second", len(second))
		}
		for i := range second {
			line = format.AppendTuple(line[:0], &second[i])
			if b, err := format.ParseTuple(line); err != nil || b != second[i] {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
}
