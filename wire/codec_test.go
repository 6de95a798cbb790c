package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

type inner struct{ X, Y uint16 }

type good struct {
	Vehicle uint32
	Speed   float32
	Where   [2]inner
	Money   int64
}

func TestCheckLayout(t *testing.T) {
	size, fingerprint, err := CheckLayout(reflect.TypeFor[good]())
	if err != nil || size != 24 {
		t.Fatalf("size %d, %v", size, err)
	}
	// Pinned: images and peers rely on it across builds.
	if fingerprint != goldenFingerprint {
		t.Errorf("fingerprint %#016x, want %#016x", fingerprint, uint64(goldenFingerprint))
	}
}

const goldenFingerprint = 0xaf8bd81d48305081

func TestFingerprintSeesTheLayoutOnly(t *testing.T) {
	type A struct{ X, Y uint32 }
	type same struct{ X, Y uint32 }
	different := map[string]reflect.Type{
		"order":   reflect.TypeFor[struct{ Y, X uint32 }](),
		"kind":    reflect.TypeFor[struct{ X, Y int32 }](),
		"float":   reflect.TypeFor[struct{ X, Y float32 }](),
		"array":   reflect.TypeFor[struct{ X [2]uint32 }](),
		"name":    reflect.TypeFor[struct{ X, Z uint32 }](),
		"nesting": reflect.TypeFor[struct{ X struct{ X, Y uint32 } }](),
		"more":    reflect.TypeFor[struct{ X, Y, Z, W uint32 }](),
		"plain":   reflect.TypeFor[uint64](),
	}
	_, want, err := CheckLayout(reflect.TypeFor[A]())
	if err != nil {
		t.Fatal(err)
	}
	if _, got, _ := CheckLayout(reflect.TypeFor[same]()); got != want {
		t.Error("the type's name makes a difference")
	}
	seen := map[uint64]string{want: "the type itself"}
	for name, typ := range different {
		_, got, err := CheckLayout(typ)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[got] = name
	}
}

func TestCheckLayoutRefuses(t *testing.T) {
	for _, c := range []struct {
		typ    reflect.Type
		path   string
		reason string
	}{
		{reflect.TypeFor[struct {
			A uint64
			B *int
		}](), "B", "pointer"},
		{reflect.TypeFor[struct{ S string }](), "S", "pointer"},
		{reflect.TypeFor[struct{ S []byte }](), "S", "pointer"},
		{reflect.TypeFor[struct{ M map[int]int }](), "M", "pointer"},
		{reflect.TypeFor[struct{ F func() }](), "F", "pointer"},
		{reflect.TypeFor[struct{ I any }](), "I", "pointer"},
		{reflect.TypeFor[struct{ I int }](), "I", "int32 or int64"},
		{reflect.TypeFor[struct{ I uintptr }](), "I", "address"},
		{reflect.TypeFor[struct{ B [8]bool }](), "B[]", "use uint8"},
		{reflect.TypeFor[struct {
			A uint32
			B uint64
		}](), "B", "4 bytes of padding before"},
		{reflect.TypeFor[struct {
			A uint64
			B uint32
		}](), "B", "4 bytes of padding after"},
		{reflect.TypeFor[struct {
			A uint32
			_ uint32
		}](), "_", "blank"},
		{reflect.TypeFor[struct {
			A uint64
			B struct{}
		}](), "B", "empty"},
		{reflect.TypeFor[struct {
			A uint64
			B [0]uint64
		}](), "B", "length 0"},
		{reflect.TypeFor[struct {
			A  uint64
			In struct {
				P uint8
				Q uint16
			}
			R uint32
		}](), "In.Q", "1 bytes of padding before"},
		{reflect.TypeFor[struct{ A uint32 }](), "", "multiple of 8"},
		{reflect.TypeFor[struct{}](), "", "empty"},
		{reflect.TypeFor[string](), "", "pointer"},
	} {
		_, _, err := CheckLayout(c.typ)
		var le *LayoutError
		if !errors.As(err, &le) || le.Path != c.path || !strings.Contains(le.Reason, c.reason) {
			t.Errorf("%v: %v, want field %q and %q", c.typ, err, c.path, c.reason)
		}
	}
	if _, _, err := CheckLayout(nil); err == nil {
		t.Error("a nil type was accepted")
	}
}

func TestFixedCodec(t *testing.T) {
	c, err := Fixed[good]()
	if err != nil || c.Size() != 24 || !c.Valid() || c.LayoutFingerprint() != goldenFingerprint {
		t.Fatalf("%+v, %v", c, err)
	}
	in := good{Vehicle: 1, Speed: 2.5, Where: [2]inner{{3, 4}, {5, 6}}, Money: -7}
	b := c.Append([]byte("x"), &in)
	var out good
	if err := c.Decode(b[1:], &out); err != nil || out != in || len(b) != 25 {
		t.Errorf("%+v comes back as %+v, %v", in, out, err)
	}
	if c.Decode(b, &out) == nil {
		t.Error("a payload of the wrong size was accepted")
	}
	if _, err := Fixed[*int](); err == nil {
		t.Error("a pointer was accepted")
	}
	defer func() {
		if recover() == nil {
			t.Error("MustFixed of a string did not panic")
		}
	}()
	MustFixed[string]()
}

func TestVariableCodecs(t *testing.T) {
	raw := Bytes()
	in := []byte("hello")
	b := raw.Append(nil, &in)
	var out []byte
	if err := raw.Decode(b, &out); err != nil || !bytes.Equal(out, in) || &out[0] != &b[0] || cap(out) != len(out) {
		t.Errorf("%q comes back as %q, %v", in, out, err)
	}
	encode := func(dst []byte, v *string) []byte { return append(dst, *v...) }
	decode := func(src []byte, v *string) error { *v = string(src); return nil }
	text, err := Variable("text/1", encode, decode)
	if err != nil || text.Size() != 0 || text.LayoutFingerprint() == raw.LayoutFingerprint() {
		t.Fatalf("%v", err)
	}
	s, got := "spate", ""
	if err := text.Decode(text.Append(nil, &s), &got); err != nil || got != s {
		t.Errorf("%q comes back as %q, %v", s, got, err)
	}
	if next, _ := Variable("text/2", encode, decode); next.LayoutFingerprint() == text.LayoutFingerprint() {
		t.Error("the format's name makes no difference")
	}
	for name, call := range map[string]func() (Codec[string], error){
		"no name":   func() (Codec[string], error) { return Variable("", encode, decode) },
		"no encode": func() (Codec[string], error) { return Variable("x", nil, decode) },
		"no decode": func() (Codec[string], error) { return Variable("x", encode, nil) },
	} {
		if c, err := call(); err == nil || c.Valid() {
			t.Errorf("%s was accepted", name)
		}
	}
}
