package linearroad

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/validator"
)

// Performance is what a run came to. Counts are of the whole run, warm-up included; reports, seconds, rate, allocations and
// response times of its measured part.
type Performance struct {
	Reports      int64            `json:"reports"` // position reports
	Seconds      float64          `json:"seconds"` // wall time
	ReportsPerS  float64          `json:"reports_per_s"`
	Answers      map[string]int64 `json:"answers"` // by type
	Activity                      // what the traffic made happen
	ResponseMS   map[string]Times `json:"response_ms,omitempty"` // by type; runs with a pace only
	Vehicles     int64            `json:"vehicles"`              // on the road at the busiest time
	StateBytes   int64            `json:"state_bytes"`           // slabs of all operators' state, at most
	StatePerCar  float64          `json:"state_bytes_per_vehicle"`
	RSSBytes     int64            `json:"rss_bytes"` // of the process, at the end
	AllocsPerRep float64          `json:"allocs_per_report"`
	CPUPerRep    float64          `json:"cpu_ns_per_report"` // processor time of the whole process, generator and validation included
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
type Times struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// answerTypes are those with answers.
var answerTypes = []format.Type{format.Position, format.Accident, format.Balance, format.Expenditure}

// typeName is how a type is named in JSON.
func typeName(t format.Type) string { return strconv.Itoa(int(t)) }

// count fills in what the sinks counted.
func (m *Performance) count(ms *meters, t *tally) {
	m.Answers = make(map[string]int64)
	for _, kind := range answerTypes {
		m.Answers[typeName(kind)], _ = ms.answers(kind)
	}
	m.Activity = Activity{
		Accidents: t.accidents, Charges: t.charges, NonZeroBalances: int64(t.totals.NonZero), BalanceTotal: t.totals.Sum,
		Unanswered: t.unanswered,
	}
	_, m.TollsAboveZero = ms.answers(format.Position)
	m.Vehicles = t.vehiclesMax
	if m.Vehicles > 0 {
		m.StatePerCar = float64(m.StateBytes) / float64(m.Vehicles)
	}
}

// respond fills in the response times.
func (m *Performance) respond(histograms map[format.Type]*hdrhistogram.Histogram) {
	for kind, h := range histograms {
		if h.TotalCount() == 0 {
			continue
		}
		if m.ResponseMS == nil {
			m.ResponseMS = make(map[string]Times)
		}
		q := h.ValueAtPercentiles([]float64{50, 95, 99, 99.9})
		m.ResponseMS[typeName(kind)] = Times{
			P50: millis(q[50]), P95: millis(q[95]), P99: millis(q[99]), P999: millis(q[99.9]), Max: millis(h.Max()),
		}
	}
}

func millis(µs int64) float64 { return float64(µs) / 1000 }

// Result is what a benchmark came to, run by run.
type Result struct {
	Config      Config // with defaults filled in
	Runs        []Measures
	Validations []*validator.Report                       // by run; nil where nothing was validated
	Responses   []map[format.Type]*hdrhistogram.Histogram // by run, in µs; nil for runs without a pace
	began       []time.Time
	ended       []time.Time
}

// Median returns the run with the rate in the middle, of two the slower one.
func (r *Result) Median() *Measures {
	byRate := slices.SortedFunc(slices.Values(r.order()), func(a, b int) int {
		switch {
		case r.Runs[a].ReportsPerS < r.Runs[b].ReportsPerS:
			return -1
		case r.Runs[a].ReportsPerS > r.Runs[b].ReportsPerS:
			return 1
		}
		return a - b
	})
	return &r.Runs[byRate[(len(byRate)-1)/2]]
}

func (r *Result) order() []int {
	order := make([]int, len(r.Runs))
	for i := range order {
		order[i] = i
	}
	return order
}

// Valid says whether the answers of every run were validated and nothing was wrong with them.
func (r *Result) Valid() bool {
	return !slices.ContainsFunc(r.Runs, func(m Measures) bool { return !m.Valid })
}

// WriteHDR writes the response times of all runs as an HdrHistogram log, one line for each run and type, tagged with the
// type; values are in µs. Without a pace there are none, and the log is its header.
func (r *Result) WriteHDR(w io.Writer) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	if err := log.OutputLogFormatVersion(); err != nil {
		return fmt.Errorf("latency log: %w", err)
	}
	if len(r.began) > 0 {
		if err := log.OutputStartTime(r.began[0].UnixMilli()); err != nil {
			return fmt.Errorf("latency log: %w", err)
		}
	}
	if err := log.OutputLegend(); err != nil {
		return fmt.Errorf("latency log: %w", err)
	}
	for i, responses := range r.Responses {
		for _, kind := range slices.Sorted(maps.Keys(responses)) {
			h := responses[kind]
			h.SetTag("type" + typeName(kind))
			h.SetStartTimeMs(r.began[i].UnixMilli())
			h.SetEndTimeMs(r.ended[i].UnixMilli())
			if err := log.OutputIntervalHistogram(h); err != nil {
				return fmt.Errorf("latency log: %w", err)
			}
		}
	}
	return nil
}

// residentBytes is how much memory of the process is resident, 0 where the system does not tell.
func residentBytes() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
