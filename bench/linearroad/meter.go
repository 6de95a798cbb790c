package linearroad

import (
	"errors"
	"path/filepath"
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
	measure.Counts[meter]
}

// add makes the meter of a sink's task.
func (ms *meters) add(sink string, part engine.SinkPart, typ format.Type) *meter {
	m := &meter{typ: typ, pace: ms.pace, from: wire.TimerTime(uint64(ms.from.Milliseconds()))}
	if ms.pace > 0 {
		m.Response = measure.NewResponses()
	}
	return ms.Add(sink, part, m)
}

// tell brings together what the sink tasks have counted, after they have ended.
func (ms *meters) tell() (any, error) {
	all := make(answers)
	for _, m := range ms.All() {
		all.add(typeName(m.typ), m.counted)
	}
	return all, nil
}

// tally is what Activity, Total and travel time requests came to.
type tally struct {
	Activity
	Vehicles int64 `json:"vehicles"` // on all roads, at most
}

// sinkTally is what one sink task has of a tally.
type sinkTally struct {
	tally
	Minute   uint32 `json:"minute"`
	InMinute int64  `json:"in_minute"` // vehicles so far
}

func (t *sinkTally) activity(a *query.Activity) {
	if a.Minute != t.Minute { // minutes come in order
		t.Minute, t.InMinute = a.Minute, 0
	}
	t.InMinute += int64(a.Vehicles)
	t.Vehicles = max(t.Vehicles, t.InMinute)
	t.Charges += int64(a.Charges)
	t.Accidents += int64(a.Accidents)
}

func (t *sinkTally) total(a *query.Total) {
	t.NonZeroBalances += int64(a.NonZero)
	t.BalanceTotal += a.Sum
}

func (t *sinkTally) travel(*query.Request) { t.Unanswered++ }

// tallies are those of the sink tasks of one process.
type tallies struct{ measure.Counts[sinkTally] }

// count adds the sinks that count what is no answer.
func count(g *engine.Graph, s query.Streams) *tallies {
	ts := new(tallies)
	measure.CountSink(g, ActivityID, s.Activity, &ts.Counts, (*sinkTally).activity)
	measure.CountSink(g, TotalsID, s.Totals, &ts.Counts, (*sinkTally).total)
	measure.CountSink(g, TravelsID, s.Travels, &ts.Counts, (*sinkTally).travel)
	return ts
}

// tell brings together what the sink tasks have counted, after they have ended.
func (ts *tallies) tell() (any, error) {
	all := new(tally)
	for _, t := range ts.All() {
		if err := all.merge(t.tally); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// observe adds a sink whose answers are counted, and validated where they are in the sample; without a judge none are.
func observe[T any](g *engine.Graph, in engine.Stream[T], k kind[T], ms *meters, j *judge) *engine.Op {
	return engine.Sink(g, k.sink, in, func(part engine.SinkPart) (engine.SinkWriter[T], error) {
		o := &observed[T]{meter: ms.add(k.sink, part, k.typ), kind: k}
		if j != nil {
			var err error
			if o.tap, err = j.tap(k.sink, part.Index); err != nil {
				return nil, err
			}
		}
		return measure.Counting(o, &o.meter.counted), nil
	}).SetGroup(answersGroup)
}

// observed is a sink task that counts answers, and hands those of sampled expressways to the validator.
type observed[T any] struct {
	meter *meter
	kind  kind[T]
	tap   *tap // nil: nothing is validated
	measure.Volatile
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

// Restore fails where answers are validated: the validator has seen those that came since, and does not forget.
func (o *observed[T]) Restore([]byte) error {
	if o.tap != nil {
		return errors.New("answers that are validated as they come cannot be taken back: want a benchmark without validation, or one from the beginning")
	}
	return nil
}

// store adds a sink that writes answers to the file of their type, in whatever process has the sink's task.
func store[T any](g *engine.Graph, in engine.Stream[T], k kind[T], ms *meters, p *FileParams) {
	var lead time.Duration // what loading the history takes by the clock
	if p.Pace > 0 {
		lead = time.Duration(float64(p.lead()) / p.Pace)
	}
	engine.Sink(g, k.sink, in, func(part engine.SinkPart) (engine.SinkWriter[T], error) {
		m := ms.add(k.sink, part, k.typ)
		w, err := engine.FileWriter(part, filepath.Join(p.Out, format.AnswerFile(k.typ)), func(dst []byte, c *engine.Ctx, v *T) []byte {
			m.count(c, k.above(v))
			a := k.answer(v)
			a.Emit = (c.Elapsed() - lead).Milliseconds()
			return append(format.AppendAnswer(dst, &a), '\n')
		})
		if err != nil {
			return nil, err
		}
		return measure.Counting(w, &m.counted), nil
	})
}
