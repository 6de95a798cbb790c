package validator

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// realTraffic returns the folder of real traffic with expected answers beside the module's root, or skips.
func realTraffic(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	folder := filepath.Join(dir, "..", "shared", "linearroad")
	if _, err := os.Stat(filepath.Join(folder, "fixture.dat")); err != nil {
		t.Skipf("no real traffic: want fixture.dat and its expected answers in ../shared/linearroad beside the module's root (%v)", err)
	}
	return folder
}

func readInput(t testing.TB, file string) []format.Tuple {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := format.NewReader(f, format.ReaderConfig{File: file})
	var input []format.Tuple
	for {
		var x format.Tuple
		if err := r.Next(&x); errors.Is(err, io.EOF) {
			return input
		} else if err != nil {
			t.Fatal(err)
		}
		input = append(input, x)
	}
}

// rows returns the integers of a CSV file; lines that begin with # are comments. A cell of the form "a:b c:d" yields
// a, b, c, d.
func rows(t testing.TB, file string) [][]int64 {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]int64
	s := bufio.NewScanner(bytes.NewReader(b))
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		var row []int64
		for _, cell := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(",: ", r) }) {
			v, err := strconv.ParseInt(cell, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			row = append(row, v)
		}
		all = append(all, row)
	}
	return all
}

func readHistory(t testing.TB, file string) History {
	t.Helper()
	type key struct {
		vid  uint32
		day  uint8
		xway uint16
	}
	tolls := make(map[key]int64)
	for _, r := range rows(t, file) {
		tolls[key{uint32(r[0]), uint8(r[1]), uint16(r[2])}] = r[3]
	}
	return func(vid uint32, day uint8, xway uint16) (int64, bool) {
		toll, ok := tolls[key{vid, day, xway}]
		return toll, ok
	}
}

// expectedAnswers reads the lines of an expected file, which are answers without emit.
func expectedAnswers(t testing.TB, file string) []format.Answer {
	t.Helper()
	var all []format.Answer
	for _, r := range rows(t, file) {
		a := format.Answer{Type: format.Type(r[0])}
		switch a.Type {
		case format.Position:
			a.VID, a.Time, a.LAV, a.Value = uint32(r[1]), uint16(r[2]), int16(r[3]), r[4]
		case format.Accident:
			a.Time, a.VID, a.Seg = uint16(r[1]), uint32(r[2]), uint8(r[3])
		case format.Balance:
			a.Time, a.ResultTime, a.QID, a.VID, a.Value = uint16(r[1]), uint16(r[1]), uint32(r[2]), uint32(r[3]), r[4]
		case format.Expenditure:
			a.Time, a.QID, a.Value = uint16(r[1]), uint32(r[2]), r[len(r)-1]
		}
		all = append(all, a)
	}
	return all
}

func TestFixture(t *testing.T) {
	dir := realTraffic(t)
	input := readInput(t, filepath.Join(dir, "fixture.dat"))
	history := readHistory(t, filepath.Join(dir, "fixture.tolls.csv"))
	for _, rules := range []Rules{Paper, Official} {
		answers := expectedAnswers(t, filepath.Join(dir, "fixture.expected_"+rules.String()+".csv"))
		r, err := Validate(input, answers, Options{Rules: rules, History: history, Require: CoverAll})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Valid() {
			t.Errorf("rules %v:\n%v", rules, r)
		}
		if got := r.Counts[format.Position].Correct + r.Counts[format.Accident].Correct + r.Counts[format.Balance].Correct + r.Counts[format.Expenditure].Correct; got != int64(len(answers)) {
			t.Errorf("rules %v: %d of %d answers correct", rules, got, len(answers))
		}
		// The other rules' answers differ in the six alerts of accidents that stay in force for another minute.
		other := Paper + Official - rules
		r, err = Validate(input, expectedAnswers(t, filepath.Join(dir, "fixture.expected_"+other.String()+".csv")), Options{Rules: rules, History: history})
		if err != nil {
			t.Fatal(err)
		}
		kind := Missing
		if rules == Paper {
			kind = Extra
		}
		if r.Faults[kind][format.Accident] != 6 {
			t.Errorf("rules %v take the answers of %v with %v faults, want 6 alerts %v:\n%v", rules, other, r.Faults, kind, r)
		}
	}
}

