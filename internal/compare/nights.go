package compare

import (
	"maps"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/along"
	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// What a metric does along an ordered axis, and at its last date.
type (
	Trend     = along.Trend
	Odd       = along.Odd
	Night     = along.Night
	Departure = along.Departure
)

// MinEarlier is how many earlier dates a series needs to be held against them.
const MinEarlier = stats.MinHistory

// night holds the last date of a metric against the earlier ones; nil where no
// axis or parameter is of dates, or there is none before the last.
func (c *comparer) night(m Metric, read sampler) *Night {
	line := c.nights
	if len(line.levels) < 2 {
		return nil
	}
	n := &Night{Axis: line.name, Date: line.texts[line.last()], By: c.beside(line.name)}
	all := c.series(m, read, n.By)
	c.changed(n)
	for _, level := range line.levels {
		n.Dates = append(n.Dates, line.texts[level])
	}
	n.Hold(all)
	return n
}

// dates are the axis of dates with most of them, up to the last one that is
// planned, and the rows there that have succeeded; those of the last one count
// today. An axis that the plan holds at one date is a parameter by then, like
// the date of a nightly report.
func (c *comparer) dates() (line axisLine, rows []int) {
	succeeded := slices.Concat(c.used, c.outdated, c.past)
	names := axisNames(c.ordered())
	for _, col := range c.t.Columns() {
		if name := col.Name(); col.Role() == table.RoleParameter && !c.isAxis(name) && c.Varieties(c.planned, name) == 1 {
			names = append(names, name)
		}
	}
	for _, name := range names {
		planned := c.LevelsOf(c.planned, name)
		if len(planned) == 0 {
			continue
		}
		last := planned[len(planned)-1]
		levels := slices.DeleteFunc(c.LevelsOf(slices.Concat(succeeded, c.planned), name), func(level int) bool {
			return level > last || !isDate(c.Factors[name].Texts[level])
		})
		if len(levels) > len(line.levels) && levels[len(levels)-1] == last {
			line = axisLine{name, levels, c.Factors[name].Texts}
		}
	}
	if len(line.levels) == 0 {
		return line, nil
	}
	last := line.last()
	for _, row := range succeeded {
		if level := c.Level(row, line.name); level < last && slices.Contains(line.levels, level) || level == last && c.counts[row] {
			rows = append(rows, row)
		}
	}
	return line, rows
}

// series are those of the combinations of some axes that are planned at the last
// date.
func (c *comparer) series(m Metric, read sampler, by []string) []*along.Series {
	line := c.nights
	class, _ := factor.Classes(c.t.Len(), c.Named(by))
	place := map[int]int{}
	for i, level := range line.levels {
		place[level] = i
	}
	samples := map[[2]int][]sample{} // by class and place
	for _, s := range samplesAt(c.nightRows, read) {
		at := [2]int{class[s.Row], place[c.Level(s.Row, line.name)]}
		samples[at] = append(samples[at], s)
	}
	byClass := map[int]*along.Series{}
	var out []*along.Series
	for _, row := range slices.SortedFunc(slices.Values(c.planned), c.Order(by)) {
		if k := class[row]; byClass[k] == nil && c.Level(row, line.name) == line.last() {
			byClass[k] = &along.Series{Name: c.valuesOf(row, by), Values: make([]float64, len(line.levels))}
			out = append(out, byClass[k])
			for i := range line.levels {
				byClass[k].Values[i] = math.NaN()
				if of := samples[[2]int{k, i}]; len(of) > 0 {
					byClass[k].Values[i] = centre(m, of)
				}
			}
		}
	}
	return out
}

// valuesOf are the values of a row for people.
func (c *comparer) valuesOf(row int, names []string) string {
	var texts []string
	for _, name := range names {
		texts = append(texts, c.Text(row, name))
	}
	return unit.Together(texts)
}

// changed counts the earlier dates whose runs executed other code than those of
// the last, or are stale for another reason.
func (c *comparer) changed(n *Night) {
	axis, last := c.nights.name, c.nights.last()
	code := map[string]bool{}
	for _, row := range c.nightRows {
		if c.Level(row, axis) == last {
			code[c.Text(row, "run_code")] = true
		}
	}
	other, stale := map[int]bool{}, map[int]bool{}
	for _, row := range c.nightRows {
		switch level := c.Level(row, axis); {
		case level == last:
		case len(code) > 0 && !code[c.Text(row, "run_code")]:
			other[level] = true
		case c.stale(row):
			stale[level] = true
		}
	}
	maps.DeleteFunc(stale, func(level int, _ bool) bool { return other[level] })
	n.OtherCode, n.Stale = len(other), len(stale)
}
