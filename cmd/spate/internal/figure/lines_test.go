package figure

import (
	"bytes"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	chart := Chart{Title: "a < b", X: "rate", Y: "ms", LogX: true, Lines: []Line{
		{Name: "ours", Points: []Point{{1, 10}, {10, 12.5}}}, {Name: "theirs", Points: []Point{{1, 1000}, {10, 3000}}, Paper: true}, {Name: "none"},
	}}
	p := Page{Title: "Recovery", Notes: []string{"what & how"}, Charts: []Chart{chart}}
	html, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h2>a &lt; b</h2>", "what &amp; how", "<svg", "12.5", `class="paper"`} {
		if !bytes.Contains(html, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if bytes.Contains(html, []byte("<?xml")) || bytes.Contains(html, []byte("src=")) {
		t.Error("the page holds what belongs in a file of its own, or needs one")
	}
	chart.Lines[0].Points[0].Y = 0
	if _, err := chart.SVG(); err == nil || !strings.Contains(err.Error(), "ours") {
		t.Errorf("a value of 0 on a logarithmic axis: %v", err)
	}
}
