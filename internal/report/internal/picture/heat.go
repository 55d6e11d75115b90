package picture

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/unit"
)

// How much of a cross Heat draws.
const (
	maxHeatRows    = 40
	maxHeatColumns = 60
	maxWritten     = 12 // columns whose cells have their number written in
)

// Shaded is as much of a cross as Heat has room for: the last rows and columns of
// an ordered axis, which are the news, and the first of another.
func Shaded(x compare.Cross) compare.Cross {
	top, bottom := room(len(x.Rows), maxHeatRows, x.RowsOrdered)
	left, right := room(len(x.Columns), maxHeatColumns, x.Ordered)
	x.Rows, x.Columns, x.Cells = x.Rows[top:bottom], x.Columns[left:right], slices.Clone(x.Cells[top:bottom])
	for i, row := range x.Cells {
		x.Cells[i] = row[left:right]
	}
	return x
}

// room is which of n have room, from and to.
func room(n, most int, ordered bool) (from, to int) {
	if ordered {
		return max(0, n-most), n
	}
	return 0, min(n, most)
}

// Heat draws a cross as shades from low to high; ok is false where nothing in
// it is known.
func Heat(x compare.Cross) (p Picture, low, high float64, ok bool, err error) {
	if low, high = reach(x.Cells); low > high {
		return p, low, high, false, nil
	}
	h := heat{cells: x.Cells, number: unit.Numbers(slices.Concat(x.Cells...)...), low: low, high: high, written: len(x.Columns) <= maxWritten, axis: drawable(unit.Cut(unit.Line(x.Axis), maxLabel))}
	h.side, p.Numbered = labels(x.Rows)
	var more []Numbered
	h.top, more = labels(x.Columns)
	p.Numbered = append(p.Numbered, more...)
	p.PNG, err = paint(h.width(), h.height(), h.draw)
	return p, low, high, true, err
}

// heat is a grid of shaded cells.
type heat struct {
	cells     [][]float64
	side, top []string
	low, high float64
	written   bool
	number    func(float64) string
	axis      string
}

const (
	heatRow  = vg.Length(24)
	heatHead = vg.Length(44) // above the cells
)

func (h heat) cell() vg.Length {
	if !h.written {
		return 14
	}
	widest := vg.Length(46)
	for _, s := range h.top {
		widest = max(widest, min(face.Width(s)+10, 96))
	}
	return widest
}

func (h heat) sideWidth() vg.Length {
	widest := vg.Length(0)
	for _, s := range h.side {
		widest = max(widest, face.Width(s))
	}
	return widest + 16
}

func (h heat) width() vg.Length {
	return max(h.sideWidth()+h.cell()*vg.Length(len(h.top))+16, 240)
}

func (h heat) height() vg.Length { return heatHead + heatRow*vg.Length(len(h.cells)) + 10 }

func (h heat) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	left, top := c.Min.X+h.sideWidth(), c.Max.Y-heatHead
	c.FillText(write(11, ink, 0, 0), vg.Point{X: left, Y: c.Max.Y - 18}, h.axis)
	for j, s := range h.top {
		if h.written || j%max(1, (len(h.top)+6)/7) == 0 {
			style := write(10, ink, 0, 0)
			x := left + h.cell()*vg.Length(j)
			if h.written {
				style.XAlign = text.XCenter
				x += h.cell() / 2
			}
			c.FillText(style, vg.Point{X: x, Y: top + 6}, fit(s, h.cell(), h.written))
		}
	}
	for i, row := range h.cells {
		y := top - heatRow*vg.Length(i+1)
		c.FillText(write(10, ink, text.XRight, text.YCenter), vg.Point{X: left - 8, Y: y + heatRow/2}, h.side[i])
		for j, v := range row {
			h.drawCell(c, vg.Rectangle{
				Min: vg.Point{X: left + h.cell()*vg.Length(j), Y: y},
				Max: vg.Point{X: left + h.cell()*vg.Length(j+1), Y: y + heatRow},
			}, v)
		}
	}
}

func (h heat) drawCell(c draw.Canvas, r vg.Rectangle, v float64) {
	middle := vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
	r.Min.X, r.Min.Y, r.Max.X, r.Max.Y = r.Min.X+1, r.Min.Y+1, r.Max.X-1, r.Max.Y-1
	if math.IsNaN(v) {
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: 1}, middle.X-4, middle.Y, middle.X+4, middle.Y)
		return
	}
	share := 0.5
	if h.high > h.low {
		share = (v - h.low) / (h.high - h.low)
	}
	share = math.Max(0, math.Min(1, share))
	c.SetColor(shade(share))
	c.Fill(r.Path())
	if h.written {
		on := color.Color(ink)
		if share > 0.5 {
			on = color.White
		}
		c.FillText(write(10, on, text.XCenter, text.YCenter), middle, h.number(v))
	}
}

// shade runs from nearly white to dark blue, evenly to the eye, and reads in
// grey.
func shade(share float64) color.NRGBA {
	from, to := [3]float64{0xe8, 0xf1, 0xfa}, [3]float64{0x08, 0x3d, 0x77}
	mix := func(i int) uint8 { return uint8(math.Round(from[i] + share*(to[i]-from[i]))) }
	return color.NRGBA{R: mix(0), G: mix(1), B: mix(2), A: 0xff}
}

// fit cuts a name to a width.
func fit(s string, width vg.Length, must bool) string {
	r := []rune(s)
	for must && len(r) > 1 && face.Width(string(r)) > width-4 {
		r = append(r[:len(r)-2:len(r)-2], '…')
	}
	return string(r)
}
