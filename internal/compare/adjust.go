package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/reading"
	"github.com/fanout-dev/fanout/internal/compare/internal/versus"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// adjustment is what the changes of a metric are adjusted by, with its names: nil
// where nothing is asked for, or where a warning says why it cannot be.
func (c *comparer) adjustment(m Metric, groups []*group) (adjust *versus.Adjustment, by []string, why []string) {
	var a versus.Adjustment
	if m.Adjust != "" {
		if w := c.covariate(&a, m, groups); w != "" {
			why = append(why, fmt.Sprintf("%s is not adjusted by %s: %s. Its plain change stands", m.Name, m.Adjust, w))
		} else {
			by = append(by, m.Adjust)
		}
	}
	if m.Within != "" {
		if w := c.strata(&a, m); w != "" {
			why = append(why, fmt.Sprintf("%s is not compared within %s: %s", m.Name, m.Within, w))
		} else {
			by = append(by, "the values of "+m.Within)
		}
	}
	if len(by) == 0 {
		return nil, nil, why
	}
	return &a, by, why
}

// covariate adjusts by a number of each run, or says why not. A run without one
// would have to be left out, and what is left out is for the user to say.
func (c *comparer) covariate(a *versus.Adjustment, m Metric, groups []*group) string {
	col, ok := c.t.Column(m.Adjust)
	if !ok || !reading.Comparable(col, c.used) {
		return "no run recorded it as a number"
	}
	lacking, all, first := 0, 0, ""
	for _, g := range groups {
		all += len(g.samples)
		for _, s := range g.samples {
			if _, ok := reading.Finite(col, c.from(s.Row)); !ok {
				if name := c.run(s.Row, 0).Name; lacking == 0 || name < first {
					first = name
				}
				lacking++
			}
		}
	}
	if lacking > 0 {
		return fmt.Sprintf("%d of %s recorded no number for it, such as %s, and a comparison without them would be another one; record it in every run", lacking, unit.Plural(all, "run"), first)
	}
	if w := c.moved(m.Adjust, col, groups); w != "" {
		return w
	}
	a.Covariate = func(row int) float64 { x, _ := reading.Finite(col, c.from(row)); return x }
	return ""
}

// movedAlpha is how sure one must be that a covariate differs between groups: it is
// looked at in every sweep, and most are in order.
const movedAlpha = 0.001

// moved says that a covariate differs between the groups, so that adjusting by it
// would take away a part of what is asked for.
func (c *comparer) moved(name string, col table.Column, groups []*group) string {
	m := Metric{Name: name, By: ByMean}
	sides := make([]*group, len(groups))
	for i, g := range groups {
		of := &group{Group: Group{Missing: g.Missing}, paired: g.paired, samples: slices.Clone(g.samples)}
		for k := range of.samples {
			of.samples[k].Value, _ = reading.Finite(col, c.from(of.samples[k].Row))
		}
		sortSamples(of.samples)
		of.Values, of.N = values(of.samples), len(of.samples)
		sides[i] = of
	}
	var names []string
	least := 1.0
	for i, g := range groups {
		if g.Baseline || g.N == 0 {
			continue
		}
		if a := against(m, false, sides[0], sides[i], nil, c.confidence); a.P*float64(len(groups)-1) < movedAlpha {
			names, least = append(names, shortName(g.Name)), math.Min(least, a.P)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("it differs from the baseline's in %s (p %s), so the variant reaches it, and adjusting would hide a part of the effect; adjust by what was known before", unit.List(names), unit.P(least))
}

// strata compares within the values of an axis, or says why not.
func (c *comparer) strata(a *versus.Adjustment, m Metric) string {
	f := c.Factors[m.Within]
	switch {
	case f == nil:
		return "the table has no such column"
	case slices.Contains(c.rows, m.Within):
		return "its values make the groups here"
	case c.Varieties(c.planned, m.Within) < 2:
		return "it has one value here"
	}
	a.Shares = make([]float64, len(f.Levels))
	for _, row := range c.planned {
		a.Shares[c.Level(row, m.Within)]++
	}
	a.Stratum = func(row int) int { return c.Level(row, m.Within) }
	return ""
}

// remark says what adjusting has saved, and where changes do not vary.
func (t *MetricTable) remark(groups []*group, by []string) {
	all := make([]versus.Named, len(groups))
	for i, g := range groups {
		all[i] = versus.Named{Name: shortName(g.Name), Comparison: g.Against}
	}
	adjusted, warning := versus.Saving(all, by)
	t.Adjusted = adjusted
	for _, w := range []string{warning, versus.Unvarying(t.Metric, all)} {
		if w != "" {
			t.Warnings = append(t.Warnings, w)
		}
	}
}
