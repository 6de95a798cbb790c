package task

import (
	"fmt"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// recordsMax is how many records are given their times at once: enough to make what is done once for all of them cheap, few
// enough for them, their times and their hashes to stay in the first-level cache.
const recordsMax = 128

// Records is a run of records of one split, in order, each with its τ. It is borrowed.
type Records struct {
	Times []wire.Time // the first of room

	base   Ptr
	stride uintptr
	room   [recordsMax]wire.Time
	hashes [recordsMax]uint64
}

// Value is where the value of the i-th record lies.
func (r *Records) Value(i int) Ptr { return recordValue(at(r.base, uintptr(i)*r.stride)) }

// At takes the Ctx to the time of the i-th record.
func (r *Records) At(c *Ctx, i int) { c.tau = r.Times[i] }

// Begin begins the step of the i-th record, for operators to handle it.
func (r *Records) Begin(c *Ctx, i int) {
	c.tau = r.Times[i]
	c.hash = partition.HashUint64(uint64(c.tau))
}

// Hashes are the hashes with which the records travel along the only edge of o, borrowed until the next call.
func (r *Records) Hashes(c *Ctx, o *Output) []uint64 {
	e, hashes := &o.Edges[0], r.hashes[:len(r.Times)]
	if e.HashFixed == nil {
		for i, tau := range r.Times {
			hashes[i] = partition.HashUint64(uint64(tau))
		}
		return hashes
	}
	o.routing = 1
	e.HashFixed.Records(c, r, hashes)
	o.routing = 0
	return hashes
}

// Stopped says that no step may follow the one that has just been done: a log is full, or something has failed.
func (c *Ctx) Stopped() bool { return c.full || c.err != nil }

// emit sends records of one split along, as long as they lie below limit.
func (t *Task) emit(s *splitReading, limit wire.Time, budget int) int {
	in, r := t.insts[0], &t.reading.records
	r.base, r.stride = s.record(), s.block.Stride
	r.Times = r.room[:s.times(r.room[:min(recordsMax, s.block.N-s.i, budget)], limit)]
	n := in.Emit(&t.ctx, r)
	s.at.Last = r.Times[n-1]
	s.i += n
	switch {
	case s.i == s.block.N:
		s.next = s.lookAhead()
	case n < len(r.Times):
		s.next = r.Times[n]
	default:
		s.next = s.timeOf(recordMillis(s.record()))
	}
	in.in += uint64(n)
	return n
}

// record is the split's next record.
func (s *splitReading) record() Ptr { return at(s.block.Base, uintptr(s.i)*s.block.Stride) }

// times finds the times of the next records, as many as dst has room for and lie below limit, which the next one's does. It
// stops before a record whose time is out of range.
func (s *splitReading) times(dst []wire.Time, limit wire.Time) int {
	tau, p := s.next, s.record()
	ms := recordMillis(p)
	for i := range dst {
		if i > 0 {
			p = at(p, s.block.Stride)
			switch next := recordMillis(p); {
			case next == ms:
				tau = tau.Next() // as timeAfter would say
			case next > wire.MillisMax:
				return i
			default:
				ms, tau = next, s.timeAfter(next, tau)
			}
			if tau >= limit {
				return i
			}
		}
		dst[i] = tau
	}
	return len(dst)
}

// timeOf is τ of the split's next record, whose own time is ms.
func (s *splitReading) timeOf(ms int64) wire.Time { return s.timeAfter(ms, s.at.Last) }

// timeAfter is τ of a record whose own time is ms and which follows the one at last, 0 for none: unique, increasing, and above
// what was promised.
func (s *splitReading) timeAfter(ms int64, last wire.Time) wire.Time {
	if ms > wire.MillisMax {
		panic(fmt.Sprintf("split %d (%s): a record's time is %d ms, want at most %d", s.Ordinal, s.Name, ms, uint64(wire.MillisMax)))
	}
	tau := wire.At(uint64(max(ms, 0)), s.Ordinal, 1)
	if last > 0 {
		tau = max(tau, last.Next())
	}
	if p := s.at.Promise; tau < p {
		tau = wire.At(p.Millis(), s.Ordinal, 1)
		if tau < p {
			tau = wire.At(p.Millis()+1, s.Ordinal, 1)
		}
	}
	return tau
}
