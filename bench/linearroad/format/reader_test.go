package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	line3 = "0,3,101,55,3,2,1,9,48000,-1,-1,-1,-1,-1,-1"
	line4 = "0,4,101,55,3,2,1,9,48000,-1,-1,-1,-1,-1,-1"
	line5 = "2,5,101,-1,-1,-1,-1,-1,-1,8,-1,-1,-1,-1,-1"
)

// readAll reads times until an error.
func readAll(r *Reader) (times []uint16, err error) {
	for {
		var in Tuple
		if err := r.Next(&in); err != nil {
			return times, err
		}
		times = append(times, in.Time)
	}
}

func TestReader(t *testing.T) {
	for _, c := range []struct {
		name, in string
		n        int
		err      string // "" for io.EOF
		skipped  int64
	}{
		{"empty", "", 0, "", 0},
		{"no newline at the end", line3 + "\n" + line4, 2, "", 0},
		{"newline at the end", line3 + "\n" + line4 + "\n", 2, "", 0},
		{"carriage returns", line3 + "\r\n" + line4 + "\r\n" + line5 + "\r", 3, "", 0},
		{"empty lines at the end", line3 + "\n\n\r\n\n", 1, "", 0},
		{"empty line inside", line3 + "\n\n" + line4 + "\n", 1, `f.csv:2: field line is "", want 15 comma separated`, 1},
		{"garbage", line3 + "\nhello\n" + line4, 1, `f.csv:2: field line is "hello", want 15`, 1},
		{"out of order", line4 + "\n" + line3 + "\n" + line5, 1, `f.csv:2: field time is "3", want at least 4`, 1},
		{"long line", line3 + "\n" + strings.Repeat("1,", readBytes) + "\n" + line4, 1, "f.csv:2: field line", 1},
		{"long last line", line3 + "\n" + strings.Repeat("1,", readBytes), 1, "f.csv:2: field line", 1},
		{"zero bytes", line3 + "\n" + strings.Repeat("\x00", 100) + "\n", 1, "f.csv:2: field line", 1},
	} {
		for _, oneByte := range []bool{false, true} {
			open := func() io.Reader {
				if oneByte && len(c.in) < 10000 {
					return iotest.OneByteReader(strings.NewReader(c.in))
				}
				return strings.NewReader(c.in)
			}
			times, err := readAll(NewReader(open(), ReaderConfig{File: "f.csv"}))
			if c.err == "" && err != io.EOF || c.err != "" && !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			if len(times) != c.n {
				t.Errorf("%s: %d tuples, want %d", c.name, len(times), c.n)
			}
			r := NewReader(open(), ReaderConfig{File: "f.csv", SkipBad: true})
			if _, err := readAll(r); err != io.EOF || r.Skipped() != c.skipped {
				t.Errorf("%s: skipped %d, %v, want %d", c.name, r.Skipped(), err, c.skipped)
			}
			if c.err != "" && !strings.HasPrefix(r.FirstSkipped().Error(), c.err) {
				t.Errorf("%s: skipped %v, want %s", c.name, r.FirstSkipped(), c.err)
			}
		}
	}
}

// TestSkipBadTimes has lines whose times contradict those around them, given by their times; x is no tuple.
func TestSkipBadTimes(t *testing.T) {
	for _, c := range []struct {
		in, good string
		first    int // line that is skipped first, 0 for none
	}{
		{"1 2 2 9 9 10", "1 2 2 9 9 10", 0},
		{"1 2 99 3 4 5 6 7 8 9 10 11", "1 2 3 4 5 6 7 8 9 10 11", 3},
		{"99 1 1 2", "1 1 2", 1},
		{"1 99 98 99 2 2 2 2 2 2 3", "1 2 2 2 2 2 2 3", 2},
		{"5 6 1 6 7 7 8", "5 6 6 7 7 8", 3},
		{"5 5 5 5 5 1 1 1 1 1 1 1 1 1 6 7", "5 5 5 5 5 6 7", 6}, // time does not go back, however many would have it so
		{"1 99 2", "1 99", 3},                                   // one against one
		{"1 2 99", "1 2 99", 0},
		{"1 x 99 x 2 3 x", "1 2 3", 2},
		{"1 99 x 2 3", "1 2 3", 2},
		{"1 2 50 50 50 50 50 50 50 50 3 50", "1 2 50 50 50 50 50 50 50 50 50", 11},
	} {
		r := NewReader(strings.NewReader(linesAt(c.in)), ReaderConfig{File: "f.csv", SkipBad: true})
		times, err := readAll(r)
		if got := strings.Trim(fmt.Sprint(times), "[]"); err != io.EOF || got != c.good {
			t.Errorf("%s: read %s, want %s, error %v", c.in, got, c.good, err)
		}
		if n := int64(len(strings.Fields(c.in)) - len(strings.Fields(c.good))); r.Skipped() != n {
			t.Errorf("%s: %d skipped, want %d", c.in, r.Skipped(), n)
		}
		if first := r.FirstSkipped(); first == nil && c.first > 0 || first != nil && first.Line != c.first {
			t.Errorf("%s: the first that was skipped is %v, want that in line %d", c.in, first, c.first)
		}
	}
}

