package oracle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// A story is input and expected answers in one text, a line each; what stands behind // is a comment.
//
//	at TIME VID MPH LANE POS [xX] [west]   a position report, on expressway 0 eastbound unless told otherwise
//	crowd TIME N MPH POS [west]            one report each of N vehicles that never appear again (answers ignored)
//	balance TIME VID = WANT                a balance request, and its answer
//	spent TIME VID DAY xX = WANT           a daily expenditure request, and its answer
//
// A report is followed by what it must cause, nothing if nothing follows:
//
//	> LAV TOLL                             a toll notification
//	! SEG                                  an accident alert
type story struct {
	t      *testing.T
	oracle *Oracle
	line   string
	crowd  uint32
	due    []string // answers given and not yet asked for
}

// tell runs a story under one of the rule sets.
func tell(t *testing.T, rules Rules, history History, text string) *Oracle {
	t.Helper()
	s := &story{t: t, oracle: New(rules, history), crowd: 1_000_000}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "//")
		if strings.TrimSpace(line) == "" {
			continue
		}
		s.line = fmt.Sprintf("line %d, %q", n+1, strings.TrimSpace(line))
		s.step(strings.Fields(line))
	}
	s.silent()
	return s.oracle
}

func (s *story) step(words []string) {
	s.t.Helper()
	switch words[0] {
	case ">", "!":
		if got, want := s.next(), strings.Join(words, " "); got != want {
			s.t.Errorf("%s: got %q", s.line, got)
		}
		return
	}
	s.silent()
	line := strings.Join(words, " ")
	var tuple format.Tuple
	var n, want int
	switch words[0] {
	case "at":
		s.scan(line, "at %d %d %d %d %d", &tuple.Time, &tuple.VID, &tuple.Speed, &tuple.Lane, &tuple.Pos)
		s.options(&tuple, words[6:])
		s.feed(tuple)
	case "crowd":
		s.scan(line, "crowd %d %d %d %d", &tuple.Time, &n, &tuple.Speed, &tuple.Pos)
		tuple.Lane = 2
		s.options(&tuple, words[5:])
		for range n {
			s.crowd++
			tuple.VID = s.crowd
			s.feed(tuple)
			s.due = nil
		}
	case "balance":
		tuple.Type = format.Balance
		s.scan(line, "balance %d %d = %d", &tuple.Time, &tuple.VID, &want)
		s.request(tuple, want)
	case "spent":
		tuple.Type = format.Expenditure
		s.scan(line, "spent %d %d %d x%d = %d", &tuple.Time, &tuple.VID, &tuple.Day, &tuple.Xway, &want)
		s.request(tuple, want)
	default:
		s.t.Fatalf("%s: no such line in a story", s.line)
	}
}

func (s *story) scan(line, layout string, into ...any) {
	s.t.Helper()
	if _, err := fmt.Sscanf(line, layout, into...); err != nil {
		s.t.Fatalf("%s: %v", s.line, err)
	}
}

func (s *story) options(tuple *format.Tuple, words []string) {
	s.t.Helper()
	tuple.Seg = uint8(tuple.Pos / format.SegmentFeet)
	for _, word := range words {
		if word == "west" {
			tuple.Dir = 1
			continue
		}
		s.scan(word, "x%d", &tuple.Xway)
	}
}

func (s *story) feed(tuple format.Tuple) {
	s.t.Helper()
	answers, err := s.oracle.Feed(nil, &tuple)
	if err != nil {
		s.t.Fatalf("%s: %v", s.line, err)
	}
	for _, a := range answers {
		if a.Time != tuple.Time || a.VID != tuple.VID || a.Xway != tuple.Xway || a.Dir != tuple.Dir || a.Emit != 0 {
			s.t.Errorf("%s: answer %+v does not name what it answers", s.line, a)
		}
		switch a.Type {
		case format.Position:
			s.due = append(s.due, fmt.Sprintf("> %d %d", a.LAV, a.Value))
		case format.Accident:
			s.due = append(s.due, fmt.Sprintf("! %d", a.Seg))
		default:
			s.t.Errorf("%s: unexpected answer %+v", s.line, a)
		}
	}
}

