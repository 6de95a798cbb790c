package linearroad

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/query"
	"github.com/fullspate/spate/engine"
)

func TestBenchmark(t *testing.T) {
	for _, cfg := range []Config{
		{Xways: 2, From: 7000, To: 7400, Warm: 60, Seed: 3, Repeat: 2, Salt: 9},
		{Xways: 5, From: 100, To: 400, Seed: 4, Hostile: true, Rules: query.Official, Engine: engine.Config{Loops: 1}},
		{Xways: 1, From: 1000, To: 1300, Seed: 4, Engine: engine.Config{Parallelism: map[string]int{TollsID: 3, query.FeederID: 1}}},
		{Xways: 4, From: 900, To: 1000, Seed: 4, Replicate: true, Share: 1},
	} {
		if testing.Short() {
			cfg.Xways, cfg.To, cfg.Warm = min(cfg.Xways, 2), cfg.From+130, cfg.Warm/2
		}
		var seen []Progress
		cfg.Progress = func(p Progress) { seen = append(seen, p) }
		r, err := Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range r.Runs {
			if !m.Valid || m.Validated == 0 || m.Reports == 0 || m.Seconds <= 0 || m.Answers["0"] == 0 || m.Answers["2"] == 0 || m.Answers["3"] == 0 ||
				m.Unanswered == 0 || m.Vehicles == 0 || m.StateBytes == 0 || m.RSSBytes < m.StateBytes {
				t.Errorf("%+v, run %d: %+v\n%v", r.Config, i, m, r.Validations[i])
			}
			if m.Answers["0"] != r.Runs[0].Answers["0"] || m.Activity != r.Runs[0].Activity {
				t.Errorf("run %d differs from run 0: %+v, %+v", i, m, r.Runs[0])
			}
		}
		if !r.Valid() {
			t.Error("the result is not valid")
		}
		for _, p := range seen {
			if p.Fraction < 0 || p.Fraction > 1 || p.Run < 1 || p.Run > p.Runs {
				t.Errorf("progress %+v", p)
			}
		}
	}
}

func TestPacedBenchmark(t *testing.T) {
	cfg := Config{Xways: 2, From: 300, To: 330, Warm: 5, Seed: 1, Engine: engine.Config{Pace: 20}}
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Median()
	if q := m.ResponseMS["0"]; !m.Valid || q.P50 <= 0 || q.P50 > q.P95 || q.P95 > q.P99 || q.P99 > q.P999 || q.P999 > q.Max || q.Max > 1000 {
		t.Errorf("%+v\n%v", m, r.Validations[0])
	}
	var log strings.Builder
	if err := r.WriteHDR(&log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "Tag=type0") {
		t.Errorf("the latency log has no line for tolls:\n%s", log.String())
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"reports", "seconds", "reports_per_s", "answers", "tolls_above_zero", "accidents", "charges", "unanswered_type4",
		"validated_xways", "valid", "response_ms", "state_bytes", "rss_bytes", "allocs_per_report"} {
		if !strings.Contains(string(text), `"`+name+`":`) {
			t.Errorf("the JSON has no member %s: %s", name, text)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, test := range []struct {
		cfg  Config
		want []string
	}{
		{Config{}, []string{"expressways"}},
		{Config{Xways: 1, From: 100, To: 200, Warm: 100, Repeat: -1, Share: 2, Rules: 5}, []string{"warm-up", "repeats", "validated", "rules"}},
		{Config{Xways: 1, Engine: engine.Config{Loops: -1, Parallelism: map[string]int{"sink": 1}}}, []string{"Loops", `"sink"`}},
	} {
		_, err := Run(context.Background(), test.cfg)
		if err == nil {
			t.Errorf("%+v: no error", test.cfg)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: %q does not say %q", test.cfg, err, part)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	r := Result{Runs: make([]Measures, 4)}
	for i, rate := range []float64{4, 1, 3, 2} {
		r.Runs[i].ReportsPerS = rate
	}
	if got := r.Median().ReportsPerS; got != 2 {
		t.Errorf("the median run has a rate of %v, want 2, the slower one of the two in the middle", got)
	}
}
