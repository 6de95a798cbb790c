package format

import "fmt"

// Type tells what a tuple asks for, and what an answer answers.
type Type uint8

// The types of input tuples and of answers. Input has no type 1; an Accident answer is caused by a position report.
const (
	Position    Type = 0 // input: position report; answer: toll notification
	Accident    Type = 1 // answer only: accident alert
	Balance     Type = 2 // account balance request and its answer
	Expenditure Type = 3 // daily expenditure request and its answer
	TravelTime  Type = 4 // travel time request and its answer
)

// Bounds of the fields of an input tuple, all inclusive.
const (
	TimeMax        = 10799  // seconds since the start of the run
	SpeedMax       = 100    // mph
	LaneMax        = 4      // 0 entry ramp, 1–3 travel, 4 exit ramp
	SegmentMax     = 99     // of a direction of an expressway, numbered alike both ways
	PositionMax    = 527999 // feet from the western end
	SegmentFeet    = 5280
	DayMax         = 69 // 1 is yesterday; 0 is noise that is answered with 0
	XwayMax        = 4095
	WeekdayMax     = 7    // type 4's dow; genuine data has 0
	MinuteOfDayMax = 1440 // type 4's tod
	LaneEntry      = 0
	LaneExit       = 4
)

// NoXway is the expressway of a tuple that names none (−1 in a file), as balance requests do.
const NoXway = 0xffff

// Tuple is one input tuple, 24 bytes, without pointers or padding; what a field means depends on Type, and fields that
// a type does not use are zero (Xway: NoXway). It is laid out to be read in place in a frame.
type Tuple struct {
	VID   uint32 // vehicle
	Pos   uint32 // type 0: feet, 0…527999; type 4: the trip, see Trip
	QID   uint32 // types 2, 3, 4: the request's identity
	Time  uint16 // seconds, 0…10799
	Xway  uint16 // types 0, 3, 4; NoXway where the input has −1, as most requests of type 2
	TOD   uint16 // type 4: time of day in minutes since midnight, 0…1440
	Type  Type   // Position, Balance, Expenditure or TravelTime
	Speed uint8  // type 0: mph, 0…100; negative input counts as 0
	Lane  uint8  // type 0: 0…4
	Dir   uint8  // type 0: 0 east, 1 west
	Seg   uint8  // type 0: 0…99 = Pos / 5280
	Day   uint8  // type 3: 0…69
}

// Trip returns what a travel time request asks for: first and last segment (0…99) and day of the week (1…7, 0 for none).
func (t *Tuple) Trip() (first, last, dow uint8) {
	return uint8(t.Pos), uint8(t.Pos >> 8), uint8(t.Pos >> 16)
}

// SetTrip stores what Trip returns.
func (t *Tuple) SetTrip(first, last, dow uint8) {
	t.Pos = uint32(first) | uint32(last)<<8 | uint32(dow)<<16
}

// String prints the tuple as its line in a file.
func (t *Tuple) String() string { return string(AppendTuple(nil, t)) }

// Answer is one answer, 40 bytes, without pointers or padding. For each type the fields of its line in LINEAR_ROAD §2:
//
//	Position     VID Time Emit LAV Toll
//	Accident     Time Emit VID Seg
//	Balance      Time Emit ResultTime QID Balance (VID is carried, not printed)
//	Expenditure  Time Emit QID Expenditure (VID is carried, not printed)
type Answer struct {
	Emit       int64 // ms since the start of the run, stamped by the sink
	Value      int64 // Toll, Balance or Expenditure
	VID        uint32
	QID        uint32
	Time       uint16 // of the input tuple, seconds
	ResultTime uint16 // Balance: seconds
	LAV        int16  // Position: mph truncated, −1 for none
	Type       Type
	Seg        uint8  // Accident: the accident's segment
	Xway       uint16 // of the report (not printed)
	Dir        uint8  // of the report (not printed)
	Reserved   [5]uint8
}

// String prints the answer as its line in a file.
func (a *Answer) String() string { return string(AppendAnswer(nil, a)) }

// FieldError is an input line that is no tuple: which file, line and field, what stood there, and what would be right.
type FieldError struct {
	File  string
	Line  int // from 1
	Field string
	Value string
	Want  string
}

// Error describes the line's fault in one sentence.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s:%d: field %s is %q, want %s", e.File, e.Line, e.Field, e.Value, e.Want)
}
