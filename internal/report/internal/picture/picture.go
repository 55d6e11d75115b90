// Package picture draws what a summary shows: dots and intervals, lines, panels,
// shades, calendars and series of nights.
//
// In go groups, crosses, coverage and series of a comparison, with the text of
// the axis of values; out comes a PNG, the same bytes for the same numbers. It
// writes no sentences: what a picture shows is said beside it by its caller.
package picture

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

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Picture is drawn and encoded.
type Picture struct {
	PNG      []byte
	Numbered []Numbered // names that stand in it as numbers
}

// A Numbered name is in a script that the font lacks, or that runs from the
// right: Mark stands for it.
type Numbered struct{ Mark, Name string }

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

// How much a picture shows.
const (
	MaxGroups = 40  // rows of Dots
	maxDots   = 120 // per group
	maxLabel  = 36  // characters
)

// sans is the face of all text in plots.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}

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
	p.X.Label.Text = drawable(label)
	return p
}

// write is the style of text beside or in a plot.
func write(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	s := text.Style{Color: c, Font: sans, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
	s.Font.Size = size
	return s
}

// labels are names as a plot can write them; the others are numbered.
func labels(names []string) (short []string, numbered []Numbered) {
	for i, n := range names {
		s := unit.Cut(unit.Line(n), maxLabel)
		if drawable(s) != s {
			s = fmt.Sprintf("№ %d", i+1)
			numbered = append(numbered, Numbered{s, n})
		}
		short = append(short, s)
	}
	return short, numbered
}

var face = font.DefaultCache.Lookup(sans, sans.Size)

// drawable replaces what the font cannot write.
func drawable(s string) string {
	return strings.Map(func(r rune) rune {
		if i, err := face.Face.GlyphIndex(nil, r); err != nil || i == 0 || unit.FromRight(r) || unicode.Is(unicode.Mn, r) {
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

// Width is how wide a picture is on a page: pictures have density times as
// many pixels.
func (p Picture) Width() int {
	c, err := png.DecodeConfig(bytes.NewReader(p.PNG))
	if err != nil {
		panic(err) // drawn by us
	}
	return int(float64(c.Width) / density)
}
