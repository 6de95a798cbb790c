package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fullspate/spate/engine/coordinator"
	"github.com/fullspate/spate/wire"
)

func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		workers, loops int
		want           string
	}{{0, 1, "1 loop"}, {0, 4, "4 loops"}, {1, 1, "1 worker of 1 loop"}, {2, 1, "2 workers of 1 loop each"}, {3, 2, "3 workers of 2 loops each"}, {1, 0, "1 worker"}, {2, 0, "2 workers"}} {
		if got := places(tt.workers, tt.loops); got != tt.want {
			t.Errorf("places(%d, %d) = %q, want %q", tt.workers, tt.loops, got, tt.want)
		}
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[uint64]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 112: "112th", 122: "122nd"} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestLossesAreListed(t *testing.T) {
	heard := time.Now()
	var b strings.Builder
	writeLosses(&b, []coordinator.Loss{{
		Worker: "w2", PID: 7, Addr: "tcp://h:1", Reason: "no heartbeat for 1s", Heard: heard, After: 1234567 * time.Microsecond,
		Tasks: []coordinator.LostTask{{Operator: "calculator", Task: 1, Position: wire.TimeMax, Reported: true}, {Operator: "account"}},
	}})
	want := "lost         worker w2, pid 7, tcp://h:1: no heartbeat for 1s\n" +
		"             heard last at " + heard.Local().Format("15:04:05.000") + ", given up 1.235s later, and with it\n" +
		"             calculator/1  at ∞\n" +
		"             account/0     position unknown\n"
	if b.String() != want {
		t.Errorf("printed\n%s, want\n%s", b.String(), want)
	}
}

// TestShares: by worker and operator, of the value that go tool pprof shows first.
func TestShares(t *testing.T) {
	sample := func(worker, operator string, values ...int64) *profile.Sample {
		s := &profile.Sample{Value: values, Label: map[string][]string{"worker": {worker}}}
		if operator != "" {
			s.Label["operator"] = []string{operator}
		}
		return s
	}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Sample:     []*profile.Sample{sample("w1", "sum", 1, 10), sample("w1", "", 2, 30), sample("w2", "sum", 3, 40), sample("w1", "sum", 4, 20), sample("w2", "", 9, 0)},
	}
	list, total, unit := shares(p)
	want := []share{{"w2", "sum", 40, 0.4}, {"w1", "", 30, 0.3}, {"w1", "sum", 30, 0.3}}
	if total != 100 || unit != "nanoseconds" || !slices.Equal(list, want) {
		t.Errorf("%v of %d %s, want %v", list, total, unit, want)
	}
	p.DefaultSampleType = "samples"
	if _, total, unit := shares(p); total != 19 || unit != "count" {
		t.Errorf("%d %s, want 19 count", total, unit)
	}
	if list, total, _ := shares(&profile.Profile{}); len(list) != 0 || total != 0 {
		t.Errorf("of nothing: %v of %d", list, total)
	}
}

// TestSecretIsMade once, for nobody else to read.
func TestSecretIsMade(t *testing.T) {
	var stderr strings.Builder
	log := (&output{Console: Console{Stderr: &stderr}}).logger()
	c := &coordinatorCommand{Secret: filepath.Join(t.TempDir(), "secret")}
	made, err := c.secret(log)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.secret(log)
	if err != nil || again != made || made.IsZero() {
		t.Errorf("the second time another secret, or %v", err)
	}
	if info, err := os.Stat(c.Secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text := stderr.String(); strings.Count(text, "new secret") != 1 || strings.Contains(text, made.Reveal()) {
		t.Errorf("logged %q", text)
	}
}
