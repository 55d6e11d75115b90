package runs

import (
	"cmp"
	"html/template"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/serve/internal/draw"
)

// A Plot is what is drawn of the runs that a question selects.
type Plot struct {
	Kind     string // PlotLines or PlotDots; "" is nothing
	Drawn    int    // runs: the others are like them, evenly left out
	Pictures []template.HTML
	Left     int      // panels that are not drawn
	Beside   bool     // a wide screen has room for the table beside it
	Axes     []Column // that lines or dots can have
	X, Y     string   // of dots
	Color    string   // "" is none
	Key      draw.Key
}

// Limits of plots.
const (
	maxScaled  = 5000 // runs whose values say how long an axis is
	maxPanels  = 24
	fewestRuns = 3
	besideAxes = 5 // of lines
)

// plot draws the chosen runs: by itself lines, where at least two columns differ.
func (t *Table) plot(known *columns, link func(id string) string) error {
	q, p := t.Question, &t.Plot
	if q.Plot == PlotNone || len(t.chosen) < fewestRuns {
		return nil
	}
	some := draw.Some(t.chosen, maxScaled)
	var scales []draw.Scale
	for _, c := range t.plottable(known) {
		if scale, ok := draw.ScaleOf(query.Term(c.Name), c.Title(), pointsOf(some, t.Axes, c), 0); ok && len(p.Axes) < draw.MaxAxes {
			p.Axes, scales = append(p.Axes, c), append(scales, scale)
		}
	}
	if err := p.choose(q); err != nil || len(p.Axes) < 2 {
		return err
	}
	if p.Kind = cmp.Or(q.Plot, PlotLines); p.Kind == PlotDots {
		t.dots(scales, some, link)
		p.Beside = len(p.Pictures) == 1
		return nil
	}
	p.Beside = len(p.Axes) <= besideAxes
	some = draw.Some(some, draw.MaxLines)
	p.Drawn = len(some)
	points := pointsOf(some, t.Axes, p.Axes...)
	p.Pictures = []template.HTML{draw.Lines(scales, points, p.colors(scales, points, p.index(p.Color)))}
	return nil
}

// plottable are the columns that plots can have: parameters that differ, metrics
// and other numbers that are shown, and what fanout measured if somebody asks.
func (t *Table) plottable(known *columns) (all []Column) {
	for _, c := range t.Columns {
		asked := slices.Contains([]string{t.Question.X, t.Question.Y, t.Question.Color}, c.Name) || slices.Contains(t.Question.Columns, c.Name)
		if c.Kind == Parameter || c.Kind == Scrap && c.Number || c.Number && asked {
			all = append(all, c)
		}
	}
	for _, name := range []string{t.Question.X, t.Question.Y, t.Question.Color} {
		if c, ok := known.find(name); ok && !slices.ContainsFunc(all, func(o Column) bool { return o.Name == name }) {
			all = append([]Column{c}, all...)
		}
	}
	return all
}

// colors are those of points by their i-th values, if there is a column of colours.
func (p *Plot) colors(scales []draw.Scale, points []draw.Point, i int) *draw.Colors {
	column := p.index(p.Color)
	if column < 0 {
		return nil
	}
	colors := draw.ColorsOf(scales[column], points, i)
	p.Key = colors.Key()
	return colors
}

func (p *Plot) index(name string) int {
	return slices.IndexFunc(p.Axes, func(c Column) bool { return c.Name == name })
}

// choose settles what colours and what dots stand over: the first parameter and
// the first metric, unless the question says.
func (p *Plot) choose(q Question) error {
	first := func(fits func(Column) bool) string {
		if i := slices.IndexFunc(p.Axes, fits); i >= 0 {
			return p.Axes[i].Name
		}
		return ""
	}
	metric := cmp.Or(first(func(c Column) bool { return c.Metric }), first(func(c Column) bool { return c.Kind == Scrap }))
	p.Color = cmp.Or(q.Color, metric)
	p.Y = cmp.Or(q.Y, metric, first(func(c Column) bool { return c.Name != q.X }))
	p.X = cmp.Or(q.X, first(func(c Column) bool { return c.Kind == Parameter && c.Number && c.Name != p.Y }), first(func(c Column) bool { return c.Name != p.Y }))
	for _, name := range []string{q.X, q.Y, q.Color} {
		if name != "" && p.index(name) < 0 {
			return noColumn(name)
		}
	}
	return nil
}

// pointsOf are runs with their values of some columns.
func pointsOf(chosen []query.Run, axes []grid.Axis, of ...Column) []draw.Point {
	points := make([]draw.Point, len(chosen))
	for i, r := range chosen {
		points[i] = draw.Point{ID: r.Run.ID, Name: cmp.Or(r.Run.Name(axes), r.Run.ID), Values: make([]any, len(of))}
		for j, c := range of {
			points[i].Values[j] = c.of(r)
		}
	}
	return points
}

// The sizes of panels: of one, and of several.
var (
	onePanel   = draw.Panel{Wide: 720, High: 420}
	smallPanel = draw.Panel{Wide: 340, High: 250}
)

// dots draws a panel, or one for each group.
func (t *Table) dots(scales []draw.Scale, some []query.Run, link func(id string) string) {
	p := &t.Plot
	some = draw.Some(some, draw.MaxDots)
	p.Drawn = len(some)
	x, y, color := p.index(p.X), p.index(p.Y), p.index(p.Color)
	of := []Column{p.Axes[x], p.Axes[y]}
	if color >= 0 {
		of = append(of, p.Axes[color])
	}
	points := pointsOf(some, t.Axes, of...)
	for i := range points {
		points[i].Link = link(points[i].ID)
	}
	colors := p.colors(scales, points, 2)
	if len(t.Groups) == 0 {
		p.Pictures = []template.HTML{draw.Dots(scales[x], scales[y], points, colors, onePanel)}
		return
	}
	by := map[key][]draw.Point{}
	for i, r := range some {
		k := keyOf(t.by.of(r))
		by[k] = append(by[k], points[i])
	}
	p.Left = max(len(t.Groups)-maxPanels, 0)
	for _, g := range t.Groups[:len(t.Groups)-p.Left] {
		panel := smallPanel
		panel.Title = t.by.Title() + " = " + cmp.Or(g.Value.Text, "no value")
		p.Pictures = append(p.Pictures, draw.Dots(scales[x], scales[y], by[g.key], colors, panel))
	}
}
