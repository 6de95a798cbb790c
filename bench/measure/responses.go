package measure

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Response times are counted in µs, to three digits, up to an hour.
const (
	responseMax    = int64(time.Hour / time.Microsecond)
	responseDigits = 3
)

// Responses are response times. In JSON they are an HdrHistogram encoding. They belong to one goroutine.
type Responses struct{ h *hdrhistogram.Histogram }

// NewResponses returns room for response times, some 200 KiB.
func NewResponses() *Responses { return &Responses{hdrhistogram.New(1, responseMax, responseDigits)} }

// Record counts a response time. One of less than a microsecond counts as that: loops read the clock once per turn, so that
// what is handed on at once may look as if it took no time.
func (r *Responses) Record(took time.Duration) {
	if err := r.h.RecordValue(min(max(took.Microseconds(), 1), responseMax)); err != nil {
		panic("BUG: " + err.Error())
	}
}

// Count returns how many there are.
func (r *Responses) Count() int64 { return r.h.TotalCount() }

// Merge adds others.
func (r *Responses) Merge(o *Responses) { r.h.Merge(o.h) }

// Times returns their quantiles.
func (r *Responses) Times() Times {
	q := r.h.ValueAtPercentiles([]float64{50, 95, 99, 99.9})
	ms := func(micros int64) float64 { return float64(micros) / 1000 }
	return Times{P50: ms(q[50]), P95: ms(q[95]), P99: ms(q[99]), P999: ms(q[99.9]), Max: ms(r.h.Max())}
}

// MarshalText encodes them.
func (r *Responses) MarshalText() ([]byte, error) {
	return r.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

// UnmarshalText replaces them by what was encoded.
func (r *Responses) UnmarshalText(text []byte) error {
	h, err := hdrhistogram.Decode(text)
	if err != nil {
		return fmt.Errorf("response times: %w", err)
	}
	if h.LowestTrackableValue() != 1 || h.HighestTrackableValue() != responseMax || h.SignificantFigures() != responseDigits {
		return fmt.Errorf("response times: a histogram of %d…%d to %d digits, want 1…%d to %d",
			h.LowestTrackableValue(), h.HighestTrackableValue(), h.SignificantFigures(), responseMax, responseDigits)
	}
	r.h = h
	return nil
}

// Times are quantiles of response times in ms, with the fraction.
type Times struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Span is when a run took place.
type Span struct{ Began, Ended time.Time }

// Interval is a line of a latency log: the response times of a run under a tag.
type Interval struct {
	Span
	Tag       string
	Responses *Responses
}

// WriteHDR writes response times in µs as an HdrHistogram log. Without any it is its header.
func WriteHDR(w io.Writer, intervals []Interval) error {
	if err := writeHDR(hdrhistogram.NewHistogramLogWriter(w), intervals); err != nil {
		return fmt.Errorf("latency log: %w", err)
	}
	return nil
}

func writeHDR(log *hdrhistogram.HistogramLogWriter, intervals []Interval) error {
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	if len(intervals) > 0 {
		if err := log.OutputStartTime(intervals[0].Began.UnixMilli()); err != nil {
			return err
		}
	}
	if err := log.OutputLegend(); err != nil {
		return err
	}
	for _, i := range intervals {
		h := i.Responses.h
		h.SetTag(i.Tag)
		h.SetStartTimeMs(i.Began.UnixMilli())
		h.SetEndTimeMs(i.Ended.UnixMilli())
		if err := log.OutputIntervalHistogram(h); err != nil {
			return err
		}
	}
	return nil
}
