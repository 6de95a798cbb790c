package linearroad

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/linearroad/validator"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// Response times are counted in µs, to three digits, up to an hour.
const (
	responseMax    = int64(time.Hour / time.Microsecond)
	responseDigits = 3
)

// meter counts the answers of one sink task. The task's loop writes it; others read it when the job has ended.
type meter struct {
	kind      format.Type
	answers   int64
	aboveZero int64                   // answers whose toll or balance is above 0
	pace      float64                 // 0: no response times
	from      wire.Time               // response times of what is older are not counted
	response  *hdrhistogram.Histogram // µs
}

func newMeter(kind format.Type, pace float64, from time.Duration) *meter {
	m := &meter{kind: kind, pace: pace, from: wire.TimerTime(uint64(from.Milliseconds()))}
	if pace > 0 {
		m.response = hdrhistogram.New(1, responseMax, responseDigits)
	}
	return m
}

// count counts an answer. Its response time runs from the moment at which its input was scheduled.
func (m *meter) count(c *engine.Ctx, aboveZero bool) {
	m.answers++
	if aboveZero {
		m.aboveZero++
	}
	if m.pace > 0 && c.Time() >= m.from {
		scheduled := time.Duration(float64(c.Time().Millis()) * float64(time.Millisecond) / m.pace)
		took := min(max((c.Elapsed()-scheduled).Microseconds(), 1), responseMax)
		if err := m.response.RecordValue(took); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// meters collects the meters of a run's sinks. Sinks are opened by one goroutine.
type meters struct {
	pace float64
	from time.Duration // logical time from which response times count
	all  []*meter
}

func (ms *meters) add(kind format.Type) *meter {
	m := newMeter(kind, ms.pace, ms.from)
	ms.all = append(ms.all, m)
	return m
}

// answers returns how many answers of a type there were, and how many of them above 0.
func (ms *meters) answers(kind format.Type) (all, aboveZero int64) {
	for _, m := range ms.all {
		if m.kind == kind {
			all += m.answers
			aboveZero += m.aboveZero
		}
	}
	return all, aboveZero
}

// histograms returns the response times by type, merged over tasks; nil without a pace.
func (ms *meters) histograms() map[format.Type]*hdrhistogram.Histogram {
	if ms.pace == 0 {
		return nil
	}
	merged := make(map[format.Type]*hdrhistogram.Histogram)
	for _, m := range ms.all {
		if merged[m.kind] == nil {
			merged[m.kind] = hdrhistogram.New(1, responseMax, responseDigits)
		}
		merged[m.kind].Merge(m.response)
	}
	return merged
}

// tally is what Activity, Total and travel time requests came to. Its sinks have one task each; it is read when the job
// has ended.
type tally struct {
	charges, accidents    int64
	totals                query.Total
	unanswered            int64
	minute                uint32
	vehicles, vehiclesMax int64 // on all roads, in that minute and at most
}

// attach adds the sinks that count what is no answer.
func (t *tally) attach(g *engine.Graph, s query.Streams) {
	engine.SinkFunc(g, ActivityID, s.Activity, func(_ *engine.Ctx, a *query.Activity) {
		if a.Minute != t.minute { // minutes come in order
			t.minute, t.vehicles = a.Minute, 0
		}
		t.vehicles += int64(a.Vehicles)
		t.vehiclesMax = max(t.vehiclesMax, t.vehicles)
		t.charges += int64(a.Charges)
		t.accidents += int64(a.Accidents)
	})
	engine.SinkFunc(g, TotalsID, s.Totals, func(_ *engine.Ctx, a *query.Total) {
		t.totals.Answers += a.Answers
		t.totals.NonZero += a.NonZero
		t.totals.Sum += a.Sum
	})
	engine.SinkFunc(g, TravelsID, s.Travels, func(*engine.Ctx, *query.Request) { t.unanswered++ })
}

// observed is a sink task that counts answers, and hands those of sampled expressways to the validator.
type observed[T any] struct {
	meter  *meter
	above  func(v *T) bool // whether its toll or balance is above 0
	answer func(v *T) format.Answer
	online *validator.Online // nil: nothing is validated

	mu  sync.Mutex // the tap is used by the sink's loop and by those who advance it
	tap *validator.Tap
	one [1]format.Answer
}

// Write takes an answer. The expressway among whose input the request or report was is that of its split.
func (o *observed[T]) Write(c *engine.Ctx, v *T) {
	o.meter.count(c, o.above(v))
	if o.online == nil || !o.online.Sampled(c.Time().Split()) {
		return
	}
	o.one[0] = o.answer(v)
	o.one[0].Emit = c.Elapsed().Milliseconds()
	o.one[0].Xway = c.Time().Split()
	o.mu.Lock()
	o.tap.Observe(o.one[:])
	o.mu.Unlock()
}

// advance tells the validator that everything before a second has been answered.
func (o *observed[T]) advance(second int) {
	o.mu.Lock()
	o.tap.Advance(second)
	o.mu.Unlock()
}

// Commit, Restore, Flush and Close have nothing to do: what was observed is not undone.
func (o *observed[T]) Commit(wire.Time) ([]byte, error) { return nil, nil }
func (o *observed[T]) Restore([]byte) error             { return nil }
func (o *observed[T]) Flush() error                     { return nil }
func (o *observed[T]) Close() error                     { return nil }