func (s *story) request(tuple format.Tuple, want int) {
	s.t.Helper()
	tuple.QID = 77
	expect := format.Answer{Type: tuple.Type, VID: tuple.VID, QID: 77, Time: tuple.Time, Value: int64(want)}
	if tuple.Type == format.Balance {
		expect.ResultTime = tuple.Time
	}
	answers, err := s.oracle.Feed(nil, &tuple)
	if err != nil || len(answers) != 1 || answers[0] != expect {
		s.t.Errorf("%s: got %+v, %v", s.line, answers, err)
	}
}

func (s *story) next() string {
	if len(s.due) == 0 {
		return ""
	}
	first := s.due[0]
	s.due = s.due[1:]
	return first
}

func (s *story) silent() {
	s.t.Helper()
	for _, answer := range s.due {
		s.t.Errorf("before %s: unexpected answer %q", s.line, answer)
	}
	s.due = nil
}

// stories hold under both rule sets.
var stories = []struct{ name, text string }{
	{"a segment is entered by the first report and by each from another segment", `
		at 0 1 30 0 100
		> -1 0
		at 30 1 30 1 5279
		at 60 1 30 1 5280
		> -1 0
		at 90 1 30 1 100      // back: another segment, and one with statistics
		> 30 0`},
	{"no notification on the exit lane, and a new trip after it", `
		at 0 1 30 0 100
		> -1 0
		at 30 1 30 4 5280
		at 60 1 30 4 10560
		at 90 1 30 1 10560
		> -1 0`},
	{"trips of one vehicle on several roads do not touch each other", `
		at 0 1 30 0 100
		> -1 0
		at 10 1 30 0 100 x1
		> -1 0
		at 20 1 30 0 100 west
		> -1 0
		at 30 1 30 1 100
		at 40 1 30 1 100 x1
		at 50 1 30 1 100 west`},
	{"a silence of 60 s keeps the trip, 61 s end it", `
		at 0 1 30 0 100
		> -1 0
		at 60 1 30 1 100
		at 121 1 30 1 100
		> 30 0`},
	{"minutes end with second 59", `
		at 0 1 30 0 100
		> -1 0
		at 59 2 30 0 100
		> -1 0
		at 60 3 30 0 100
		> 30 0`},
	{"the LAV looks back five minutes, over those that have reports", `
		crowd 0 1 10 100
		crowd 60 1 21 100
		crowd 240 1 30 100
		at 300 1 90 1 100     // minutes 1…5: 10, 21, 30
		> 20 0
		at 360 2 90 1 100     // minutes 2…6: 21, 30, 90
		> 47 0
		at 420 3 90 1 100     // minutes 3…7: 30, 90, 90
		> 70 0
		at 1000 4 90 1 100    // minutes 12…16
		> -1 0`},
	{"means are of vehicles, and of minutes", `
		at 0 1 10 1 100
		> -1 0
		at 10 1 20 1 200
		at 20 1 30 1 300      // 20 mph by three reports
		at 30 2 60 1 100      // 60 mph by one: 40, not 30
		> -1 0
		crowd 60 3 21 100     // 21 mph by three vehicles
		at 120 3 20 1 100     // (40 + 21) / 2
		> 30 0`},
	{"two segments in one minute, and back: counted in both, by one mean each", `
		at 0 1 10 1 100
		> -1 0
		at 20 1 50 1 6000
		> -1 0
		at 40 1 30 1 100
		> -1 0
		crowd 50 1 21 200
		at 60 2 50 1 100      // (20 + 21) / 2
		> 20 0
		at 60 3 50 1 6000
		> 50 0`},
	{"negative speed reached us as 0, and counts", `
		at 0 1 0 1 100
		> -1 0
		at 30 2 31 1 100
		> -1 0
		at 60 3 31 1 100
		> 15 0`},
	{"50 vehicles are free, 51 cost 2, and 60 cost 200", `
		crowd 0 50 20 100
		crowd 0 51 20 6000
		crowd 0 60 20 12000
		at 60 1 20 1 100
		> 20 0
		at 60 2 20 1 6000
		> 20 2
		at 60 3 20 1 12000
		> 20 200`},
	{"vehicles are those of the minute before, whatever the LAV has", `
		crowd 0 60 20 100
		crowd 60 3 20 100
		at 120 1 20 1 100
		> 20 0`},
	{"the same vehicle counts once in a minute, on all lanes", `
		crowd 0 49 20 100
		at 0 1 20 0 100
		> -1 0
		at 30 1 20 0 100
		at 59 1 20 0 100
		at 59 2 20 4 100
		at 60 3 20 1 100
		> 20 2`},
	{"a LAV of exactly 40 is free, one of a little less is not", `
		crowd 0 60 40 100
		crowd 0 59 40 6000
		crowd 0 1 39 6000
		at 60 1 20 1 100
		> 40 0
		at 60 2 20 1 6000
		> 39 200`},
	{"a LAV of exactly 40 by minutes that do not divide", `
		crowd 0 2 40 100
		crowd 0 1 41 100      // 121/3
		crowd 60 2 40 100
		crowd 60 1 39 100     // 119/3
		crowd 120 60 40 100   // 40
		at 180 1 20 1 100
		> 40 0`},
	{"the toll for a segment is charged on entering the next", `
		crowd 0 60 20 100
		at 60 1 20 0 100
		> 20 200
		balance 60 1 = 0
		at 90 1 20 1 200
		balance 90 1 = 0
		at 120 1 20 1 6000
		> -1 0
		balance 120 1 = 200
		at 150 1 20 1 12000
		> -1 0
		balance 150 1 = 200
		balance 150 2 = 0`},
	{"leaving into a new segment charges, leaving in the same one does not", `
		crowd 0 60 20 100
		at 60 1 20 0 100
		> 20 200
		at 60 2 20 0 100
		> 20 200
		at 90 1 20 4 200
		at 90 2 20 4 6000
		balance 90 1 = 0
		balance 90 2 = 200
		at 120 1 20 0 6000    // the toll that was pending is forgotten
		> 20 0
		balance 120 1 = 0`},
	{"a silence drops the pending toll", `
		crowd 0 60 20 100
		at 60 1 20 0 100
		> 20 200
		at 60 2 20 0 100
		> 20 200
		at 120 1 20 1 6000
		> -1 0
		at 121 2 20 1 6000
		> -1 0
		balance 121 1 = 200
		balance 121 2 = 0`},
	{"balances are per vehicle, over all expressways and directions", `
		crowd 0 60 20 100
		crowd 0 55 20 100 west
		crowd 0 51 20 100 x1
		at 60 1 20 0 100
		> 20 200
		at 61 1 20 0 100 west
		> 20 50
		at 62 1 20 0 100 x1
		> 20 2
		at 90 1 20 1 6000 x1
		> -1 0
		balance 90 1 = 2
		at 90 1 20 1 6000 west
		> -1 0
		balance 90 1 = 52
		at 90 1 20 1 6000
		> -1 0
		balance 90 1 = 252`},
	{"four equal reports in lanes 1 to 3 make a stop, and two stops an accident in the next minute", accidentAt100 + `
		at 118 3 20 1 0
		> 2 0
		at 120 4 20 1 0
		> 4 0
		! 0`},
	{"three equal reports are no stop", `
		at 0 1 0 1 100
		> -1 0
		at 10 2 0 1 100
		> -1 0
		at 30 1 0 1 100
		at 40 2 0 1 100
		at 60 1 0 1 100
		at 70 2 0 1 100
		at 90 1 0 1 100
		at 120 3 20 1 0
		> 0 0`},
	{"reports of one second are consecutive reports", `
		at 0 1 0 1 100
		> -1 0
		at 0 1 0 1 100
		at 0 1 0 1 100
		at 0 1 0 1 100
		at 0 2 0 1 100
		> -1 0
		at 0 2 0 1 100
		at 0 2 0 1 100
		at 0 2 0 1 100
		at 59 3 20 1 0
		> -1 0
		at 60 4 20 1 0
		> 6 0
		! 0`},
	{"no stop on the entry and exit lanes", `
		at 0 1 0 0 100
		> -1 0
		at 0 1 0 0 100
		at 0 1 0 0 100
		at 0 1 0 0 100
		at 0 2 0 0 100
		> -1 0
		at 0 2 0 0 100
		at 0 2 0 0 100
		at 0 2 0 0 100
		at 60 3 20 1 0
		> 0 0`},
	{"one vehicle alone, or two in different lanes or directions, make no accident", stopAt("1 0 1 100") + stopAt("2 0 2 100") +
		stopAt("3 0 1 100 west") + stopAt("4 0 1 100 x1") + `
		at 60 9 20 1 0
		> 0 0`},
	{"an accident affects the four segments before it and its own, eastbound", stopAt("1 0 2 52800") + stopAt("2 0 2 52800") + `
		at 60 3 20 1 26400    // 5
		> -1 0
		at 60 4 20 1 31680    // 6
		> -1 0
		! 10
		at 60 5 20 1 58079    // 10
		> 0 0
		! 10
		at 60 6 20 1 58080    // 11
		> -1 0
		at 60 7 20 1 31680 x1
		> -1 0
		at 60 8 20 1 52800 west
		> -1 0`},
	{"and westbound", stopAt("1 0 2 52800 west") + stopAt("2 0 2 52800 west") + `
		at 60 3 20 1 52799 west     // 9
		> -1 0
		at 60 4 20 1 52800 west     // 10
		> 0 0
		! 10
		at 60 5 20 1 79199 west     // 14
		> -1 0
		! 10
		at 60 6 20 1 79200 west     // 15
		> -1 0
		at 60 7 20 1 52800
		> -1 0`},
	{"at both ends of the road", stopAt("1 0 2 527999") + stopAt("2 0 2 527999") + stopAt("1 0 2 0 west") + stopAt("2 0 2 0 west") + `
		at 60 3 20 1 527000         // 99
		> 0 0
		! 99
		at 60 4 20 1 501600         // 95
		> -1 0
		! 99
		at 60 5 20 1 21120 west     // 4
		> -1 0
		! 0
		at 60 6 20 1 0 west
		> 0 0
		! 0`},
	{"the nearest accident ahead is told", stopAt("1 0 2 52800") + stopAt("2 0 2 52800") + stopAt("3 0 1 63360") + stopAt("4 0 1 63360") + `
		at 60 5 20 1 42240    // 8: 10 and 12 are in scope
		> -1 0
		! 10
		at 60 6 20 1 58080    // 11: 12 is
		> -1 0
		! 12`},
	{"an accident makes the toll 0, and the pending one too", stopAt("1 0 2 52800") + stopAt("2 0 2 52800") + `
		crowd 30 60 20 31680  // 6
		crowd 30 60 20 26400  // 5
		at 60 3 20 1 26400
		> 20 200
		at 61 4 20 1 31680
		> 20 0
		! 10
		at 90 4 20 1 36960
		> -1 0
		! 10
		balance 90 4 = 0`},
	{"each vehicle is alerted in each segment it enters, not on each report, and not on the exit lane", stopAt("1 0 2 52800") + stopAt("2 0 2 52800") + `
		at 60 3 20 1 42240
		> -1 0
		! 10
		at 70 3 20 1 42241
		at 80 3 20 1 47520
		> -1 0
		! 10
		at 90 3 20 4 52800`},
	{"in force until the end of the minute in which the first has gone", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 60 1 0 2 100
		at 60 2 0 2 100
		at 119 1 0 2 100
		at 119 2 0 2 100
		at 125 1 20 2 5000    // minute 3
		at 126 3 20 1 0
		> 0 0
		! 0
		at 155 2 20 2 100
		at 179 4 20 1 0
		> 0 0
		! 0
		at 180 5 20 1 0
		> 6 0`},
	{"leaving by the exit lane clears", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 59 1 0 2 100
		at 59 2 0 2 100
		at 60 1 0 4 100
		at 100 2 0 2 100
		at 119 5 20 1 0
		> 0 0
		! 0
		at 120 6 20 1 0
		> 3 0`},
	{"who is silent for 60 s has gone by then; 61 s later it is known", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 60 2 0 2 100
		at 60 3 20 1 0        // vehicle 1 was last heard of at 0: it has gone at 60
		> 0 0
		! 0
		at 61 4 20 1 0        // which is in minute 2
		> 0 0
		! 0
		at 119 5 20 1 0
		> 0 0
		! 0
		at 120 6 20 1 0
		> 7 0`},
	{"a report after exactly 60 s still stands, one after 61 s is the first of a new trip", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 60 1 0 2 100
		at 60 2 0 2 100
		at 120 1 0 2 100
		at 121 2 0 2 100
		> 0 0
		! 0
		at 179 3 20 1 0
		> 0 0
		! 0
		at 180 4 20 1 0
		> 2 0`},
	{"those who still stand make no new accident, another who stops does", stopAt("1 0 2 100") + stopAt("2 0 2 100") + stopAt("3 0 2 100") + `
		at 59 1 0 2 100
		at 59 2 0 2 100
		at 59 3 0 2 100
		at 60 1 20 2 5000     // cleared in minute 2
		at 90 2 0 2 100
		at 90 3 0 2 100
		at 119 9 20 1 0
		> 0 0
		! 0
		at 120 2 0 2 100
		at 120 3 0 2 100
		at 130 8 20 1 0
		> 5 0
		at 150 4 0 2 100
		> 5 0
		at 151 4 0 2 100
		at 152 4 0 2 100
		at 153 4 0 2 100      // detected in minute 3
		at 170 2 0 2 100
		at 170 3 0 2 100
		at 170 4 0 2 100
		at 179 7 20 1 0
		> 5 0
		at 180 6 20 1 0
		> 6 0
		! 0
		at 190 3 20 2 5000    // who stood from the first accident clears the second
		at 200 2 0 2 100
		at 200 4 0 2 100
		at 240 5 20 1 0
		> 7 0`},
	{"one vehicle goes, comes back to where the other stands, and stops again", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 1 1 20 2 5000
		at 30 2 0 2 100
		at 30 1 0 2 100
		at 31 1 0 2 100
		at 32 1 0 2 100
		at 33 1 0 2 100
		at 60 3 20 1 0
		> 1 0
		! 0`},
	{"who goes from one accident may make the next", stopAt("1 0 2 100") + stopAt("2 0 2 100") + stopAt("3 0 1 6000") + `
		at 59 1 0 2 100
		at 60 2 0 2 100
		at 60 3 0 1 6000
		at 119 1 0 1 6000     // clears the one in segment 0
		> 0 0
		at 119 1 0 1 6000
		at 119 1 0 1 6000
		at 119 1 0 1 6000     // makes the one in segment 1
		at 119 4 0 1 0
		> 0 0
		! 0
		at 120 5 0 1 0
		> 0 0
		! 1`},
	{"the vehicle that is first of them to go may be the last who came", stopAt("1 0 2 100") + stopAt("2 0 2 100") + stopAt("3 0 2 100") + `
		at 59 1 0 2 100
		at 59 2 0 2 100
		at 60 3 20 2 5000
		at 100 1 0 2 100
		at 100 2 0 2 100
		at 120 4 20 1 0
		> 3 0`},
	{"who stands while the other came at the second of its going", stopAt("1 0 2 100") + strings.Replace(stopAt("2 60 2 100"), "-1", "0", 1) + `
		at 61 2 0 2 100       // 1 has gone at 60, in the minute of the detection
		at 100 2 0 2 100
		at 120 3 20 1 0
		> 0 0`},
	{"a stop of one vehicle on its trip is not ended by the same vid elsewhere", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 30 1 50 1 9000 x1
		> -1 0
		at 30 1 50 1 9000 west
		> -1 0
		at 60 1 0 2 100
		at 60 2 0 2 100
		at 90 3 20 1 0
		> 0 0
		! 0`},
	{"the history row of vehicle, day and expressway, or nothing", `
		spent 0 7 5 x3 = 42
		spent 1 7 5 x2 = 0
		spent 2 7 6 x3 = 0
		spent 3 8 5 x3 = 0
		spent 4 7 0 x3 = 9`},
}

