package format

import (
	"bytes"
	"fmt"
	"strconv"
)

// digitsMax bounds the digits of a number, so that none overflows 64 bits.
const digitsMax = 18

// valueBytesMax bounds what an error quotes of a faulty line.
const valueBytesMax = 40

// SplitInts parses a line of comma separated decimal integers, as many as there are names, into v. It is for the other
// files of the benchmark; line has no newline, and a carriage return at its end is tolerated. The error, when not nil, has no
// file and no line number yet.
func SplitInts(line []byte, names []string, v []int64) *FieldError {
	return splitInts(trimReturn(line), names, v)
}

// splitInts is SplitInts on a line without carriage return.
func splitInts(line []byte, names []string, v []int64) *FieldError {
	p := 0
	for i := range v {
		start := p
		negative := p < len(line) && line[p] == '-'
		if negative {
			p++
		}
		first, n := p, int64(0)
		for p < len(line) && line[p]-'0' <= 9 && p-first < digitsMax {
			n = n*10 + int64(line[p]-'0')
			p++
		}
		atEnd := p == len(line)
		if p == first || !atEnd && line[p] != ',' {
			return notInteger(line, start, i, names)
		}
		if atEnd != (i == len(v)-1) {
			return &FieldError{Field: "line", Value: clip(line),
				Want: fmt.Sprintf("%d comma separated integers, not %d", len(v), bytes.Count(line, []byte{','})+1)}
		}
		if negative {
			n = -n
		}
		v[i] = n
		p++
	}
	return nil
}

// notInteger describes the field that starts at start.
func notInteger(line []byte, start, i int, names []string) *FieldError {
	if got := bytes.Count(line, []byte{','}) + 1; got != len(names) {
		return &FieldError{Field: "line", Value: clip(line),
			Want: fmt.Sprintf("%d comma separated integers, not %d", len(names), got)}
	}
	field, _, _ := bytes.Cut(line[start:], []byte{','})
	return &FieldError{Field: names[i], Value: clip(field), Want: fmt.Sprintf("an integer of at most %d digits", digitsMax)}
}

// badField is the error of a field that is an integer, but not one that may stand there.
func badField(field string, value int64, want string) *FieldError {
	return &FieldError{Field: field, Value: strconv.FormatInt(value, 10), Want: want}
}

// clip copies what an error quotes.
func clip(b []byte) string {
	if len(b) > valueBytesMax {
		return string(b[:valueBytesMax]) + "…"
	}
	return string(b)
}

// trimReturn drops a carriage return at the end.
func trimReturn(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}
