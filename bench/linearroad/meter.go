package linearroad

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/fullspate/spate/bench/linearroad/format"
	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

// answersGroup is the group of the sinks with answers: where they have a task each, one process has them all.
const answersGroup = "answers"

// meter counts the answers of one sink task. The task's loop writes it; others read it when the job has ended.
type meter struct {
	typ  format.Type
	pace float64   // 0: no response times
	from wire.Time // response times of what is older are not counted
	counted
}

// count counts an answer. Its response time runs from the moment at which its input was scheduled.
func (m *meter) count(c *engine.Ctx, aboveZero bool) {
	m.Answers++
	if aboveZero {
		m.AboveZero++
	}
	if m.pace > 0 && c.Time() >= m.from {
		scheduled := time.Duration(float64(c.Time().Millis()) * float64(time.Millisecond) / m.pace)
		m.Response.Record(c.Elapsed() - scheduled)
	}
}

// meters are those of the sink tasks of one process.
type meters struct {
	pace float64
	from time.Duration // logical time from which response times count

	mu  sync.Mutex
	all []*meter // guarded by mu
}

func (ms *meters) add(typ format.Type) *meter {
	m := &meter{typ: typ, pace: ms.pace, from: wire.TimerTime(uint64(ms.from.Milliseconds()))}
	if ms.pace > 0 {
		m.Response = measure.NewResponses()
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.all = append(ms.all, m)
	return m
}

// tell brings together what the sink tasks have counted, after they have ended.
func (ms *meters) tell() (any, error) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	all := make(answers)
	for _, m := range ms.all {
		all.add(typeName(m.typ), m.counted)
	}
	return all, nil
}

// tally is what Activity, Total and travel time requests came to. Its sinks have one task each; it is read when the job
// has ended.
type tally struct {
	Activity
	Vehicles int64 `json:"vehicles"` // on all roads, at most

	minute   uint32
	vehicles int64 // in that minute
}

// count adds the sinks that count what is no answer.
func count(g *engine.Graph, s query.Streams) *tally {
	t := new(tally)
	engine.SinkFunc(g, ActivityID, s.Activity, func(_ *engine.Ctx, a *query.Activity) {
		if a.Minute != t.minute { // minutes come in order
			t.minute, t.vehicles = a.Minute, 0
		}
		t.vehicles += int64(a.Vehicles)
		t.Vehicles = max(t.Vehicles, t.vehicles)
		t.Charges += int64(a.Charges)
		t.Accidents += int64(a.Accidents)
	})
	engine.SinkFunc(g, TotalsID, s.Totals, func(_ *engine.Ctx, a *query.Total) {
		t.NonZeroBalances += int64(a.NonZero)
		t.BalanceTotal += a.Sum
	})
	engine.SinkFunc(g, TravelsID, s.Travels, func(*engine.Ctx, *query.Request) { t.Unanswered++ })
	return t
}

// observe adds a sink whose answers are counted, and validated where they are in the sample; without a judge none are.
func observe[T any](g *engine.Graph, in engine.Stream[T], k kind[T], ms *meters, j *judge) *engine.Op {
	return engine.Sink(g, k.sink, in, func(part engine.SinkPart) (engine.SinkWriter[T], error) {
		o := &observed[T]{meter: ms.add(k.typ), kind: k}
		if j == nil {
			return o, nil
		}
		var err error
		o.tap, err = j.tap(k.sink, part.Index)
		return o, err
	}).SetGroup(answersGroup)
}

// observed is a sink task that counts answers, and hands those of sampled expressways to the validator.
type observed[T any] struct {
	meter *meter
	kind  kind[T]
	tap   *tap // nil: nothing is validated
}

// Write takes an answer. The expressway among whose input the request or report was is that of its split.
func (o *observed[T]) Write(c *engine.Ctx, v *T) {
	o.meter.count(c, o.kind.above(v))
	if o.tap == nil || !o.tap.online.Sampled(c.Time().Split()) {
		return
	}
	a := o.kind.answer(v)
	a.Emit, a.Xway = c.Elapsed().Milliseconds(), c.Time().Split()
	o.tap.observe(a)
}

// Close ends the validation if it is that of the last sink.
func (o *observed[T]) Close() error {
	if o.tap != nil {
		o.tap.close()
	}
	return nil
}

// Commit, Restore and Flush have nothing to do: what was observed is not undone.
func (o *observed[T]) Commit(wire.Time) ([]byte, error) { return nil, nil }
func (o *observed[T]) Restore([]byte) error             { return nil }
func (o *observed[T]) Flush() error                     { return nil }

// store adds a sink that writes answers to the file of their type, in whatever process has the sink's task.
func store[T any](g *engine.Graph, in engine.Stream[T], k kind[T], ms *meters, p *FileParams) {
	var lead time.Duration // what loading the history takes by the clock
	if p.Pace > 0 {
		lead = time.Duration(float64(p.lead()) / p.Pace)
	}
	m := ms.add(k.typ)
	var mu sync.Mutex // the sink may have been given more tasks than one
	engine.FileSink(g, k.sink, in, filepath.Join(p.Out, format.AnswerFile(k.typ)), func(dst []byte, c *engine.Ctx, v *T) []byte {
		mu.Lock()
		m.count(c, k.above(v))
		mu.Unlock()
		a := k.answer(v)
		a.Emit = (c.Elapsed() - lead).Milliseconds()
		return append(format.AppendAnswer(dst, &a), '\n')
	})
}
