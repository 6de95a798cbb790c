package network

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/measure"
	"github.com/fullspate/spate/engine"
	"github.com/fullspate/spate/wire"
)

var kinds = []Kind{Hop, Keyed, Hops}

// small is a benchmark of a tenth of a second.
func small(k Kind) Config {
	cfg := Config{
		Kind: k, Input: Input{Seed: 3, Rate: 20_001, Seconds: 3, Keys: 1001},
		Settings: measure.Settings{Warm: 1, Engine: engine.Config{Loops: 2}},
	}
	if k == Hops {
		cfg.Input.Rate, cfg.Engine.Pace = 5001, 30
	}
	return cfg
}

// measured says whether n tuples of it are measured: those after the warm-up, or all if these came at once.
func measured(k Kind, n int64) bool {
	all := map[Kind]int64{Hop: 60_003, Keyed: 61_004, Hops: 15_003}[k]
	return n == all || n == all-int64(small(k).Input.Rate)
}

// check runs a benchmark and checks what has nothing to do with where it runs.
func check(t *testing.T, cfg Config) *Measures {
	t.Helper()
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatalf("%s: %v", cfg.Kind, err)
	}
	m := r.Median()
	if !r.Valid() || len(r.Runs) != max(cfg.Repeat, 1) || !measured(cfg.Kind, m.Tuples) || m.Seconds <= 0 || m.TuplesPerS <= 0 {
		t.Errorf("%s: %+v", cfg.Kind, r.Runs)
	}
	if timed := cfg.Engine.Pace > 0; timed != (m.ResponseMS != nil) || timed != (len(r.Responses) == len(r.Runs)) {
		t.Errorf("%s: response times %+v of %d runs", cfg.Kind, m.ResponseMS, len(r.Responses))
	} else if timed {
		if n, q := r.Responses[0].Count(), m.ResponseMS; n != 2*int64(cfg.Input.Rate) || q.P50 <= 0 || q.P50 > q.P99 || q.P99 > q.Max || q.Max > 20_000 {
			t.Errorf("%s: response times %+v of %d tuples", cfg.Kind, q, n)
		}
	}
	if (m.SourcePerS > 0) != (cfg.Kind != Hops && !cfg.NoBaseline) || (m.BarePerS > 0) != (cfg.Kind == Hop && !cfg.NoBaseline) {
		t.Errorf("%s: baselines %v and %v", cfg.Kind, m.SourcePerS, m.BarePerS)
	}
	return m
}

func TestRun(t *testing.T) {
	for _, k := range kinds {
		for _, loops := range []int{2, 1} {
			if testing.Short() && loops == 1 {
				continue
			}
			cfg := small(k)
			cfg.Engine.Loops, cfg.Repeat, cfg.NoBaseline = loops, loops, loops == 1
			var last measure.Progress
			cfg.Progress = func(p measure.Progress) {
				if p.Fraction < last.Fraction || p.Fraction > 1 || p.Run < last.Run || p.Run < 1 || p.Runs != loops {
					t.Errorf("%s: progress %+v after %+v", k, p, last)
				}
				last = p
			}
			if m := check(t, cfg); m.Crossings != 0 || m.LinkBytesPerS != 0 || m.OfBare != 0 {
				t.Errorf("%s crosses within one process: %+v", k, m)
			}
		}
	}
}

// TestWorkers runs the benchmarks over two workers, where every hop crosses.
func TestWorkers(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		if testing.Short() && network == "unix" {
			continue
		}
		w := hire(t, network, 2, false)
		for _, k := range kinds {
			cfg := small(k)
			cfg.Runner, cfg.Workers, cfg.Network = w, 2, network
			m := check(t, cfg)
			crossings := 1.0
			if k == Hops {
				crossings = 3
			}
			if m.Crossings != crossings || m.LinkBytesPer < crossings*tupleBytes || m.LinkBytesPerS <= 0 || (m.OfBare > 0) != (k == Hop) {
				t.Errorf("%s over %s: %+v", k, network, m)
			}
		}
	}
}

// TestProcesses runs a hop between two processes.
func TestProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("TestWorkers does the same in one process")
	}
	cfg := small(Hop)
	cfg.Runner, cfg.Workers = hire(t, "tcp", 1, true), 2
	if m := check(t, cfg); m.Crossings != 1 || m.OfBare <= 0 {
		t.Errorf("%+v", m)
	}
}

