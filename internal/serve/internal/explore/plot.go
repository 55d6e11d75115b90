package explore

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"

	"github.com/fanout-dev/fanout/internal/serve/internal/draw"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Plot is two columns against each other, a dot a row. Without X and Y nothing
// is drawn.
type Plot struct {
	Axes        []string // columns that can be drawn
	X, Y, Color string   // Color may be ""
	Picture     template.HTML
	Drawn       int // rows: the others are like them, evenly left out
	Key         draw.Key
}

// drawable reports whether a column has different numbers, or a few texts.
func (c Column) drawable() bool {
	if c.Number {
		return len(c.Bars) > 0
	}
	return !c.Many && c.Distinct > 1 && c.Distinct <= draw.MaxLevels
}

// plot draws what the question asks for of the rows that the filters leave. link
// is the page of a run.
func (v *View) plot(names []string, link func(run string) string) error {
	q, p := v.Question, &v.Plot
	for _, c := range v.Columns {
		if c.drawable() {
			p.Axes = append(p.Axes, c.Name)
		}
	}
	if q.X == "" && q.Y == "" {
		return nil
	}
	p.X, p.Y, p.Color = cmp.Or(q.X, v.firstBut(q.Y)), cmp.Or(q.Y, v.firstBut(q.X)), q.Color
	some := draw.Some(v.left, draw.MaxDots)
	p.Drawn = len(some)
	var scales []draw.Scale
	points := v.points(names, some, link)
	for _, name := range []string{p.X, p.Y, p.Color} {
		i := slices.Index(names, name)
		if name == "" && len(scales) == 2 {
			break
		}
		if i < 0 {
			return noColumn(name)
		}
		for row := range points {
			points[row].Values = append(points[row].Values, some[row][i])
		}
		scale, ok := draw.ScaleOf(name, name, points, len(scales))
		if !ok {
			return unit.Mistake(unit.WithHint(fmt.Errorf("column %s cannot be drawn: its values do not differ, or are too many texts", unit.Cut(unit.Line(name), 80)), "choose another column, or other filters"))
		}
		scales = append(scales, scale)
	}
	var colors *draw.Colors
	if p.Color != "" {
		colors = draw.ColorsOf(scales[2], points, 2)
		p.Key = colors.Key()
	}
	p.Picture = draw.Dots(scales[0], scales[1], points, colors, draw.Panel{Wide: 720, High: 420})
	return nil
}

// firstBut is the first column that can be drawn beside another, numbers first.
func (v *View) firstBut(other string) string {
	for _, numbers := range []bool{true, false} {
		for _, c := range v.Columns {
			if c.drawable() && c.Number == numbers && c.Name != other {
				return c.Name
			}
		}
	}
	return ""
}

// points are rows without values, called as their run is, or by their number.
func (v *View) points(names []string, rows [][]any, link func(run string) string) []draw.Point {
	points := make([]draw.Point, len(rows))
	run := runColumn(names)
	for i, row := range rows {
		points[i].Name = fmt.Sprintf("row %d", i*len(v.left)/len(rows)+1)
		if run < 0 || link == nil {
			continue
		}
		if id, ok := row[run].(string); ok && runID().MatchString(id) {
			points[i].ID, points[i].Name, points[i].Link = id, id, link(id)
		}
	}
	return points
}
