package measure

import (
	"cmp"
	"io"
	"slices"
)

// Measures is what a run came to. Tuples, seconds, rates, allocations, processor time and response times are of its
// measured part; the rest is of the whole run.
type Measures struct {
	Tuples         int64            `json:"tuples"` // that the source read
	Seconds        float64          `json:"seconds"`
	TuplesPerS     float64          `json:"tuples_per_s"`
	HandledPerS    float64          `json:"handled_per_s"`         // by all operators together
	Handled        map[string]int64 `json:"handled"`               // tuples by operator
	Answers        int64            `json:"answers"`               // that reached the sink
	ResponseMS     map[string]Times `json:"response_ms,omitempty"` // by sink; runs with a pace only
	StateBytes     int64            `json:"state_bytes"`           // slabs of all operators' state, at most
	RSSBytes       int64            `json:"rss_bytes"`             // of all processes, at most
	AllocsPerTuple float64          `json:"allocs_per_tuple"`      // on the Go heaps
	CPUPerTuple    float64          `json:"cpu_ns_per_tuple"`      // processor time of all processes, generator included
	// LinkBytesPerTuple is what workers sent each other; 0 where the query ran in one process.
	LinkBytesPerTuple float64      `json:"link_bytes_per_tuple"`
	Checkpoints       *Checkpoints `json:"checkpoints,omitempty"`      // of runs that took some
	WarmMeasured      bool         `json:"warm_up_measured,omitempty"` // the run was too short to leave the warm-up out: see Part
	Valid             bool         `json:"valid"`                      // every answer was checked and right
}

// measuresOf is what was measured, as far as the job's counters say it.
func measuresOf(p *Part) Measures {
	return Measures{
		Tuples: p.Tuples, Seconds: p.Seconds, TuplesPerS: p.Rate(p.Tuples), HandledPerS: p.Rate(p.AllHandled), Handled: p.Handled,
		StateBytes: p.StateBytes, RSSBytes: p.RSSBytes, AllocsPerTuple: p.PerTuple(float64(p.Mallocs)),
		CPUPerTuple: p.PerTuple(float64(p.CPU)), LinkBytesPerTuple: p.PerTuple(float64(p.LinkBytes)), Checkpoints: p.Checkpoints, WarmMeasured: p.Whole,
	}
}

// Result is what a benchmark came to, run by run.
type Result struct {
	Runs      []Measures
	Workers   int          // processes that ran the query, 0: the calling one
	Checks    []Check      // by run; nil where nothing was validated
	Responses []*Responses // by run; nil without a pace
	spans     []Span
	tag       string
}

// Median returns the run with the rate in the middle, of two the slower one; nil if no run came to its end.
func (r *Result) Median() *Measures {
	return Median(r.Runs, func(m *Measures) float64 { return m.TuplesPerS })
}

// Median returns the run with the rate in the middle, of two the slower one; nil if there are no runs.
func Median[M any](runs []M, rate func(*M) float64) *M {
	if len(runs) == 0 {
		return nil
	}
	byRate := make([]*M, len(runs))
	for i := range runs {
		byRate[i] = &runs[i]
	}
	slices.SortStableFunc(byRate, func(a, b *M) int { return cmp.Compare(rate(a), rate(b)) })
	return byRate[(len(byRate)-1)/2]
}

// Valid says whether there was a run, and the answers of every run were checked and right.
func (r *Result) Valid() bool {
	return len(r.Runs) > 0 && !slices.ContainsFunc(r.Runs, func(m Measures) bool { return !m.Valid })
}

// WriteHDR writes the response times as an HdrHistogram log, a line for each run, tagged with the sink's id; values are
// in µs. Without a pace there are none, and the log is its header.
func (r *Result) WriteHDR(w io.Writer) error {
	var intervals []Interval
	for i, h := range r.Responses {
		intervals = append(intervals, Interval{Span: r.spans[i], Tag: r.tag, Responses: h})
	}
	return WriteHDR(w, intervals)
}
