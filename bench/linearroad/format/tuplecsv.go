package format

import (
	"fmt"
	"math"
	"strconv"
)

// The columns of an input line, in order.
const (
	colType = iota
	colTime
	colVID
	colSpeed
	colXway
	colLane
	colDir
	colSeg
	colPos
	colQID
	colFirst
	colLast
	colDOW
	colTOD
	colDay
	columns
)

// columnNames are the columns as errors name them.
var columnNames = [columns]string{"type", "time", "vid", "spd", "xway", "lane", "dir", "seg", "pos",
	"qid", "sinit", "send", "dow", "tod", "day"}

// bound is what a column may hold, both ends included.
type bound struct{ low, high int64 }

var (
	unused = bound{-1, -1}
	id     = bound{0, math.MaxUint32}
	second = bound{0, TimeMax}
	xway   = bound{0, XwayMax}
	seg    = bound{0, SegmentMax}
)

// bounds holds the columns of each type. Genuine travel time requests have 0 for the day of the week and the time of day,
// and genuine balance requests −1 for the expressway; a speed may be negative and counts as 0.
var bounds = [5][columns]bound{
	Position: {{0, 0}, second, id, {math.MinInt32, SpeedMax}, xway, {0, LaneMax}, {0, 1}, seg, {0, PositionMax},
		unused, unused, unused, unused, unused, unused},
	Balance: {{2, 2}, second, id, unused, {-1, XwayMax}, unused, unused, unused, unused,
		id, unused, unused, unused, unused, unused},
	Expenditure: {{3, 3}, second, id, unused, xway, unused, unused, unused, unused,
		id, unused, unused, unused, unused, {0, DayMax}},
	TravelTime: {{4, 4}, second, id, unused, xway, unused, unused, unused, unused,
		id, seg, seg, {0, WeekdayMax}, {0, MinuteOfDayMax}, unused},
}

// ParseTuple reads one line of input, without its newline; a carriage return at its end is tolerated. It checks the number
// of columns and the range of each, and that seg is the segment of pos. The error is a *FieldError without file and line.
func ParseTuple(line []byte) (Tuple, error) {
	var t Tuple
	if e := parseTuple(trimReturn(line), &t); e != nil {
		return Tuple{}, e
	}
	return t, nil
}

// parseTuple is ParseTuple in place; nil means that t is filled.
func parseTuple(line []byte, t *Tuple) *FieldError {
	var v [columns]int64
	if e := splitInts(line, columnNames[:], v[:]); e != nil {
		return e
	}
	if k := v[colType]; k < 0 || k > 4 || k == int64(Accident) {
		return badField("type", v[colType], "0, 2, 3 or 4")
	}
	limits := &bounds[v[colType]]
	for i := range v {
		if v[i] < limits[i].low || v[i] > limits[i].high {
			return outOfRange(i, Type(v[colType]), v[i])
		}
	}
	*t = Tuple{VID: uint32(v[colVID]), Time: uint16(v[colTime]), Xway: uint16(v[colXway]), Type: Type(v[colType])}
	switch t.Type {
	case Position:
		if v[colSeg] != v[colPos]/SegmentFeet {
			return badField("seg", v[colSeg], fmt.Sprintf("%d, the segment of pos %d", v[colPos]/SegmentFeet, v[colPos]))
		}
		t.Pos = uint32(v[colPos])
		t.Speed = uint8(max(v[colSpeed], 0))
		t.Lane, t.Dir, t.Seg = uint8(v[colLane]), uint8(v[colDir]), uint8(v[colSeg])
		return nil
	case Expenditure:
		t.Day = uint8(v[colDay])
	case TravelTime:
		t.SetTrip(uint8(v[colFirst]), uint8(v[colLast]), uint8(v[colDOW]))
		t.TOD = uint16(v[colTOD])
	}
	t.QID = uint32(v[colQID])
	return nil
}

// outOfRange says what column i of a line of type k should have held.
func outOfRange(i int, k Type, value int64) *FieldError {
	b := bounds[k][i]
	if b == unused {
		return badField(columnNames[i], value, fmt.Sprintf("-1, since type %d does not use it", k))
	}
	return badField(columnNames[i], value, b.String())
}

// AppendTuple appends the tuple's line, without a newline.
func AppendTuple(dst []byte, t *Tuple) []byte {
	dst = append(dst, '0'+byte(t.Type), ',')
	dst = strconv.AppendUint(dst, uint64(t.Time), 10)
	dst = appendField(dst, t.VID)
	if t.Type == Position {
		dst = appendField(dst, uint32(t.Speed))
		dst = appendField(dst, uint32(t.Xway))
		dst = append(dst, ',', '0'+t.Lane, ',', '0'+t.Dir)
		dst = appendField(dst, uint32(t.Seg))
		dst = appendField(dst, t.Pos)
		return append(dst, ",-1,-1,-1,-1,-1,-1"...)
	}
	dst = append(dst, ",-1"...)
	if t.Xway == NoXway {
		dst = append(dst, ",-1"...)
	} else {
		dst = appendField(dst, uint32(t.Xway))
	}
	dst = append(dst, ",-1,-1,-1,-1"...)
	dst = appendField(dst, t.QID)
	if t.Type == TravelTime {
		first, last, dow := t.Trip()
		dst = appendField(dst, uint32(first))
		dst = appendField(dst, uint32(last))
		dst = appendField(dst, uint32(dow))
		dst = appendField(dst, uint32(t.TOD))
		return append(dst, ",-1"...)
	}
	dst = append(dst, ",-1,-1,-1,-1"...)
	if t.Type == Expenditure {
		return appendField(dst, uint32(t.Day))
	}
	return append(dst, ",-1"...)
}

// appendField appends a comma and the number.
func appendField(dst []byte, v uint32) []byte {
	return strconv.AppendUint(append(dst, ','), uint64(v), 10)
}