func TestFirst324Seconds(t *testing.T) {
	dir := realTraffic(t)
	base := filepath.Join(dir, "lr3h_first324s")
	input := readInput(t, base+".dat")
	var answers []format.Answer
	for _, name := range []string{"toll", "accident", "balance", "daily"} {
		answers = append(answers, expectedAnswers(t, base+".expected_"+name+".csv")...)
	}
	for _, rules := range []Rules{Paper, Official} {
		r, err := Validate(input, answers, Options{Rules: rules, History: readHistory(t, base+".tolls.csv")})
		if err != nil {
			t.Fatal(err)
		}
		if !r.Valid() || r.Counts[format.Position].Correct != 9284 || r.Counts[format.Accident].Correct != 272 || r.UnansweredTravelTime != 95 {
			t.Errorf("rules %v:\n%v", rules, r)
		}
		if r.Occurred.Accidents != 1 || len(r.Warnings) != 3 {
			t.Errorf("rules %v: %d accidents, warnings %v; want 1 accident, and warnings of no tolls, charges and balances", rules, r.Occurred.Accidents, r.Warnings)
		}
	}
	r, err := Validate(input, answers, Options{History: readHistory(t, base+".tolls.csv"), Require: CoverAll})
	if err != nil {
		t.Fatal(err)
	}
	if r.Valid() || r.FaultCount() != 0 || len(r.Failures) != 3 {
		t.Errorf("a run that proves nothing about tolls passes where it should have had some:\n%v", r)
	}
}

// TestAcceptableBalances answers with each pair that another validator accepts. It gives the second of the vehicle's
// last crossing as the result time, which in one case is more than 60 s ago: that is not acceptable by LINEAR_ROAD §6.
func TestAcceptableBalances(t *testing.T) {
	dir := realTraffic(t)
	base := filepath.Join(dir, "lr3h_first324s")
	input := readInput(t, base+".dat")
	expected := rows(t, base+".expected_balance.csv")
	most := 0
	for pair := 0; ; pair++ {
		var answers []format.Answer
		tooOld := int64(0)
		for _, r := range expected {
			pairs := r[6:]
			k := min(pair, len(pairs)/2-1)
			most = max(most, len(pairs)/2)
			if pairs[2*k] < r[1]-balanceWindow {
				tooOld++
			}
			answers = append(answers, format.Answer{
				Type: format.Balance, Time: uint16(r[1]), QID: uint32(r[2]), ResultTime: uint16(pairs[2*k]), Value: pairs[2*k+1],
			})
		}
		r, err := Validate(input, answers, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for k := range r.Faults {
			want := int64(0)
			if Kind(k) == Wrong {
				want = tooOld
			}
			if n := r.Faults[k][format.Balance]; n != want {
				t.Errorf("pairs %d: %d balances %v, want %d:\n%v", pair, n, Kind(k), want, r)
			}
		}
		if pair >= most {
			break
		}
	}
}

func TestSegmentStatistics(t *testing.T) {
	dir := realTraffic(t)
	c := newChecker(Options{})
	input := readInput(t, filepath.Join(dir, "lr3h_first324s.dat"))
	c.w.in, c.w.end, c.w.runs = input, 1<<30, wholeRuns(input, 0)
	c.sortRoad()
	c.followTrips()
	c.countMinutes()
	b, err := os.ReadFile(filepath.Join(dir, "lr3h_first324s.expected_segstats.csv"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if line[0] == '#' {
			continue
		}
		num := func(k int) int { v, _ := strconv.Atoi(f[k]); return v }
		want, err := strconv.ParseFloat(f[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		row := c.past.minutes[n]
		got := float64(row.speeds) / float64(row.vehicles) / speedUnit
		if row.key != segmentKey(uint16(num(0)), uint8(num(1)), uint8(num(2)), num(3)) || int(row.vehicles) != num(4) || got-want > 1e-9 || want-got > 1e-9 {
			t.Errorf("row %d is %+v (mean %v), want %s", n, row, got, line)
		}
		n++
	}
	if n != len(c.past.minutes) {
		t.Errorf("%d rows of statistics, want %d", len(c.past.minutes), n)
	}
}
