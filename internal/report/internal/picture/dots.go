package picture

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/compare"
)

// Dots draws a row for each group, for which there is room for MaxGroups: its
// values as small dots, the centre with its interval over them, and the baseline's centre as a
// line.
func Dots(label string, groups []compare.Group) (Picture, error) {
	p := newPlot(label)
	p.Add(verticalGrid())
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
		row := float64(len(groups) - 1 - i)
		if g.Baseline && finite(g.Centre) {
			line, err := plotter.NewLine(plotter.XYs{{X: g.Centre, Y: -0.5}, {X: g.Centre, Y: float64(len(groups)) - 0.5}})
			if err != nil {
				return Picture{}, err
			}
			line.Color, line.Width, line.Dashes = faint, 1, []vg.Length{4, 3}
			p.Add(line)
		}
		if err := addGroup(p, g, row, OneEach(groups)); err != nil {
			return Picture{}, err
		}
	}
	short, numbered := labels(names)
	slices.Reverse(short)
	p.NominalY(short...)
	p.Y.Tick.Label.Font = sans
	p.Y.Min, p.Y.Max = -0.6, float64(len(groups))-0.4
	widen(&p.X)
	png, err := render(p, 560, vg.Length(60+26*len(groups)))
	return Picture{png, numbered}, err
}

// OneEach says whether every group is one run, so that its dot is the only one.
func OneEach(groups []compare.Group) bool {
	return !slices.ContainsFunc(groups, func(g compare.Group) bool { return g.N > 1 || g.Trials > 0 })
}

// addGroup draws one row; alone is one value without a spread.
func addGroup(p *plot.Plot, g compare.Group, row float64, alone bool) error {
	c, above := blue, 0.12
	if g.Baseline {
		c = orange
	}
	if alone {
		return addDot(p, g.Centre, row, c)
	}
	var dots plotter.XYs
	step := max(1, len(g.Values)/maxDots)
	for i := 0; i < len(g.Values); i += step {
		// A fixed pattern keeps equal values apart.
		dots = append(dots, plotter.XY{X: g.Values[i], Y: row - 0.22 + 0.06*float64(i%5-2)})
	}
	scatter, err := plotter.NewScatter(dots)
	if err != nil {
		return err
	}
	light := c
	light.A = 0x70
	scatter.GlyphStyle = draw.GlyphStyle{Color: light, Radius: 1.8, Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	if finite(g.Hi - g.Lo) {
		line, err := plotter.NewLine(plotter.XYs{{X: g.Lo, Y: row + above}, {X: g.Hi, Y: row + above}})
		if err != nil {
			return err
		}
		line.Color, line.Width = c, 2
		p.Add(line)
	}
	return addDot(p, g.Centre, row+above, c)
}

// finite reports whether x has a place in a plot: means of large numbers need not.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func addDot(p *plot.Plot, x, y float64, c color.NRGBA) error {
	if !finite(x) {
		return nil
	}
	dot, err := plotter.NewScatter(plotter.XYs{{X: x, Y: y}})
	if err != nil {
		return err
	}
	dot.GlyphStyle = draw.GlyphStyle{Color: c, Radius: 4, Shape: draw.CircleGlyph{}}
	p.Add(dot)
	return nil
}
