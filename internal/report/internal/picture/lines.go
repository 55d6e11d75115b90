package picture

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/compare"
)

const (
	MaxLines  = 6  // of Lines; more have a panel each
	MaxPanels = 24 // of Panels
	panelsRow = 4
)

// Line draws the centres of groups along an ordered axis, with quartiles as a
// band where there are several runs at a place.
func Line(label, axis string, groups []compare.Group) (Picture, error) {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	at := positions(names)
	p := newPlot(axis)
	p.Y.Label.Text = drawable(label)
	p.Add(horizontalGrid())
	var centre, lower, upper plotter.XYs
	for i, g := range groups {
		centre = append(centre, plotter.XY{X: at[i], Y: g.Centre})
		lower = append(lower, plotter.XY{X: at[i], Y: g.Q1})
		upper = append(upper, plotter.XY{X: at[i], Y: g.Q3})
	}
	if spread(groups) {
		if err := addBand(p, lower, upper, blue); err != nil {
			return Picture{}, err
		}
	}
	if _, err := addLine(p, centre, stroke{colour: blue}); err != nil {
		return Picture{}, err
	}
	var out Picture
	p.X.Tick.Marker, out.Numbered = ticksOf(names, at)
	widen(&p.Y)
	var err error
	out.PNG, err = render(p, 620, 260)
	return out, err
}

// spread says whether some group has several values.
func spread(groups []compare.Group) bool {
	return slices.ContainsFunc(groups, func(g compare.Group) bool { return g.N > 1 })
}

func addBand(p *plot.Plot, lower, upper plotter.XYs, fill color.NRGBA) error {
	outline := append(plotter.XYs{}, lower...)
	for i := len(upper) - 1; i >= 0; i-- {
		outline = append(outline, upper[i])
	}
	poly, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	fill.A = 0x30
	poly.Color, poly.LineStyle.Width = fill, 0
	p.Add(poly)
	return nil
}

// A stroke tells lines apart by colour, dashes and the shape of their points.
type stroke struct {
	colour color.NRGBA
	dashes []vg.Length
	shape  draw.GlyphDrawer
}

// strokes are those of the variants; the baseline has its own.
var strokes = []stroke{
	{blue, nil, draw.CircleGlyph{}},
	{green, []vg.Length{6, 2}, draw.SquareGlyph{}},
	{purple, []vg.Length{2, 2}, draw.TriangleGlyph{}},
	{sky, []vg.Length{8, 2, 2, 2}, draw.BoxGlyph{}},
	{amber, []vg.Length{4, 2}, draw.RingGlyph{}},
	{ink, []vg.Length{1, 2}, draw.CrossGlyph{}},
}

var baselineStroke = stroke{colour: orange, shape: draw.CircleGlyph{}}

// addLine joins the points; a place without a value breaks it.
func addLine(p *plot.Plot, points plotter.XYs, s stroke) (plot.Thumbnailer, error) {
	var line *plotter.Line
	for _, part := range unbroken(points) {
		l, dots, err := plotter.NewLinePoints(part)
		if err != nil {
			return nil, err
		}
		l.Color, l.Width, l.Dashes = s.colour, 1.6, s.dashes
		dots.GlyphStyle = draw.GlyphStyle{Color: s.colour, Radius: 2.2, Shape: s.shape}
		if s.shape == nil {
			dots.Shape = draw.CircleGlyph{}
		}
		p.Add(l, dots)
		line = l
	}
	return line, nil
}

func unbroken(points plotter.XYs) []plotter.XYs {
	var parts []plotter.XYs
	open := false
	for _, q := range points {
		known := !math.IsNaN(q.Y) && !math.IsInf(q.Y, 0)
		if known && !open {
			parts = append(parts, nil)
		}
		if open = known; known {
			parts[len(parts)-1] = append(parts[len(parts)-1], q)
		}
	}
	return parts
}

