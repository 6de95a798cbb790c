package figure

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/fullspate/spate/cmd/spate/internal/report"
)

// point is one result: Linear Road's rate at a load factor, in millions of reports per second.
type point struct {
	xways            float64
	median, min, max float64
}

type points []point

func (p points) Len() int                { return len(p) }
func (p points) XY(i int) (x, y float64) { return p[i].xways, p[i].median }
func (p points) YError(i int) (low, high float64) {
	return p[i].median - p[i].min, p[i].max - p[i].median
}

var ink = color.RGBA{R: 0x1b, G: 0x5e, B: 0x8a, A: 0xff}

// Throughput draws Linear Road results of different load factors as an SVG, 16 by 9 cm. It fails on results of another
// benchmark, or whose answers were wrong: those are no results.
func Throughput(results []*report.Result) ([]byte, error) {
	var ps points
	for _, r := range results {
		xways, ok := r.Settings["xways"].(float64)
		rate, rated := r.Spread["reports_per_s"]
		if r.Schema != "spate.bench.lr/1" || !ok || !rated {
			return nil, fmt.Errorf("a result has schema %q, want spate.bench.lr/1 with xways and reports_per_s", r.Schema)
		}
		if !r.Valid {
			return nil, fmt.Errorf("the result at %v expressways is not valid: its answers were wrong", xways)
		}
		ps = append(ps, point{xways, rate.Median / 1e6, rate.Min / 1e6, rate.Max / 1e6})
	}
	if len(ps) == 0 {
		return nil, errors.New("no results: want at least one")
	}
	slices.SortFunc(ps, func(a, b point) int { return cmp.Compare(a.xways, b.xways) })
	return throughput(ps, results[0].Machine)
}

func throughput(ps points, machine string) ([]byte, error) {
	p := plot.New()
	p.Title.Text = "Linear Road, every answer of the sample validated\n" + machine
	p.X.Label.Text = "expressways (load factor L)"
	p.Y.Label.Text = "million reports per second"
	p.Y.Min = 0
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, loads(ps)
	line, dots, err := plotter.NewLinePoints(ps)
	if err != nil {
		return nil, err
	}
	line.Color, dots.Color, dots.Shape, dots.Radius = ink, ink, draw.CircleGlyph{}, vg.Points(3)
	bars, err := plotter.NewYErrorBars(ps)
	if err != nil {
		return nil, err
	}
	bars.Color = ink
	p.Add(plotter.NewGrid(), line, dots, bars)
	p.X.Min, p.X.Max = ps[0].xways/margin, ps[len(ps)-1].xways*margin
	p.Y.Max = 1.15 * slices.MaxFunc(ps, func(a, b point) int { return cmp.Compare(a.max, b.max) }).max

	c := vgsvg.New(16*vg.Centimeter, 9*vg.Centimeter)
	p.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// margin is the room beside the first and the last load factor, for their labels.
const margin = 1.3

// loads marks the load factors that were measured.
type loads points

// Ticks returns a tick for each.
func (l loads) Ticks(float64, float64) []plot.Tick {
	var ticks []plot.Tick
	for _, p := range l {
		ticks = append(ticks, plot.Tick{Value: p.xways, Label: fmt.Sprint(p.xways)})
	}
	return ticks
}
