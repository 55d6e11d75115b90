package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/fanout-dev/fanout/internal/compare"
)

// Plots are drawn on white, so that they read on a dark page too. Colours are
// Okabe and Ito's, which the colour-blind can tell apart.
var (
	ink    = color.NRGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xff}
	faint  = color.NRGBA{R: 0x88, G: 0x88, B: 0x88, A: 0xff}
	grid   = color.NRGBA{R: 0xe6, G: 0xe6, B: 0xe6, A: 0xff}
	blue   = color.NRGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}
	orange = color.NRGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}
)

// How much a plot shows.
const (
	maxPlotGroups = 40
	maxPlotDots   = 200 // per group
	maxLabel      = 36  // characters
	minLinePoints = 6   // below that an ordered axis is drawn as variants
)

// drawMetric makes the picture of a metric: a line along an ordered axis, else dots
// and intervals by variant. A metric without values has none.
func drawMetric(in Input, t compare.MetricTable, file string) (*picture, error) {
	groups := withValues(t.Groups)
	if len(groups) == 0 {
		return nil, nil
	}
	if axis, ok := alongAxis(in); ok && len(groups) >= minLinePoints {
		return drawLine(in, t, groups, axis, file)
	}
	return drawDots(in, t, groups, file)
}

func withValues(groups []compare.Group) []compare.Group {
	var out []compare.Group
	for _, g := range groups {
		if g.N > 0 {
			out = append(out, g)
		}
	}
	return out
}

// alongAxis is the ordered axis that alone makes the groups.
func alongAxis(in Input) (Axis, bool) {
	if len(in.Compare.Rows) != 1 {
		return Axis{}, false
	}
	for _, a := range in.Axes {
		if a.Name == in.Compare.Rows[0] {
			return a, a.Ordered
		}
	}
	return Axis{}, false
}

func newPlot(label string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Label.Color = faint, ink, ink
		axis.Tick.Color = faint
		axis.Label.TextStyle.Font.Size = 11
		axis.Tick.Label.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}
		axis.Label.TextStyle.Font.Typeface, axis.Label.TextStyle.Font.Variant = "Liberation", "Sans"
	}
	p.X.Label.Text = label
	return p
}

func axisLabel(t compare.MetricTable) string {
	switch {
	case t.Trials != "":
		return plain(t.Name) + " / " + plain(t.Trials)
	case t.Unit == "":
		return plain(t.Name)
	}
	return plain(t.Name) + " (" + plain(t.Unit) + ")"
}

// drawDots puts a row for each group: its values as small dots, the median
// with its interval over them, and the baseline's median as a line.
func drawDots(in Input, t compare.MetricTable, groups []compare.Group, file string) (*picture, error) {
	shown := groups[:min(len(groups), maxPlotGroups)]
	p := newPlot(axisLabel(t))
	p.Add(verticalGrid())
	names := make([]string, len(shown))
	for i, g := range shown {
		row := float64(len(shown) - 1 - i)
		names[len(shown)-1-i] = cut(plain(g.Name))
		if g.Baseline {
			line, err := plotter.NewLine(plotter.XYs{{X: g.Centre, Y: -0.5}, {X: g.Centre, Y: float64(len(shown)) - 0.5}})
			if err != nil {
				return nil, err
			}
			line.Color, line.Width, line.Dashes = faint, 1, []vg.Length{4, 3}
			p.Add(line)
		}
		if err := addGroup(p, g, row); err != nil {
			return nil, err
		}
	}
	p.NominalY(names...)
	p.Y.Tick.Label.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}
	p.Y.Min, p.Y.Max = -0.6, float64(len(shown))-0.4
	widen(&p.X)
	height := vg.Length(60 + 26*len(shown))
	png, err := render(p, 560, height)
	if err != nil {
		return nil, err
	}
	return &picture{file, png, saysDots(in, t, len(shown), len(groups))}, nil
}

// label is what is drawn, in a sentence.
func label(t compare.MetricTable) string {
	if t.Trials != "" {
		return safe(t.Name + " / " + t.Trials)
	}
	return safe(t.Name)
}

