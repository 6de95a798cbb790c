package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const genuineFolder = "../../../../shared/linearroad"

// genuine returns the lines of a file of real traffic.
func genuine(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(genuineFolder, name))
	if err != nil {
		t.Skipf("real traffic is not here: %v", err)
	}
	return data
}

func TestGenuineRoundTrip(t *testing.T) {
	for _, name := range []string{"datafile20seconds.dat", "lr3h_first324s.dat", "fixture.dat"} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for line := range strings.Lines(string(genuine(t, name))) {
				line = strings.TrimSuffix(line, "\n")
				in, err := ParseTuple([]byte(line))
				if err != nil {
					t.Fatalf("line %d: %v", n+1, err)
				}
				n++
				if f := strings.Split(line, ","); f[0] == "0" && strings.HasPrefix(f[3], "-") {
					f[3] = "0" // a negative speed counts as 0
					line = strings.Join(f, ",")
				}
				if in.String() != line {
					t.Fatalf("line %d: %s printed as %s", n, line, in.String())
				}
			}
			if n == 0 {
				t.Fatal("no lines")
			}
		})
	}
}

func TestParseTupleRefuses(t *testing.T) {
	const good = "0,17,101,55,3,2,1,9,48000,-1,-1,-1,-1,-1,-1"
	if _, err := ParseTuple([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, field, want string }{
		{"", "line", "15 comma separated integers, not 1"},
		{"0,17,101", "line", "15 comma separated integers, not 3"},
		{good + ",-1", "line", "15 comma separated integers, not 16"},
		{good + ",", "line", "15 comma separated integers, not 16"},
		{"x" + good[1:], "type", "an integer"},
		{"1" + good[1:], "type", "0, 2, 3 or 4"},
		{"5" + good[1:], "type", "0, 2, 3 or 4"},
		{"-1" + good[1:], "type", "0, 2, 3 or 4"},
		{strings.Replace(good, ",17,", ",10800,", 1), "time", "0 to 10799"},
		{strings.Replace(good, ",17,", ",,", 1), "time", "an integer"},
		{strings.Replace(good, ",17,", ", 17,", 1), "time", "an integer"},
		{strings.Replace(good, ",17,", ",-,", 1), "time", "an integer"},
		{strings.Replace(good, ",101,", ",4294967296,", 1), "vid", "0 to 4294967295"},
		{strings.Replace(good, ",101,", ",12345678901234567890,", 1), "vid", "an integer"},
		{strings.Replace(good, ",55,", ",101,", 1), "spd", "at most 100"},
		{strings.Replace(good, ",3,2,", ",-1,2,", 1), "xway", "0 to 4095"},
		{strings.Replace(good, ",2,1,", ",5,1,", 1), "lane", "0 to 4"},
		{strings.Replace(good, ",2,1,", ",2,2,", 1), "dir", "0 to 1"},
		{strings.Replace(good, ",9,", ",100,", 1), "seg", "0 to 99"},
		{strings.Replace(good, ",9,", ",8,", 1), "seg", "9, the segment of pos 48000"},
		{strings.Replace(good, ",48000,", ",528000,", 1), "pos", "0 to 527999"},
		{good[:len(good)-2] + "0", "day", "-1, since type 0 does not use it"},
		{"2,90,2,-1,4096,-1,-1,-1,-1,501,-1,-1,-1,-1,-1", "xway", "-1 to 4095"},
		{"2,90,2,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1", "qid", "0 to"},
		{"3,90,2,-1,0,-1,-1,-1,-1,5,-1,-1,-1,-1,70", "day", "0 to 69"},
		{"3,90,2,-1,0,-1,-1,-1,-1,5,-1,-1,-1,-1,-1", "day", "0 to 69"},
		{"4,90,2,-1,0,-1,-1,-1,-1,5,0,100,1,1,-1", "send", "0 to 99"},
		{"4,90,2,-1,0,-1,-1,-1,-1,5,0,9,8,1,-1", "dow", "0 to 7"},
	} {
		_, err := ParseTuple([]byte(c.line))
		var e *FieldError
		if !errors.As(err, &e) || e.Field != c.field || !strings.Contains(e.Want, c.want) {
			t.Errorf("%s: %v, want field %s, %q", c.line, err, c.field, c.want)
		}
	}
}

func TestNoise(t *testing.T) {
	in, err := ParseTuple([]byte("0,17,101,-7,3,2,1,9,48000,-1,-1,-1,-1,-1,-1\r"))
	if err != nil || in.Speed != 0 {
		t.Errorf("negative speed: %v, %v", in.Speed, err)
	}
	in, err = ParseTuple([]byte("3,17,101,-1,3,-1,-1,-1,-1,8,-1,-1,-1,-1,0"))
	if err != nil || in.Day != 0 || in.QID != 8 || in.Xway != 3 {
		t.Errorf("day 0: %+v, %v", in, err)
	}
	in, err = ParseTuple([]byte("2,17,101,-1,-1,-1,-1,-1,-1,8,-1,-1,-1,-1,-1"))
	if err != nil || in.Xway != NoXway {
		t.Errorf("no expressway: %+v, %v", in, err)
	}
}

// FuzzParseTuple checks that what is read prints as what is read again, and that nothing panics.
func FuzzParseTuple(f *testing.F) {
	f.Add([]byte("0,17,101,55,3,2,1,9,48000,-1,-1,-1,-1,-1,-1"))
	f.Add([]byte("2,90,2,-1,-1,-1,-1,-1,-1,501,-1,-1,-1,-1,-1"))
	f.Add([]byte("3,90,2,-1,0,-1,-1,-1,-1,5,-1,-1,-1,-1,60\r"))
	f.Add([]byte("4,90,2,-1,0,-1,-1,-1,-1,5,1,2,3,4,-1"))
	f.Fuzz(func(t *testing.T, line []byte) {
		in, err := ParseTuple(line)
		if err != nil {
			var e *FieldError
			if !errors.As(err, &e) || e.Field == "" || e.Want == "" {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		again, err := ParseTuple(AppendTuple(nil, &in))
		if err != nil || again != in {
			t.Fatalf("%q: read %+v, read again %+v, %v", line, in, again, err)
		}
	})
}

func BenchmarkParseTuple(b *testing.B) {
	line := []byte("0,10017,1010101,55,3,2,1,9,48000,-1,-1,-1,-1,-1,-1")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if in, err := ParseTuple(line); err != nil || in.Seg != 9 {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTuple(b *testing.B) {
	in, err := ParseTuple([]byte("0,10017,1010101,55,3,2,1,9,48000,-1,-1,-1,-1,-1,-1"))
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	for b.Loop() {
		dst = AppendTuple(dst[:0], &in)
	}
	if !bytes.HasPrefix(dst, []byte("0,10017,")) {
		b.Fatalf("%s", dst)
	}
}
