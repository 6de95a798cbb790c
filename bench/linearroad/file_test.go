package linearroad

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/engine"
)

// shared is where real traffic and its expected answers lie: beside the module, not in it.
const shared = "../../../shared/linearroad"

// sharedFile returns the path of one of its files, and skips the test where there is none.
func sharedFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(shared, name)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there: this test needs the traffic that lies beside the module", path)
	}
	return path
}

// rows returns the lines of a file of expectations, without comments.
func rows(t *testing.T, path string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// answersIn reads the answers of a type that a run left in a directory.
func answersIn(t *testing.T, dir string, kind format.Type) (all []format.Answer) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, format.AnswerFile(kind)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := format.NewAnswerReader(f, f.Name()); ; {
		var a format.Answer
		if err := r.Next(&a); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
}

// tuplesIn reads an input.
func tuplesIn(t *testing.T, path string) (all []format.Tuple) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := format.NewReader(f, format.ReaderConfig{File: path}); ; {
		var x format.Tuple
		if err := r.Next(&x); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
}

// rowsOf reads a history as the validator asks for it.
func rowsOf(t *testing.T, path string) validator.History {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tolls := make(map[history.Row]int64)
	for r := history.NewReader(f, path); ; {
		var row history.Row
		if err := r.Next(&row); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		tolls[history.Row{VID: row.VID, Day: row.Day, Xway: row.Xway}] = int64(row.Toll)
	}
	return func(vid uint32, day uint8, xway uint16) (int64, bool) {
		toll, ok := tolls[history.Row{VID: vid, Day: day, Xway: xway}]
		return toll, ok
	}
}

// validate puts the files that a run left before the validator.
func validate(t *testing.T, cfg FileConfig) {
	t.Helper()
	var all []format.Answer
	for _, kind := range answerTypes {
		all = append(all, answersIn(t, cfg.Out, kind)...)
	}
	opt := validator.Options{Rules: validator.Rules(cfg.Rules)}
	if cfg.History != "" {
		opt.History = rowsOf(t, cfg.History)
	}
	report, err := validator.Validate(tuplesIn(t, cfg.Input), all, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Valid() {
		t.Error(report)
	}
}

// comparable is what there is to compare of an answer, as the expectations give it.
func comparable(a *format.Answer, vidOf map[uint32]uint32) string {
	switch a.Type {
	case format.Position:
		return fmt.Sprintf("0,%d,%d,%d,%d", a.VID, a.Time, a.LAV, a.Value)
	case format.Accident:
		return fmt.Sprintf("1,%d,%d,%d", a.Time, a.VID, a.Seg)
	case format.Balance:
		return fmt.Sprintf("2,%d,%d,%d,%d", a.Time, a.QID, vidOf[a.QID], a.Value)
	default:
		return fmt.Sprintf("3,%d,%d,%d", a.Time, a.QID, a.Value)
	}
}

func TestFixture(t *testing.T) {
	for _, rules := range []query.Rules{query.Paper, query.Official} {
		cfg := FileConfig{
			Input: sharedFile(t, "fixture.dat"), History: sharedFile(t, "fixture.tolls.csv"), Out: t.TempDir(), Rules: rules,
		}
		s, err := RunFile(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		vidOf := make(map[uint32]uint32)
		for _, x := range tuplesIn(t, cfg.Input) {
			vidOf[x.QID] = x.VID
		}
		expected := rows(t, sharedFile(t, "fixture.expected_"+rules.String()+".csv"))
		for _, kind := range answerTypes {
			var want, got []string
			for _, line := range expected {
				if strings.HasPrefix(line, typeName(kind)+",") {
					want = append(want, line)
				}
			}
			for _, a := range answersIn(t, cfg.Out, kind) {
				got = append(got, comparable(&a, vidOf))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%v, type %d:\n%v, want\n%v", rules, kind, got, want)
			}
		}
		validate(t, cfg)
		if s.Reports != 903 || s.TollsAboveZero != 8 || s.Accidents != 7 || s.Charges != 5 || s.Answers["1"] != map[query.Rules]int64{query.Paper: 52, query.Official: 58}[rules] {
			t.Errorf("%v: summary %+v", rules, s)
		}
	}
}

func TestRealTraffic(t *testing.T) {
	const name = "lr3h_first324s"
	cfg := FileConfig{Input: sharedFile(t, name+".dat"), History: sharedFile(t, name+".tolls.csv"), Out: t.TempDir()}
	s, err := RunFile(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kind   format.Type
		suffix string
		layout string
		pick   []int // columns of the expectation
	}{
		{format.Position, "toll", "0,%s,%s,%s,%s", []int{1, 2, 3, 4}},
		{format.Accident, "accident", "1,%s,%s,%s", []int{1, 2, 3}},
		{format.Balance, "balance", "2,%s,%s,0,%s", []int{1, 2, 4}},
		{format.Expenditure, "daily", "3,%s,%s,%s", []int{1, 2, 6}},
	} {
		var want, got []string
		for _, row := range rows(t, sharedFile(t, name+".expected_"+x.suffix+".csv")) {
			columns, picked := strings.Split(row, ","), []any{}
			for _, i := range x.pick {
				picked = append(picked, columns[i])
			}
			want = append(want, fmt.Sprintf(x.layout, picked...))
		}
		for _, a := range answersIn(t, cfg.Out, x.kind) {
			got = append(got, comparable(&a, nil))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("type %d: %d answers differ from the %d expected", x.kind, len(got), len(want))
		}
	}
	validate(t, cfg)
	var written Summary
	text, err := os.ReadFile(filepath.Join(cfg.Out, SummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	if written.Reports != 20136 || written.Unanswered != 95 || written.Accidents != 1 || written.Reports != s.Reports {
		t.Errorf("summary %+v", written)
	}
}

func TestSampleOfTwentySeconds(t *testing.T) {
	cfg := FileConfig{Input: sharedFile(t, "datafile20seconds.dat"), Out: t.TempDir()}
	if _, err := RunFile(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	validate(t, cfg)
}

// generate writes traffic and its history into files.
func generate(t *testing.T, tc traffic.Config) FileConfig {
	t.Helper()
	dir := t.TempDir()
	cfg := FileConfig{Input: filepath.Join(dir, "in.dat"), History: filepath.Join(dir, "history.csv"), Out: filepath.Join(dir, "out")}
	tr, err := traffic.New(tc)
	if err != nil {
		t.Fatal(err)
	}
	var in, rows bytes.Buffer
	if _, err := tr.WriteCSV(&in, nil); err != nil {
		t.Fatal(err)
	}
	vids := make(map[uint32]bool)
	for r := format.NewReader(bytes.NewReader(in.Bytes()), format.ReaderConfig{}); ; {
		var x format.Tuple
		if r.Next(&x) != nil {
			break
		}
		if x.Type == format.Expenditure {
			vids[x.VID] = true
		}
	}
	if _, err := history.Write(&rows, tc.Seed, func(yield func(uint32) bool) {
		for vid := range vids {
			if !yield(vid) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{cfg.Input: in.Bytes(), cfg.History: rows.Bytes()} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

// withoutEmit is what two runs are compared by.
func withoutEmit(t *testing.T, dir string) string {
	t.Helper()
	var b []byte
	for _, kind := range answerTypes {
		for _, a := range answersIn(t, dir, kind) {
			b = append(format.AppendWithoutEmit(b, &a), '\n')
		}
	}
	return string(b)
}

func TestParallelismChangesNothing(t *testing.T) {
	cfg := generate(t, traffic.Config{Seed: 5, Xways: 2, From: 6000, To: 6200, Hostile: true})
	var first string
	for i, ec := range []engine.Config{
		{Loops: 1},
		{Loops: 2},
		{Loops: 2, NoFuse: true, LogBytes: 16 << 10, FrameBytes: 4 << 10},
		{Loops: 2, Parallelism: map[string]int{query.CalculatorID: 3, query.AssessmentID: 2, query.AccountID: 5, query.ExpenditureID: 1}},
		{Loops: 1, Parallelism: map[string]int{query.CalculatorID: 1, query.AssessmentID: 4, query.AccountID: 1, query.ExpenditureID: 3}},
	} {
		cfg.Engine = ec
		cfg.Out = filepath.Join(t.TempDir(), "out")
		s, err := RunFile(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := withoutEmit(t, cfg.Out)
		if i == 0 {
			first = got
			validate(t, cfg)
			if s.TollsAboveZero == 0 || s.Charges == 0 || s.Answers["2"] == 0 || s.Answers["3"] == 0 {
				t.Errorf("the traffic proves nothing: %+v", s)
			}
		} else if got != first {
			t.Errorf("%+v: the answers differ from those of one loop", ec)
		}
	}
}

func TestPacedFile(t *testing.T) {
	cfg := FileConfig{
		Input: sharedFile(t, "datafile20seconds.dat"), History: sharedFile(t, "lr3h_first324s.tolls.csv"), Out: t.TempDir(),
		Engine: engine.Config{Pace: 40},
	}
	s, err := RunFile(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answersIn(t, cfg.Out, format.Position) {
		if due := int64(a.Time) * 1000 / 40; a.Emit < due || a.Emit > due+2000 {
			t.Errorf("the answer to second %d was emitted at %d ms, due at %d", a.Time, a.Emit, due)
		}
	}
	if q := s.ResponseMS["0"]; q.P50 <= 0 || q.Max > 2000 {
		t.Errorf("response times %+v", q)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const good = "0,0,107,32,0,0,0,10,53320,-1,-1,-1,-1,-1,-1\n"
	bad := put("bad.dat", good+strings.Replace(good, "53320", "528000", 1)+good)
	back := put("back.dat", strings.Replace(good, "0,0,", "0,5,", 1)+good)
	history := put("bad.csv", "1,70,0,5\n")
	twice := put("twice.csv", "1,7,0,5\n2,7,0,5\n1,8,0,5\n1,7,3,6\n")
	fine := put("good.dat", good)
	empty := put("empty.dat", "")
	for _, test := range []struct {
		name string
		cfg  FileConfig
		want []string
	}{
		{"a field out of range", FileConfig{Input: bad, Out: dir}, []string{"bad.dat:2", "pos"}},
		{"time that goes back", FileConfig{Input: back, Out: dir}, []string{"back.dat:2", "time"}},
		{"no such input", FileConfig{Input: filepath.Join(dir, "none"), Out: dir}, []string{"none"}},
		{"no such history", FileConfig{Input: fine, History: filepath.Join(dir, "none"), Out: dir}, []string{"none"}},
		{"a bad history", FileConfig{Input: fine, History: history, Out: dir}, []string{"bad.csv:1", "day"}},
		{"two rows for a day", FileConfig{Input: fine, History: twice, Out: dir}, []string{"twice.csv:4", "day", "vehicle 1"}},
		{"a directory as input", FileConfig{Input: dir, Out: dir}, []string{"directory"}},
		{"a file as output", FileConfig{Input: fine, Out: fine}, []string{"good.dat"}},
		{"nothing", FileConfig{Rules: 7}, []string{"input", "directory", "rules"}},
		{"parallel sinks", FileConfig{Input: fine, Out: dir, Engine: engine.Config{Parallelism: map[string]int{TollsID: 2, "toll": 1}}}, []string{`"tolls" is 2`, `"toll"`}},
		{"too little memory", FileConfig{Input: fine, Out: dir, Engine: engine.Config{Memory: 4096}}, []string{"budget"}},
	} {
		_, err := RunFile(context.Background(), test.cfg)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", test.name, err, part)
			}
		}
	}

	cfg := FileConfig{Input: bad, Out: filepath.Join(dir, "out"), SkipBad: true}
	s, err := RunFile(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.Skipped != 1 || s.Reports != 2 || !strings.Contains(s.FirstSkipped, "bad.dat:2") {
		t.Errorf("with bad lines skipped: %+v", s)
	}
	if s, err := RunFile(context.Background(), FileConfig{Input: empty, Out: cfg.Out}); err != nil || s.Reports != 0 {
		t.Errorf("an empty input: %+v, %v", s, err)
	}
}

func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("%v: this test needs a device that is always full", err)
	}
	cfg := FileConfig{Input: sharedFile(t, "datafile20seconds.dat"), Out: t.TempDir()}
	if err := os.Symlink(full, filepath.Join(cfg.Out, format.TollsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := RunFile(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "no space") || !strings.Contains(err.Error(), TollsID) {
		t.Errorf("error %v, want one that says that there is no space, and for which sink", err)
	}
}

func TestCancelledFile(t *testing.T) {
	cfg := FileConfig{Input: sharedFile(t, "lr3h_first324s.dat"), Out: t.TempDir(), Engine: engine.Config{Pace: 1}}
	ctx, cancel := context.WithCancel(context.Background())
	cfg.Progress = func(Progress) { cancel() }
	if _, err := RunFile(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
