package topk

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
func run(t *testing.T, in *Input, cfg engine.Config) []Place {
	t.Helper()
	var got []Place
	g := engine.NewGraph("topk")
	engine.SinkFunc(g, PlacesID, Query(g, Source(g, in), in.Config().K), func(c *engine.Ctx, p *Place) { got = append(got, *p) })
	if _, err := engine.Run(context.Background(), g, cfg); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestQueryAgreesWithReference(t *testing.T) {
	for _, input := range []InputConfig{
		{Seed: 1, Rate: 300, Seconds: 95, Languages: 40, Splits: 3},
		{Seed: 2, Rate: 3, Seconds: 61, Languages: 676, K: 32, Splits: 5},
		{Seed: 3, Rate: 1, Seconds: 30, Languages: 1, K: 1, Splits: 100},
		{Seed: 4, Rate: 20_000, Seconds: 1, K: 3, Splits: 1},
	} {
		in := newInput(t, input)
		want := Reference(in)
		for _, cfg := range []engine.Config{
			{Loops: 1},
			{Loops: 2},
			{Loops: 3, Parallelism: map[string]int{ViewsID: 2, ReduceID: 7, RankID: 3}},
			{Loops: 2, NoFuse: true, Parallelism: map[string]int{MapID: 5}},
			{Loops: 2, LogBytes: 4 << 10, FrameBytes: 512},
			{Loops: 1, NoFuse: true, LogBytes: 4 << 10, SpillDir: t.TempDir()},
		} {
			// Answers come in order of window and rank, not only in the right number.
			if got := run(t, in, cfg); !slices.Equal(got, want) {
				c := measure.Compare(slices.Clone(got), want, ComparePlaces)
				t.Errorf("%+v, %+v: %v", input, cfg, &c)
			}
		}
	}
}

func TestViewOfNoLanguage(t *testing.T) {
	g := engine.NewGraph("topk")
	views := engine.SliceSource(g, ViewsID, []engine.Record[View]{{Value: View{Host: [HostMax]byte{'x'}}}})
	engine.SinkFunc(g, PlacesID, Query(g, views, 1), func(*engine.Ctx, *Place) {})
	if _, err := engine.Run(context.Background(), g, engine.Config{Loops: 1}); err == nil || !strings.Contains(err.Error(), MapID) {
		t.Errorf("a host without a dot: %v", err)
	}
}

func TestRankingKeepsTheFirst(t *testing.T) {
	var r ranking
	for _, s := range []standing{{5, 10}, {3, 10}, {9, 11}, {1, 1}, {2, 10}, {7, 12}} {
		r.add(s, 4)
	}
	if want := (ranking{Used: 4, Places: [RanksMax]standing{{7, 12}, {9, 11}, {2, 10}, {3, 10}}}); r != want {
		t.Errorf("got %+v", r)
	}
}

func TestRun(t *testing.T) {
	for _, cfg := range []Config{
		{Input: InputConfig{Seed: 4, Rate: 5000, Seconds: 61}},
		{
			Input:    InputConfig{Seed: 5, Rate: 2000, Seconds: 50, Languages: 30, K: 5},
			Settings: measure.Settings{Repeat: 2, Warm: 10, Engine: engine.Config{Loops: 1, Parallelism: map[string]int{PlacesID: 3}}},
		},
	} {
		r, err := Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Valid() || len(r.Runs) != max(cfg.Repeat, 1) || len(r.Checks) != len(r.Runs) {
			t.Errorf("%+v: %v", r.Result, r.Checks)
		}
		windows := (r.Config.Input.Seconds + 29) / 30
		for i, m := range r.Runs {
			if m.Tuples == 0 || m.TuplesPerS <= 0 || m.Answers != int64(windows*r.Config.Input.K) ||
				m.Handled[ReduceID] != int64(r.Config.Input.Rate*r.Config.Input.Seconds) || m.ResponseMS != nil {
				t.Errorf("run %d: %+v", i, m)
			}
		}
	}
}

func TestRunPaced(t *testing.T) {
	r, err := Run(context.Background(), Config{
		Input:    InputConfig{Seed: 6, Rate: 2000, Seconds: 62},
		Settings: measure.Settings{Warm: 1, Engine: engine.Config{Pace: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if q, ok := r.Runs[0].ResponseMS[PlacesID]; !ok || !r.Valid() || q.P50 <= 0 || q.P50 > q.P99 || q.P99 > q.Max || q.Max > 5000 || r.Runs[0].Seconds < 0.5 {
		t.Errorf("%+v\n%v", r.Runs[0], r.Checks)
	}
}

func TestRunErrors(t *testing.T) {
	_, err := Run(context.Background(), Config{
		Input:    InputConfig{K: 33},
		Settings: measure.Settings{Warm: 60, Repeat: -1, Engine: engine.Config{Loops: -1, Parallelism: map[string]int{"sink": 1}}},
	})
	for _, want := range []string{"K is 33", "warm-up", "repeats", "Loops", `"sink"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in the error %v", want, err)
		}
	}
	if err := Defaults().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

// BenchmarkQuery runs the query over an input of about b.N views: everything between drawing languages and the sink.
func BenchmarkQuery(b *testing.B) {
	cfg := Config{Input: InputConfig{Seed: 1, Rate: b.N/60 + 1}, Settings: measure.Settings{NoValidation: true, Engine: engine.Config{Loops: 2}}}
	b.ReportAllocs()
	r, err := Run(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	m := &r.Runs[0]
	if m.Handled[ReduceID] != int64(r.Config.Input.Rate)*60 || m.Answers == 0 {
		b.Fatalf("%+v", m)
	}
	b.ReportMetric(m.TuplesPerS, "views/s")
}
