package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// shared is where real traffic and its expected answers lie: beside the module, not in it.
const shared = "../../../../shared/linearroad"

// sharedFile reads one of its files, and skips the test where there is none.
func sharedFile(t *testing.T, name string) []byte {
	t.Helper()
	path := filepath.Join(shared, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there: this test needs the traffic that lies beside the module", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rows cuts a file of integers into rows of so many columns; columns beyond are ignored, and so are comments.
func rows(t *testing.T, name string, columns int) [][]int64 {
	t.Helper()
	var all [][]int64
	for n, line := range bytes.Split(sharedFile(t, name), []byte("\n")) {
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		fields := bytes.Split(line, []byte(","))
		row := make([]int64, 0, len(fields))
		for _, field := range fields[:min(columns, len(fields))] {
			var v int64
			if _, err := fmt.Sscan(string(field), &v); err != nil {
				t.Fatalf("%s:%d: %v", name, n+1, err)
			}
			row = append(row, v)
		}
		all = append(all, row)
	}
	return all
}

// tollHistory loads a history file.
func tollHistory(t *testing.T, name string) History {
	t.Helper()
	type day struct {
		vid  uint32
		day  uint8
		xway uint16
	}
	tolls := make(map[day]int64)
	for _, row := range rows(t, name, 4) {
		tolls[day{uint32(row[0]), uint8(row[1]), uint16(row[2])}] = row[3]
	}
	return func(vid uint32, on uint8, xway uint16) (int64, bool) {
		toll, ok := tolls[day{vid, on, xway}]
		return toll, ok
	}
}

// tuples reads a whole file.
func tuples(t *testing.T, name string) []format.Tuple {
	t.Helper()
	r := format.NewReader(bytes.NewReader(sharedFile(t, name)), format.ReaderConfig{File: name})
	var all []format.Tuple
	for {
		var tuple format.Tuple
		err := r.Next(&tuple)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tuple)
	}
}

// answers feeds a whole file.
func answers(t *testing.T, o *Oracle, name string) []format.Answer {
	t.Helper()
	var all []format.Answer
	for _, tuple := range tuples(t, name) {
		var err error
		if all, err = o.Feed(all, &tuple); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// plainLine prints what there is to compare of an answer, as the fixture's expectations do.
func plainLine(a *format.Answer) string {
	switch a.Type {
	case format.Position:
		return fmt.Sprintf("0,%d,%d,%d,%d", a.VID, a.Time, a.LAV, a.Value)
	case format.Accident:
		return fmt.Sprintf("1,%d,%d,%d", a.Time, a.VID, a.Seg)
	case format.Balance:
		return fmt.Sprintf("2,%d,%d,%d,%d", a.Time, a.QID, a.VID, a.Value)
	case format.Expenditure:
		return fmt.Sprintf("3,%d,%d,%d", a.Time, a.QID, a.Value)
	default:
		return fmt.Sprintf("an answer of type %d", a.Type)
	}
}

// compare fails the test with the first lines that differ.
func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s, answer %d of %d: got %s, want %s", what, i+1, len(want), g, w)
		}
	}
}

func TestFixture(t *testing.T) {
	for _, test := range []struct {
		rules Rules
		file  string
		want  Totals
	}{
		{Paper, "fixture.expected_paper.csv", Totals{Reports: 903, TollsAboveZero: 8, Alerts: 52, Accidents: 7, Charges: 5}},
		{Official, "fixture.expected_official.csv", Totals{Reports: 903, TollsAboveZero: 8, Alerts: 58, Accidents: 7, Charges: 5}},
	} {
		t.Run(test.file, func(t *testing.T) {
			var want, got []string
			for line := range bytes.Lines(sharedFile(t, test.file)) {
				if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
					want = append(want, string(line))
				}
			}
			o := New(test.rules, tollHistory(t, "fixture.tolls.csv"))
			for _, a := range answers(t, o, "fixture.dat") {
				got = append(got, plainLine(&a))
			}
			compare(t, test.file, got, want)
			if total := o.Totals(); total != test.want {
				t.Errorf("totals are %+v, want %+v", total, test.want)
			}
		})
	}
}

