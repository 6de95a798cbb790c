package validator

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// Rules says until when a cleared accident stays in force.
type Rules uint8

// The two readings of the paper (LINEAR_ROAD §5).
const (
	Paper    Rules = iota // through the minute in which the first vehicle has gone
	Official              // through the minute after that vehicle's last report from the place
)

// String returns the rules' name as flags spell it.
func (r Rules) String() string {
	switch r {
	case Paper:
		return "paper"
	case Official:
		return "official"
	}
	return fmt.Sprintf("Rules(%d)", uint8(r))
}

// ParseRules returns the rules with the given name, "paper" or "official".
func ParseRules(name string) (Rules, error) {
	switch name {
	case "paper":
		return Paper, nil
	case "official":
		return Official, nil
	}
	return 0, fmt.Errorf("rules are %q, want paper or official", name)
}

// Coverage is a set of things without which a run proves little.
type Coverage uint8

// What traffic may have to contain. A run in which something of this did not occur gets a warning, and fails if it was
// required. It always fails if it should have occurred in the answers and did not.
const (
	CoverTolls     Coverage = 1 << iota // a notification with a toll above 0
	CoverAccidents                      // an alert
	CoverCharges                        // a toll that was charged
	CoverBalances                       // a balance request whose answer is not 0
	CoverAll       = CoverTolls | CoverAccidents | CoverCharges | CoverBalances
)

// History returns the toll of the history's row for a vehicle, day (1…69) and expressway, or false if there is none.
type History func(vid uint32, day uint8, xway uint16) (toll int64, ok bool)

// Options says what the answers are to be checked against. The zero value checks an untimed run by the paper's rules
// with an empty history.
type Options struct {
	Rules   Rules
	History History // nil: no rows, so that every expenditure is 0
	// Pace is how many seconds of input went by in a second of the run, 1 for a rating. 0 means as fast as possible:
	// there are no response times then, and Answer.Emit is not looked at.
	Pace float64
	From int // second of the input at which emit was 0, 0…10799
	// Xways is the load factor of generated traffic, each of whose expressways has its own share of a second (§2).
	// 0 means a file, where the lines of a second share all of it.
	Xways int
	// Carried says that answers come from memory, so that fields which are not printed are filled in (VID of types 2
	// and 3, Xway and Dir of types 0 and 1) and are to be right too.
	Carried   bool
	Require   Coverage // what the traffic must have had for the run to count
	FaultsMax int      // faults kept with their context, for each kind and type; 0 means 5. All are counted
}

// faultsKept is how many faults of a kind and type are kept if Options does not say: enough to see a pattern, and few
// enough to read.
const faultsKept = 5

// Validate reports everything that is wrong with the options at once.
func (o *Options) Validate() error {
	var errs []error
	if o.Rules > Official {
		errs = append(errs, fmt.Errorf("rules are %v, want paper or official", o.Rules))
	}
	if !(o.Pace >= 0 && o.Pace <= 1e6) {
		errs = append(errs, fmt.Errorf("pace is %v, want 0 (as fast as possible) to 1e6", o.Pace))
	}
	if o.From < 0 || o.From > format.TimeMax {
		errs = append(errs, fmt.Errorf("from is %d, want a second of the input, 0…%d", o.From, format.TimeMax))
	}
	if o.Xways < 0 || o.Xways > format.XwayMax+1 {
		errs = append(errs, fmt.Errorf("xways is %d, want 0 (a file) to %d", o.Xways, format.XwayMax+1))
	}
	if o.Require&^CoverAll != 0 {
		errs = append(errs, fmt.Errorf("require is %#x, want a set of Cover bits", uint8(o.Require)))
	}
	if o.FaultsMax < 0 {
		errs = append(errs, fmt.Errorf("faults kept are %d, want at least 0", o.FaultsMax))
	}
	return errors.Join(errs...)
}

// InputError is an input tuple that no rule applies to: out of range, or earlier than the one before it.
type InputError struct {
	Line  int // from 1; in an online run, of the expressway's second
	Tuple format.Tuple
	What  string
}

// Error describes the tuple's fault in one sentence.
func (e *InputError) Error() string {
	return fmt.Sprintf("input tuple %d (type %d, vid %d, time %d, xway %d): %s",
		e.Line, e.Tuple.Type, e.Tuple.VID, e.Tuple.Time, e.Tuple.Xway, e.What)
}

// checkTuple returns what keeps t from being sorted into place, or "" if nothing does.
func checkTuple(t *format.Tuple) string {
	switch {
	case t.Time > format.TimeMax:
		return "its time is beyond 10799"
	case t.Type == format.Accident || t.Type > format.TravelTime:
		return "its type is none of 0, 2, 3, 4"
	case t.Type != format.Position:
		return ""
	case t.Xway > format.XwayMax:
		return "its expressway is beyond 4095"
	case t.Dir > 1:
		return "its direction is neither 0 nor 1"
	case t.Seg > format.SegmentMax:
		return "its segment is beyond 99"
	case t.Pos > format.PositionMax:
		return "its position is beyond 527999"
	case t.Lane > format.LaneMax:
		return "its lane is beyond 4"
	}
	return ""
}
