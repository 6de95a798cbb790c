package validator

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

func TestOptions(t *testing.T) {
	bad := Options{Rules: 7, Pace: -1, From: 20_000, Xways: -1, Require: 0x80, FaultsMax: -1}
	err := bad.Validate()
	if err == nil {
		t.Fatal("bad options are taken")
	}
	for _, word := range []string{"rules", "pace", "from", "xways", "require", "faults"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error does not speak of %s: %v", word, err)
		}
	}
	if _, err := Validate(nil, nil, bad); err == nil {
		t.Error("Validate takes bad options")
	}
	online := OnlineOptions{Options: Options{Pace: 1}, To: -1, WaitingMax: -1}
	_, err = NewOnline(online)
	if err == nil {
		t.Fatal("bad online options are taken")
	}
	for _, word := range []string{"sample", "to is", "xways", "wait"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error does not speak of %s: %v", word, err)
		}
	}
	for _, r := range []Rules{Paper, Official} {
		if got, err := ParseRules(r.String()); got != r || err != nil {
			t.Errorf("ParseRules(%v) is %v, %v", r, got, err)
		}
	}
	if _, err := ParseRules("mine"); err == nil {
		t.Error("unknown rules are taken")
	}
}

func TestBadInput(t *testing.T) {
	for _, test := range []struct {
		name  string
		input []format.Tuple
		line  int
	}{
		{"order", []format.Tuple{{Time: 5}, {Time: 4}}, 2},
		{"time", []format.Tuple{{Time: format.TimeMax + 1}}, 1},
		{"type", []format.Tuple{{}, {Type: format.Accident}}, 2},
		{"no such type", []format.Tuple{{Type: 9}}, 1},
		{"xway", []format.Tuple{{Xway: format.NoXway}}, 1},
		{"dir", []format.Tuple{{Dir: 2}}, 1},
		{"seg", []format.Tuple{{Seg: 100}}, 1},
		{"pos", []format.Tuple{{Pos: format.PositionMax + 1}}, 1},
		{"lane", []format.Tuple{{Lane: 5}}, 1},
	} {
		_, err := Validate(test.input, nil, Options{})
		var bad *InputError
		if !errors.As(err, &bad) || bad.Line != test.line {
			t.Errorf("%s: error %v, want one about tuple %d", test.name, err, test.line)
		}
		if test.name == "order" {
			continue
		}
		o, err := NewOnline(OnlineOptions{Sample: []uint16{0}, Generate: func(_ uint16, second int, dst []format.Tuple) []format.Tuple {
			if second == 0 {
				dst = append(dst, test.input...)
			}
			return dst
		}, To: 60})
		if err != nil {
			t.Fatal(err)
		}
		if r := o.Finish(); r.Valid() || len(r.Failures) != 1 || r.Tuples != 0 {
			t.Errorf("%s online:\n%v", test.name, r)
		}
	}
}

