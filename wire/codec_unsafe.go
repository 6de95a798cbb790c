package wire

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// Codec says how values of type T lie in the payloads of a stream. A codec is
// fixed (the payload is the value's memory, Size bytes) or variable (Append and
// Decode). The zero Codec is not valid. Codecs are values, safe for use by any
// number of goroutines.
type Codec[T any] struct {
	size        int
	fingerprint uint64
	append      func(dst []byte, v *T) []byte
	decode      func(src []byte, v *T) error
}

// Fixed returns the codec that keeps a T in place, or CheckLayout's error.
func Fixed[T any]() (Codec[T], error) {
	size, fingerprint, err := CheckLayout(reflect.TypeFor[T]())
	if err != nil {
		return Codec[T]{}, fmt.Errorf("fixed codec: %w", err)
	}
	return Codec[T]{size: size, fingerprint: fingerprint}, nil
}

// MustFixed is Fixed for types that are known to be right, in tests and
// package variables; it panics otherwise.
func MustFixed[T any]() Codec[T] {
	c, err := Fixed[T]()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return c
}

// Bytes returns the codec of payloads that are byte strings. Decoding borrows:
// the value is the frame's own bytes.
func Bytes() Codec[[]byte] {
	return Codec[[]byte]{
		fingerprint: fingerprintOf("bytes"),
		append:      func(dst []byte, v *[]byte) []byte { return append(dst, *v...) },
		decode: func(src []byte, v *[]byte) error {
			*v = src[:len(src):len(src)]
			return nil
		},
	}
}

// Variable returns a codec of the caller's own. The format names the encoding
// and its version, such as "cart/2": it alone makes the fingerprint, so it must
// change when the bytes do. Encode appends the encoding of *v to dst, must be a
// pure function of it, and keeps neither. Decode may let *v borrow src, must
// overwrite all of *v, and must refuse what encode cannot have written.
func Variable[T any](format string, encode func(dst []byte, v *T) []byte, decode func(src []byte, v *T) error) (Codec[T], error) {
	if format == "" || encode == nil || decode == nil {
		return Codec[T]{}, errors.New("variable codec: want a format name, an encode and a decode function")
	}
	return Codec[T]{fingerprint: fingerprintOf("variable " + format), append: encode, decode: decode}, nil
}

// Valid reports whether c was made by one of the constructors.
func (c Codec[T]) Valid() bool { return c.fingerprint != 0 }

// Size returns the payload bytes of a fixed codec and 0 for a variable one.
func (c Codec[T]) Size() int { return c.size }

// LayoutFingerprint identifies the layout across processes and builds: equal
// for codecs that read each other's bytes, 0 for the zero Codec only.
func (c Codec[T]) LayoutFingerprint() uint64 { return c.fingerprint }

// Append appends the payload of *v to dst, without padding.
func (c Codec[T]) Append(dst []byte, v *T) []byte {
	if c.size != 0 {
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(v)), c.size)...)
	}
	return c.append(dst, v)
}

// Decode reads the payload src into *v. For a fixed codec it copies; for a
// variable one *v may borrow src. Errors are about bytes from outside.
func (c Codec[T]) Decode(src []byte, v *T) error {
	if c.size == 0 {
		return c.decode(src, v)
	}
	if len(src) != c.size {
		return fmt.Errorf("payload of %d bytes, want %d", len(src), c.size)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(v)), c.size), src)
	return nil
}
