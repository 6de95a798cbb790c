package wire

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"
)

// LayoutError says why a type cannot lie in frames and slabs as it is. Path is
// the field's path within Type, empty where the type itself is meant.
type LayoutError struct {
	Type   reflect.Type
	Path   string
	Reason string
}

// Error implements error.
func (e *LayoutError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("type %v: %s", e.Type, e.Reason)
	}
	return fmt.Sprintf("type %v: field %s: %s", e.Type, e.Path, e.Reason)
}

// CheckLayout decides whether values of type t may be read and written in place
// in frames and slabs, and returns their size in bytes and a fingerprint.
//
// Accepted are integers and floats of stated width, complex numbers, and
// arrays and structs of those, whose bytes are fully determined by their
// fields: no implicit padding, no blank or empty fields, a size that is a
// positive multiple of 8. Refused besides pointers of all kinds are int, uint
// and uintptr, whose width is the machine's, and bool, since bytes from outside
// can hold more than 0 and 1. The error is a *LayoutError.
//
// The fingerprint depends on names, kinds, sizes and offsets of the fields and
// on nothing else: not on type names, the process or the build.
func CheckLayout(t reflect.Type) (size int, fingerprint uint64, err error) {
	text, size, err := describe(t)
	if err != nil {
		return 0, 0, err
	}
	return size, fingerprintOf(text), nil
}

// DescribeLayout returns the description that the fingerprint of a type's
// layout is made of, which AppendJSON reads:
//
//	number   kind@offset                             uint64@32
//	array    [length]element                         [32]uint8@0
//	struct   {length:name field;length:name …;}size  {4:Text [32]uint8@0;1:N uint64@32;}40
//
// Offsets are from the beginning of the value; of an array's elements it is that
// of the first. The error is CheckLayout's.
func DescribeLayout(t reflect.Type) (string, error) {
	text, _, err := describe(t)
	return text, err
}

func describe(t reflect.Type) (text string, size int, err error) {
	if t == nil {
		return "", 0, fmt.Errorf("layout of a nil type: want a concrete type")
	}
	c := layoutChecker{root: t}
	if err := c.check(t, "", 0); err != nil {
		return "", 0, err
	}
	size = int(t.Size())
	switch {
	case size == 0 || size%8 != 0:
		return "", 0, c.refuse("", "size %d, want a positive multiple of 8: add explicit fields", size)
	case t.Align() > 8:
		return "", 0, c.refuse("", "alignment %d, at most 8 is kept", t.Align())
	}
	return c.text.String(), size, nil
}

// fingerprintOf hashes a canonical description with FNV-1a, never to zero.
func fingerprintOf(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return max(h.Sum64(), 1)
}

// layoutChecker walks a type and writes its canonical description.
type layoutChecker struct {
	root reflect.Type
	text strings.Builder
}

func (c *layoutChecker) refuse(path, format string, args ...any) error {
	return &LayoutError{Type: c.root, Path: path, Reason: fmt.Sprintf(format, args...)}
}

func (c *layoutChecker) check(t reflect.Type, path string, offset uintptr) error {
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		c.text.WriteString(t.Kind().String())
		c.text.WriteByte('@')
		c.text.WriteString(strconv.FormatUint(uint64(offset), 10))
		return nil
	case reflect.Array:
		if t.Len() == 0 {
			return c.refuse(path, "array of length 0 takes no bytes")
		}
		c.text.WriteString("[" + strconv.Itoa(t.Len()) + "]")
		return c.check(t.Elem(), path+"[]", offset)
	case reflect.Struct:
		return c.checkStruct(t, path, offset)
	case reflect.Bool:
		return c.refuse(path, "is a bool, and bytes from outside can hold more than 0 and 1: use uint8")
	case reflect.Int, reflect.Uint:
		return c.refuse(path, "is %v, whose width is the machine's: use %v32 or %v64", t.Kind(), t.Kind(), t.Kind())
	}
	return c.refuse(path, "is of kind %v, which holds a pointer or an address: use numbers and arrays of numbers", t.Kind())
}

func (c *layoutChecker) checkStruct(t reflect.Type, path string, offset uintptr) error {
	if t.NumField() == 0 {
		return c.refuse(path, "is an empty struct and takes no bytes")
	}
	c.text.WriteString("{")
	end := uintptr(0) // of the fields so far, from the struct's start
	for i := range t.NumField() {
		f := t.Field(i)
		at := strings.TrimPrefix(path+"."+f.Name, ".")
		if f.Name == "_" {
			return c.refuse(at, "is blank, so that its bytes are not determined: give it a name")
		}
		if f.Offset != end {
			return c.refuse(at, "has %d bytes of padding before it: order the fields by size or add explicit ones", f.Offset-end)
		}
		c.text.WriteString(strconv.Itoa(len(f.Name)) + ":" + f.Name + " ")
		if err := c.check(f.Type, at, offset+f.Offset); err != nil {
			return err
		}
		c.text.WriteString(";")
		end = f.Offset + f.Type.Size()
	}
	if end != t.Size() {
		last := t.Field(t.NumField() - 1).Name
		at := strings.TrimPrefix(path+"."+last, ".")
		return c.refuse(at, "has %d bytes of padding after it: add explicit fields", t.Size()-end)
	}
	c.text.WriteString("}" + strconv.FormatUint(uint64(t.Size()), 10))
	return nil
}
