package compare

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
)

// An Effect is how much of a metric's variance an axis explains by itself.
type Effect struct {
	Axis   string
	Levels int     // values of the axis that have values of the metric
	Share  float64 // 0 to 1: adjusted R² of the means by level
}

// effects are those of every axis that varies and is no replicate, the largest
// first.
func (c *comparer) effects(groups []*group) []Effect {
	all := samplesOf(groups)
	if len(all) == 0 {
		return nil
	}
	var out []Effect
	for _, a := range c.axes() {
		if a.Replicate {
			continue
		}
		at, levels := make([]int, len(all)), map[int]bool{}
		for i, s := range all {
			at[i] = c.Level(s.Row, a.Name)
			levels[at[i]] = true
		}
		if share, ok := stats.Explained(values(all), at, len(c.Factors[a.Name].Levels)); ok {
			out = append(out, Effect{Axis: a.Name, Levels: len(levels), Share: share})
		}
	}
	slices.SortStableFunc(out, func(a, b Effect) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// samplesOf are those of all groups, ascending.
func samplesOf(groups []*group) []sample {
	var all []sample
	for _, g := range groups {
		all = append(all, g.samples...)
	}
	sortSamples(all)
	return all
}

// inert warns of the axes that reach no metric: all runs that differ in one
// alone have the same values.
func (c *comparer) inert(metrics []Metric) []string {
	var reads []sampler
	for _, m := range metrics {
		if read, _, err := c.reader(m); err == nil {
			reads = append(reads, read)
		}
	}
	var out []string
	for _, a := range c.axes() {
		if n := c.duplicates(a.Name, reads); n > 0 {
			out = append(out, fmt.Sprintf("%s reaches no metric: runs that differ in it alone have equal values, and %d of %d are duplicates", a.Name, n, len(c.used)))
		}
	}
	return out
}

// duplicates is how many runs repeat another one that differs in one axis
// alone; 0 when any of them has another value.
func (c *comparer) duplicates(axis string, reads []sampler) int {
	others := slices.DeleteFunc(axisNames(c.axes()), func(name string) bool { return name == axis })
	alike, _ := factor.Classes(c.t.Len(), c.Named(others))
	first := map[int]int{}
	n, any := 0, false
	for _, row := range c.used {
		was, ok := first[alike[row]]
		if !ok {
			first[alike[row]] = row
			continue
		}
		n++
		for _, read := range reads {
			a, found1, _ := read(was)
			b, found2, _ := read(row)
			if found1 != found2 || found1 && a.Value != b.Value {
				return 0
			}
			any = any || found1
		}
	}
	if !any {
		return 0
	}
	return n
}