// linesAt returns a line for each time.
func linesAt(times string) string {
	var b strings.Builder
	for _, time := range strings.Fields(times) {
		b.WriteString(strings.Replace(line3, "3", time, 1) + "\n")
	}
	return b.String()
}

func TestReaderInputFails(t *testing.T) {
	broken := errors.New("disk on fire")
	in := io.MultiReader(strings.NewReader(line3+"\n"+line4), iotest.ErrReader(broken))
	r := NewReader(in, ReaderConfig{File: "f.csv", SkipBad: true})
	times, err := readAll(r)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "f.csv") || len(times) != 1 {
		t.Errorf("%v after %v", err, times)
	}
	var in2 Tuple
	if again := r.Next(&in2); !errors.Is(again, broken) {
		t.Errorf("then %v", again)
	}
}

func TestReadSecond(t *testing.T) {
	r := NewReader(strings.NewReader(line3+"\n"+line3+"\n"+line5+"\n"+line4), ReaderConfig{})
	got, err := r.ReadSecond(nil)
	if err != nil || len(got) != 2 || got[1].Time != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	got, err = r.ReadSecond(got)
	var e *FieldError
	if !errors.As(err, &e) || e.Line != 4 || len(got) != 3 || got[2].QID != 8 {
		t.Fatalf("%v, %v", got, err)
	}
	r = NewReader(strings.NewReader(line3+"\n"+line5), ReaderConfig{})
	for want := range 2 {
		if got, err = r.ReadSecond(got[:0]); err != nil || len(got) != 1 {
			t.Fatalf("second %d: %v, %v", want, got, err)
		}
	}
	if got, err = r.ReadSecond(nil); err != io.EOF || len(got) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat(line3+"\n", 30000)), ReaderConfig{})
	var in Tuple
	if n := testing.AllocsPerRun(20000, func() {
		if err := r.Next(&in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per line", n)
	}
}

func BenchmarkReader(b *testing.B) {
	data := bytes.Repeat([]byte(line3+"\n"), 100000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r := NewReader(bytes.NewReader(data), ReaderConfig{})
		var in Tuple
		n := 0
		for r.Next(&in) == nil {
			n++
		}
		if n != 100000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(100000*float64(b.N)/b.Elapsed().Seconds(), "tuples/s")
}

// FuzzLines compares the cutting of lines with that of the whole text at once, whatever pieces it comes in.
func FuzzLines(f *testing.F) {
	f.Add("a\nb\r\n\n\nc", 1)
	f.Add("\n\n", 2)
	f.Add("\r\r\n\r", 3)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		if len(text) > lineBytesMax {
			return
		}
		want := strings.Split(text, "\n")
		for i := range want {
			want[i] = strings.TrimSuffix(want[i], "\r")
		}
		for len(want) > 0 && strings.Trim(want[len(want)-1], "\r") == "" {
			want = want[:len(want)-1]
		}
		var in io.Reader = strings.NewReader(text)
		if piece&1 == 1 {
			in = iotest.OneByteReader(in)
		}
		l := NewLines(in, "f")
		var got []string
		for {
			line, err := l.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(line))
		}
		for len(got) > 0 && strings.Trim(got[len(got)-1], "\r") == "" {
			got = got[:len(got)-1] // carriage returns alone may or may not be a line
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}