func centreOf(t compare.MetricTable) string {
	if t.Trials != "" {
		return "rate of all " + safe(t.Trials)
	}
	return t.CentreName()
}

func saysDots(in Input, t compare.MetricTable, shown, all int) string {
	says := fmt.Sprintf("%s by %s: small dots are runs, the large dot is the %s with its 95 %% interval", label(t), safe(strings.Join(in.Compare.Rows, ", ")), centreOf(t))
	if in.Compare.Baseline != "" {
		says += fmt.Sprintf("; the dashed line is the baseline's %s, %s", t.CentreName(), safe(in.Compare.Baseline))
	}
	if all > shown {
		says += fmt.Sprintf("; the first %d of %d groups", shown, all)
	}
	return says + "."
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

// widen leaves room beside the outermost values.
func widen(a *plot.Axis) {
	margin := (a.Max - a.Min) * 0.04
	if margin == 0 {
		margin = math.Max(math.Abs(a.Max)*0.1, 1)
	}
	a.Min, a.Max = a.Min-margin, a.Max+margin
}

func verticalGrid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal.Color = nil
	g.Vertical.Color, g.Vertical.Width = grid, 0.8
	return g
}

// drawLine draws medians along an ordered axis, with quartiles as a band where
// there are several runs at a place.
func drawLine(in Input, t compare.MetricTable, groups []compare.Group, axis Axis, file string) (*picture, error) {
	at := positions(groups)
	p := newPlot(plain(axis.Name))
	p.Y.Label.Text = axisLabel(t)
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal.Color, g.Horizontal.Width = grid, 0.8
	p.Add(g)
	band := false
	var centre, lower, upper plotter.XYs
	for i, g := range groups {
		centre = append(centre, plotter.XY{X: at[i], Y: g.Centre})
		lower = append(lower, plotter.XY{X: at[i], Y: g.Q1})
		upper = append(upper, plotter.XY{X: at[i], Y: g.Q3})
		band = band || g.N > 1
	}
	if band {
		if err := addBand(p, lower, upper); err != nil {
			return nil, err
		}
	}
	line, points, err := plotter.NewLinePoints(centre)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = blue, 1.6
	points.GlyphStyle = draw.GlyphStyle{Color: blue, Radius: 2.2, Shape: draw.CircleGlyph{}}
	p.Add(line, points)
	p.X.Tick.Marker = ticksOf(groups, at)
	widen(&p.Y)
	png, err := render(p, 620, 260)
	if err != nil {
		return nil, err
	}
	says := fmt.Sprintf("%s along %s: the line joins the %ss", label(t), safe(axis.Name), t.CentreName())
	if band {
		says += ", the band holds the middle half of the runs"
	}
	return &picture{file, png, says + "."}, nil
}

func addBand(p *plot.Plot, lower, upper plotter.XYs) error {
	outline := append(plotter.XYs{}, lower...)
	for i := len(upper) - 1; i >= 0; i-- {
		outline = append(outline, upper[i])
	}
	poly, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	fill := blue
	fill.A = 0x30
	poly.Color, poly.LineStyle.Width = fill, 0
	p.Add(poly)
	return nil
}

// positions are the values of a numeric axis, else places in order.
func positions(groups []compare.Group) []float64 {
	out := make([]float64, len(groups))
	for i, g := range groups {
		x, err := strconv.ParseFloat(g.Key[0], 64)
		if err != nil {
			for j := range out {
				out[j] = float64(j)
			}
			return out
		}
		out[i] = x
	}
	return out
}

// ticksOf labels at most seven places.
func ticksOf(groups []compare.Group, at []float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	step := max(1, (len(groups)+6)/7)
	for i := 0; i < len(groups); i += step {
		ticks = append(ticks, plot.Tick{Value: at[i], Label: cut(plain(groups[i].Name))})
	}
	return ticks
}

func cut(s string) string {
	r := []rune(s)
	if len(r) > maxLabel {
		return string(r[:maxLabel-1]) + "…"
	}
	return s
}

// render draws at twice the usual density, for sharp screens.
func render(p *plot.Plot, width, height vg.Length) ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(144))
	p.Draw(draw.Crop(draw.New(c), 8, -24, 6, -10))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
