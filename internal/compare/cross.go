package compare

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// A Cross is a metric's centres by two axes: the rows are groups, or the values
// of one of the two axes that make them.
type Cross struct {
	Axis    string // of the columns
	Ordered bool
	Rows    []string
	Columns []string
	Cells   [][]float64 // [row][column]; NaN where nothing is known
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
		out = append(out, c.cross(m, groups, column, func(s sample) string { return c.text(s.row, row) }))
	}
	names := map[int]string{}
	for _, g := range groups {
		for _, s := range g.samples {
			names[s.row] = g.Name
		}
	}
	for _, axis := range c.averaged {
		out = append(out, c.cross(m, groups, axis, func(s sample) string { return names[s.row] }))
	}
	return slices.DeleteFunc(out, func(x Cross) bool {
		return len(x.Columns) < 2 || len(x.Columns) > maxCross || len(x.Rows) > maxCross
	})
}

func (c *comparer) isOrdered(axis string) bool {
	return slices.ContainsFunc(c.o.Axes, func(a Axis) bool { return a.Name == axis && a.Ordered })
}

func (c *comparer) cross(m Metric, groups []*group, axis string, row func(sample) string) Cross {
	x := Cross{Axis: axis, Ordered: c.isOrdered(axis)}
	cells, rows, columns := map[[2]string][]sample{}, map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		for _, s := range g.samples {
			r, column := row(s), c.text(s.row, axis)
			if !rows[r] {
				rows[r] = true
				x.Rows = append(x.Rows, r)
			}
			columns[column] = true
			cells[[2]string{r, column}] = append(cells[[2]string{r, column}], s)
		}
	}
	for column := range columns {
		x.Columns = append(x.Columns, column)
	}
	slices.SortFunc(x.Columns, compareText)
	for _, r := range x.Rows {
		line := make([]float64, len(x.Columns))
		for i, column := range x.Columns {
			line[i] = math.NaN()
			if v := cells[[2]string{r, column}]; len(v) > 0 {
				line[i] = centre(m, v)
			}
		}
		x.Cells = append(x.Cells, line)
	}
	return x
}

// centre is what CentreName says, of the samples of one cell.
func centre(m Metric, of []sample) float64 {
	switch {
	case m.Trials != "":
		return counts(of).rate()
	case m.byMean():
		return stat.Mean(values(of), nil)
	}
	return median(values(of))
}

// coverage is that of every ordered axis of dates.
func (c *comparer) coverage() []Coverage {
	var out []Coverage
	for _, a := range c.axes() {
		if _, ok := c.t.Column(a.Name); !ok || !a.Ordered || a.Replicate {
			continue
		}
		names := c.valuesOf(a.Name)
		if !dates(names) {
			continue
		}
		planned, used := c.tally(c.planned, a.Name), c.tally(c.used, a.Name)
		v := Coverage{Axis: a.Name}
		for _, n := range names {
			v.Places = append(v.Places, Place{n, planned[n], used[n]})
		}
		out = append(out, v)
	}
	return out
}

func (c *comparer) tally(rows []int, axis string) map[string]int {
	n := map[string]int{}
	for _, row := range rows {
		n[c.text(row, axis)]++
	}
	return n
}
