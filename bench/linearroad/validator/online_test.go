package validator

import (
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/fullspate/spate/bench/linearroad/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secondsOf returns the tuples of each second of an expressway of an input made by inOrder.
func secondsOf(input []format.Tuple) func(xway uint16, second int, dst []format.Tuple) []format.Tuple {
	type place struct {
		xway uint16
		time uint16
	}
	where := make(map[place][]format.Tuple)
	for _, r := range wholeRuns(input, synthXways) {
		p := place{uint16(r.xway), r.time}
		where[p] = append(where[p], input[r.first:r.first+r.n]...)
	}
	return func(xway uint16, second int, dst []format.Tuple) []format.Tuple {
		return append(dst, where[place{xway, uint16(second)}]...)
	}
}

// onlineOptions validates all expressways of an input.
func onlineOptions(input []format.Tuple, generate bool) OnlineOptions {
	opt := OnlineOptions{Options: synthOptions, To: int(input[len(input)-1].Time) + 1}
	for x := range synthXways {
		opt.Sample = append(opt.Sample, uint16(x))
	}
	opt.Asked = func(*format.Answer) bool { return true }
	if generate {
		opt.Generate = secondsOf(input)
	}
	return opt
}

// runOnline plays a run: input by seconds, and behind it answers in their order through one tap.
func runOnline(t testing.TB, input []format.Tuple, answers []format.Answer, opt OnlineOptions) *Report {
	t.Helper()
	o, err := NewOnline(opt)
	if err != nil {
		t.Fatal(err)
	}
	tap := o.Tap()
	// What may be promised behind an answer is the least time of those that follow.
	least := make([]int, len(answers)+1)
	least[len(answers)] = int(input[len(input)-1].Time)
	for i := len(answers) - 1; i >= 0; i-- {
		least[i] = min(least[i+1], int(answers[i].Time))
	}
	seconds := secondsOf(input)
	next := 0
	for s := range opt.To {
		for x := range synthXways {
			o.Input(uint16(x), s, seconds(uint16(x), s, nil))
		}
		from := next
		for next < len(answers) && least[next] <= s {
			next++
		}
		tap.Observe(answers[from:next])
		tap.Advance(min(s, least[next]))
	}
	tap.Observe(answers[next:])
	return o.Finish()
}

// TestOnlineAgrees compares the report of minute after minute with that of everything at once.
func TestOnlineAgrees(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		input := synthetic(seed, 14)
		for _, rules := range []Rules{Paper, Official} {
			opt := onlineOptions(input, seed%2 == 0)
			opt.Rules = rules
			answers := answersTo(t, input, opt.Options)
			opt.WaitingMax = (len(input) + len(answers)) / 3 // more than a minute or two, less than all
			online := runOnline(t, input, answers, opt)
			whole, err := Validate(input, answers, opt.Options)
			if err != nil {
				t.Fatal(err)
			}
			if !online.Valid() || !whole.Valid() {
				t.Fatalf("seed %d: online\n%v\nwhole\n%v", seed, online, whole)
			}
			if online.Counts != whole.Counts || online.Occurred != whole.Occurred || online.Tuples != whole.Tuples || online.UnansweredTravelTime != whole.UnansweredTravelTime {
				t.Errorf("seed %d: online\n%v\nwhole\n%v", seed, online, whole)
			}
		}
	}
}

// TestSampleOfRun validates one expressway of three: vehicles that drive elsewhere too are checked from below.
func TestSampleOfRun(t *testing.T) {
	input := synthetic(7, 10)
	answers := answersTo(t, input, synthOptions)
	const x = 1
	places := make(map[uint32]bool) // vehicles elsewhere
	asked := make(map[uint32]bool)  // requests among the lines of x
	for _, r := range wholeRuns(input, synthXways) {
		for _, in := range input[r.first : r.first+r.n] {
			if in.Type == format.Position && in.Xway != x {
				places[in.VID] = true
			}
			if in.Type != format.Position && r.xway == x {
				asked[in.QID] = true
			}
		}
	}
	opt := onlineOptions(input, true)
	opt.Sample = []uint16{x}
	opt.Asked = func(a *format.Answer) bool { return asked[a.QID] }
	opt.Elsewhere = func(vid uint32) bool { return places[vid] }
	r := runOnline(t, input, answers, opt)
	if !r.Valid() || r.BalancesPartly == 0 || r.Counts[format.Balance].Correct <= r.BalancesPartly {
		t.Fatalf("right answers:\n%v", r)
	}
	// A balance below what was charged here is wrong for sure.
	k := slices.IndexFunc(answers, func(a format.Answer) bool {
		return a.Type == format.Balance && asked[a.QID] && places[a.VID]
	})
	if k < 0 {
		t.Fatal("no balance to be checked from below")
	}
	answers[k].Value = -1
	r = runOnline(t, input, answers, opt)
	if r.FaultCount() != 1 || r.Faults[Wrong][format.Balance] != 1 {
		t.Errorf("a balance below what was charged:\n%v", r)
	}
}

// TestTapsEndTheValidation closes all taps: the validator's goroutine ends though nobody asks for the report (see TestMain),
// and those who ask later get it.
func TestTapsEndTheValidation(t *testing.T) {
	input := synthetic(3, 4)
	opt := onlineOptions(input, true)
	answers := answersTo(t, input, opt.Options)
	for _, asked := range []bool{false, true} {
		o, err := NewOnline(opt)
		if err != nil {
			t.Fatal(err)
		}
		idle, busy := o.Tap(), o.Tap()
		idle.Close()
		idle.Close()
		busy.Observe(answers)
		busy.Close()
		if !asked {
			continue
		}
		if r := o.Finish(); !r.Valid() || r.Tuples != int64(len(input)) {
			t.Errorf("%v", r)
		}
	}
}
