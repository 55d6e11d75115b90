package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Plots are drawn on white, so that they read on a dark page too. Colours are
// Okabe and Ito's, which the colour-blind can tell apart.
var (
	ink    = color.NRGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xff}
	faint  = color.NRGBA{R: 0x88, G: 0x88, B: 0x88, A: 0xff}
	grid   = color.NRGBA{R: 0xe6, G: 0xe6, B: 0xe6, A: 0xff}
	blue   = color.NRGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}
	orange = color.NRGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}
	green  = color.NRGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}
	purple = color.NRGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}
	sky    = color.NRGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}
	amber  = color.NRGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}
)

// How much a plot shows.
const (
	maxPlotGroups = 40
	maxPlotDots   = 120 // per group
	maxLabel      = 36  // characters
	minLinePoints = 6   // below that an ordered axis is drawn as variants
	maxCrosses    = 2   // pictures of a metric by two axes
)

// sans is the face of all text in plots.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}

// drawMetric makes the pictures of a metric: a line along an ordered axis, or dots
// and intervals by variant; then the variants by the axes that they average
// over. A metric without values has none. Files are named after name.
func drawMetric(in Input, t compare.MetricTable, name string) ([]picture, error) {
	groups := withValues(t.Groups)
	if len(groups) == 0 {
		return nil, nil
	}
	var first picture
	var err error
	if axis, ok := alongAxis(in); ok && len(groups) >= minLinePoints {
		first, err = drawLine(t, groups, axis)
	} else {
		first, err = drawDots(in, t, groups)
	}
	if err != nil {
		return nil, err
	}
	pictures := []picture{first}
	for _, x := range t.Crosses[:min(len(t.Crosses), maxCrosses)] {
		p, err := drawCross(in, t, x)
		if err != nil {
			return nil, err
		}
		if p.png != nil {
			pictures = append(pictures, p)
		}
	}
	for i := range pictures {
		pictures[i].file = fmt.Sprintf("%s-%d.png", name, i+1)
	}
	return pictures, nil
}

// drawCross chooses the form of a metric by two axes. One row, or too few
// columns, has none.
func drawCross(in Input, t compare.MetricTable, x compare.Cross) (picture, error) {
	switch {
	case x.Ordered && len(x.Columns) >= minLinePoints && len(x.Rows) <= maxLines:
		return drawLines(in, t, x)
	case x.Ordered && len(x.Columns) >= minLinePoints:
		return drawPanels(in, t, x)
	case len(x.Rows) > 1:
		return drawHeat(in, t, x)
	}
	return picture{}, nil
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
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans, ink
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Label.Color = faint, ink, ink
		axis.Tick.Color = faint
		axis.Tick.Label.Font, axis.Label.TextStyle.Font = sans, sans
		axis.Label.TextStyle.Font.Size = 11
		axis.Label.Padding = 4
		axis.Tick.Marker = roundTicks(7)
	}
	p.X.Label.Text = label
	return p
}

// write is the style of text beside or in a plot.
func write(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	s := text.Style{Color: c, Font: sans, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
	s.Font.Size = size
	return s
}

func axisLabel(t compare.MetricTable) string {
	name := plain(t.Name)
	switch {
	case t.Trials != "":
		name += " / " + plain(t.Trials)
	case t.Unit != "":
		name += " (" + plain(t.Unit) + ")"
	}
	return drawable(name)
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

// maxNumbered is how many numbered names a sentence spells out.
const maxNumbered = 12

// labels are names as a plot can write them. Names in a script that the font
// lacks, or that runs from the right, are numbered, and the note says which is
// which.
func labels(names []string) (short []string, note string) {
	var numbered []string
	for i, n := range names {
		s := unit.Cut(plain(n), maxLabel)
		if drawable(s) != s {
			s = fmt.Sprintf("№ %d", i+1)
			numbered = append(numbered, say("numbered", struct{ Mark, Name string }{s, n}))
		}
		short = append(short, s)
	}
	if more := len(numbered) - maxNumbered; more > 0 {
		numbered = append(numbered[:maxNumbered], fmt.Sprintf("%d more in the same order", more))
	}
	if len(numbered) > 0 {
		note = "; " + strings.Join(numbered, ", ")
	}
	return short, note
}

var face = font.DefaultCache.Lookup(sans, sans.Size)

// drawable replaces what the font cannot write.
func drawable(s string) string {
	return strings.Map(func(r rune) rune {
		if i, err := face.Face.GlyphIndex(nil, r); err != nil || i == 0 || fromRight(r) || unicode.Is(unicode.Mn, r) {
			return '?'
		}
		return r
	}, s)
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

func horizontalGrid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal.Color, g.Horizontal.Width = grid, 0.8
	return g
}

// render draws a plot with its margins.
func render(p *plot.Plot, width, height vg.Length) ([]byte, error) {
	return paint(width, height, func(c draw.Canvas) { p.Draw(draw.Crop(c, 8, -24, 6, -10)) })
}

// density is how many pixels there are to one of the page: sharp on most
// screens, and not too large where a notebook shows every pixel.
const density = 1.5

// paint draws a point as one and a third pixels of a page.
func paint(width, height vg.Length, onto func(draw.Canvas)) ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(96*density))
	onto(draw.New(c))
	img, ok := c.Image().(*image.RGBA)
	if !ok {
		return nil, fmt.Errorf("a plot is drawn on %T, not on RGBA", c.Image())
	}
	var b bytes.Buffer
	err := png.Encode(&b, paletted(img))
	return b.Bytes(), err
}
