package validator

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/bench/linearroad/format"
)

// Types is the number of types of answers, which are 0…4.
const Types = int(format.TravelTime) + 1

// Kind is what is wrong with an answer.
type Kind uint8

// The kinds of faults.
const (
	Wrong      Kind = iota // a field has another value than it should; one fault for each such field
	Missing                // nothing answers this input tuple
	Extra                  // answers nothing
	Late                   // came after its limit
	Early                  // came before its input was due
	Doubled                // answers what has been answered already
	Disordered             // stands behind the answer to a later input tuple
	Kinds      = int(Disordered) + 1
)

var kindNames = [Kinds]string{"wrong", "missing", "extra", "late", "early", "doubled", "disordered"}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < Kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// MarshalText returns String's bytes.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText takes the bytes of one of the names.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("a fault is %q, want one of %v", text, kindNames)
	}
	*k = Kind(i)
	return nil
}

// Fault is one thing that is wrong with the answers.
type Fault struct {
	Kind  Kind
	Type  format.Type    // of the answer that is wrong, or is missing
	Field string         // Wrong: as in LINEAR_ROAD §2; Late, Early: emit; else empty
	Got   int64          // of Field; Late, Early: ms after the tuple was due
	Want  int64          // of Field; Late: the most that is allowed, in ms; Early: the least, 0
	Time  uint16         // seconds; of the input tuple, or of the answer if there is none
	Line  int            // of the input tuple, from 1; in an online run, in its expressway's second; 0 if there is none
	Input *format.Tuple  // nil for Extra
	Given *format.Answer // nil for Missing
	// Context is what the right answer follows from, one fact a line: the tuple, the vehicle's reports around it, the
	// statistics of its segment, accidents near it, charges.
	Context string
}

// String describes the fault in one line, without its context.
func (f *Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v type %d at time %d", f.Kind, f.Type, f.Time)
	switch f.Kind {
	case Wrong:
		fmt.Fprintf(&b, ": %s is %d, want %d", f.Field, f.Got, f.Want)
	case Late:
		fmt.Fprintf(&b, ": came after %d ms, limit %d ms", f.Got, f.Want)
	case Early:
		fmt.Fprintf(&b, ": came %d ms before its input was due", -f.Got)
	}
	if f.Given != nil {
		fmt.Fprintf(&b, "; answer %s", describeAnswer(f.Given))
	}
	if f.Input != nil {
		fmt.Fprintf(&b, "; input %d: %s", f.Line, describeTuple(f.Input))
	}
	return b.String()
}

// Count is how much of one type of answer there was.
type Count struct {
	Expected int64 // answers that should be there
	Answered int64 // answers that are there
	Correct  int64 // expected answers that are there with every field right, whenever and wherever they came
}

// Occurred is what the traffic made happen, by the validator's own reckoning, and what the answers said of it.
type Occurred struct {
	TollsAboveZero  int64 // notifications with a toll above 0
	Alerts          int64
	Accidents       int64 // detected, in force or not
	Charges         int64 // tolls above 0 that were charged
	NonZeroBalances int64 // balance requests whose answer is not 0

	TollsAboveZeroAnswered  int64 // answers of type 0 that say so, right or wrong
	NonZeroBalancesAnswered int64 // answers of type 2 that say so, right or wrong
}

// Response is how long answers of a type took after their input was due, in milliseconds.
type Response struct {
	Count               int64
	P50, P95, P99, P999 int64 // to three digits
	Max                 int64 // exact
	LimitMillis         int64
	histogram           *hdrhistogram.Histogram // until the validation ends; nil if there are no response times
}

// Report is what a validation found. It goes through JSON without loss.
type Report struct {
	Rules    string
	Sample   []uint16 // online: the expressways that were validated
	Tuples   int64    // of input
	Reports  int64    // of input: type 0
	Counts   [Types]Count
	Faults   [Kinds][Types]int64
	Occurred Occurred
	// UnansweredTravelTime is how many requests of type 4 have no answer. This validator knows no right answer to
	// them, so that any answer of type 4 is Extra.
	UnansweredTravelTime int64
	// StaleBalances is how many balances were right for a moment of the 60 s before the request and not for its own.
	StaleBalances int64
	// BalancesPartly is how many balances could only be checked to be no less than what the sampled expressways
	// charged, since their vehicles may have been charged elsewhere.
	BalancesPartly int64
	Response       [Types]Response
	First          []Fault  // the first of each kind and type, in order of time
	Warnings       []string // what the run does not prove
	Failures       []string // why it is not valid, apart from faults
}

// Valid tells whether nothing at all was wrong.
func (r *Report) Valid() bool { return r.FaultCount() == 0 && len(r.Failures) == 0 }

