package picture

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/compare"
)

// MaxNights is how many series Nights draws: the first ones.
const MaxNights = 12

// Nights draws series by date, the last value in orange, and as a grey bar
// behind it what was expected there: a plot of one, panels of several, each to
// its own scale. marks are, by series, the places of dates where a vertical line is
// drawn.
func Nights(label, axis string, dates []string, of []compare.Departure, marks [][]int) (Picture, error) {
	of = of[:min(len(of), MaxNights)]
	names := make([]string, len(of))
	for i, d := range of {
		names[i] = d.Name
	}
	short, numbered := labels(names)
	at := make([]float64, len(dates))
	for i := range at {
		at[i] = float64(i)
	}
	if len(of) == 1 {
		p := newPlot(axis)
		p.Title.Text = short[0]
		p.Y.Label.Text = drawable(label)
		p.Add(horizontalGrid())
		p.X.Tick.Marker, _ = ticksOf(dates, at)
		if err := addNights(p, at, of[0], marks[0]); err != nil {
			return Picture{}, err
		}
		png, err := render(p, 620, 220)
		return Picture{png, numbered}, err
	}
	var panels []*plot.Plot
	for i, d := range of {
		p := newPanel(short[i], at)
		if err := addNights(p, at, d, marks[i]); err != nil {
			return Picture{}, err
		}
		panels = append(panels, p)
	}
	png, err := tile(panels)
	return Picture{png, numbered}, err
}

// addNights draws one series.
func addNights(p *plot.Plot, at []float64, d compare.Departure, marks []int) error {
	p.Add(rules(marks))
	last := at[len(at)-1]
	expected, err := plotter.NewLine(plotter.XYs{{X: last, Y: d.Expected - d.Usual}, {X: last, Y: d.Expected + d.Usual}})
	if err != nil {
		return err
	}
	expected.Color, expected.Width = faint, 7
	level, err := plotter.NewLine(plotter.XYs{{X: last - math.Max(1, last/20), Y: d.Expected}, {X: last, Y: d.Expected}})
	if err != nil {
		return err
	}
	level.Color, level.Width, level.Dashes = faint, 1, []vg.Length{3, 2}
	p.Add(expected, level)
	if err := addPlain(p, pointsOf(at, d.Values), blue); err != nil {
		return err
	}
	dot, err := plotter.NewScatter(plotter.XYs{{X: last, Y: d.Value}})
	if err != nil {
		return err
	}
	dot.GlyphStyle = draw.GlyphStyle{Color: orange, Radius: 3.5, Shape: draw.CircleGlyph{}}
	p.Add(dot)
	p.X.Min, p.X.Max = at[0], last
	widen(&p.X)
	widen(&p.Y)
	return nil
}

// rules are vertical lines over the whole height of a plot, at places.
type rules []int

// Plot implements plot.Plotter.
func (r rules) Plot(c draw.Canvas, p *plot.Plot) {
	toX, _ := p.Transforms(&c)
	style := draw.LineStyle{Color: amber, Width: 1.2, Dashes: []vg.Length{4, 2}}
	for _, at := range r {
		if x := toX(float64(at)); c.ContainsX(x) {
			c.StrokeLine2(style, x, c.Min.Y, x, c.Max.Y)
		}
	}
}
