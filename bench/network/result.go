package network

import (
	"fmt"
	"io"
	"slices"

	"github.com/fullspate/spate/bench/measure"
)

// Measures is what a run came to. Tuples, seconds, rates and response times are of what comes after the warm-up.
type Measures struct {
	Tuples     int64   `json:"tuples"`  // that the source made
	Seconds    float64 `json:"seconds"` // from the first arrival to the last
	TuplesPerS float64 `json:"tuples_per_s"`
	// Crossings is how many times a tuple went from one worker to another, on average over the whole run.
	Crossings      float64 `json:"crossings"`
	LinkBytesPer   float64 `json:"link_bytes_per_tuple"` // over all crossings together; 0 in one process
	LinkBytesPerS  float64 `json:"link_bytes_per_s"`
	AllocsPerTuple float64 `json:"allocs_per_tuple"` // on the Go heaps of all processes
	CPUPerTuple    float64 `json:"cpu_ns_per_tuple"` // processor time of all processes, the source's included
	RSSBytes       int64   `json:"rss_bytes"`        // of all processes, at most, over the whole run
	// ResponseMS is how long a tuple took from its time to its arrival; runs with a pace only.
	ResponseMS *measure.Times `json:"response_ms,omitempty"`
	Baselines
	Valid  bool     `json:"valid"`            // what arrived was checked and is what was made
	Faults []string `json:"faults,omitempty"` // what is wrong
}

// Baselines are what was measured beside a run; 0 where it was not.
type Baselines struct {
	SourcePerS float64 `json:"source_tuples_per_s,omitempty"` // the source with nothing behind it, on one loop
	BarePerS   float64 `json:"bare_bytes_per_s,omitempty"`    // the bare sender, in bytes
	OfBare     float64 `json:"of_bare,omitempty"`             // LinkBytesPerS as a part of BarePerS
}

// Result is what a benchmark came to, run by run.
type Result struct {
	Config    Config // with defaults filled in
	Runs      []Measures
	Workers   int                  // processes that ran the query, 0: the calling one
	Responses []*measure.Responses // by run; nil without a pace
	spans     []measure.Span
	arrived   []told // by run
}

// Median returns the run with the rate in the middle, or with a pace the one whose median response time is; of two the slower
// one. It is nil if no run came to its end.
func (r *Result) Median() *Measures {
	return measure.Median(r.Runs, func(m *Measures) float64 {
		if m.ResponseMS != nil {
			return -m.ResponseMS.P50
		}
		return m.TuplesPerS
	})
}

// Valid says whether there was a run, and every run was checked and right.
func (r *Result) Valid() bool {
	return len(r.Runs) > 0 && !slices.ContainsFunc(r.Runs, func(m Measures) bool { return !m.Valid })
}

// WriteHDR writes the response times as an HdrHistogram log, a line for each run; values are in µs. Without a pace it is
// the log's header.
func (r *Result) WriteHDR(w io.Writer) error {
	var intervals []measure.Interval
	for i, h := range r.Responses {
		intervals = append(intervals, measure.Interval{Span: r.spans[i], Tag: string(r.Config.Kind), Responses: h})
	}
	return measure.WriteHDR(w, intervals)
}

// judge compares what arrived with what was made.
func (r *Result) judge(want told) {
	for i := range r.Runs {
		m, got := &r.Runs[i], &r.arrived[i]
		if got.Tuples != want.Tuples {
			m.Faults = append(m.Faults, fmt.Sprintf("%d tuples arrived, %d were made", got.Tuples, want.Tuples))
		}
		if got.Keys != want.Keys {
			m.Faults = append(m.Faults, fmt.Sprintf("the keys that arrived come to %#x, those that were made to %#x", got.Keys, want.Keys))
		}
		if got.Links.TuplesOut != got.Links.TuplesIn {
			m.Faults = append(m.Faults, fmt.Sprintf("%d tuples were sent between workers, %d received", got.Links.TuplesOut, got.Links.TuplesIn))
		}
		m.Valid = len(m.Faults) == 0
	}
}
