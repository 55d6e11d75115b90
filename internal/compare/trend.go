package compare

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/along"
	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
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

// along is the trend of samples along an axis. A series is what agrees in the
// axes beside it.
func (c *comparer) along(a axisLine, all []sample) (Trend, bool) {
	class, _ := factor.Classes(c.t.Len(), c.Named(c.beside(a.name)))
	place, names := map[int]int{}, make([]string, len(a.levels))
	for i, level := range a.levels {
		place[level], names[i] = i, a.texts[level]
	}
	points := make([]along.Point, len(all))
	for i, s := range all {
		points[i] = along.Point{Series: class[s.Row], Place: place[c.Level(s.Row, a.name)], Value: s.Value}
	}
	return along.TrendOf(a.name, points, names)
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
