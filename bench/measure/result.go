package measure

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
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
	RSSBytes       int64            `json:"rss_bytes"`             // of the process, at most
	AllocsPerTuple float64          `json:"allocs_per_tuple"`      // on the Go heap
	CPUPerTuple    float64          `json:"cpu_ns_per_tuple"`      // processor time of the process, generator included
	Valid          bool             `json:"valid"`                 // every answer was checked and right
}

// Times are quantiles of response times in ms, with the fraction.
type Times struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func timesOf(h *hdrhistogram.Histogram) Times {
	q := h.ValueAtPercentiles([]float64{50, 95, 99, 99.9})
	ms := func(micros int64) float64 { return float64(micros) / 1000 }
	return Times{P50: ms(q[50]), P95: ms(q[95]), P99: ms(q[99]), P999: ms(q[99.9]), Max: ms(h.Max())}
}

// Result is what a benchmark came to, run by run.
type Result struct {
	Runs      []Measures
	Checks    []Check                   // by run; nil where nothing was validated
	Responses []*hdrhistogram.Histogram // by run, in µs; nil without a pace
	spans     []span
	tag       string
}

// span is when a run took place.
type span struct{ began, ended time.Time }

// Median returns the run with the rate in the middle, of two the slower one; nil if no run came to its end.
func (r *Result) Median() *Measures {
	if len(r.Runs) == 0 {
		return nil
	}
	byRate := make([]*Measures, len(r.Runs))
	for i := range r.Runs {
		byRate[i] = &r.Runs[i]
	}
	slices.SortStableFunc(byRate, func(a, b *Measures) int { return cmp.Compare(a.TuplesPerS, b.TuplesPerS) })
	return byRate[(len(byRate)-1)/2]
}

// Valid says whether there was a run, and the answers of every run were checked and right.
func (r *Result) Valid() bool {
	return len(r.Runs) > 0 && !slices.ContainsFunc(r.Runs, func(m Measures) bool { return !m.Valid })
}

// WriteHDR writes the response times as an HdrHistogram log, a line for each run, tagged with the sink's id; values are
// in µs. Without a pace there are none, and the log is its header.
func (r *Result) WriteHDR(w io.Writer) error {
	if err := r.writeHDR(hdrhistogram.NewHistogramLogWriter(w)); err != nil {
		return fmt.Errorf("latency log: %w", err)
	}
	return nil
}

func (r *Result) writeHDR(log *hdrhistogram.HistogramLogWriter) error {
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	if len(r.spans) > 0 {
		if err := log.OutputStartTime(r.spans[0].began.UnixMilli()); err != nil {
			return err
		}
	}
	if err := log.OutputLegend(); err != nil {
		return err
	}
	for i, h := range r.Responses {
		h.SetTag(r.tag)
		h.SetStartTimeMs(r.spans[i].began.UnixMilli())
		h.SetEndTimeMs(r.spans[i].ended.UnixMilli())
		if err := log.OutputIntervalHistogram(h); err != nil {
			return err
		}
	}
	return nil
}
