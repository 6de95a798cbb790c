package wire

import "fmt"

// Time is τ, a logical timestamp and the order of processing:
//
//	 63                        26 25        14 13          0
//	+----------------------------+------------+-------------+
//	| milliseconds, 38 bits      | split, 12  | sequence, 14|
//	+----------------------------+------------+-------------+
//
// Milliseconds count from the job's epoch and last for 8.7 years. The split is
// the ordinal of the source split that made the tuple, never reused. The
// sequence runs from 1 within a millisecond and carries into the milliseconds;
// sequence 0 of split 0 belongs to timers. Times are compared as plain
// integers.
type Time uint64

const (
	millisBits = 38
	splitBits  = 12
	seqBits    = 14

	splitShift  = seqBits
	millisShift = seqBits + splitBits

	// MillisMax is the last millisecond a finite time can have. The one above
	// it belongs to TimeMax alone, so that no tuple can be mistaken for the
	// end of an input.
	MillisMax = 1<<millisBits - 2
	// SplitMax is the largest ordinal of a split.
	SplitMax = 1<<splitBits - 1
	// SeqMax is the largest sequence within a millisecond.
	SeqMax = 1<<seqBits - 1

	// TimeMax is infinity: the frontier of an input that has ended. No tuple
	// carries it.
	TimeMax Time = 1<<64 - 1
)

// At returns the time of a tuple. It panics when a part is out of its range:
// callers check what comes from outside against MillisMax, SplitMax and SeqMax.
func At(ms uint64, split uint16, seq uint16) Time {
	if ms > MillisMax || split|seq>>2 > SplitMax { // SeqMax>>2 == SplitMax: both within their bits
		panic(timeRange{ms, split, seq}) // a call would be too much to inline
	}
	return Time(ms<<millisShift | uint64(split)<<splitShift | uint64(seq))
}

// TimerTime returns the time at which a timer set for ms milliseconds since the
// epoch is due: before every tuple of that millisecond. Beyond MillisMax it
// panics.
func TimerTime(ms uint64) Time {
	if ms > MillisMax {
		panic(timeRange{ms, 0, 0})
	}
	return Time(ms << millisShift)
}

// timeRange is what At and TimerTime panic with.
type timeRange struct {
	ms         uint64
	split, seq uint16
}

// Error implements error, which is how the runtime prints a panic.
func (r timeRange) Error() string {
	return fmt.Sprintf("BUG: time out of range: %d ms (at most %d), split %d (at most %d), sequence %d (at most %d)",
		r.ms, uint64(MillisMax), r.split, SplitMax, r.seq, SeqMax)
}

// Millis returns the milliseconds since the job's epoch.
func (t Time) Millis() uint64 { return uint64(t) >> millisShift }

// Split returns the ordinal of the source split.
func (t Time) Split() uint16 { return uint16(t>>splitShift) & SplitMax }

// Seq returns the sequence within the millisecond, 0 for timers.
func (t Time) Seq() uint16 { return uint16(t) & SeqMax }

// IsTimer reports whether t is a time at which timers are due.
func (t Time) IsTimer() bool { return t&(1<<millisShift-1) == 0 }

// Next returns the next time of the same split: the sequence plus one, carrying
// into the milliseconds, where it starts again at 1. Past the last finite time
// it returns TimeMax; NextOK tells the two apart.
func (t Time) Next() Time {
	if t&SeqMax != SeqMax {
		return t + 1
	}
	return t.carry()
}

// NextOK is Next that also reports whether there was a next finite time.
func (t Time) NextOK() (Time, bool) {
	n := t.Next()
	return n, n != TimeMax
}

// carry is Next where the sequence is used up.
func (t Time) carry() Time {
	if t.Millis() >= MillisMax {
		return TimeMax
	}
	return t - SeqMax + 1<<millisShift + 1
}

// After returns the smallest time above t, of whatever split, and TimeMax for
// TimeMax. A task that has finished t has the frontier t.After().
func (t Time) After() Time {
	if t == TimeMax {
		return t
	}
	return t + 1
}

// String returns "12.345s/3#7" (seconds, split, sequence), or "∞".
func (t Time) String() string {
	if t == TimeMax {
		return "∞"
	}
	ms := t.Millis()
	return fmt.Sprintf("%d.%03ds/%d#%d", ms/1000, ms%1000, t.Split(), t.Seq())
}
