package figure

import (
	"strings"
	"testing"

	"github.com/fullspate/spate/cmd/spate/internal/report"
)

func result(xways, rate float64, valid bool) *report.Result {
	r := &report.Result{
		Settings: map[string]any{"xways": xways}, Valid: valid,
		Spread: map[string]report.Spread{"reports_per_s": {Median: rate, Min: rate * 0.9, Max: rate * 1.1}},
	}
	r.Schema, r.Machine = "spate.bench.lr/1", "a machine"
	return r
}

func TestThroughput(t *testing.T) {
	svg, err := Throughput([]*report.Result{result(50, 6e6, true), result(10, 7e6, true), result(350, 5e6, true)})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, label := range []string{">10<", ">50<", ">350<"} {
		i := strings.Index(string(svg), label)
		if i <= at {
			t.Errorf("label %s is missing or out of order", label)
		}
		at = i
	}
	if !strings.Contains(string(svg), "a machine") {
		t.Error("the machine is not named")
	}
}

func TestThroughputRefuses(t *testing.T) {
	wrong := result(50, 6e6, false)
	other := result(50, 6e6, true)
	other.Schema = "spate.bench.topk/1"
	for name, rs := range map[string][]*report.Result{"answers": {wrong}, "spate.bench.topk/1": {other}, "no results": nil} {
		if _, err := Throughput(rs); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an error that says %q", err, name)
		}
	}
}
