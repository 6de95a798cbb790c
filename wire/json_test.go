package wire

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

// printed has a field of each kind that JSON sees in its own way.
type printed struct {
	Name  [8]uint8
	Raw   [4]uint8
	Small int16
	Tiny  [2]int8
	Pairs [2]struct{ A, B uint32 }
	Rate  float64
	Z     complex64
	Count int64
}

func TestAppendJSON(t *testing.T) {
	layout, err := DescribeLayout(reflect.TypeFor[printed]())
	if err != nil {
		t.Fatal(err)
	}
	v := printed{
		Name: [8]uint8{'a', '"', 'b'}, Raw: [4]uint8{0xff, 1, 0, 0}, Small: -3, Tiny: [2]int8{-1, 7},
		Pairs: [2]struct{ A, B uint32 }{{1, 2}, {3, 4}}, Rate: math.Inf(1), Z: complex(0.5, -2), Count: math.MinInt64,
	}
	value := make([]byte, reflect.TypeFor[printed]().Size())
	if _, err := binary.Encode(value, binary.LittleEndian, &v); err != nil {
		t.Fatal(err)
	}
	got, err := AppendJSON(nil, layout, value)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Name":"a\"b","Raw":"0xff01","Small":-3,"Tiny":[-1,7],"Pairs":[{"A":1,"B":2},{"A":3,"B":4}],"Rate":"+Inf","Z":[0.5,-2],"Count":-9223372036854775808}`
	if string(got) != want || !json.Valid(got) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, fingerprint, _ := CheckLayout(reflect.TypeFor[printed]()); fingerprint != fingerprintOf(layout) {
		t.Error("the description is not what the fingerprint is of")
	}
	for cut := range layout { // whatever the description, and however short the value: an error and no panic
		if out, err := AppendJSON(nil, layout[:cut], value); err == nil {
			t.Errorf("%q was read as %s", layout[:cut], out)
		}
	}
	for cut := range value {
		if out, err := AppendJSON(nil, layout, value[:cut]); err == nil {
			t.Errorf("%d bytes were read as %s", cut, out)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	layout, err := DescribeLayout(reflect.TypeFor[printed]())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(layout, make([]byte, 72))
	f.Add("[3][2]uint16@0", make([]byte, 16))
	f.Add(strings.Repeat("[1]", 200)+"uint8@0", make([]byte, 8))
	f.Fuzz(func(t *testing.T, layout string, value []byte) {
		if out, err := AppendJSON(nil, layout, value); err == nil && strings.ToValidUTF8(layout, "") == layout && !json.Valid(out) {
			t.Errorf("%q: %s is no JSON", layout, out)
		}
	})
}
