package linearroad

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
)

// remote is a runner that is not known to be in this process, and keeps what it was given and what went on.
type remote struct {
	engine.Embedded
	params string
	job    engine.Running
}

func (r *remote) Start(ctx context.Context, p engine.Program, params json.RawMessage, cfg engine.Config) (engine.Running, error) {
	r.params = string(params)
	var err error
	r.job, err = r.Embedded.Start(ctx, p, params, cfg)
	return r.job, err
}

// TestSinksShareAProcess runs the benchmark as on workers: each sink with answers has one task, and all are in one place.
func TestSinksShareAProcess(t *testing.T) {
	r := new(remote)
	cfg := Config{Xways: 3, From: 1000, To: 1060, Seed: 2, Share: 1, Runner: r, Engine: engine.Config{Loops: 2}}
	result, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Valid() || result.Runs[0].Validated != 3 || result.Workers != 0 {
		t.Errorf("%+v", result)
	}
	loops := make(map[string][]int)
	for _, s := range r.job.Stats().Tasks {
		loops[s.Operator] = append(loops[s.Operator], s.Loop)
	}
	for _, id := range answerSinks {
		if len(loops[id]) != 1 || loops[id][0] != loops[TollsID][0] {
			t.Errorf("sink %q is on the loops %v, that of tolls on %v", id, loops[id], loops[TollsID])
		}
	}
	if strings.Contains(r.params, "salt") || !strings.Contains(r.params, `"sample":[0,1,2]`) {
		t.Errorf("parameters %s", r.params)
	}

	cfg.Engine.Parallelism = map[string]int{AlertsID: 2}
	if _, err := Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), `"alerts" is 2, want 1`) {
		t.Errorf("answers in two processes: %v", err)
	}
	cfg.NoValidation = true
	if result, err := Run(context.Background(), cfg); err != nil || result.Runs[0].Validated != 0 || result.Valid() {
		t.Errorf("without validation: %+v, %v", result, err)
	}
}

// TestRunThatFails leaves no goroutine behind: see TestMain.
func TestRunThatFails(t *testing.T) {
	cfg := Config{Xways: 2, From: 1000, To: 1060, Engine: engine.Config{Memory: 4096}}
	if r, err := Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "budget") || len(r.Runs) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestFilesOfWorkers names files in a way that does not depend on where a process runs.
func TestFilesOfWorkers(t *testing.T) {
	made := generate(t, traffic.Config{Seed: 5, Xways: 1, From: 0, To: 20})
	t.Chdir(filepath.Dir(made.Input))
	r := new(remote)
	cfg := FileConfig{Input: "in.dat", History: "history.csv", Out: "out", Runner: r}
	s, err := RunFile(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.Reports == 0 || s.Input != "in.dat" {
		t.Errorf("%+v", s)
	}
	var p FileParams
	if err := json.Unmarshal([]byte(r.params), &p); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{p.Input, p.History, p.Out} {
		if !filepath.IsAbs(name) {
			t.Errorf("workers are told of %q, which depends on where they are", name)
		}
	}
	if got := p.length(); got != p.lead()+20e9 {
		t.Errorf("the input ends at %v, want 20 s after %v", got, p.lead())
	}
}