// Lines draws a line for every row of a cross along its ordered axis.
func Lines(label string, x compare.Cross, baseline string) (Picture, error) {
	at := positions(x.Columns)
	p := newPlot(x.Axis)
	p.Y.Label.Text = drawable(label)
	p.Add(horizontalGrid())
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.Padding, legend.ThumbnailWidth = true, true, 4, 24
	legend.TextStyle = write(10, ink, 0, 0)
	names, numbered := labels(x.Rows)
	others := 0
	for i, row := range x.Cells {
		s := baselineStroke
		if x.Rows[i] != baseline {
			s = strokes[others]
			others++
		}
		thumb, err := addLine(p, pointsOf(at, row), s)
		if err != nil {
			return Picture{}, err
		}
		legend.Add(names[i], thumb)
	}
	ticks, more := ticksOf(x.Columns, at)
	p.X.Tick.Marker = ticks
	widen(&p.Y)
	beside := legendWidth(names)
	png, err := paint(620+beside, 280, func(c draw.Canvas) {
		p.Draw(draw.Crop(c, 8, -beside-16, 6, -10))
		legend.Draw(draw.Crop(c, c.Max.X-beside, 0, 0, -16))
	})
	return Picture{png, append(numbered, more...)}, err
}

func legendWidth(names []string) vg.Length {
	width := vg.Length(0)
	for _, n := range names {
		width = max(width, face.Width(n))
	}
	return width + 40
}

// Panels draws a small plot for each of the first MaxPanels rows of a cross
// along its ordered axis, all to one scale, the baseline behind each.
func Panels(x compare.Cross, baseline string) (Picture, error) {
	at := positions(x.Columns)
	names, numbered := labels(x.Rows[:min(len(x.Rows), MaxPanels)])
	base := slices.Index(x.Rows, baseline)
	low, high := reach(x.Cells)
	var panels []*plot.Plot
	for i, name := range names {
		p := newPanel(name, at)
		if base >= 0 {
			if err := addPlain(p, pointsOf(at, x.Cells[base]), orange); err != nil {
				return Picture{}, err
			}
		}
		if i != base {
			if err := addPlain(p, pointsOf(at, x.Cells[i]), blue); err != nil {
				return Picture{}, err
			}
		}
		p.Y.Min, p.Y.Max = low, high
		widen(&p.Y)
		panels = append(panels, p)
	}
	png, err := tile(panels)
	return Picture{png, numbered}, err
}

// newPanel is a small plot along places, without their names.
func newPanel(title string, at []float64) *plot.Plot {
	p := newPlot("")
	p.Title.Text = title
	p.Add(horizontalGrid())
	p.X.Tick.Marker = plot.ConstantTicks{{Value: at[0], Label: ""}, {Value: at[len(at)-1], Label: ""}}
	p.X.Min, p.X.Max = at[0], at[len(at)-1]
	widen(&p.X)
	p.Y.Tick.Marker = roundTicks(3)
	return p
}

// tile paints panels, panelsRow of them side by side.
func tile(panels []*plot.Plot) ([]byte, error) {
	rows := make([][]*plot.Plot, (len(panels)+panelsRow-1)/panelsRow)
	for i := range rows {
		rows[i] = make([]*plot.Plot, panelsRow)
		copy(rows[i], panels[i*panelsRow:])
	}
	return paint(720, vg.Length(16+110*len(rows)), func(c draw.Canvas) {
		tiles := draw.Tiles{Rows: len(rows), Cols: panelsRow, PadX: 8, PadY: 8, PadTop: 8, PadRight: 8, PadBottom: 6, PadLeft: 6}
		for j, row := range plot.Align(rows, tiles, c) {
			for i, canvas := range row {
				if rows[j][i] != nil {
					rows[j][i].Draw(canvas)
				}
			}
		}
	})
}

func addPlain(p *plot.Plot, points plotter.XYs, c color.NRGBA) error {
	for _, part := range unbroken(points) {
		l, err := plotter.NewLine(part)
		if err != nil {
			return err
		}
		l.Color, l.Width = c, 1.3
		p.Add(l)
	}
	return nil
}

// reach is the smallest and the largest known value.
func reach(cells [][]float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range cells {
		for _, y := range row {
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				low, high = math.Min(low, y), math.Max(high, y)
			}
		}
	}
	return low, high
}

func pointsOf(at, row []float64) plotter.XYs {
	points := make(plotter.XYs, len(row))
	for i, y := range row {
		points[i] = plotter.XY{X: at[i], Y: y}
	}
	return points
}

// positions are the values of a numeric axis, else places in order.
func positions(names []string) []float64 {
	out := make([]float64, len(names))
	for i, n := range names {
		x, err := strconv.ParseFloat(n, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
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
func ticksOf(names []string, at []float64) (plot.ConstantTicks, []Numbered) {
	short, numbered := labels(names)
	var ticks plot.ConstantTicks
	step := max(1, (len(names)+6)/7)
	for i := 0; i < len(names); i += step {
		ticks = append(ticks, plot.Tick{Value: at[i], Label: short[i]})
	}
	return ticks, numbered
}
