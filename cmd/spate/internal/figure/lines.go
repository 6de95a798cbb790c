package figure

import (
	"bytes"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Line is a measure over something that was varied, in order.
type Line struct {
	Name   string
	Points []Point
	Paper  bool // the numbers are those of the paper
	Mark   bool // it is no measure, but says where something happened
	Dense  bool // it has so many points that they are not drawn
}

// Point is one value, more than 0 where the axis is logarithmic, as Y always is.
type Point struct{ X, Y float64 }

// Chart is a picture of lines with the same axes; that of y is logarithmic.
type Chart struct {
	Title, X, Y string
	LogX        bool
	Lines       []Line
}

// inks are the colours of our lines, greys those of the paper's.
var (
	inks  = []color.Color{ink, color.RGBA{R: 0xc0, G: 0x4f, B: 0x15, A: 0xff}, color.RGBA{R: 0x2e, G: 0x7d, B: 0x32, A: 0xff}, color.RGBA{R: 0x6a, G: 0x1b, B: 0x9a, A: 0xff}}
	greys = []color.Color{color.Gray{0x30}, color.Gray{0x70}, color.Gray{0xa0}}
)

// SVG draws the chart, 16 by 9 cm.
func (c *Chart) SVG() ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	if c.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	ours, greyed := 0, 0
	for _, l := range c.Lines {
		if len(l.Points) == 0 {
			continue
		}
		xys := make(plotter.XYs, len(l.Points))
		for i, at := range l.Points {
			if c.LogX && at.X <= 0 || at.Y <= 0 {
				return nil, fmt.Errorf("line %q has the point (%v, %v), want what is on a logarithmic axis above 0", l.Name, at.X, at.Y)
			}
			xys[i] = plotter.XY{X: at.X, Y: at.Y}
		}
		line, dots, err := plotter.NewLinePoints(xys)
		if err != nil {
			return nil, err
		}
		if l.Mark {
			line.Color, line.Dashes = greys[greyed%len(greys)], []vg.Length{vg.Points(1), vg.Points(2)}
			greyed++
		} else if l.Paper {
			line.Color, line.Dashes = greys[greyed%len(greys)], []vg.Length{vg.Points(4), vg.Points(2)}
			greyed++
		} else {
			line.Color = inks[ours%len(inks)]
			ours++
		}
		dots.Color, dots.Shape, dots.Radius = line.Color, draw.CircleGlyph{}, vg.Points(2.5)
		if l.Mark || l.Dense {
			p.Add(line)
			p.Legend.Add(l.Name, line)
			continue
		}
		p.Add(line, dots)
		p.Legend.Add(l.Name, line, dots)
	}
	p.Y.Max *= 10 // room for the legend
	canvas := vgsvg.New(16*vg.Centimeter, 9*vg.Centimeter)
	p.Draw(draw.New(canvas))
	var b bytes.Buffer
	_, err := canvas.WriteTo(&b)
	return b.Bytes(), err
}
