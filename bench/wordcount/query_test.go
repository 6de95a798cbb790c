package wordcount

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the query over an input and returns the answers in the order in which they came.
func run(t *testing.T, in *Input, cfg engine.Config) []Frequency {
	t.Helper()
	var got []Frequency
	g := engine.NewGraph("wordcount")
	engine.SinkFunc(g, FrequenciesID, Query(g, Source(g, in)), func(c *engine.Ctx, f *Frequency) {
		if c.Now().Milliseconds() != f.WindowEnd {
			t.Errorf("%v was emitted at %v", f, c.Now())
		}
		got = append(got, *f)
	})
	if _, err := engine.Run(context.Background(), g, cfg); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestQueryAgreesWithReference(t *testing.T) {
	for _, input := range []InputConfig{
		{Seed: 1, Rate: 10, Seconds: 95, Vocabulary: 3000, Splits: 3},
		{Seed: 2, Rate: 1, Seconds: 30, Vocabulary: 1, Splits: 100},
		{Seed: 3, Rate: 300, Seconds: 1, Splits: 1},
	} {
		in := newInput(t, input)
		var first []Frequency
		for _, cfg := range []engine.Config{
			{Loops: 1},
			{Loops: 2},
			{Loops: 3, Parallelism: map[string]int{FragmentsID: 2, CounterID: 7}},
			{Loops: 2, NoFuse: true, Parallelism: map[string]int{SplitterID: 5}},
			{Loops: 2, LogBytes: 4 << 10, FrameBytes: 512},
			{Loops: 1, NoFuse: true, LogBytes: 4 << 10, SpillDir: t.TempDir()},
		} {
			got := run(t, in, cfg)
			if first == nil {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Errorf("%+v, %+v: the order of the answers is not that of the first run", input, cfg)
			}
			if c := measure.Compare(slices.Clone(got), Reference(in), CompareFrequencies); !c.Valid() {
				t.Errorf("%+v, %+v: %v", input, cfg, &c)
			}
		}
	}
}

// TestSplitter feeds text that the generator does not make.
func TestSplitter(t *testing.T) {
	fragment := func(text string) engine.Record[Fragment] {
		var f Fragment
		f.Used = uint32(copy(f.Text[:], text))
		return engine.Record[Fragment]{Value: f}
	}
	words := func(text string) (got []string, err error) {
		g := engine.NewGraph("splitter")
		s := engine.Stateless(g, SplitterID, engine.SliceSource(g, FragmentsID, []engine.Record[Fragment]{fragment(text)}), split)
		engine.SinkFunc(g, "words", engine.From[Word](s, "words"), func(_ *engine.Ctx, w *Word) { got = append(got, w.String()) })
		_, err = engine.Run(context.Background(), g, engine.Config{Loops: 1})
		return got, err
	}
	full := strings.Repeat("abcdefghi ", 14)
	for _, text := range []string{"", " ", "a", " a  b ", "one two three", full, full[:139] + "j"} {
		if got, err := words(text); err != nil || !slices.Equal(got, strings.Fields(text)) {
			t.Errorf("%q was split into %q, %v", text, got, err)
		}
	}
	if _, err := words("a sixteen-letters! b"); err == nil || !strings.Contains(err.Error(), "sixteen-letters!") {
		t.Errorf("a word that is too long: %v", err)
	}
}

func TestRun(t *testing.T) {
	for _, cfg := range []Config{
		{Input: InputConfig{Seed: 4, Rate: 100, Seconds: 61}},
		{
			Input:    InputConfig{Seed: 5, Rate: 100, Seconds: 50, Vocabulary: 500},
			Settings: measure.Settings{Repeat: 2, Warm: 10, Engine: engine.Config{Loops: 1, Parallelism: map[string]int{FrequenciesID: 3}}},
		},
	} {
		moved, validated := uint64(0), false
		cfg.Progress = func(p measure.Progress) {
			if p.Fraction < 0 || p.Fraction > 1 || p.Run < 1 || p.Run > p.Runs || p.Validating && p.Moved <= moved {
				t.Errorf("progress %+v after %d", p, moved)
			}
			moved, validated = p.Moved, validated || p.Validating
		}
		r, err := Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Valid() || len(r.Runs) != max(cfg.Repeat, 1) || len(r.Checks) != len(r.Runs) || !validated {
			t.Errorf("%+v: %v", r.Result, r.Checks)
		}
		for i, m := range r.Runs {
			if m.Tuples == 0 || m.TuplesPerS <= 0 || m.Answers == 0 || m.Handled[FragmentsID] != int64(r.Config.Input.Rate*r.Config.Input.Seconds) ||
				m.Handled[CounterID] != r.Runs[0].Handled[CounterID] || m.Handled[CounterID] < 20*m.Handled[FragmentsID] || m.ResponseMS != nil {
				t.Errorf("run %d: %+v", i, m)
			}
		}
	}
}

func TestRunPaced(t *testing.T) {
	r, err := Run(context.Background(), Config{
		Input:    InputConfig{Seed: 6, Rate: 200, Seconds: 62},
		Settings: measure.Settings{Warm: 1, Engine: engine.Config{Pace: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if q, ok := r.Runs[0].ResponseMS[FrequenciesID]; !ok || !r.Valid() || q.P50 <= 0 || q.P50 > q.P99 || q.P99 > q.Max || q.Max > 5000 || r.Runs[0].Seconds < 0.5 {
		t.Errorf("%+v\n%v", r.Runs[0], r.Checks)
	}
}

func TestRunErrors(t *testing.T) {
	_, err := Run(context.Background(), Config{
		Input:    InputConfig{Rate: -1},
		Settings: measure.Settings{Warm: 60, Repeat: -1, Engine: engine.Config{Loops: -1, Parallelism: map[string]int{"sink": 1}}},
	})
	for _, want := range []string{"Rate", "warm-up", "repeats", "Loops", `"sink"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in the error %v", want, err)
		}
	}
	if err := Defaults().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := Config{Input: InputConfig{Rate: 10_000, Seconds: 3600}, Settings: measure.Settings{NoValidation: true}}
	cfg.Progress = func(measure.Progress) { cancel() }
	if r, err := Run(ctx, cfg); err == nil || r == nil || len(r.Runs) > 0 || r.Valid() || r.Median() != nil {
		t.Errorf("a run that was cancelled: %+v, %v", r, err)
	}
}

// BenchmarkQuery runs the query over an input of about b.N fragments: everything between drawing words and the sink.
func BenchmarkQuery(b *testing.B) {
	cfg := Config{Input: InputConfig{Seed: 1, Rate: b.N/60 + 1}, Settings: measure.Settings{NoValidation: true, Engine: engine.Config{Loops: 2}}}
	b.ReportAllocs()
	r, err := Run(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	m := &r.Runs[0]
	if m.Handled[FragmentsID] != int64(r.Config.Input.Rate)*60 || m.Answers == 0 {
		b.Fatalf("%+v", m)
	}
	b.ReportMetric(m.TuplesPerS, "fragments/s")
	b.ReportMetric(float64(m.Handled[CounterID])/m.Seconds, "words/s")
}