// TestNothingInAnswers spoils all answers alike, so that they hold no toll, alert or balance.
func TestNothingInAnswers(t *testing.T) {
	input := synthetic(4, 8)
	answers := answersTo(t, input, synthOptions)
	answers = slices.DeleteFunc(answers, func(a format.Answer) bool { return a.Type == format.Accident })
	for i := range answers {
		answers[i].Value = 0
	}
	opt := synthOptions
	opt.FaultsMax = 2
	r, err := Validate(input, answers, opt)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) != 3 || r.Valid() {
		t.Errorf("failures are %q, want three", r.Failures)
	}
	o := &r.Occurred
	if r.Faults[Wrong][format.Position] != o.TollsAboveZero || r.Faults[Missing][format.Accident] != o.Alerts || r.Faults[Wrong][format.Balance] != o.NonZeroBalances {
		t.Errorf("faults are %v of %+v", r.Faults, *o)
	}
	if len(r.First) != 8 || !slices.IsSortedFunc(r.First, func(a, b Fault) int { return int(a.Time) - int(b.Time) }) {
		t.Errorf("%d faults are kept, want the first 2 each of 4, in order of time", len(r.First))
	}
	for _, word := range []string{"NOT VALID", "FAILED", "wrong type 0", "missing type 1", "segment", "accident in segment", "charge: time"} {
		if !strings.Contains(r.String(), word) {
			t.Errorf("the report does not say %q:\n%v", word, r)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestResponses(t *testing.T) {
	var input []format.Tuple
	var answers []format.Answer
	for i := range uint32(1000) {
		input = append(input, format.Tuple{Type: format.Balance, Xway: format.NoXway, VID: i, QID: i, Time: uint16(i)})
		answers = append(answers, format.Answer{Type: format.Balance, VID: i, QID: i, Time: uint16(i), ResultTime: uint16(i), Emit: int64(1000*i + i + 1)})
	}
	answers[999].Emit += 1 << 40 // longer than any run
	r, err := Validate(input, answers, Options{Pace: 1})
	if err != nil {
		t.Fatal(err)
	}
	q := r.Response[format.Balance]
	if q.Count != 1000 || q.P50 != 500 || q.P95 != 950 || q.P99 != 990 || q.P999 != 999 || q.Max != 1<<40+1000 {
		t.Errorf("responses are %+v", q)
	}
	if r.Faults[Late][format.Balance] != 1 || r.FaultCount() != 1 {
		t.Errorf("faults are %v, want one late balance", r.Faults)
	}
	r, err = Validate(input, answers, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Valid() || r.Response[format.Balance].Count != 0 || len(r.Warnings) != 4 {
		t.Errorf("without a pace nothing is late, and this proves nothing:\n%v", r)
	}
}

func TestSample(t *testing.T) {
	seen := make(map[uint16]int)
	for salt := range uint64(400) {
		s := Sample(salt, 51, 2, 0.04)
		if !slices.Equal(s, Sample(salt, 51, 2, 0.04)) {
			t.Fatalf("salt %d chooses differently the second time", salt)
		}
		if !slices.IsSorted(s) || len(s) < 3 || len(s) > 4 {
			t.Fatalf("salt %d chooses %v of 51, want 4%% in pairs", salt, s)
		}
		for _, x := range s {
			if partner := x ^ 1; partner < 51 && !slices.Contains(s, partner) {
				t.Fatalf("salt %d chooses %v, without %d", salt, s, partner)
			}
			seen[x]++
		}
	}
	if len(seen) != 51 {
		t.Errorf("400 salts choose %d of 51 expressways", len(seen))
	}
	if got := Sample(1, 3, 1, 0); len(got) != 1 {
		t.Errorf("a share of nothing chooses %v, want one", got)
	}
	if got := Sample(1, 3, 1, 1); len(got) != 3 {
		t.Errorf("a share of all chooses %v, want three", got)
	}
}

// TestTaps spreads answers over taps on goroutines of their own, with input from another.
func TestTaps(t *testing.T) {
	input := synthetic(9, 6)
	answers := answersTo(t, input, synthOptions)
	opt := onlineOptions(input, false)
	o, err := NewOnline(opt)
	if err != nil {
		t.Fatal(err)
	}
	const taps = 3
	var wait sync.WaitGroup
	for n := range taps {
		tap := o.Tap()
		wait.Go(func() {
			for i := range answers {
				tap.Advance(int(answers[i].Time))
				if answers[i].VID%taps == uint32(n) {
					tap.Observe(answers[i : i+1])
				}
			}
		})
	}
	seconds := secondsOf(input)
	for x := range uint16(synthXways) {
		wait.Go(func() {
			for s := range opt.To {
				o.Input(x, s, seconds(x, s, nil))
			}
		})
	}
	wait.Wait()
	if r := o.Finish(); !r.Valid() || r.Tuples != int64(len(input)) {
		t.Errorf("%v", r)
	}
}

func TestTooFarAhead(t *testing.T) {
	input := synthetic(9, 6)
	answers := answersTo(t, input, synthOptions)
	seconds := secondsOf(input)
	for _, what := range []string{"answers", "input"} {
		opt := onlineOptions(input, what == "answers")
		opt.WaitingMax = 200
		o, err := NewOnline(opt)
		if err != nil {
			t.Fatal(err)
		}
		tap := o.Tap()
		if what == "answers" {
			tap.Observe(answers) // and never advances
		} else {
			for s := range opt.To {
				o.Input(0, s, seconds(0, s, nil)) // and no other expressway's
			}
		}
		r := o.Finish()
		if r.Valid() || len(r.Failures) == 0 || !strings.Contains(r.Failures[0], what+" of second") {
			t.Errorf("%s far ahead:\n%v", what, r)
		}
	}
}

// TestSteadyAllocations checks windows that are alike: memory is used again.
func TestSteadyAllocations(t *testing.T) {
	input := synthetic(2, 8)
	c := newChecker(synthOptions)
	last := uint16(7 * 60)
	var window []format.Tuple
	for _, in := range input {
		if in.Time >= last {
			in.Time -= last
			window = append(window, in)
		}
	}
	end := 60
	c.w.answers = answersTo(t, window, synthOptions)
	c.w.lanes = []int32{int32(len(c.w.answers))}
	c.w.runs = wholeRuns(window, synthXways)
	c.w.in = window
	step := func() {
		c.w.end = end
		c.check()
		end += 60
		for i := range c.w.in {
			c.w.in[i].Time += 60
		}
		for i := range c.w.runs {
			c.w.runs[i].time += 60
		}
	}
	for range 20 { // the first differences are kept, and memory grows
		step()
	}
	if n := testing.AllocsPerRun(50, step); n > 2 {
		t.Errorf("%v allocations for a window of %d tuples, want at most 2", n, len(window))
	}
}

// BenchmarkOnline validates 20 minutes of three small expressways, everything included.
func BenchmarkOnline(b *testing.B) {
	input := synthetic(1, 20)
	answers := answersTo(b, input, synthOptions)
	opt := onlineOptions(input, true)
	for b.Loop() {
		o, err := NewOnline(opt)
		if err != nil {
			b.Fatal(err)
		}
		tap := o.Tap()
		for i := 0; i < len(answers); i += 100 {
			tap.Advance(int(answers[i].Time))
			tap.Observe(answers[i:min(i+100, len(answers))])
		}
		if r := o.Finish(); !r.Valid() || r.Tuples != int64(len(input)) {
			b.Fatalf("%v", r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(input)), "ns/tuple")
}

// BenchmarkTap is what a sink pays for an answer that is not in the sample, as nearly all are.
func BenchmarkTap(b *testing.B) {
	o, err := NewOnline(OnlineOptions{Sample: []uint16{49}})
	if err != nil {
		b.Fatal(err)
	}
	tap := o.Tap()
	answers := make([]format.Answer, 256)
	for b.Loop() {
		tap.Observe(answers)
		tap.Advance(59)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(answers)), "ns/answer")
	if r := o.Finish(); !r.Valid() {
		b.Fatalf("%v", r)
	}
}
