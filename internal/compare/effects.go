package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	var all []sample
	for _, g := range groups {
		all = append(all, g.samples...)
	}
	if len(all) == 0 {
		return nil
	}
	// Sums must not depend on the order of the table.
	slices.SortFunc(all, func(a, b sample) int { return compareFloat(a.value, b.value) })
	var out []Effect
	for _, a := range c.o.Axes {
		if _, ok := c.t.Column(a.Name); !ok || a.Replicate {
			continue
		}
		if e, ok := c.effect(a.Name, all); ok {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Effect) int {
		if d := compareFloat(b.Share, a.Share); d != 0 {
			return d
		}
		return strings.Compare(a.Axis, b.Axis)
	})
	return out
}

// effect is not ok when the axis does not vary, every run has a level of its
// own, or the metric is constant.
func (c *comparer) effect(axis string, all []sample) (Effect, bool) {
	type level struct{ n, sum, squares float64 }
	levels := map[string]*level{}
	total := level{}
	centre := median(values(all)) // squares of small numbers keep their digits
	for _, s := range all {
		key := c.text(s.row, axis)
		if levels[key] == nil {
			levels[key] = &level{}
		}
		x := s.value - centre
		for _, l := range []*level{levels[key], &total} {
			l.n++
			l.sum += x
			l.squares += x * x
		}
	}
	within := 0.0
	var parts []float64
	for _, l := range levels {
		parts = append(parts, l.squares-l.sum*l.sum/l.n)
	}
	slices.Sort(parts)
	for _, p := range parts {
		within += math.Max(p, 0)
	}
	n, k := total.n, float64(len(levels))
	whole := total.squares - total.sum*total.sum/n
	if k < 2 || n <= k || !(whole > 0) || math.IsInf(whole, 0) { // squares of huge numbers are no numbers
		return Effect{}, false
	}
	share := 1 - within/(n-k)/(whole/(n-1))
	return Effect{Axis: axis, Levels: len(levels), Share: math.Max(0, share)}, true
}

// inert warns of the axes that reach no metric: all runs that differ in one
// alone have the same values.
func (c *comparer) inert(metrics []Metric) []string {
	var reads []func(int) (sample, bool, bool)
	for _, m := range metrics {
		if col, ok := c.t.Column(m.Name); ok && numeric(col.Type()) {
			if read, _, err := c.reader(m, col); err == nil {
				reads = append(reads, read)
			}
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
func (c *comparer) duplicates(axis string, reads []func(int) (sample, bool, bool)) int {
	if _, ok := c.t.Column(axis); !ok {
		return 0
	}
	var others []string
	for _, a := range c.o.Axes {
		if _, ok := c.t.Column(a.Name); ok && a.Name != axis {
			others = append(others, a.Name)
		}
	}
	first := map[string]int{}
	n, any := 0, false
	for _, row := range c.used {
		key := c.joined(row, others)
		was, ok := first[key]
		if !ok {
			first[key] = row
			continue
		}
		n++
		for _, read := range reads {
			a, found1, _ := read(was)
			b, found2, _ := read(row)
			if found1 != found2 || found1 && a.value != b.value {
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
