package state

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/zeebo/xxh3"

	"github.com/fullspate/spate/wire"
)

// KeyKind says what a key or a sub-key is.
type KeyKind uint8

// The kinds of keys.
const (
	// None is the kind of sub-keys of a map that has one value per key.
	None KeyKind = iota
	// Uint64 keys are identified by their hash: partition.HashUint64 is invertible.
	Uint64
	// Bytes keys are identified by their bytes; the hash only places and orders them.
	Bytes
)

func (k KeyKind) String() string {
	switch k {
	case None:
		return "none"
	case Uint64:
		return "uint64"
	case Bytes:
		return "bytes"
	}
	return fmt.Sprintf("KeyKind(%d)", uint8(k))
}

// ValueBytesMax bounds fixed values: a segment must hold several of them.
const ValueBytesMax = 8 << 10

// Schema says what the records of a Map are.
type Schema struct {
	Name      string  // of the table; part of the fingerprint
	Key       KeyKind // Uint64 or Bytes
	Sub       KeyKind // None, Uint64 or Bytes
	ValueSize int     // bytes, a positive multiple of 8 up to ValueBytesMax; 0 means values of variable size
	Layout    uint64  // fingerprint of the value's fields (wire.CheckLayout), 0 for variable values
	Fields    string  // what Layout is the fingerprint of (wire.DescribeLayout), for those who look at values; may be empty
}

// SchemaOf is the schema of a map with values of the fixed-size, pointer-free
// struct V. The error names the field that does not qualify.
func SchemaOf[V any](name string, key, sub KeyKind) (Schema, error) {
	size, layout, err := wire.CheckLayout(reflect.TypeFor[V]())
	if err != nil {
		return Schema{}, fmt.Errorf("table %q: value type: %w", name, err)
	}
	fields, err := wire.DescribeLayout(reflect.TypeFor[V]())
	if err != nil {
		return Schema{}, fmt.Errorf("table %q: value type: %w", name, err)
	}
	s := Schema{Name: name, Key: key, Sub: sub, ValueSize: size, Layout: layout, Fields: fields}
	if err := s.Validate(); err != nil {
		return Schema{}, err
	}
	return s, nil
}

// BytesSchema is the schema of a map with byte-string values.
func BytesSchema(name string, key, sub KeyKind) Schema {
	return Schema{Name: name, Key: key, Sub: sub}
}

// Validate reports every problem of the schema at once.
func (s Schema) Validate() error {
	var errs []error
	if s.Key != Uint64 && s.Key != Bytes {
		errs = append(errs, fmt.Errorf("table %q: key kind is %v, must be uint64 or bytes", s.Name, s.Key))
	}
	if s.Sub > Bytes {
		errs = append(errs, fmt.Errorf("table %q: sub-key kind is %v, must be none, uint64 or bytes", s.Name, s.Sub))
	}
	if s.ValueSize < 0 || s.ValueSize > ValueBytesMax || s.ValueSize%8 != 0 {
		errs = append(errs, fmt.Errorf("table %q: value size is %d bytes, must be a multiple of 8 from 8 to %d, or 0 for variable values",
			s.Name, s.ValueSize, ValueBytesMax))
	}
	return errors.Join(errs...)
}

// Fingerprint is stable across processes and differs between schemas that
// cannot read each other's images.
func (s Schema) Fingerprint() uint64 {
	return xxh3.HashString(fmt.Sprintf("spate state 1 %q %d %d %d %016x", s.Name, s.Key, s.Sub, s.ValueSize, s.Layout))
}

// Key identifies a record: by h1 (and the key's bytes), then by h2 (and the
// sub-key's bytes).
type Key struct {
	H1  uint64 // partition.HashUint64 or partition.HashBytes of the key
	H2  uint64 // likewise of the sub-key, 0 without sub-keys
	Key []byte // for Bytes keys only
	Sub []byte // for Bytes sub-keys only
}

// layout is where things are in a slot; it follows from the schema.
//
//	h1 (8) | h2 (8, with sub-keys) | blob reference (8, with bytes of any kind) | fixed value
type layout struct {
	stride   uint64 // bytes of a slot
	ref      uint64 // offset of the blob reference, 0 without blobs
	value    uint64 // offset of the fixed value
	hasSub   bool
	keyBytes bool
	subBytes bool
	variable bool
}

func layoutOf(s Schema) layout {
	l := layout{hasSub: s.Sub != None, keyBytes: s.Key == Bytes, subBytes: s.Sub == Bytes, variable: s.ValueSize == 0}
	at := uint64(8)
	if l.hasSub {
		at += 8
	}
	if l.blobs() {
		l.ref = at
		at += 8
	}
	l.value = at
	l.stride = at + uint64(s.ValueSize)
	return l
}

// blobs says whether records have bytes beside the slot.
func (l *layout) blobs() bool { return l.keyBytes || l.subBytes || l.variable }
