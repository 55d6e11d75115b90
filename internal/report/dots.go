package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/compare"
)

// drawDots puts a row for each group: its values as small dots, the median
// with its interval over them, and the baseline's median as a line.
func drawDots(in Input, t compare.MetricTable, groups []compare.Group) (picture, error) {
	shown := groups[:min(len(groups), maxPlotGroups)]
	p := newPlot(axisLabel(t))
	p.Add(verticalGrid())
	names := make([]string, len(shown))
	for i, g := range shown {
		names[i] = g.Name
		row := float64(len(shown) - 1 - i)
		if g.Baseline {
			line, err := plotter.NewLine(plotter.XYs{{X: g.Centre, Y: -0.5}, {X: g.Centre, Y: float64(len(shown)) - 0.5}})
			if err != nil {
				return picture{}, err
			}
			line.Color, line.Width, line.Dashes = faint, 1, []vg.Length{4, 3}
			p.Add(line)
		}
		if err := addGroup(p, g, row); err != nil {
			return picture{}, err
		}
	}
	short, note := labels(names)
	slices.Reverse(short)
	p.NominalY(short...)
	p.Y.Tick.Label.Font = sans
	p.Y.Min, p.Y.Max = -0.6, float64(len(shown))-0.4
	widen(&p.X)
	png, err := render(p, 560, vg.Length(60+26*len(shown)))
	return picture{png: png, says: saysDots(in, t, len(shown), len(groups)) + note + "."}, err
}

func saysDots(in Input, t compare.MetricTable, shown, all int) string {
	says := fmt.Sprintf("%s by %s: small dots are runs, the large dot is the %s with its 95 %% interval", label(t), safe(joined(in.Compare.Rows)), centreOf(t))
	if in.Compare.Baseline != "" {
		says += fmt.Sprintf("; the dashed line is the baseline's %s, %s", t.CentreName(), safe(in.Compare.Baseline))
	}
	if all > shown {
		says += fmt.Sprintf("; the first %d of %d groups", shown, all)
	}
	return says
}

// addGroup draws one row.
func addGroup(p *plot.Plot, g compare.Group, row float64) error {
	var dots plotter.XYs
	step := max(1, len(g.Values)/maxPlotDots)
	for i := 0; i < len(g.Values); i += step {
		// A fixed pattern keeps equal values apart.
		dots = append(dots, plotter.XY{X: g.Values[i], Y: row - 0.22 + 0.06*float64(i%5-2)})
	}
	scatter, err := plotter.NewScatter(dots)
	if err != nil {
		return err
	}
	c := blue
	if g.Baseline {
		c = orange
	}
	light := c
	light.A = 0x70
	scatter.GlyphStyle = draw.GlyphStyle{Color: light, Radius: 1.8, Shape: draw.CircleGlyph{}}
	p.Add(scatter)
	if !math.IsInf(g.Lo, 0) && !math.IsInf(g.Hi, 0) {
		line, err := plotter.NewLine(plotter.XYs{{X: g.Lo, Y: row + 0.12}, {X: g.Hi, Y: row + 0.12}})
		if err != nil {
			return err
		}
		line.Color, line.Width = c, 2
		p.Add(line)
	}
	centre, err := plotter.NewScatter(plotter.XYs{{X: g.Centre, Y: row + 0.12}})
	if err != nil {
		return err
	}
	centre.GlyphStyle = draw.GlyphStyle{Color: c, Radius: 4, Shape: draw.CircleGlyph{}}
	p.Add(centre)
	return nil
}
