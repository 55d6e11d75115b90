package compare

import (
	"maps"
	"math"
	"slices"
)

// A Cross is a metric's centres by two axes: the rows are groups, or the values
// of one of the two axes that make them.
type Cross struct {
	Axis        string // of the columns
	Ordered     bool
	Rows        []string
	RowsOrdered bool // they are along an ordered axis
	Columns     []string
	Cells       [][]float64 // [row][column]; NaN where nothing is known
}

// A Coverage says how complete the places of an ordered axis are.
type Coverage struct {
	Axis   string
	Places []Place
}

// A Place is one value of an axis.
type Place struct {
	Name          string
	Planned, Used int // runs
}

// maxCross is how many rows and columns a cross has at most.
const maxCross = 2000

// crosses are the groups by every axis that they average over; where two axes
// make the groups, also the one by the other.
func (c *comparer) crosses(m Metric, groups []*group) []Cross {
	var out []Cross
	if len(c.rows) == 2 {
		row, column := c.rows[0], c.rows[1]
		if c.isOrdered(row) && !c.isOrdered(column) {
			row, column = column, row
		}
		out = append(out, c.cross(m, groups, column, func(s sample) string { return c.Text(s.Row, row) }))
		out[0].RowsOrdered = c.isOrdered(row)
	}
	names := map[int]string{}
	for _, g := range groups {
		for _, s := range g.samples {
			names[s.Row] = g.Name
		}
	}
	for _, axis := range c.averaged {
		x := c.cross(m, groups, axis, func(s sample) string { return names[s.Row] })
		x.RowsOrdered = len(c.rows) == 1 && c.isOrdered(c.rows[0])
		out = append(out, x)
	}
	return slices.DeleteFunc(out, func(x Cross) bool {
		return len(x.Columns) < 2 || len(x.Columns) > maxCross || len(x.Rows) > maxCross
	})
}

func (c *comparer) isOrdered(axis string) bool {
	return slices.ContainsFunc(c.o.Axes, func(a Axis) bool { return a.Name == axis && a.Ordered })
}

func (c *comparer) cross(m Metric, groups []*group, axis string, row func(sample) string) Cross {
	type cell struct {
		row   string
		level int
	}
	x := Cross{Axis: axis, Ordered: c.isOrdered(axis)}
	cells, rows, levels := map[cell][]sample{}, map[string]bool{}, map[int]bool{}
	for _, g := range groups {
		for _, s := range g.samples {
			at := cell{row(s), c.Level(s.Row, axis)}
			if !rows[at.row] {
				rows[at.row] = true
				x.Rows = append(x.Rows, at.row)
			}
			levels[at.level] = true
			cells[at] = append(cells[at], s)
		}
	}
	columns := c.Listed(slices.Collect(maps.Keys(levels)), axis)
	for _, level := range columns {
		x.Columns = append(x.Columns, c.Factors[axis].Texts[level])
	}
	for _, r := range x.Rows {
		line := make([]float64, len(columns))
		for i, level := range columns {
			line[i] = math.NaN()
			if v := cells[cell{r, level}]; len(v) > 0 {
				line[i] = centre(m, v)
			}
		}
		x.Cells = append(x.Cells, line)
	}
	return x
}

// coverage is that of every ordered axis of dates.
func (c *comparer) coverage() []Coverage {
	var out []Coverage
	for _, a := range c.ordered() {
		line := c.lineOf(a)
		if !line.dates() {
			continue
		}
		planned, used := c.Tally(c.planned, a.Name), c.Tally(c.used, a.Name)
		v := Coverage{Axis: a.Name}
		for _, level := range line.levels {
			v.Places = append(v.Places, Place{line.texts[level], planned[level], used[level]})
		}
		out = append(out, v)
	}
	return out
}
