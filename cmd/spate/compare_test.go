package main

import (
	"strings"
	"testing"
)

const resultHead = `"version":"devel","commit":"c0ffee","go":"go1.26","machine":"m","xways":5,"valid":true,"settings":["xways"],`

func TestCompare(t *testing.T) {
	a := write(t, "a.json", `{"schema":"spate.bench.lr/1",`+resultHead+`"spread":{"reports_per_s":{"median":2e6,"min":1.9e6,"max":2.1e6}}}`)
	b := write(t, "b.json", `{"schema":"spate.bench.lr/1",`+resultHead+`"spread":{"reports_per_s":{"median":3e6,"min":2.9e6,"max":3.1e6}}}`)
	text := spate(t, "bench", "compare", a, b)
	text.want(t, 0)
	for _, part := range []string{"reports_per_s", "2 M", "3 M", "1.500", "better"} {
		if !strings.Contains(text.stdout, part) {
			t.Errorf("the comparison lacks %q:\n%s", part, text.stdout)
		}
	}
	o := spate(t, "bench", "compare", "--json", a, b).object(t, "spate.compare/1")
	if rows, _ := o["rows"].([]any); len(rows) != 1 || rows[0].(map[string]any)["ratio"] != 1.5 {
		t.Errorf("rows: %v", o["rows"])
	}
}

func TestCompareFails(t *testing.T) {
	good := write(t, "good.json", `{"schema":"spate.bench.lr/1",`+resultHead+`"spread":{"x":{}}}`)
	other := write(t, "other.json", `{"schema":"spate.bench.topk/1",`+resultHead+`"spread":{"x":{}}}`)
	broken := write(t, "broken.json", `{"schema":`)
	spate(t, "bench", "compare", good, "missing.json").want(t, 1, "missing.json")
	spate(t, "bench", "compare", good, broken).want(t, 1, broken)
	spate(t, "bench", "compare", good, other).want(t, 1, "spate.bench.topk/1")
}
