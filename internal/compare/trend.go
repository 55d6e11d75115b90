package compare

import (
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/along"
	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// trends are those along every ordered axis, and over the dates of earlier plans,
// with periods enough.
func (c *comparer) trends(groups []*group, read sampler) []Trend {
	all := samplesOf(groups)
	if len(all) == 0 {
		return nil
	}
	var out []Trend
	for _, a := range c.ordered() {
		if t, ok := c.along(c.lineOf(a), all); ok {
			out = append(out, t)
		}
	}
	if c.nights.name != "" && !c.isAxis(c.nights.name) {
		if t, ok := c.along(c.nights, samplesAt(c.nightRows, read)); ok {
			out = append(out, t)
		}
	}
	return out
}

func (c *comparer) isAxis(name string) bool { return slices.Contains(axisNames(c.o.Axes), name) }

// An axisLine is an axis laid out in order: those of its levels that matter.
type axisLine struct {
	name   string
	levels []int
	texts  []string // by level
}

// last is the last of the levels.
func (a axisLine) last() int { return a.levels[len(a.levels)-1] }

// lineOf is an axis over all planned runs.
func (c *comparer) lineOf(a Axis) axisLine {
	return axisLine{a.Name, c.LevelsOf(c.planned, a.Name), c.Factors[a.Name].Texts}
}

// dates says whether all places begin like dates.
func (a axisLine) dates() bool {
	return len(a.levels) > 0 && !slices.ContainsFunc(a.levels, func(level int) bool { return !isDate(a.texts[level]) })
}

// isDate says whether a text begins like a date.
func isDate(text string) bool { _, ok := along.DateOf(text); return ok }

func (c *comparer) along(a axisLine, all []sample) (Trend, bool) {
	at, level := c.periods(a, all)
	middle := math.Abs(stats.Median(values(all)))
	return along.TrendOf(a.name, at, level, middle, func(i int) string { return a.texts[a.levels[i]] })
}

// beside are the axes beside one that are no replicates.
func (c *comparer) beside(axis string) []string {
	var out []string
	for _, a := range c.axes() {
		if a.Name != axis && !a.Replicate {
			out = append(out, a.Name)
		}
	}
	return out
}

// periods are the places that have values of the metric, and its levels there:
// the median distance from what is usual for the rest of the parameters.
// Replicates count for what is usual.
func (c *comparer) periods(axis axisLine, all []sample) (at []int, level []float64) {
	class, _ := factor.Classes(c.t.Len(), c.Named(c.beside(axis.name)))
	alike := map[int][]float64{}
	for _, s := range all {
		alike[class[s.row]] = append(alike[class[s.row]], s.value)
	}
	usual := map[int]float64{}
	for k, x := range alike {
		slices.Sort(x)
		usual[k] = stats.Median(x)
	}
	off := map[int][]float64{}
	for _, s := range all {
		p := c.Level(s.row, axis.name)
		off[p] = append(off[p], s.value-usual[class[s.row]])
	}
	for i, p := range axis.levels {
		if x := off[p]; len(x) > 0 {
			slices.Sort(x)
			at, level = append(at, i), append(level, stats.Median(x))
		}
	}
	return at, level
}
