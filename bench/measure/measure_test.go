package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"

	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tick is a record; an answer repeats it.
type tick struct{ Number uint64 }

func (t *tick) String() string { return fmt.Sprintf("tick %d", t.Number) }

func byNumber(a, b tick) int { return int(a.Number>>1) - int(b.Number>>1) }

// ticks is a benchmark whose answers are its input, which is that many seconds with a tick in every millisecond.
func ticks() Benchmark[int, tick] {
	return Benchmark[int, tick]{
		Name: "ticks", Source: "ticks", Sink: "answers", Order: byNumber,
		Seconds: func(seconds int) int { return seconds },
		Due:     func(t *tick) int64 { return int64(t.Number >> 1) },
		Build: func(g *engine.Graph, seconds int) (engine.Stream[tick], error) {
			if seconds < 1 {
				return engine.Stream[tick]{}, fmt.Errorf("%d seconds", seconds)
			}
			return Source(g, "ticks", Generator[tick]{
				Splits: 2,
				Len:    func(int) int64 { return int64(seconds) * 500 },
				Make: func(split int, i int64, t *tick) int64 {
					t.Number = uint64(2*(2*i) + 2*int64(split))
					return 2*i + int64(split)
				},
				Millis: func(split int, i int64) int64 { return 2*i + int64(split) },
			}), nil
		},
		Reference: func(seconds int, tock func(float64) bool) (want []tick, err error) {
			for i := range uint64(seconds) * 1000 {
				if !tock(float64(i) / float64(seconds) / 1000) {
					return nil, nil
				}
				want = append(want, tick{2 * i})
			}
			return want, nil
		},
	}
}

