package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/cmd/spate/internal/figure"
	"github.com/fullspate/spate/cmd/spate/internal/report"
)

type figuresCommand struct {
	Out     string   `required:"" placeholder:"FILE" help:"Where to write the page, in HTML."`
	Results []string `arg:"" name:"result.json" help:"Results of bench recovery and bench overhead; those with the same settings are taken together."`
}

// Help shows an example.
func (figuresCommand) Help() string {
	return `Draws recovery and the cost of checkpoints beside the numbers of the paper (figures 11 to 15), in a page that needs no network.

	spate bench recovery --rate 100,500,1000 --json > recovery.json
	spate bench overhead --words 60000 --json > overhead.json
	spate bench figures --out recovery.html recovery.json overhead.json`
}

// Validate checks the flags.
func (c *figuresCommand) Validate() error {
	var read []named
	for _, name := range c.Results {
		read = append(read, named{"a result", name})
	}
	return distinct(read, []named{{"--out", c.Out}})
}

// Run draws the page.
func (c *figuresCommand) Run() error {
	m := new(measurements)
	for _, name := range c.Results {
		if err := m.read(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	page := figure.Page{
		Title: "Recovery and checkpoints beside the paper",
		Notes: []string{
			"The windowed word frequency query on worker processes of one machine: " + m.machine + ". Medians. The paper is Castro Fernandez et al., SIGMOD 2013; its numbers were read off its plots.",
			"The paper's recovery times leave detection and catching up out, ours are from the kill on. Caught up: the first count arrives that the killed worker had not told. Normal: the first 500 ms begin whose p99 is at most 1.5 times what it was before.",
		},
		Charts: []figure.Chart{m.byRate(), m.byInterval(), m.overheadByWords(), m.overheadByInterval()},
	}
	html, err := page.HTML()
	if err != nil {
		return err
	}
	return os.WriteFile(c.Out, html, 0o644)
}

// measurements are what the results hold, by settings.
type measurements struct {
	machine string
	kills   map[experiment][]recovery.Kill
	costs   map[experiment][]recovery.Cost
}

// read adds a result.
func (m *measurements) read(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var head report.Origin
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if m.kills == nil {
		m.kills, m.costs = map[experiment][]recovery.Kill{}, map[experiment][]recovery.Cost{}
	}
	m.machine = head.Machine
	switch head.Schema {
	case "spate.bench.recovery/1":
		var r recoveryResult
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		for _, s := range r.Series {
			m.kills[s.experiment] = append(m.kills[s.experiment], s.Kills...)
		}
		return wrongUnless(r.Valid)
	case "spate.bench.overhead/1":
		var r overheadResult
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		for _, s := range r.Series {
			m.costs[s.experiment] = append(m.costs[s.experiment], s.Costs...)
		}
		return wrongUnless(r.Valid)
	}
	return fmt.Errorf("its schema is %q, want that of bench recovery or bench overhead", head.Schema)
}

func wrongUnless(valid bool) error {
	if !valid {
		return errors.New("it is not valid: the counts were wrong")
	}
	return nil
}

// line is the median of a measure of those experiments that x is defined for. Values of 0, which were not measured, are left out.
func line[V any](name string, all map[experiment][]V, x func(experiment) (float64, bool), y func(V) float64) figure.Line {
	values := map[float64][]float64{}
	for e, list := range all {
		at, ok := x(e)
		for _, v := range list {
			if n := y(v); ok && n > 0 {
				values[at] = append(values[at], n)
			}
		}
	}
	l := figure.Line{Name: name}
	for at, list := range values {
		l.Points = append(l.Points, figure.Point{X: at, Y: report.Median(list)})
	}
	slices.SortFunc(l.Points, func(a, b figure.Point) int { return cmp.Compare(a.X, b.X) })
	return l
}

// recoveryLines are ours in both charts of recovery.
func (m *measurements) recoveryLines(x func(experiment) (float64, bool)) []figure.Line {
	return []figure.Line{
		line("normal", m.kills, x, func(k recovery.Kill) float64 { return k.Normal / 1000 }),
		line("caught up", m.kills, x, func(k recovery.Kill) float64 { return k.CaughtUp / 1000 }),
		line("detected", m.kills, x, func(k recovery.Kill) float64 { return k.Detected / 1000 }),
	}
}

func (m *measurements) byRate() figure.Chart {
	x := func(e experiment) (float64, bool) { return float64(e.Rate), e.StateBytes == 0 && e.IntervalS == 5 }
	return figure.Chart{Title: "Recovery by rate, checkpoints each 5 s", X: "fragments/s", Y: "s", LogX: true, Lines: append(m.recoveryLines(x),
		paper("paper: state management", 100, 1.23, 500, 1.78, 1000, 2.98),
		paper("paper: source replay", 100, 3.48, 500, 6.68, 1000, 8.68),
		paper("paper: upstream backup", 100, 4.61, 500, 9.39, 1000, 10.76))}
}

func (m *measurements) byInterval() figure.Chart {
	x := func(e experiment) (float64, bool) { return e.IntervalS, e.StateBytes == 0 && e.Rate == 1000 }
	return figure.Chart{Title: "Recovery by interval, 1,000 fragments/s", X: "s between checkpoints", Y: "s", LogX: true, Lines: append(m.recoveryLines(x),
		paper("paper", 1, 2.00, 5, 2.97, 10, 4.94, 15, 5.73, 20, 6.92, 25, 7.32, 30, 7.70))}
}

// wordBytes is what a word takes in a dictionary of the paper's sizes, so that sizes become numbers of words: 2 KB are 60.
const wordBytes = 2000 / 60.0

func (m *measurements) overheadByWords() figure.Chart {
	x := func(e experiment) (float64, bool) {
		return float64(e.Words) * wordBytes / 1000, e.StateBytes == 0 && e.Rate == 1000 && e.IntervalS == 5
	}
	return figure.Chart{Title: "p95 by state, 1,000 fragments/s, checkpoints each 5 s", X: "KB of state", Y: "ms", LogX: true, Lines: []figure.Line{
		line("with", m.costs, x, func(c recovery.Cost) float64 { return c.With.P95 }),
		line("without", m.costs, x, func(c recovery.Cost) float64 { return c.Without.P95 }),
		paper("paper: with", 2, 308, 200, 297, 2000, 467), paper("paper: without", 2, 195, 200, 195, 2000, 195)}}
}

func (m *measurements) overheadByInterval() figure.Chart {
	x := func(e experiment) (float64, bool) {
		return e.IntervalS, e.StateBytes == 0 && e.Rate == 1000 && e.Words == 60_000
	}
	return figure.Chart{Title: "p95 by interval, 1,000 fragments/s", X: "s between checkpoints", Y: "ms", LogX: true, Lines: []figure.Line{
		line("with", m.costs, x, func(c recovery.Cost) float64 { return c.With.P95 }),
		line("without", m.costs, x, func(c recovery.Cost) float64 { return c.Without.P95 }),
		paper("paper: with", 1, 439, 5, 367, 10, 284, 15, 287, 20, 248, 25, 221, 30, 216)}}
}

// paper is a line of the paper from x and y in turns.
func paper(name string, xy ...float64) figure.Line {
	l := figure.Line{Name: name, Paper: true}
	for i := 0; i+1 < len(xy); i += 2 {
		l.Points = append(l.Points, figure.Point{X: xy[i], Y: xy[i+1]})
	}
	return l
}
