package validator

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// synthXways is the number of expressways of synthetic traffic.
const synthXways = 3

// synthetic is small dense traffic in which everything occurs: tolls, charges, accidents of two and three cars, silence,
// trips broken by gaps and by exits, vehicles on two expressways, and requests. In order of input: second by second,
// expressway by expressway, requests behind reports.
func synthetic(seed uint64, minutes int) []format.Tuple {
	r := rand.New(rand.NewPCG(seed, 1))
	byXway := make([][]format.Tuple, synthXways)
	qid := uint32(1)
	seconds := minutes * 60
	drive := func(vid uint32, xway uint16, start int) int {
		dir := uint8(r.IntN(2))
		pos := 5280*(40+r.IntN(4)) + r.IntN(5280)
		step := 100 + r.IntN(2500)
		if dir == 1 {
			step = -step
		}
		lane := uint8(0)
		hold := 0 // reports to stand still for
		t := start
		for n := 0; t < seconds && pos >= 0 && pos <= format.PositionMax; n++ {
			byXway[xway] = append(byXway[xway], format.Tuple{
				VID: vid, Xway: xway, Time: uint16(t), Speed: uint8(10 + r.IntN(45)), Lane: lane, Dir: dir, Pos: uint32(pos), Seg: uint8(pos / format.SegmentFeet),
			})
			switch k := r.IntN(100); {
			case k < 3:
				byXway[xway] = append(byXway[xway], format.Tuple{Type: format.Balance, VID: vid, Xway: format.NoXway, Time: uint16(t), QID: qid})
				qid++
			case k < 4:
				byXway[xway] = append(byXway[xway], format.Tuple{Type: format.Expenditure, VID: vid, Xway: uint16(r.IntN(synthXways)), Time: uint16(t), QID: qid, Day: uint8(r.IntN(70))})
				qid++
			case k < 5:
				byXway[xway] = append(byXway[xway], format.Tuple{Type: format.TravelTime, VID: vid, Xway: xway, Time: uint16(t), QID: qid})
				qid++
			}
			if lane == format.LaneExit {
				return t + 30
			}
			if hold > 0 {
				hold--
			} else {
				lane = uint8(1 + r.IntN(3))
				pos += step + r.IntN(200)
				switch k := r.IntN(60); {
				case k == 0:
					lane = format.LaneExit
				case k < 4: // to one of few places where others stop as well
					hold = 2 + r.IntN(6)
					lane = 1
					pos = 5280*(int(pos)/5280+1) + 100*r.IntN(2)
				}
			}
			t += []int{30, 30, 30, 30, 30, 30, 30, 60, 61, 10}[r.IntN(10)]
		}
		return t
	}
	for vid := uint32(1); vid <= 1800; vid++ {
		xway := uint16(r.IntN(synthXways))
		t := drive(vid, xway, r.IntN(seconds))
		if r.IntN(4) == 0 {
			drive(vid, uint16(r.IntN(synthXways)), t+r.IntN(90))
		}
	}
	return inOrder(byXway, seconds)
}

// inOrder merges expressways into one input as the generator does.
func inOrder(byXway [][]format.Tuple, seconds int) []format.Tuple {
	var all []format.Tuple
	for x := range byXway {
		slices.SortStableFunc(byXway[x], func(a, b format.Tuple) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(min(a.Type, 1), min(b.Type, 1)))
		})
	}
	next := make([]int, len(byXway))
	for s := range seconds {
		for x, in := range byXway {
			for next[x] < len(in) && int(in[next[x]].Time) == s {
				all = append(all, in[next[x]])
				next[x]++
			}
		}
	}
	return all
}

func synthHistory(vid uint32, day uint8, xway uint16) (int64, bool) {
	return int64(vid%97) + int64(day), day > 0 && vid%5 != 0 && uint32(xway) == (vid+uint32(day))%synthXways
}

// answersTo returns the right answers to an input, in its order, each emitted 3 ms after it was due if opt.Pace is set.
// They come from the validator itself: what they are is tested against real traffic, here they are there to be spoilt.
func answersTo(t testing.TB, input []format.Tuple, opt Options) []format.Answer {
	t.Helper()
	c := newChecker(opt)
	c.w.in, c.w.end, c.w.runs = input, 1<<30, wholeRuns(input, opt.Xways)
	c.check()
	var answers []format.Answer
	for i := range input {
		in := &input[i]
		a := format.Answer{Type: in.Type, VID: in.VID, Time: in.Time, QID: in.QID}
		if opt.Pace > 0 {
			a.Emit = c.due(uint32(i)) + 3
		}
		switch in.Type {
		case format.Position:
			a.Xway, a.Dir = in.Xway, in.Dir
			k := c.w.ref[i]
			if k < 0 {
				continue
			}
			q := c.w.quotes[k]
			if q.alert >= 0 {
				b := a
				b.Type, b.Seg = format.Accident, uint8(q.alert)
				answers = append(answers, b)
			}
			a.LAV, a.Value = q.lav, q.toll
		case format.Balance:
			a.ResultTime, a.Value = in.Time, c.w.dues[c.w.ref[i]].now()
		case format.Expenditure:
			if toll, ok := opt.History(in.VID, in.Day, in.Xway); ok {
				a.Value = toll
			}
		case format.TravelTime:
			continue
		}
		answers = append(answers, a)
	}
	return answers
}
