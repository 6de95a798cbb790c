package linearroad

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullspate/spate/bench/linearroad/history"
	"github.com/fullspate/spate/bench/linearroad/traffic"
	"github.com/fullspate/spate/engine"
)

// TestHistoryIsLoadedBeforeTheRun has a history that takes longer to load than the input to run.
func TestHistoryIsLoadedBeforeTheRun(t *testing.T) {
	const rows = 400_000
	cfg := generate(t, traffic.Config{Seed: 5, Xways: 1, From: 0, To: 60})
	var lines []byte
	for i := range rows {
		lines = append(history.Append(lines, &history.Row{VID: uint32(i), Day: 1, Toll: 5}), '\n')
	}
	if err := os.WriteFile(cfg.History, lines, 0o644); err != nil {
		t.Fatal(err)
	}
	all := int64(bytes.Count(read(t, cfg.Input), []byte("\n0,")) + 1)
	share := float64(len(lines)) / float64(len(lines)+len(read(t, cfg.Input)))
	for _, pace := range []float64{0, 1000} {
		var loading, last Progress
		cfg.Engine.Pace = pace
		cfg.Progress = func(p Progress) {
			if p.Warming {
				loading = p
				// A look may find reports before it finds that the loading is over, but not before all of it was read.
				if p.Tuples > 0 && p.Fraction < 0.99*share {
					t.Errorf("pace %v: reports come before the history is loaded: %+v", pace, p)
				}
			}
			if p.Fraction < last.Fraction || p.Warming && p.Fraction > share {
				t.Errorf("pace %v: progress %+v after %+v; the history is %v of it", pace, p, last, share)
			}
			last = p
		}
		s, err := RunFile(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if loading.Fraction == 0 || loading.Moved == 0 {
			t.Errorf("pace %v: no progress was seen while the history was loaded: %+v", pace, loading)
		}
		if s.StateBytes < 8*rows || s.RSSBytes < s.StateBytes {
			t.Errorf("pace %v: %d bytes of state in %d of the process, want at least 8 for each of %d rows", pace, s.StateBytes, s.RSSBytes, rows)
		}
		if s.Reports != all || s.HistoryRows != rows || s.HistorySeconds <= 0 {
			t.Errorf("pace %v: %+v, want %d reports and %d rows", pace, s, all, rows)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestLead gives second 0 of a paced run a time at which loading should be over, and tells of it if it was not.
func TestLead(t *testing.T) {
	dir := t.TempDir()
	cfg := FileConfig{Input: filepath.Join(dir, "in"), History: filepath.Join(dir, "history"), Out: dir, Engine: engine.Config{Pace: 20}}
	for _, name := range []string{cfg.Input, cfg.History} {
		if err := os.WriteFile(name, []byte(strings.Repeat("\n", 1_000_000)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, rows, err := cfg.params()
	if err != nil {
		t.Fatal(err)
	}
	if rows != 1_000_001 || p.lead() != 31*time.Second {
		t.Errorf("%d rows, second 0 is at %v, want a million and 1.5 s later by the clock, in seconds of the run", rows, p.lead())
	}
	if got := p.late(2); got < 0.44 || got > 0.46 {
		t.Errorf("loading took 2 s of the 1.55 there were, but the run was %v s late", got)
	}
	if p.late(1) != 0 {
		t.Error("the run was late, though loading was over in time")
	}
	if p.Pace = 0; p.late(100) != 0 {
		t.Error("a run without a pace was late")
	}
}