func TestRealTraffic(t *testing.T) {
	const name = "lr3h_first324s"
	expected := map[format.Type][]string{}
	expect := func(of format.Type, suffix, layout string, columns int, pick ...int) {
		for _, row := range rows(t, name+suffix, columns) {
			var values []any
			for _, i := range pick {
				values = append(values, row[i])
			}
			expected[of] = append(expected[of], fmt.Sprintf(layout, values...))
		}
	}
	expect(format.Position, ".expected_toll.csv", "0,%d,%d,%d,%d", 5, 1, 2, 3, 4)
	expect(format.Accident, ".expected_accident.csv", "1,%d,%d,%d", 4, 1, 2, 3)
	expect(format.Balance, ".expected_balance.csv", "2,%d,%d,%d,%d", 5, 1, 2, 3, 4)
	expect(format.Expenditure, ".expected_daily.csv", "3,%d,%d,%d", 7, 1, 2, 6)

	for _, rules := range []Rules{Paper, Official} {
		o := New(rules, tollHistory(t, name+".tolls.csv"))
		got := map[format.Type][]string{}
		for _, a := range answers(t, o, name+".dat") {
			got[a.Type] = append(got[a.Type], plainLine(&a))
		}
		for of, want := range expected {
			compare(t, fmt.Sprintf("rules %d, type %d", rules, of), got[of], want)
		}
		if total, want := o.Totals(), (Totals{Reports: 20136, Alerts: 272, Accidents: 1, Unanswered: 95}); total != want {
			t.Errorf("totals are %+v, want %+v", total, want)
		}
	}
}

// TestRealStatistics compares the statistics of every segment and minute with those that somebody else computed.
func TestRealStatistics(t *testing.T) {
	type cell struct {
		where  segment
		minute int
	}
	o := New(Paper, nil)
	got := map[cell]minuteSummary{}
	minuteEnds := func() {
		for where, summary := range o.statistics.closed[o.statistics.minute-1] {
			got[cell{where, o.statistics.minute - 1}] = summary
		}
	}
	for _, tuple := range tuples(t, "lr3h_first324s.dat") {
		before := o.statistics.minute
		if _, err := o.Feed(nil, &tuple); err != nil {
			t.Fatal(err)
		}
		if o.statistics.minute != before {
			minuteEnds()
		}
	}
	o.advance(o.now + 60)
	minuteEnds()

	expected := 0
	for line := range bytes.Lines(sharedFile(t, "lr3h_first324s.expected_segstats.csv")) {
		if line[0] == '#' {
			continue
		}
		var c cell
		var nov int
		var mean float64
		if _, err := fmt.Sscanf(string(line), "%d,%d,%d,%d,%d,%g",
			&c.where.road.xway, &c.where.road.dir, &c.where.seg, &c.minute, &nov, &mean); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		expected++
		have := got[c]
		if have.nov != nov || math.Abs(float64(have.sumAVGV)/float64(have.nov)/speedUnit-mean) > 1e-9 {
			t.Errorf("%+v: got %+v, want %d vehicles, mean %v", c, have, nov, mean)
		}
	}
	if len(got) != expected {
		t.Errorf("statistics of %d segments and minutes, want %d", len(got), expected)
	}
}

func BenchmarkFeed(b *testing.B) {
	data, err := os.ReadFile(filepath.Join(shared, "lr3h_first324s.dat"))
	if err != nil {
		b.Skip(err)
	}
	r := format.NewReader(bytes.NewReader(data), format.ReaderConfig{})
	var all []format.Tuple
	for {
		if all, err = r.ReadSecond(all); err != nil {
			break
		}
	}
	var dst []format.Answer
	for b.Loop() {
		o := New(Paper, nil)
		for i := range all {
			if dst, err = o.Feed(dst[:0], &all[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*len(all))/b.Elapsed().Seconds(), "tuples/s")
}
