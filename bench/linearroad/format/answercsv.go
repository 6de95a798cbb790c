package format

import (
	"fmt"
	"io"
	"math"
	"strconv"
)

// The files in which a run leaves its answers, one for each type.
const (
	TollsFile        = "tolls.csv"
	AccidentsFile    = "accidents.csv"
	BalancesFile     = "balances.csv"
	ExpendituresFile = "expenditures.csv"
)

// AnswerFile returns the name of the file for answers of type k, "" for a type that has no answers.
func AnswerFile(k Type) string {
	switch k {
	case Position:
		return TollsFile
	case Accident:
		return AccidentsFile
	case Balance:
		return BalancesFile
	case Expenditure:
		return ExpendituresFile
	}
	return ""
}

// answerNames are the columns of the answers of each type.
var answerNames = [4][]string{
	Position:    {"type", "vid", "time", "emit", "lav", "toll"},
	Accident:    {"type", "time", "emit", "vid", "seg"},
	Balance:     {"type", "time", "emit", "resulttime", "qid", "balance"},
	Expenditure: {"type", "time", "emit", "qid", "expenditure"},
}

// The ranges of what only answers have.
var (
	emitBound  = bound{0, math.MaxInt64}
	lavBound   = bound{-1, SpeedMax}
	moneyBound = bound{0, math.MaxInt64}
)

// answerBounds are the ranges of answerNames.
var answerBounds = [4][]bound{
	Position:    {{0, 0}, id, second, emitBound, lavBound, moneyBound},
	Accident:    {{1, 1}, second, emitBound, id, seg},
	Balance:     {{2, 2}, second, emitBound, second, id, moneyBound},
	Expenditure: {{3, 3}, second, emitBound, id, moneyBound},
}

// AppendAnswer appends the answer's line, without a newline. The type must be 0…3.
func AppendAnswer(dst []byte, a *Answer) []byte { return appendAnswer(dst, a, true) }

// AppendWithoutEmit appends the answer's line without the column emit and without a newline: what two runs must agree on.
func AppendWithoutEmit(dst []byte, a *Answer) []byte { return appendAnswer(dst, a, false) }

func appendAnswer(dst []byte, a *Answer, emit bool) []byte {
	dst = append(dst, '0'+byte(a.Type))
	if a.Type == Position {
		dst = appendField(dst, a.VID)
	}
	dst = appendField(dst, uint32(a.Time))
	if emit {
		dst = strconv.AppendInt(append(dst, ','), a.Emit, 10)
	}
	switch a.Type {
	case Position:
		dst = strconv.AppendInt(append(dst, ','), int64(a.LAV), 10)
	case Accident:
		return appendField(appendField(dst, a.VID), uint32(a.Seg))
	case Balance:
		dst = appendField(appendField(dst, uint32(a.ResultTime)), a.QID)
	case Expenditure:
		dst = appendField(dst, a.QID)
	default:
		panic(fmt.Sprintf("BUG: answer of type %d", a.Type))
	}
	return strconv.AppendInt(append(dst, ','), a.Value, 10)
}

// SameButEmit tells whether two answers print alike but for emit. Fields that are not printed do not count.
func SameButEmit(a, b *Answer) bool {
	if a.Type != b.Type || a.Time != b.Time {
		return false
	}
	switch a.Type {
	case Position:
		return a.VID == b.VID && a.LAV == b.LAV && a.Value == b.Value
	case Accident:
		return a.VID == b.VID && a.Seg == b.Seg
	case Balance:
		return a.ResultTime == b.ResultTime && a.QID == b.QID && a.Value == b.Value
	default:
		return a.QID == b.QID && a.Value == b.Value
	}
}

// ParseAnswer reads one line as AppendAnswer writes it, without its newline. What the line does not carry stays zero: the VID
// of balances and expenditures, the expressway and the direction. The error is a *FieldError without file and line.
func ParseAnswer(line []byte) (Answer, error) {
	var a Answer
	if e := parseAnswer(trimReturn(line), &a); e != nil {
		return Answer{}, e
	}
	return a, nil
}

func parseAnswer(line []byte, a *Answer) *FieldError {
	if len(line) < 2 || line[1] != ',' || line[0]-'0' > byte(Expenditure) {
		return &FieldError{Field: "line", Value: clip(line), Want: "an answer of type 0, 1, 2 or 3"}
	}
	k := Type(line[0] - '0')
	var columns [6]int64
	v := columns[:len(answerNames[k])]
	if e := splitInts(line, answerNames[k], v); e != nil {
		return e
	}
	for i, b := range answerBounds[k] {
		if v[i] < b.low || v[i] > b.high {
			return badField(answerNames[k][i], v[i], b.String())
		}
	}
	switch *a = (Answer{Type: k}); k {
	case Position:
		a.VID, a.Time, a.Emit, a.LAV, a.Value = uint32(v[1]), uint16(v[2]), v[3], int16(v[4]), v[5]
	case Accident:
		a.Time, a.Emit, a.VID, a.Seg = uint16(v[1]), v[2], uint32(v[3]), uint8(v[4])
	case Balance:
		a.Time, a.Emit, a.ResultTime, a.QID, a.Value = uint16(v[1]), v[2], uint16(v[3]), uint32(v[4]), v[5]
	case Expenditure:
		a.Time, a.Emit, a.QID, a.Value = uint16(v[1]), v[2], uint32(v[3]), v[4]
	}
	return nil
}

// String says what the bound allows.
func (b bound) String() string {
	switch {
	case b.high == math.MaxInt64:
		return fmt.Sprintf("at least %d", b.low)
	case b.low == math.MinInt32:
		return fmt.Sprintf("at most %d", b.high)
	}
	return fmt.Sprintf("%d to %d", b.low, b.high)
}

// AnswerReader reads a file of answers.
type AnswerReader struct {
	lines *Lines
	file  string
}

// NewAnswerReader reads in, through a buffer of its own; file is its name in errors.
func NewAnswerReader(in io.Reader, file string) *AnswerReader {
	return &AnswerReader{lines: NewLines(in, file), file: file}
}

// Next stores the next answer in a. The error is io.EOF at the end, a *FieldError for a line that is no answer (the next call
// goes on behind it), or the input's, wrapped.
func (r *AnswerReader) Next(a *Answer) error {
	line, err := r.lines.Next()
	if err != nil {
		return err
	}
	if bad := parseAnswer(line, a); bad != nil {
		bad.File, bad.Line = r.file, r.lines.Number()
		return bad
	}
	return nil
}

// Line returns the number of lines read so far.
func (r *AnswerReader) Line() int { return r.lines.Number() }
