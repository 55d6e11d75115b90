package report

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
	maxLines  = 6  // in one plot; more have a panel each
	maxPanels = 24 // small multiples
	panelsRow = 4
)

// drawLine draws medians along an ordered axis, with quartiles as a band where
// there are several runs at a place.
func drawLine(t compare.MetricTable, groups []compare.Group, axis Axis) (picture, error) {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	at := positions(names)
	p := newPlot(drawable(plain(axis.Name)))
	p.Y.Label.Text = axisLabel(t)
	p.Add(horizontalGrid())
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
			return picture{}, err
		}
	}
	if _, err := addLine(p, centre, stroke{colour: blue}); err != nil {
		return picture{}, err
	}
	note := ""
	p.X.Tick.Marker, note = ticksOf(names, at)
	widen(&p.Y)
	png, err := render(p, 620, 260)
	says := say("line", struct {
		Metric, Axis, Centre string
		Band                 bool
	}{label(t), axis.Name, t.CentreName(), band})
	return picture{png: png, says: says + note + "."}, err
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

// drawLines draws a line for every variant along an ordered axis.
func drawLines(in Input, t compare.MetricTable, x compare.Cross) (picture, error) {
	at := positions(x.Columns)
	p := newPlot(drawable(plain(x.Axis)))
	p.Y.Label.Text = axisLabel(t)
	p.Add(horizontalGrid())
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.Padding, legend.ThumbnailWidth = true, true, 4, 24
	legend.TextStyle = write(10, ink, 0, 0)
	names, note := labels(x.Rows)
	others := 0
	for i, row := range x.Cells {
		s := baselineStroke
		if x.Rows[i] != in.Compare.Baseline {
			s = strokes[others]
			others++
		}
		thumb, err := addLine(p, pointsOf(at, row), s)
		if err != nil {
			return picture{}, err
		}
		legend.Add(names[i], thumb)
	}
	tickNote := ""
	p.X.Tick.Marker, tickNote = ticksOf(x.Columns, at)
	widen(&p.Y)
	beside := legendWidth(names)
	png, err := paint(620+beside, 280, func(c draw.Canvas) {
		p.Draw(draw.Crop(c, 8, -beside-16, 6, -10))
		legend.Draw(draw.Crop(c, c.Max.X-beside, 0, 0, -16))
	})
	says := say("lines", linesView{label(t), rowsName(in, x), x.Axis, t.CentreName(), baselineIn(in, x), "", "", len(x.Rows), len(x.Rows)})
	return picture{png: png, says: says + note + tickNote + "."}, err
}

// rowsName says what the rows of a cross are.
func rowsName(in Input, x compare.Cross) string {
	others := slices.DeleteFunc(slices.Clone(in.Compare.Rows), func(a string) bool { return a == x.Axis })
	return safe(joined(others))
}

// linesView is what lines or panels show.
type linesView struct {
	Metric, Of, Axis, Centre, Baseline, First, Last string
	Shown, All                                      int
}

// baselineIn is the baseline where it is among the rows.
func baselineIn(in Input, x compare.Cross) string {
	if slices.Contains(x.Rows, in.Compare.Baseline) {
		return in.Compare.Baseline
	}
	return ""
}

func legendWidth(names []string) vg.Length {
	width := vg.Length(0)
	for _, n := range names {
		width = max(width, face.Width(n))
	}
	return width + 40
}

// drawPanels draws a small plot for each of many variants along an ordered
// axis, all to one scale, the baseline behind each.
func drawPanels(in Input, t compare.MetricTable, x compare.Cross) (picture, error) {
	at := positions(x.Columns)
	shown := min(len(x.Rows), maxPanels)
	names, note := labels(x.Rows[:shown])
	base := slices.Index(x.Rows, in.Compare.Baseline)
	low, high := reach(x.Cells)
	panels := make([][]*plot.Plot, (shown+panelsRow-1)/panelsRow)
	for i := range len(panels) * panelsRow {
		var p *plot.Plot
		if i < shown {
			p = newPlot("")
			p.Title.Text = names[i]
			p.Add(horizontalGrid())
			if base >= 0 {
				if err := addPlain(p, pointsOf(at, x.Cells[base]), orange); err != nil {
					return picture{}, err
				}
			}
			if i != base {
				if err := addPlain(p, pointsOf(at, x.Cells[i]), blue); err != nil {
					return picture{}, err
				}
			}
			p.X.Tick.Marker = plot.ConstantTicks{{Value: at[0], Label: ""}, {Value: at[len(at)-1], Label: ""}}
			p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = at[0], at[len(at)-1], low, high
			widen(&p.X)
			widen(&p.Y)
			p.Y.Tick.Marker = roundTicks(3)
		}
		panels[i/panelsRow] = append(panels[i/panelsRow], p)
	}
	png, err := paint(720, vg.Length(16+110*len(panels)), func(c draw.Canvas) {
		tiles := draw.Tiles{Rows: len(panels), Cols: panelsRow, PadX: 8, PadY: 8, PadTop: 8, PadRight: 8, PadBottom: 6, PadLeft: 6}
		for j, row := range plot.Align(panels, tiles, c) {
			for i, canvas := range row {
				if panels[j][i] != nil {
					panels[j][i].Draw(canvas)
				}
			}
		}
	})
	says := say("panels", linesView{label(t), rowsName(in, x), x.Axis, t.CentreName(), baselineIn(in, x), x.Columns[0], x.Columns[len(x.Columns)-1], shown, len(x.Rows)})
	return picture{png: png, says: says + note + "."}, err
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
func ticksOf(names []string, at []float64) (plot.ConstantTicks, string) {
	short, note := labels(names)
	var ticks plot.ConstantTicks
	step := max(1, (len(names)+6)/7)
	for i := 0; i < len(names); i += step {
		ticks = append(ticks, plot.Tick{Value: at[i], Label: short[i]})
	}
	return ticks, note
}
