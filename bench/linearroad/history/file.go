package history

import (
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// Row is one row of a history, 16 bytes, without pointers or padding.
type Row struct {
	VID      uint32
	Toll     uint32
	Xway     uint16
	Day      uint8 // 1…69 by the rules; 0 in files that answer requests for day 0
	Reserved [5]uint8
}

// Append appends the row's line, without a newline.
func Append(dst []byte, r *Row) []byte {
	dst = strconv.AppendUint(dst, uint64(r.VID), 10)
	dst = strconv.AppendUint(append(dst, ','), uint64(r.Day), 10)
	dst = strconv.AppendUint(append(dst, ','), uint64(r.Xway), 10)
	return strconv.AppendUint(append(dst, ','), uint64(r.Toll), 10)
}

var (
	columnNames = []string{"vid", "day", "xway", "toll"}
	columnMax   = [4]int64{math.MaxUint32, format.DayMax, format.XwayMax, math.MaxUint32}
)

// Reader reads the rows of a file and checks the range of each field. It does not look for a (vid, day) that comes twice:
// whoever stores the rows sees that.
type Reader struct {
	lines *format.Lines
	file  string
}

// NewReader reads in, through a buffer of its own; file is its name in errors.
func NewReader(in io.Reader, file string) *Reader {
	return &Reader{lines: format.NewLines(in, file), file: file}
}

// Next stores the next row in row. The error is io.EOF at the end, a *format.FieldError for a line that is no row (the next
// call goes on behind it), or the input's, wrapped.
func (r *Reader) Next(row *Row) error {
	line, err := r.lines.Next()
	if err != nil {
		return err
	}
	var v [4]int64
	if bad := format.SplitInts(line, columnNames, v[:]); bad != nil {
		bad.File, bad.Line = r.file, r.lines.Number()
		return bad
	}
	for i, most := range columnMax {
		if v[i] < 0 || v[i] > most {
			return &format.FieldError{File: r.file, Line: r.lines.Number(), Field: columnNames[i],
				Value: strconv.FormatInt(v[i], 10), Want: fmt.Sprintf("0 to %d", most)}
		}
	}
	*row = Row{VID: uint32(v[0]), Day: uint8(v[1]), Xway: uint16(v[2]), Toll: uint32(v[3])}
	return nil
}

// Twice is what is wrong with a line whose vehicle and day have had a row before.
func Twice(file string, line int, vid uint32, day uint8) *format.FieldError {
	return &format.FieldError{File: file, Line: line, Field: "day", Value: fmt.Sprint(day),
		Want: fmt.Sprintf("one row for each day of vehicle %d, which has one already", vid)}
}

// Line returns the number of lines read so far.
func (r *Reader) Line() int { return r.lines.Number() }

// writeBytes is handed to the output at a time.
const writeBytes = 256 << 10

// Write writes the built-in history of the vehicles, days 1 to 69 of one after the other, and returns the number of rows. Each
// vehicle should come once. It does not buffer beyond its return; the error is the output's, wrapped.
func Write(out io.Writer, seed uint64, vids iter.Seq[uint32]) (rows int64, err error) {
	buf := make([]byte, 0, writeBytes+4<<10)
	for vid := range vids {
		for day := uint8(1); day <= format.DayMax; day++ {
			xway, toll, ok := Lookup(seed, vid, day)
			if !ok {
				break // the vehicle has no history
			}
			buf = append(Append(buf, &Row{VID: vid, Day: day, Xway: xway, Toll: toll}), '\n')
			rows++
		}
		if len(buf) >= writeBytes {
			if _, err := out.Write(buf); err != nil {
				return rows, fmt.Errorf("write history: %w", err)
			}
			buf = buf[:0]
		}
	}
	if _, err := out.Write(buf); err != nil {
		return rows, fmt.Errorf("write history: %w", err)
	}
	return rows, nil
}