// FaultCount returns the number of faults of all kinds and types.
func (r *Report) FaultCount() int64 {
	n := int64(0)
	for k := range r.Faults {
		for t := range r.Faults[k] {
			n += r.Faults[k][t]
		}
	}
	return n
}

// String returns what WriteTo writes.
func (r *Report) String() string {
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil {
		panic("BUG: writing to a strings.Builder failed: " + err.Error())
	}
	return b.String()
}

// WriteTo writes the report for people: counts, what occurred, response times, and each kept fault with its context.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tuples, %d position reports, rules %s", r.Tuples, r.Reports, r.Rules)
	if r.Sample != nil {
		fmt.Fprintf(&b, ", expressways %v", r.Sample)
	}
	b.WriteByte('\n')
	for t := range r.Counts {
		if c := r.Counts[t]; c != (Count{}) {
			fmt.Fprintf(&b, "type %d: %d expected, %d answered, %d correct\n", t, c.Expected, c.Answered, c.Correct)
		}
	}
	o := &r.Occurred
	fmt.Fprintf(&b, "tolls above zero %d, accidents %d, alerts %d, charges %d, non-zero balances %d\n",
		o.TollsAboveZero, o.Accidents, o.Alerts, o.Charges, o.NonZeroBalances)
	if r.UnansweredTravelTime > 0 {
		fmt.Fprintf(&b, "travel time requests unanswered %d\n", r.UnansweredTravelTime)
	}
	if r.StaleBalances > 0 || r.BalancesPartly > 0 {
		fmt.Fprintf(&b, "balances of an earlier moment %d, checked from below only %d\n", r.StaleBalances, r.BalancesPartly)
	}
	for t := range r.Response {
		if q := &r.Response[t]; q.Count > 0 {
			fmt.Fprintf(&b, "response of type %d in ms: p50 %d, p95 %d, p99 %d, p99.9 %d, max %d (limit %d, %d answers)\n",
				t, q.P50, q.P95, q.P99, q.P999, q.Max, q.LimitMillis, q.Count)
		}
	}
	r.writeFaults(&b)
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (r *Report) writeFaults(b *strings.Builder) {
	for k := range r.Faults {
		for t, n := range r.Faults[k] {
			if n > 0 {
				fmt.Fprintf(b, "FAULTS: type %d %v: %d\n", t, Kind(k), n)
			}
		}
	}
	for i := range r.First {
		f := &r.First[i]
		fmt.Fprintf(b, "- %v\n", f)
		for line := range strings.Lines(f.Context) {
			fmt.Fprintf(b, "    %s", line)
		}
	}
	for _, s := range r.Warnings {
		fmt.Fprintf(b, "warning: %s\n", s)
	}
	for _, s := range r.Failures {
		fmt.Fprintf(b, "FAILED: %s\n", s)
	}
	if r.Valid() {
		b.WriteString("valid\n")
	} else {
		b.WriteString("NOT VALID\n")
	}
}

// finish fills in what is known only at the end: quantiles, order of faults, and the verdict on what occurred.
func (r *Report) finish(require Coverage) {
	for t := range r.Response {
		if q := &r.Response[t]; q.histogram != nil {
			q.Count = q.histogram.TotalCount()
			q.P50, q.P95 = q.histogram.ValueAtQuantile(50), q.histogram.ValueAtQuantile(95)
			q.P99, q.P999 = q.histogram.ValueAtQuantile(99), q.histogram.ValueAtQuantile(99.9)
			q.histogram = nil
		}
	}
	r.UnansweredTravelTime = max(0, r.UnansweredTravelTime-r.Counts[format.TravelTime].Answered)
	slices.SortStableFunc(r.First, func(a, b Fault) int { return int(a.Time) - int(b.Time) })
	o := &r.Occurred
	for _, c := range []struct {
		bit            Coverage
		name           string
		expected, seen int64
	}{
		{CoverTolls, "toll above zero", o.TollsAboveZero, o.TollsAboveZeroAnswered},
		{CoverAccidents, "accident alert", o.Alerts, r.Counts[format.Accident].Answered},
		{CoverCharges, "charge", o.Charges, o.Charges}, // charges show in balances only
		{CoverBalances, "balance other than zero", o.NonZeroBalances, o.NonZeroBalancesAnswered},
	} {
		switch {
		case c.expected > 0 && c.seen == 0:
			r.Failures = append(r.Failures, fmt.Sprintf("the answers hold no %s where there are %d", c.name, c.expected))
		case c.expected == 0 && require&c.bit != 0:
			r.Failures = append(r.Failures, fmt.Sprintf("the traffic should have had at least one %s and had none: the run proves nothing about it", c.name))
		case c.expected == 0:
			r.Warnings = append(r.Warnings, fmt.Sprintf("the traffic had no %s: the run proves nothing about it", c.name))
		}
	}
}
