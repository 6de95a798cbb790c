package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends a value as JSON, given the description of its layout by
// DescribeLayout: structs are objects, arrays arrays, complex numbers arrays of
// two. An array of uint8 is a string, without the zeros at its end, if that is
// text, and else its bytes in hexadecimal after "0x"; numbers that JSON does not
// have are strings too. The error says where the description and the value do
// not agree.
func AppendJSON(dst []byte, layout string, value []byte) ([]byte, error) {
	p := layoutPrinter{text: layout, value: value}
	dst, err := p.print(dst, 0)
	switch {
	case err != nil:
		return nil, fmt.Errorf("layout %q, at byte %d: %w", layout, p.at, err)
	case p.at != len(layout):
		return nil, fmt.Errorf("layout %q, at byte %d: something follows its end", layout, p.at)
	}
	return dst, nil
}

// layoutPrinter walks a description.
type layoutPrinter struct {
	text  string
	at    int
	value []byte
	depth int
}

// layoutDepthMax is more than a type that a person wrote has.
const layoutDepthMax = 100

// print writes what the description at p.at says of the value, shifted by some
// bytes, and goes beyond it.
func (p *layoutPrinter) print(dst []byte, shift int) ([]byte, error) {
	if p.depth++; p.depth > layoutDepthMax {
		return nil, fmt.Errorf("nested deeper than %d", layoutDepthMax)
	}
	defer func() { p.depth-- }()
	switch {
	case p.skip("{"):
		return p.object(dst, shift)
	case p.skip("["):
		return p.array(dst, shift)
	}
	kind, offset, err := p.leaf()
	if err != nil {
		return nil, err
	}
	return p.number(dst, kind, offset+shift)
}