func TestRun(t *testing.T) {
	var seen []Progress
	r, err := Run(context.Background(), ticks(), 3, Settings{
		Repeat: 3, Warm: 1, Engine: engine.Config{Pace: 5, Loops: 2}, Progress: func(p Progress) { seen = append(seen, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Valid() || len(r.Runs) != 3 || len(r.Responses) != 3 {
		t.Errorf("%+v", r)
	}
	for _, m := range r.Runs {
		// The measurement begins when a look finds the warm-up over, or counts all if none does.
		if m.Answers != 3000 || m.Handled["answers"] != 3000 || m.Tuples < 1 || m.Tuples > 3000 || m.Seconds <= 0 {
			t.Errorf("%+v", m)
		}
		if q := m.ResponseMS["answers"]; q.P50 <= 0 || q.P50 > q.P95 || q.P95 > q.P99 || q.P99 > q.P999 || q.P999 > q.Max || q.Max > 5000 {
			t.Errorf("response times %+v", q)
		}
		if math.IsNaN(m.TuplesPerS) || m.TuplesPerS < 1 || m.HandledPerS < m.TuplesPerS {
			t.Errorf("rates %v and %v", m.TuplesPerS, m.HandledPerS)
		}
	}
	if n := r.Responses[0].Count(); n != 2000 {
		t.Errorf("%d answers were timed, want the 2000 after the warm-up", n)
	}
	if len(seen) < 5 || seen[len(seen)-1].Warming || !seen[len(seen)-1].Validating {
		t.Errorf("progress %+v", seen)
	}
	for i, p := range seen[1:] {
		if p.Fraction < seen[i].Fraction || p.Fraction > 1 || p.Run < seen[i].Run || p.Runs != 3 {
			t.Errorf("progress %+v after %+v", p, seen[i])
		}
	}
	var log strings.Builder
	if err := r.WriteHDR(&log); err != nil || strings.Count(log.String(), "Tag=answers,") != 3 {
		t.Errorf("latency log: %v\n%s", err, log.String())
	}
	if err := r.WriteHDR(fullDisk{}); err == nil || !strings.Contains(err.Error(), "latency log: full") {
		t.Errorf("a latency log that cannot be written: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestRunFindsWrongAnswers(t *testing.T) {
	b := ticks()
	b.Reference = func(int, func(float64) bool) ([]tick, error) { return []tick{{0}, {3}, {5000}}, nil }
	r, err := Run(context.Background(), b, 1, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Checks[0]; r.Valid() || c.Missing != 1 || c.Extra != 998 || c.Wrong != 1 || len(c.First) != firstMax || c.First[0] != "wrong: tick 2; right: tick 3" {
		t.Errorf("%+v", c)
	}
}

func TestRunWithoutValidationAndPace(t *testing.T) {
	r, err := Run(context.Background(), ticks(), 2, Settings{NoValidation: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Valid() || r.Checks != nil || r.Responses != nil || r.Runs[0].ResponseMS != nil || r.Runs[0].Tuples != 2000 {
		t.Errorf("%+v", r)
	}
	text, err := json.Marshal(r.Runs[0])
	if err != nil || strings.Contains(string(text), "response_ms") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestRunEndsEarly cancels a run, and the validation after another one.
func TestRunEndsEarly(t *testing.T) {
	for _, late := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(context.Background())
		stop := func(p Progress) {
			if p.Validating == late {
				cancel(errors.New("enough"))
			}
		}
		s := Settings{Progress: stop}
		if !late {
			s.Engine.Pace = 1
		}
		r, err := Run(ctx, ticks(), 5, s)
		if err == nil || !strings.Contains(err.Error(), "enough") || r.Valid() || (len(r.Runs) > 0) != late || r.Checks != nil {
			t.Errorf("late %v: %+v, %v", late, r, err)
		}
	}
}

// TestWaitingForThePaceIsNoStall has an input that begins a minute after the run.
func TestWaitingForThePaceIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := engine.Program{Build: func(*engine.Env, json.RawMessage) (*engine.Graph, error) {
			g := engine.NewGraph("late")
			s := engine.SliceSource(g, "ticks", []engine.Record[tick]{{Millis: 60_000}, {Millis: 90_000}})
			engine.SinkFunc(g, "sink", s, func(*engine.Ctx, *tick) {})
			return g, nil
		}}
		var looks int
		last := Progress{Moved: math.MaxUint64}
		w := &Watch{Operator: "ticks", Look: func(p Progress) {
			if looks++; p.Moved == last.Moved {
				t.Errorf("look %d: nothing has moved since the one before, %+v", looks, p)
			}
			last = p
		}}
		if err := w.Run(context.Background(), engine.Embedded{}, p, nil, engine.Config{Pace: 1, Loops: 2}); err != nil {
			t.Fatal(err)
		}
		if looks < 90 || last.Tuples == 0 {
			t.Errorf("%d looks, %+v", looks, last)
		}
	})
}

func TestSettings(t *testing.T) {
	s := Settings{Repeat: -1, Warm: 10, Engine: engine.Config{Pace: -1, Parallelism: map[string]int{"a": 1, "b": 1}}}
	err := s.Validate(10, []string{"b"})
	for _, want := range []string{"repeats", "warm-up of 10", "Pace", `parallelism of "a"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err := new(Settings).Validate(1, nil); err != nil {
		t.Errorf("the zero settings: %v", err)
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		got, want             []tick
		missing, extra, wrong int
	}{
		{[]tick{{2}, {0}}, []tick{{0}, {2}}, 0, 0, 0},
		{[]tick{{2}, {0}, {2}}, []tick{{0}, {2}}, 0, 1, 0},
		{[]tick{{1}}, []tick{{0}, {2}, {4}}, 2, 0, 1},
		{[]tick{{6}, {8}, {3}}, []tick{{2}, {5}}, 1, 2, 1},
		{[]tick{{6}}, nil, 0, 1, 0},
	} {
		c := Compare(slices.Clone(test.got), test.want, byNumber)
		if c.Missing != test.missing || c.Extra != test.extra || c.Wrong != test.wrong || c.Answers != len(test.got) ||
			len(c.First) != c.Missing+c.Extra+c.Wrong || c.Valid() != (len(c.First) == 0) {
			t.Errorf("%v against %v: %+v", test.got, test.want, c)
		}
		if c.Answers-c.Extra != len(test.want)-c.Missing {
			t.Errorf("%v against %v: %+v does not add up", test.got, test.want, c)
		}
	}
	if c := Compare(nil, nil, byNumber); c.Valid() {
		t.Error("no answer at all proves something")
	}
	c := Compare([]tick{{1}}, []tick{{0}, {2}}, byNumber)
	if want := "1 answers: 1 missing, 0 too many, 1 wrong\nwrong: tick 1; right: tick 0\nmissing: tick 2"; c.String() != want {
		t.Errorf("%q", c.String())
	}
}

func TestMedian(t *testing.T) {
	r := Result{Runs: []Measures{{TuplesPerS: 4}, {TuplesPerS: 1}, {TuplesPerS: 3}, {TuplesPerS: 2}}}
	if got := r.Median().TuplesPerS; got != 2 {
		t.Errorf("the median run has a rate of %v, want 2, the slower one of the two in the middle", got)
	}
}

// TestSourceContinues reopens a split in the middle.
func TestSourceContinues(t *testing.T) {
	gen := Generator[tick]{
		Len:    func(int) int64 { return 10 },
		Make:   func(_ int, i int64, v *tick) int64 { v.Number = uint64(i); return i * 3 },
		Millis: func(_ int, i int64) int64 { return i * 3 },
	}
	r := &reader[tick]{gen: &gen, end: 10}
	block := make([]engine.Record[tick], 7)
	if n, err := r.Read(block); n != 7 || err != nil || r.Offset().Place != 7 {
		t.Fatalf("%d records, %v, offset %v", n, err, r.Offset())
	}
	again := &reader[tick]{gen: &gen, end: 10, at: r.Offset().Place}
	if ms, ok := again.Peek(); ms != 21 || !ok {
		t.Errorf("the next record is at %d, %v", ms, ok)
	}
	if n, err := again.Read(block); n != 3 || err != nil || block[0] != (engine.Record[tick]{Millis: 21, Value: tick{7}}) {
		t.Errorf("%d records, %v: %v", n, err, block[0])
	}
	if n, err := again.Read(block); n != 0 || err == nil {
		t.Errorf("%d records after the end, %v", n, err)
	}
	if _, ok := again.Peek(); ok {
		t.Error("a record is announced after the end")
	}
}

func TestResponsesRoundTrip(t *testing.T) {
	r := NewResponses()
	for i := range 1000 {
		r.Record(time.Duration(i*i) * time.Microsecond)
	}
	r.Record(-time.Second)
	r.Record(2 * time.Hour)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again := new(Responses)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	if !again.h.Equals(r.h) || again.Count() != 1002 || again.Times() != r.Times() || r.Times().Max < 3.5e6 {
		t.Errorf("%+v came back as %+v", r.Times(), again.Times())
	}
	r.Merge(again)
	if r.Count() != 2004 {
		t.Errorf("%d after merging", r.Count())
	}
	other := Responses{hdrhistogram.New(1, 10, 1)}
	text, err = json.Marshal(&other)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{string(text), `""`, `"AAAAAAAAAAAA"`, `7`} {
		if err := json.Unmarshal([]byte(bad), again); err == nil {
			t.Errorf("%s was taken for response times", bad)
		}
	}
}

// TestToldRoundTrip merges what two processes tell.
func TestToldRoundTrip(t *testing.T) {
	of := func(worker string, response *Responses, ticks ...tick) engine.Result {
		p, err := pack(ticks)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(told{Count: int64(len(ticks)), Answers: []packed{p}, Response: response})
		if err != nil {
			t.Fatal(err)
		}
		return engine.Result{Worker: worker, Name: AnswersResult, Data: data}
	}
	timed := NewResponses()
	timed.Record(time.Millisecond)
	want := []tick{{1}, {1 << 63}, {7}}
	results := []engine.Result{of("w1", timed, want[:2]...), {Worker: "w2", Name: "else", Data: json.RawMessage("[")}, of("w2", timed, want[2:]...)}
	all, err := Gather(results, AnswersResult, (*told).merge)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial[int, tick]{benchmark: new(Benchmark[int, tick])}
	if err := tr.take(all); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tr.answers, want) || tr.measures.Answers != 3 || tr.response.Count() != 2 {
		t.Errorf("%v, %+v, %d timed", tr.answers, tr.measures, tr.response.Count())
	}
	results[0].Data = results[0].Data[1:]
	if _, err := Gather(results, AnswersResult, (*told).merge); err == nil || !strings.Contains(err.Error(), "worker w1") {
		t.Errorf("a result that is cut: %v", err)
	}
	p, err := pack(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []packed{p, []byte("no zstd")} {
		if _, err := unpack[[2]uint64](nil, bad); err == nil {
			t.Errorf("%q was taken for answers", bad)
		}
	}
}

// scripted is a job on two workers that has been watched before: each call of Stats takes the next step.
type scripted struct {
	steps []engine.Stats
	done  chan struct{}
}

func (s *scripted) Stats() engine.Stats {
	now := s.steps[0]
	if len(s.steps) > 1 {
		s.steps = s.steps[1:]
	} else {
		close(s.done)
	}
	return now
}
func (s *scripted) Done() <-chan struct{}    { return s.done }
func (s *scripted) Wait() error              { <-s.done; return nil }
func (s *scripted) Drain()                   {}
func (s *scripted) Cancel()                  {}
func (s *scripted) Results() []engine.Result { return nil }
func (s *scripted) Start(context.Context, engine.Program, json.RawMessage, engine.Config) (engine.Running, error) {
	return s, nil
}

// TestWholeRunIsMeasured watches a run that is over before it is looked at: all of it counts, and the result says so.
func TestWholeRunIsMeasured(t *testing.T) {
	const mallocs, cpu = 1 << 30, time.Minute
	end := engine.ThisProcess()
	end.Mallocs, end.CPU = end.Mallocs+mallocs, end.CPU+cpu
	job := &scripted{done: make(chan struct{}), steps: []engine.Stats{{
		Elapsed: 3 * time.Millisecond, Processes: []engine.ProcessStats{end},
		Tasks: []engine.TaskStats{{Operator: "src", TuplesIn: 2000, StateBytes: 7}},
	}, {}}}
	close(job.done)
	w := &Watch{Operator: "src", Warm: time.Second}
	if err := w.Run(context.Background(), job, engine.Program{}, nil, engine.Config{}); err != nil {
		t.Fatal(err)
	}
	p := w.Measured()
	if !p.Whole || p.Tuples != 2000 || p.Mallocs < mallocs/2 || p.CPU < cpu/2 || p.StateBytes != 7 || p.RSSBytes != end.RSSBytes || p.Seconds != 0.003 {
		t.Errorf("%+v", p)
	}
	if m := measuresOf(&p); !m.WarmMeasured || m.AllocsPerTuple < mallocs/4000 || m.CPUPerTuple < 1e6 {
		t.Errorf("%+v", m)
	}
}

// TestWatchSumsOverWorkers lets the second worker report late, and after the measurement has begun.
func TestWatchSumsOverWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(second, tuples int, bytes uint64, processes ...engine.ProcessStats) engine.Stats {
			tasks := []engine.TaskStats{{Operator: "src", TuplesIn: uint64(tuples), Position: wire.TimerTime(uint64(second) * 1000), StateBytes: 5}}
			return engine.Stats{Tasks: tasks, Processes: processes, Links: engine.LinkStats{BytesOut: bytes}}
		}
		p := func(worker string, mallocs uint64, cpu time.Duration) engine.ProcessStats {
			return engine.ProcessStats{Worker: worker, Mallocs: mallocs, CPU: cpu, RSSBytes: 100}
		}
		job := &scripted{done: make(chan struct{}), steps: []engine.Stats{
			at(0, 0, 0, p("w1", 400, 4)),
			at(5, 0, 0, p("w1", 500, 5)), // the last look before the warm-up has ended
			at(10, 1000, 70, p("w1", 600, 6)),
			at(20, 2000, 90, p("w1", 700, 8), p("w2", 9000, 90)),
			at(30, 3000, 570, p("w1", 800, 9), p("w2", 9100, 96)),
		}}
		var seen []Progress
		w := &Watch{Operator: "src", Warm: 10 * time.Second, Length: 30 * time.Second, Look: func(p Progress) { seen = append(seen, p) }}
		began := time.Now()
		if err := w.Run(context.Background(), job, engine.Program{}, nil, engine.Config{}); err != nil {
			t.Fatal(err)
		}
		job.done = make(chan struct{}) // it is closed whenever the last step is seen
		took := time.Since(began).Seconds() - 2*awaitEvery.Seconds()
		want := Part{Tuples: 3000, AllHandled: 3000, Seconds: took, Mallocs: 400, CPU: 10, LinkBytes: 570, StateBytes: 5, RSSBytes: 200,
			Handled: map[string]int64{"src": 3000}, Workers: 2}
		if got := w.Measured(); !reflect.DeepEqual(got, want) {
			t.Errorf("measured %+v, want %+v", got, want)
		}
		var fractions []float64
		for _, p := range seen {
			fractions = append(fractions, p.Fraction)
		}
		if !slices.Equal(fractions, []float64{0, 1.0 / 6, 1.0 / 3, 2.0 / 3, 1}) || !seen[1].Warming || seen[2].Warming {
			t.Errorf("progress %+v", seen)
		}
	})
}
