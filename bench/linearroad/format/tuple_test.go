package format

import (
	"testing"
	"unsafe"
)

// TestLayout pins sizes and offsets: both structs lie in frames as they are.
func TestLayout(t *testing.T) {
	var in Tuple
	var out Answer
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"Tuple", unsafe.Sizeof(in), 24},
		{"Tuple.Pos", unsafe.Offsetof(in.Pos), 4},
		{"Tuple.QID", unsafe.Offsetof(in.QID), 8},
		{"Tuple.Time", unsafe.Offsetof(in.Time), 12},
		{"Tuple.Xway", unsafe.Offsetof(in.Xway), 14},
		{"Tuple.TOD", unsafe.Offsetof(in.TOD), 16},
		{"Tuple.Type", unsafe.Offsetof(in.Type), 18},
		{"Tuple.Day", unsafe.Offsetof(in.Day), 23},
		{"Answer", unsafe.Sizeof(out), 40},
		{"Answer.Value", unsafe.Offsetof(out.Value), 8},
		{"Answer.Time", unsafe.Offsetof(out.Time), 24},
		{"Answer.Type", unsafe.Offsetof(out.Type), 30},
		{"Answer.Xway", unsafe.Offsetof(out.Xway), 32},
		{"Answer.Reserved", unsafe.Offsetof(out.Reserved), 35},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
}

func TestTrip(t *testing.T) {
	var in Tuple
	in.SetTrip(99, 3, 7)
	if first, last, dow := in.Trip(); first != 99 || last != 3 || dow != 7 {
		t.Fatalf("Trip: %d %d %d", first, last, dow)
	}
}