func TestRunErrors(t *testing.T) {
	_, err := Run(context.Background(), Config{
		Kind: Keyed, Input: Input{Rate: 4, Seconds: -1, Keys: 100_000_001}, Workers: -1, Network: "udp",
		Settings: measure.Settings{Repeat: -1, Engine: engine.Config{Parallelism: map[string]int{ArrivalsID: 1}}},
	})
	for _, want := range []string{"Rate is 4", "Seconds is -1", "Keys is 100000001", "-1 workers", `"udp"`, "-1 repeats", `"arrivals"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in the error %v", want, err)
		}
	}
	if _, err := Run(context.Background(), Config{Kind: "jump"}); err == nil || !strings.Contains(err.Error(), `"jump"`) {
		t.Errorf("a benchmark that there is not: %v", err)
	}
	for _, k := range kinds {
		if err := Defaults(k).Validate(); err != nil {
			t.Errorf("the defaults of %s are refused: %v", k, err)
		}
	}
	cfg := small(Hop)
	cfg.Workers, cfg.NoBaseline = 2, true // that Embedded does not have
	if r, err := Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "worker 1") || r.Valid() {
		t.Errorf("pinned to where nothing is: %v", err)
	}
}

// TestCancel cancels runs, on two workers and in one process.
func TestCancel(t *testing.T) {
	for _, workers := range []int{0, 2} {
		cfg := small(Hops)
		cfg.Input.Seconds, cfg.Engine.Pace, cfg.Workers = 1000, 1, workers
		if workers > 0 {
			cfg.Runner = hire(t, "unix", 1, false)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		cfg.Progress = func(measure.Progress) { cancel(errors.New("enough")) }
		if r, err := Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), "enough") || len(r.Runs) > 0 || r.Median() != nil {
			t.Errorf("%d workers: %+v, %v", workers, r, err)
		}
	}
}

func TestLayouts(t *testing.T) {
	for _, test := range []struct {
		of   reflect.Type
		size int
	}{
		{reflect.TypeFor[Tuple](), tupleBytes - wire.TupleHeader},
		{reflect.TypeFor[Counted](), 32},
		{reflect.TypeFor[Count](), 16},
		{reflect.TypeFor[address](), 128},
	} {
		if size, _, err := wire.CheckLayout(test.of); err != nil || size != test.size {
			t.Errorf("%v has %d bytes, %v; want %d", test.of, size, err, test.size)
		}
	}
}

// TestJudge compares what was made with what did not arrive as it should.
func TestJudge(t *testing.T) {
	made := told{Tuples: 10, Keys: 45}
	for want, arrived := range map[string]told{
		"":                        {Tuples: 10, Keys: 45},
		"9 tuples arrived":        {Tuples: 9, Keys: 45},
		"come to 0x2e":            {Tuples: 10, Keys: 46},
		"4 tuples were sent":      {Tuples: 10, Keys: 45, Links: engine.LinkStats{TuplesOut: 4, TuplesIn: 3}},
		"0 tuples arrived, 10 we": {},
	} {
		r := Result{Runs: make([]Measures, 1), arrived: []told{arrived}}
		r.judge(made)
		if got := strings.Join(r.Runs[0].Faults, "\n"); r.Valid() != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%+v is found to be %q, want %q", arrived, got, want)
		}
	}
}

// TestRunWithoutValidation is valid only if it was validated.
func TestRunWithoutValidation(t *testing.T) {
	cfg := small(Keyed)
	cfg.NoValidation, cfg.NoBaseline = true, true
	r, err := Run(context.Background(), cfg)
	if err != nil || r.Valid() || r.Runs[0].TuplesPerS <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWriteHDR(t *testing.T) {
	cfg := small(Hops)
	cfg.Repeat = 2
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	if err := r.WriteHDR(&log); err != nil || strings.Count(log.String(), "Tag=hops,") != 2 {
		t.Errorf("%v\n%s", err, log.String())
	}
}

// signed returns a tuple with its check.
func signed(key, number uint64) Tuple {
	t := Tuple{Key: key, Number: number}
	t.sign()
	return t
}

// TestFaultsOnTheWay gives sinks and operators what a broken engine might.
func TestFaultsOnTheWay(t *testing.T) {
	records := func(tuples ...Counted) (rows []engine.Record[Counted]) {
		for _, v := range tuples {
			rows = append(rows, engine.Record[Counted]{Value: v})
		}
		return rows
	}
	for want, rows := range map[string][]engine.Record[Counted]{
		"":                      records(Counted{signed(7, 0), 1}, Counted{signed(7, 1), 2}, Counted{signed(8, 5), 1}),
		"changed on its way":    records(Counted{Tuple{7, 0, 1}, 1}),
		"is tuple 1 of key 7":   records(Counted{signed(7, 0), 2}),
		"number 0 at":           records(Counted{signed(7, 1), 1}, Counted{signed(8, 0), 1}),
		"where number 3 or a l": records(Counted{signed(7, 2), 1}, Counted{signed(8, 2), 1}),
	} {
		g := engine.NewGraph("faults")
		all := &sinks{last: wire.TimeMax}
		second := engine.Keyed(g, SecondID, engine.SliceSource(g, "counted", rows), func(c *Counted) uint64 { return c.Key }, compare)
		engine.Sink(g, ArrivalsID, engine.From[Tuple](second, "tuples"), all.openArrivals)
		_, err := engine.Run(context.Background(), g, engine.Config{Loops: 1})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err == nil && fmt.Sprint(all.all[0].tuples, all.all[0].keys) != "3 22" {
			t.Errorf("%+v", all.all[0])
		}
	}
}
