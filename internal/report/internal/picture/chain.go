package picture

import (
	"image/color"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Box is a step of a chain.
type Box struct {
	Name    string
	Line    string // below the name
	Column  int    // from the left
	From    []int  // the boxes that it needs
	Good    int    // runs that succeeded
	Bad     int    // that did not
	Other   int    // that have not ended
	row     int
	x, y, w vg.Length
}

const (
	boxHeight = vg.Length(54)
	boxGap    = vg.Length(18)
	arrowRoom = vg.Length(46)
	maxBox    = vg.Length(190)
	chainWide = vg.Length(740)
)

// MaxBoxes is how many boxes beside each other, and how many below each other, can
// be read.
const MaxBoxes = 6

// Chain draws steps from left to right, each with a bar of how its runs stand, and an
// arrow from each that it needs.
func Chain(boxes []Box) (p Picture, err error) {
	columns, rows := 0, map[int]int{}
	var names []string
	for i := range boxes {
		b := &boxes[i]
		columns = max(columns, b.Column+1)
		b.row = rows[b.Column]
		rows[b.Column]++
		names = append(names, b.Name)
	}
	names, p.Numbered = labels(names)
	most := 0
	for _, n := range rows {
		most = max(most, n)
	}
	width := min(maxBox, (chainWide-20-arrowRoom*vg.Length(columns-1))/vg.Length(columns))
	height := (boxHeight+boxGap)*vg.Length(most) + 34
	p.PNG, err = paint(20+width*vg.Length(columns)+arrowRoom*vg.Length(columns-1), height, func(c draw.Canvas) {
		c.SetColor(color.White)
		c.Fill(c.Rectangle.Path())
		middle := (c.Min.Y + 24 + c.Max.Y) / 2
		for i := range boxes {
			b := &boxes[i]
			b.w, b.x = width, c.Min.X+10+(width+arrowRoom)*vg.Length(b.Column)
			b.y = middle + (boxHeight+boxGap)*(vg.Length(rows[b.Column])/2-vg.Length(b.row)-1) + boxGap/2
		}
		for _, b := range boxes {
			for _, from := range b.From {
				drawArrow(c, boxes[from], b)
			}
		}
		for i, b := range boxes {
			drawBox(c, b, names[i])
		}
		drawChainKey(c)
	})
	return p, err
}

func drawArrow(c draw.Canvas, from, to Box) {
	x0, y0, x1, y1 := from.x+from.w, from.y+boxHeight/2, to.x, to.y+boxHeight/2
	line := draw.LineStyle{Color: faint, Width: 1.2}
	turn := x1 - arrowRoom/2
	c.StrokeLines(line, []vg.Point{{X: x0, Y: y0}, {X: turn, Y: y0}, {X: turn, Y: y1}, {X: x1, Y: y1}})
	c.StrokeLines(line, []vg.Point{{X: x1 - 6, Y: y1 + 4}, {X: x1, Y: y1}, {X: x1 - 6, Y: y1 - 4}})
}

func drawBox(c draw.Canvas, b Box, name string) {
	frame := vg.Rectangle{Min: vg.Point{X: b.x, Y: b.y}, Max: vg.Point{X: b.x + b.w, Y: b.y + boxHeight}}
	c.SetColor(color.White)
	c.Fill(frame.Path())
	c.SetColor(faint)
	c.SetLineWidth(1)
	path := frame.Path()
	path.Close()
	c.Stroke(path)
	room := int(b.w / 6)
	c.FillText(write(11, ink, text.XLeft, text.YTop), vg.Point{X: b.x + 8, Y: b.y + boxHeight - 7}, unit.Cut(name, room))
	c.FillText(write(9, faint, text.XLeft, text.YTop), vg.Point{X: b.x + 8, Y: b.y + boxHeight - 23}, unit.Cut(drawable(b.Line), int(b.w/4.6)))
	all := b.Good + b.Bad + b.Other
	if all == 0 {
		return
	}
	x, room2 := b.x+8, b.w-16
	for _, part := range []struct {
		n    int
		fill color.Color
	}{{b.Good, blue}, {b.Bad, orange}, {b.Other, grid}} {
		w := room2 * vg.Length(part.n) / vg.Length(all)
		if part.n > 0 {
			c.SetColor(part.fill)
			c.Fill(vg.Rectangle{Min: vg.Point{X: x, Y: b.y + 8}, Max: vg.Point{X: x + w, Y: b.y + 17}}.Path())
		}
		x += w
	}
}

func drawChainKey(c draw.Canvas) {
	x := c.Min.X + 10
	for _, k := range []struct {
		fill color.Color
		name string
	}{{blue, "succeeded"}, {orange, "did not succeed"}, {grid, "not executed yet"}} {
		c.SetColor(k.fill)
		c.Fill(vg.Rectangle{Min: vg.Point{X: x, Y: c.Min.Y + 9}, Max: vg.Point{X: x + 9, Y: c.Min.Y + 18}}.Path())
		c.FillText(write(9, ink, text.XLeft, text.YBottom), vg.Point{X: x + 13, Y: c.Min.Y + 8}, k.name)
		x += face.Width(k.name) + 34
	}
}
