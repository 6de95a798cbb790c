package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	tests := []struct {
		n    float64
		want string
	}{
		{0, "0"}, {7, "7"}, {9999, "9999"}, {12345, "12.3 k"}, {999_999, "1.00 M"}, {5_123_456, "5.12 M"}, {592_000_000, "592 M"},
		{1.5e10, "15 G"}, {0.00004, "4e-05"}, {3.14159, "3.14"}, {99.96, "100"}, {-20_000, "-20 k"}, {150.4, "150"},
	}
	for _, tt := range tests {
		if got := Number(tt.n); got != tt.want {
			t.Errorf("Number(%v) = %q, want %q", tt.n, got, tt.want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]string{0: "0 ms", 0.0021: "2.10 ms", 0.0999: "99.9 ms", 0.1: "0.10 s", 61.234: "61.23 s"} {
		if got := Seconds(s); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", s, got, want)
		}
	}
}

func TestBytesAndCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 24<<30 + 1: "24.0 GiB", 5 << 40: "5 TiB", 1536: "1.50 KiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestMedianIndex(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   int
	}{{[]float64{5}, 0}, {[]float64{9, 1}, 1}, {[]float64{3, 9, 5}, 2}, {[]float64{4, 4, 4, 4}, 1}} {
		if got := MedianIndex(tt.values); got != tt.want {
			t.Errorf("MedianIndex(%v) = %d, want %d", tt.values, got, tt.want)
		}
	}
}

type measures struct {
	Rate     float64          `json:"reports_per_s"`
	Memory   int64            `json:"rss_bytes"`
	Answers  map[string]int64 `json:"answers"`
	Response map[string]struct {
		P99 int `json:"p99"`
	} `json:"response_ms"`
	Valid bool `json:"valid"`
}

func run(rate float64, memory int64, answers int64) measures {
	m := measures{Rate: rate, Memory: memory, Answers: map[string]int64{"0": answers}, Valid: true}
	m.Response = map[string]struct {
		P99 int `json:"p99"`
	}{"0": {3}}
	return m
}

func TestSpreads(t *testing.T) {
	got, err := Spreads([]measures{run(10, 100, 7), run(30, 100, 7), run(20, 300, 7), run(40, 200, 7)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Spread{"reports_per_s": {25, 10, 40}, "rss_bytes": {150, 100, 300}, "answers.0": {7, 7, 7}, "response_ms.0.p99": {3, 3, 3}}
	if len(got) != len(want) {
		t.Errorf("got %d measures, want %d: %v", len(got), len(want), got)
	}
	for path, w := range want {
		if got[path] != w {
			t.Errorf("%s: got %v, want %v", path, got[path], w)
		}
	}
	if r := got["reports_per_s"].Relative(); r != 0.6 {
		t.Errorf("relative spread %v, want 0.6", r)
	}
}

// resultJSON makes the JSON of a result as a benchmark prints it.
func resultJSON(t *testing.T, schema string, xways int, valid bool, runs ...measures) []byte {
	t.Helper()
	spread, err := Spreads(runs)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(struct {
		Origin
		Xways    int               `json:"xways"`
		Valid    bool              `json:"valid"`
		Settings []string          `json:"settings"`
		Spread   map[string]Spread `json:"spread"`
	}{OriginOf(schema), xways, valid, []string{"xways"}, spread})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompare(t *testing.T) {
	a, err := Parse(resultJSON(t, "spate.bench.lr/1", 5, true, run(10, 200, 7), run(11, 220, 7), run(12, 240, 7)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse(resultJSON(t, "spate.bench.lr/1", 50, false, run(20, 210, 8), run(22, 231, 8), run(24, 250, 8)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		verdict string
		clear   bool
		ratio   float64
	}{
		"reports_per_s":     {"better", true, 2},
		"rss_bytes":         {"worse", false, 1.05},
		"response_ms.0.p99": {"same", false, 1},
		"answers.0":         {"differs", true, 8. / 7},
	}
	for _, r := range c.Rows {
		w := want[r.Metric]
		if r.Better != w.verdict || r.Clear != w.clear || r.Ratio == nil || *r.Ratio != w.ratio {
			t.Errorf("%s: got %+v, want %v", r.Metric, r, w)
		}
	}
	if len(c.Rows) != len(want) || c.Rows[0].Metric != "reports_per_s" || c.Rows[3].Metric != "answers.0" {
		t.Errorf("rows in the wrong order or number: %+v", c.Rows)
	}
	if len(c.Warnings) != 2 || c.Warnings[0] != "xways differs: 5 and 50" || c.Warnings[1] != "the answers of B were wrong" {
		t.Errorf("warnings: %q", c.Warnings)
	}
	var text strings.Builder
	if err := c.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"2.000", "better", "within spread", "±9.1 %", "warning: xways differs"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, text.String())
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	good := resultJSON(t, "spate.bench.lr/1", 5, true, run(1, 1, 1))
	a, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse(resultJSON(t, "spate.bench.topk/1", 5, true, run(1, 1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(a, b); err == nil || !strings.Contains(err.Error(), "topk") {
		t.Errorf("results of two benchmarks: %v", err)
	}
	for text, want := range map[string]string{
		"":                              "EOF",
		"{":                             "EOF",
		"[]":                            "cannot unmarshal",
		"{}":                            "schema",
		`{"schema":"spate.bench.lr/1"}`: "missing",
		string(good) + "{}":             "more text",
	} {
		name := filepath.Join(t.TempDir(), "result.json")
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%.40q: error %v, want the file and %q", text, err, want)
		}
	}
}

func TestOrigin(t *testing.T) {
	o := OriginOf("spate.test/1")
	if o.Schema != "spate.test/1" || !strings.HasPrefix(o.Go, "go1.") || slices.Contains([]string{o.Version, o.Commit, o.Machine}, "") {
		t.Errorf("%+v", o)
	}
	var text strings.Builder
	for _, commit := range []string{"unknown", "0123"} {
		o.Commit = commit
		o.Text(&text)
	}
	if got := text.String(); !strings.Contains(got, "commit unknown (go build stamps it, go run does not)\n") || !strings.Contains(got, "commit 0123\n") {
		t.Errorf("the origin is printed as\n%s", got)
	}
	if got := short("0123456789abcdef0123+dirty"); got != "0123456789ab+dirty" {
		t.Errorf("short commit %q", got)
	}
}