func (p *layoutPrinter) skip(token string) bool {
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

// integer reads an integer.
func (p *layoutPrinter) integer() (int, error) {
	from := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return strconv.Atoi(p.text[from:p.at])
}

func (p *layoutPrinter) object(dst []byte, shift int) ([]byte, error) {
	dst = append(dst, '{')
	for first := true; !p.skip("}"); first = false {
		n, err := p.integer()
		if err != nil {
			return nil, err
		}
		if !p.skip(":") || n > len(p.text)-p.at {
			return nil, fmt.Errorf("a name of %d bytes is expected", n)
		}
		name := p.text[p.at:][:n]
		p.at += n
		if !p.skip(" ") {
			return nil, fmt.Errorf("a space is expected after %q", name)
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		if dst, err = p.print(dst, shift); err != nil {
			return nil, err
		}
		if !p.skip(";") {
			return nil, fmt.Errorf("a semicolon is expected after %q", name)
		}
	}
	size, err := p.integer()
	if err == nil && p.depth == 1 && size != len(p.value) {
		err = fmt.Errorf("a struct of %d bytes is not a value of %d", size, len(p.value))
	}
	return append(dst, '}'), err
}

func (p *layoutPrinter) array(dst []byte, shift int) ([]byte, error) {
	n, err := p.integer()
	if err != nil {
		return nil, err
	}
	if !p.skip("]") || n == 0 {
		return nil, fmt.Errorf("an array of a length above 0 is expected")
	}
	element := p.at
	if kind, offset, err := p.leaf(); err == nil && kind == "uint8" {
		return p.text8(dst, offset+shift, n)
	}
	p.at = element
	size, err := p.size()
	if err != nil {
		return nil, err
	}
	if int64(n)*int64(size) > int64(len(p.value)) {
		return nil, fmt.Errorf("%d elements of %d bytes are not in a value of %d", n, size, len(p.value))
	}
	dst = append(dst, '[')
	for i := range n {
		if p.at = element; i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = p.print(dst, shift+i*size); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// text8 writes bytes.
func (p *layoutPrinter) text8(dst []byte, offset, n int) ([]byte, error) {
	if offset < 0 || offset > len(p.value) || n > len(p.value)-offset {
		return nil, fmt.Errorf("bytes %d to %d are not in a value of %d", offset, offset+n, len(p.value))
	}
	b := p.value[offset:][:n]
	return AppendText(dst, bytes.TrimRight(b, "\x00")), nil
}

// AppendText appends bytes as a JSON string: as they are if they are text, and
// else in hexadecimal after "0x".
func AppendText(dst, b []byte) []byte {
	if !utf8.Valid(b) || bytes.ContainsFunc(b, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return fmt.Appendf(dst, `"0x%x"`, b)
	}
	return appendString(dst, string(b))
}

// appendString quotes what is printable.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// leaf reads a number's kind and offset.
func (p *layoutPrinter) leaf() (kind string, offset int, err error) {
	n := strings.IndexByte(p.text[p.at:], '@')
	if n < 0 {
		return "", 0, fmt.Errorf("a kind and an offset are expected")
	}
	kind = p.text[p.at:][:n]
	if widthOf(kind) == 0 {
		return "", 0, fmt.Errorf("unknown kind %q", kind)
	}
	p.at += n + 1
	offset, err = p.integer()
	return kind, offset, err
}

// size is the size of what the description at p.at is of; p.at is anywhere
// afterwards.
func (p *layoutPrinter) size() (int, error) {
	switch {
	case p.skip("["):
		n, err := p.integer()
		if err != nil || !p.skip("]") || n > len(p.value) {
			return 0, fmt.Errorf("an array of at most %d elements is expected (%v)", len(p.value), err)
		}
		size, err := p.size()
		return n * size, err
	case p.skip("{"):
		return p.structSize()
	}
	kind, _, err := p.leaf()
	return widthOf(kind), err
}

// structSize is the number behind the brace that closes a struct. Names, which
// may hold braces, are passed over.
func (p *layoutPrinter) structSize() (int, error) {
	for depth := 1; depth > 0; {
		switch {
		case p.at == len(p.text):
			return 0, fmt.Errorf("a struct has no end")
		case p.skip("{"):
			depth++
		case p.skip("}"):
			depth--
		case p.text[p.at] >= '0' && p.text[p.at] <= '9':
			if n, err := p.integer(); err == nil && p.skip(":") {
				p.at = min(p.at+n, len(p.text))
			}
		default:
			p.at++
		}
	}
	n, err := p.integer()
	if err != nil || n > len(p.value) {
		return 0, fmt.Errorf("a struct of %d bytes is not in a value of %d", n, len(p.value))
	}
	return n, nil
}

// widthOf is how many bytes a number takes, 0 if there is no such kind.
func widthOf(kind string) int {
	switch kind {
	case "int8", "uint8":
		return 1
	case "int16", "uint16":
		return 2
	case "int32", "uint32", "float32":
		return 4
	case "int64", "uint64", "float64", "complex64":
		return 8
	case "complex128":
		return 16
	}
	return 0
}

func (p *layoutPrinter) number(dst []byte, kind string, offset int) ([]byte, error) {
	width := widthOf(kind)
	if offset < 0 || offset > len(p.value)-width {
		return nil, fmt.Errorf("%s at byte %d is not in a value of %d", kind, offset, len(p.value))
	}
	b, le := p.value[offset:][:width], binary.LittleEndian
	switch kind {
	case "int8":
		return strconv.AppendInt(dst, int64(int8(b[0])), 10), nil
	case "int16":
		return strconv.AppendInt(dst, int64(int16(le.Uint16(b))), 10), nil
	case "int32":
		return strconv.AppendInt(dst, int64(int32(le.Uint32(b))), 10), nil
	case "int64":
		return strconv.AppendInt(dst, int64(le.Uint64(b)), 10), nil
	case "uint8":
		return strconv.AppendUint(dst, uint64(b[0]), 10), nil
	case "uint16":
		return strconv.AppendUint(dst, uint64(le.Uint16(b)), 10), nil
	case "uint32":
		return strconv.AppendUint(dst, uint64(le.Uint32(b)), 10), nil
	case "uint64":
		return strconv.AppendUint(dst, le.Uint64(b), 10), nil
	case "float32":
		return appendFloat(dst, float64(math.Float32frombits(le.Uint32(b))), 32), nil
	case "float64":
		return appendFloat(dst, math.Float64frombits(le.Uint64(b)), 64), nil
	case "complex64":
		return appendPair(dst, float64(math.Float32frombits(le.Uint32(b))), float64(math.Float32frombits(le.Uint32(b[4:]))), 32), nil
	}
	return appendPair(dst, math.Float64frombits(le.Uint64(b)), math.Float64frombits(le.Uint64(b[8:])), 64), nil
}

func appendPair(dst []byte, re, im float64, bits int) []byte {
	dst = append(appendFloat(append(dst, '['), re, bits), ',')
	return append(appendFloat(dst, im, bits), ']')
}

func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), v, 'g', -1, bits), '"')
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits)
}