// divided stories have another end under the official rules.
var divided = []struct{ name, text, paper, official string }{
	{"cleared in the minute of detection", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 59 1 20 2 5000
		at 60 3 20 1 0`, `
		> 2 0`, `
		> 2 0
		! 0
		at 119 4 20 1 0
		> 2 0
		! 0
		at 120 5 20 1 0
		> 11 0`},
	{"stopped and gone in one minute", stopAt("1 0 2 100") + stopAt("2 0 2 100") + `
		at 60 1 0 2 100
		at 60 2 0 2 100
		at 80 1 20 2 5000
		at 120 3 20 1 0`, `
		> 2 0`, `
		> 2 0
		! 0
		at 180 4 20 1 0
		> 8 0`},
	{"gone a minute before the others' last stopped report, detected late", stopAt("1 0 2 100") + stopAt("2 59 2 100") + `
		at 60 1 20 2 5000     // stopped in minute 1, gone in minute 2: in force in minute 2 alone
		at 90 2 0 2 100
		at 119 3 20 1 0
		> 0 0
		! 0
		at 120 4 20 1 0`, `
		> 6 0`, `
		> 6 0`},
}

func TestDividedRules(t *testing.T) {
	for _, test := range divided {
		t.Run(test.name, func(t *testing.T) {
			t.Run("paper", func(t *testing.T) { tell(t, Paper, nil, test.text+test.paper) })
			t.Run("official", func(t *testing.T) { tell(t, Official, nil, test.text+test.official) })
		})
	}
}

// accidentAt100 lets vehicles 1 and 2 stop at position 100, detected in second 110, minute 2.
const accidentAt100 = `
		at 10 1 0 1 100
		> -1 0
		at 20 2 9 1 100
		> -1 0
		at 40 1 0 1 100
		at 50 2 0 1 100
		at 70 1 0 1 100
		at 80 2 0 1 100
		at 100 1 0 1 100
		at 110 2 0 1 100`

// stopAt lets a vehicle report four times from one place in one second; where is "VID TIME LANE POS options".
func stopAt(where string) string {
	words := strings.Fields(where)
	report := fmt.Sprintf("\nat %s %s 0 %s", words[1], words[0], strings.Join(words[2:], " "))
	return report + "\n> -1 0" + strings.Repeat(report, stopReports-1)
}

func TestRules(t *testing.T) {
	history := func(vid uint32, day uint8, xway uint16) (int64, bool) {
		switch {
		case vid == 7 && day == 5 && xway == 3:
			return 42, true
		case vid == 7 && day == 0 && xway == 3:
			return 9, true
		}
		return 1000, false
	}
	for _, test := range stories {
		t.Run(test.name, func(t *testing.T) {
			t.Run("paper", func(t *testing.T) { tell(t, Paper, history, test.text) })
			t.Run("official", func(t *testing.T) { tell(t, Official, history, test.text) })
		})
	}
}
