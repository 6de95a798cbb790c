package format

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var someAnswers = []struct {
	a             Answer
	line, without string
}{
	{Answer{Type: Position, VID: 7, Time: 90, Emit: 1234, LAV: -1, Value: 0}, "0,7,90,1234,-1,0", "0,7,90,-1,0"},
	{Answer{Type: Position, VID: 4000000000, Time: 10799, LAV: 39, Value: 80000}, "0,4000000000,10799,0,39,80000", "0,4000000000,10799,39,80000"},
	{Answer{Type: Accident, VID: 7, Time: 90, Emit: 5, Seg: 99}, "1,90,5,7,99", "1,90,7,99"},
	{Answer{Type: Balance, QID: 3, Time: 90, Emit: 5, ResultTime: 80, Value: 1 << 40}, "2,90,5,80,3,1099511627776", "2,90,80,3,1099511627776"},
	{Answer{Type: Expenditure, QID: 3, Time: 90, Emit: 5, Value: 98}, "3,90,5,3,98", "3,90,3,98"},
}

func TestAnswerLines(t *testing.T) {
	for _, c := range someAnswers {
		if c.a.String() != c.line {
			t.Errorf("%+v printed as %s, want %s", c.a, c.a.String(), c.line)
		}
		if got := string(AppendWithoutEmit(nil, &c.a)); got != c.without {
			t.Errorf("%+v printed as %s, want %s", c.a, got, c.without)
		}
		got, err := ParseAnswer([]byte(c.line))
		if err != nil || got != c.a {
			t.Errorf("%s read as %+v, %v", c.line, got, err)
		}
	}
}

func TestSameButEmit(t *testing.T) {
	for i, a := range someAnswers {
		for j, b := range someAnswers {
			b.a.Emit, b.a.Xway, b.a.Dir = 99, 3, 1
			if SameButEmit(&a.a, &b.a) != (i == j) {
				t.Errorf("%s and %s: %v", a.line, b.line, i != j)
			}
		}
		b := a.a
		if b.Value++; b.Type != Accident && SameButEmit(&a.a, &b) {
			t.Errorf("%s and %s are the same", a.line, b.String())
		}
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	for _, c := range []struct{ line, field string }{
		{"", "line"}, {"4,90,5,3,98,1", "line"}, {"0", "line"}, {"x,1", "line"}, {"00,1", "line"},
		{"0,7,90,1234,-1", "line"}, {"0,7,90,1234,-2,0", "lav"}, {"0,7,90,1234,101,0", "lav"}, {"0,7,90,1234,-1,-5", "toll"},
		{"0,7,90,x,-1,-5", "emit"}, {"1,90,5,7,100", "seg"}, {"2,90,5,10800,3,1", "resulttime"}, {"3,90,5,-1,98", "qid"},
		{"0,7,90,-1,-1,0", "emit"},
	} {
		_, err := ParseAnswer([]byte(c.line))
		var e *FieldError
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s: %v, want field %s", c.line, err, c.field)
		}
	}
}

func TestAnswerReader(t *testing.T) {
	r := NewAnswerReader(strings.NewReader("0,7,90,1234,-1,0\nnonsense\r\n1,90,5,7,99"), "tolls.csv")
	var a Answer
	if err := r.Next(&a); err != nil || a.VID != 7 {
		t.Fatal(a, err)
	}
	if err := r.Next(&a); err == nil || !strings.HasPrefix(err.Error(), "tolls.csv:2: ") {
		t.Fatal(err)
	}
	if err := r.Next(&a); err != nil || a.Seg != 99 || r.Line() != 3 {
		t.Fatal(a, err)
	}
	if err := r.Next(&a); err != io.EOF {
		t.Fatal(err)
	}
}

func TestAnswerFiles(t *testing.T) {
	want := []string{"tolls.csv", "accidents.csv", "balances.csv", "expenditures.csv", ""}
	for k, name := range want {
		if got := AnswerFile(Type(k)); got != name {
			t.Errorf("type %d: %q, want %q", k, got, name)
		}
	}
}

// FuzzParseAnswer checks that what is read prints as what is read again, and that nothing panics.
func FuzzParseAnswer(f *testing.F) {
	for _, c := range someAnswers {
		f.Add([]byte(c.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := ParseAnswer(line)
		if err != nil {
			return
		}
		again, err := ParseAnswer(AppendAnswer(nil, &a))
		if err != nil || again != a {
			t.Fatalf("%q: read %+v, read again %+v, %v", line, a, again, err)
		}
	})
}
