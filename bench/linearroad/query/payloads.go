package query

import (
	"github.com/fullspate/spate/bench/linearroad/format"
)

// Report is a position report on its way to the toll calculator, 16 bytes.
type Report struct {
	VID   uint32
	Pos   uint32 // feet, 0…527999
	Time  uint16 // seconds
	Xway  uint16
	Speed uint8 // mph
	Lane  uint8 // 0 entry ramp, 1…3 travel, 4 exit ramp
	Dir   uint8 // 0 east, 1 west
	Seg   uint8 // 0…99
}

// road returns the key of the toll calculator: one direction of one expressway.
func (r *Report) road() uint64 { return uint64(r.Xway)<<1 | uint64(r.Dir) }

// Request is a balance, daily expenditure or travel time request, 16 bytes.
type Request struct {
	VID      uint32
	QID      uint32
	Time     uint16 // seconds
	Xway     uint16 // daily expenditure: the expressway asked about
	Day      uint8  // daily expenditure: 0…69
	Type     format.Type
	Reserved uint16
}

func (r *Request) vehicle() uint64 { return uint64(r.VID) }

// Notice tells a vehicle what the segment that it enters costs, and where the accident is that makes it free, 16 bytes.
type Notice struct {
	VID    uint32
	Excess uint32 // vehicles beyond those for which the segment is free, 0: no toll; see Toll
	Time   uint16 // seconds, of the report
	Xway   uint16
	LAV    int8  // mph, truncated; −1: none
	Dir    uint8 // 0 east, 1 west
	Seg    uint8 // the segment that is entered
	Alert  uint8 // the segment of the nearest accident ahead that is in force, or NoAlert
}

// NoAlert stands in Notice.Alert where no accident is in scope.
const NoAlert = 0xff

// Toll returns what the segment costs.
func (n *Notice) Toll() int64 { return tollOf(n.Excess) }

// Answer returns the notice as the toll notification that goes into a file; Emit is left to the sink.
func (n *Notice) Answer() format.Answer {
	return format.Answer{
		Type: format.Position, VID: n.VID, Time: n.Time, LAV: int16(n.LAV), Value: n.Toll(), Xway: n.Xway, Dir: n.Dir,
	}
}

// AlertAnswer returns the accident alert that goes with the notice; Alert must not be NoAlert.
func (n *Notice) AlertAnswer() format.Answer {
	return format.Answer{
		Type: format.Accident, VID: n.VID, Time: n.Time, Seg: n.Alert, Xway: n.Xway, Dir: n.Dir,
	}
}

// Charge is a toll that is due because the vehicle has left the segment for which it was quoted, 16 bytes.
type Charge struct {
	Amount int64 // above 0
	VID    uint32
	Time   uint16 // seconds, of the report that caused it
	Xway   uint16
}

func (c *Charge) vehicle() uint64 { return uint64(c.VID) }

// BalanceAnswer answers a balance request, 24 bytes.
type BalanceAnswer struct {
	Balance  int64
	VID      uint32
	QID      uint32
	Time     uint16 // seconds, of the request and of the balance
	Reserved [3]uint16
}

// accountBuckets is the number of keys of the balance account: enough to spread over any number of tasks of one machine,
// few enough for their totals to weigh nothing.
const accountBuckets = 256

func (b *BalanceAnswer) bucket() uint64 { return uint64(b.VID % accountBuckets) }

// Answer returns what goes into a file; Emit is left to the sink, and Xway too, since a balance request names none.
func (b *BalanceAnswer) Answer() format.Answer {
	return format.Answer{
		Type: format.Balance, VID: b.VID, QID: b.QID, Time: b.Time, ResultTime: b.Time, Value: b.Balance, Xway: format.NoXway,
	}
}

// HistoryRow is a row of a loaded history, 16 bytes.
type HistoryRow struct {
	VID      uint32
	Toll     uint32
	Line     uint32 // of the file, from 1
	Xway     uint16
	Day      uint8
	Reserved uint8
}

func (r *HistoryRow) vehicle() uint64 { return uint64(r.VID) }

// ExpenditureAnswer answers a daily expenditure request, 24 bytes.
type ExpenditureAnswer struct {
	Toll     int64
	VID      uint32
	QID      uint32
	Time     uint16 // seconds, of the request
	Xway     uint16 // that was asked about
	Day      uint8
	Reserved [3]uint8
}

// Answer returns what goes into a file; Emit is left to the sink.
func (e *ExpenditureAnswer) Answer() format.Answer {
	return format.Answer{
		Type: format.Expenditure, VID: e.VID, QID: e.QID, Time: e.Time, Value: e.Toll, Xway: e.Xway,
	}
}

// Activity says what happened on a road in a minute, 24 bytes. It is there to be counted: a run without charges and
// accidents proves nothing.
type Activity struct {
	Road      uint32 // expressway · 2 + direction
	Minute    uint32 // from 1, the minute that has ended
	Vehicles  uint32 // on the road when they were last counted, within the minute
	Charges   uint32 // tolls that became due in the minute
	Accidents uint32 // detected in the minute
	Reserved  uint32
}

// Total says what the balance account of a bucket of vehicles gathered since its last one, 24 bytes.
type Total struct {
	Answers uint64 // balance answers
	NonZero uint64 // of those, above 0
	Sum     int64  // of the balances
}
