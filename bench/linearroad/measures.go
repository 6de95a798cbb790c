package linearroad

import (
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/bench/measure"
)

// Performance is what a run came to. Counts are of the whole run, warm-up included; reports, seconds, rate, allocations and
// response times of its measured part.
type Performance struct {
	Reports      int64            `json:"reports"` // position reports
	Seconds      float64          `json:"seconds"` // wall time
	ReportsPerS  float64          `json:"reports_per_s"`
	Answers      map[string]int64 `json:"answers"` // by type
	Activity                      // what the traffic made happen
	ResponseMS   map[string]Times `json:"response_ms"` // by type; empty for runs without a pace
	Vehicles     int64            `json:"vehicles"`    // on the road at the busiest time
	StateBytes   int64            `json:"state_bytes"` // slabs of all operators' state, at most
	StatePerCar  float64          `json:"state_bytes_per_vehicle"`
	RSSBytes     int64            `json:"rss_bytes"`         // of all processes, at most
	AllocsPerRep float64          `json:"allocs_per_report"` // on the Go heaps
	CPUPerRep    float64          `json:"cpu_ns_per_report"` // processor time of all processes, generator and validation included
	// LinkBytesPerRep is what workers sent each other; 0 where the query ran in one process.
	LinkBytesPerRep float64              `json:"link_bytes_per_report"`
	Checkpoints     *measure.Checkpoints `json:"checkpoints,omitempty"`      // of runs that took some
	WarmMeasured    bool                 `json:"warm_up_measured,omitempty"` // the run was too short to leave out warm-up or loading: see measure.Part
}

// Measures is what a run of the benchmark came to.
type Measures struct {
	Performance
	Validated int  `json:"validated_xways"` // expressways whose answers were validated
	Valid     bool `json:"valid"`           // nothing was wrong on them; false without validation
}

// Activity is what happened in a run. If all of it is zero the run proves nothing.
type Activity struct {
	TollsAboveZero  int64 `json:"tolls_above_zero"` // notifications of a toll above 0
	Accidents       int64 `json:"accidents"`        // detected
	Charges         int64 `json:"charges"`          // tolls that became due
	NonZeroBalances int64 `json:"nonzero_balances"` // balance answers above 0
	BalanceTotal    int64 `json:"balance_total"`    // sum of the balance answers
	Unanswered      int64 `json:"unanswered_type4"` // travel time requests
}

// Times are quantiles of response times in ms, with the fraction.
type Times = measure.Times

// answerTypes are those with answers.
var answerTypes = []format.Type{format.Position, format.Accident, format.Balance, format.Expenditure}

// typeName is how a type is named in JSON.
func typeName(t format.Type) string { return strconv.Itoa(int(t)) }

// performanceOf brings together what was measured and what the processes told.
func performanceOf(p *measure.Part, o *outcome) Performance {
	f := Performance{
		Reports: p.Tuples, Seconds: p.Seconds, ReportsPerS: p.Rate(p.Tuples),
		Answers: make(map[string]int64), Activity: o.tally.Activity, ResponseMS: make(map[string]Times),
		Vehicles: o.tally.Vehicles, StateBytes: p.StateBytes, RSSBytes: p.RSSBytes, AllocsPerRep: p.PerTuple(float64(p.Mallocs)),
		CPUPerRep: p.PerTuple(float64(p.CPU)), LinkBytesPerRep: p.PerTuple(float64(p.LinkBytes)), Checkpoints: p.Checkpoints, WarmMeasured: p.Whole,
	}
	for _, t := range answerTypes {
		f.Answers[typeName(t)] = o.answers[typeName(t)].Answers
	}
	f.TollsAboveZero = o.answers[typeName(format.Position)].AboveZero
	for name, r := range o.answers.responses() {
		if r.Count() > 0 {
			f.ResponseMS[name] = r.Times()
		}
	}
	if f.Vehicles > 0 {
		f.StatePerCar = float64(f.StateBytes) / float64(f.Vehicles)
	}
	return f
}

// Result is what a benchmark came to, run by run.
type Result struct {
	Config      Config // with defaults filled in
	Workers     int    // processes that ran the query, 0: the calling one
	Runs        []Measures
	Validations []*validator.Report             // by run; nil where nothing was validated
	Responses   []map[string]*measure.Responses // by run and type of answer; nil for runs without a pace
	spans       []measure.Span
}

// Median returns the run with the rate in the middle, of two the slower one; nil if no run came to its end.
func (r *Result) Median() *Measures {
	return measure.Median(r.Runs, func(m *Measures) float64 { return m.ReportsPerS })
}

// Valid says whether the answers of every run were validated and nothing was wrong with them.
func (r *Result) Valid() bool {
	return !slices.ContainsFunc(r.Runs, func(m Measures) bool { return !m.Valid })
}

// WriteHDR writes the response times of all runs as an HdrHistogram log, one line for each run and type, tagged with the
// type; values are in µs. Without a pace there are none, and the log is its header.
func (r *Result) WriteHDR(w io.Writer) error {
	var intervals []measure.Interval
	for i, responses := range r.Responses {
		for _, name := range slices.Sorted(maps.Keys(responses)) {
			intervals = append(intervals, measure.Interval{Span: r.spans[i], Tag: "type" + name, Responses: responses[name]})
		}
	}
	return measure.WriteHDR(w, intervals)
}
