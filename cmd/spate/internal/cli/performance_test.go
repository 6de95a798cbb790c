package cli

import (
	"strings"
	"testing"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/measure"
)

// TestShortRunsSaySo prints results of runs that were over before their warm-up was seen to be.
func TestShortRunsSaySo(t *testing.T) {
	var small, linear, file strings.Builder
	m := measuredResult{Warm: 8, Measures: measure.Measures{Seconds: 0.002, WarmMeasured: true}}
	l := linearResult{Measures: linearroad.Measures{Performance: linearroad.Performance{Seconds: 0.002, WarmMeasured: true}}}
	s := linearroad.Summary{HistoryRows: 7, HistoryLate: 1.5, Performance: l.Performance}
	for _, err := range []error{m.text(&small), l.text(&linear, new(linearroad.Result)), new(runCommand).text(&file, &s)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{small.String(), linear.String(), file.String()} {
		if !strings.Contains(text, "too short") || !strings.Contains(text, "in 2 ms") {
			t.Errorf("the report does not say that the run was short, and how short:\n%s", text)
		}
	}
	if !strings.Contains(file.String(), "LATE         the run began 1.50 s late") {
		t.Errorf("the report does not say that the run was late:\n%s", file.String())
	}
}
