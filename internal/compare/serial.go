package compare

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// order is the ordered axis along which the samples of a group lie, with the
// place of each of its values; "" when there is none with periods enough.
func (c *comparer) order() (axis string, place map[string]int) {
	for _, a := range c.axes() {
		if _, ok := c.t.Column(a.Name); !ok || !a.Ordered || a.Replicate || slices.Contains(c.rows, a.Name) {
			continue
		}
		names := c.valuesOf(a.Name)
		if len(names) < minPeriods || len(names) <= len(place) {
			continue
		}
		axis, place = a.Name, make(map[string]int, len(names))
		for i, n := range names {
			place[n] = i
		}
	}
	return axis, place
}

// A difference is that of one pair, at a place of the ordered axis.
type difference struct {
	place int
	by    float64
}

// correct makes a comparison of pairs honest where pairs resemble those of the
// neighbouring places: so many say as much as fewer independent ones.
func (c *Comparison) correct(m method, diffs []difference, confidence float64) {
	at, level := levels(diffs)
	if len(at) < minPeriods || c.Equal {
		return
	}
	rho := autocorrelation(at, level)
	if rho <= 0 {
		return
	}
	n := float64(len(at))
	c.Effective = math.Max(2, n*(1-rho)/(1+rho))
	shrink := math.Sqrt(c.Effective / n)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: c.Effective - 1}
	dull := func(p float64) float64 { return math.Min(1, 2*t.Survival(-distuv.UnitNormal.Quantile(p/2)*shrink)) }
	c.Autocorrelation = rho
	sort.Float64s(level)
	c.found = m.one(level, confidence)
	c.P, c.least = dull(c.P), dull(c.least)
	widen := t.Quantile(0.5+confidence/2) / distuv.UnitNormal.Quantile(0.5+confidence/2) / shrink
	c.Lo, c.Hi = c.Shift-(c.Shift-c.Lo)*widen, c.Shift+(c.Hi-c.Shift)*widen
}

// levels are the mean differences by place, in order.
func levels(diffs []difference) (at []int, level []float64) {
	byPlace := map[int][]float64{}
	for _, d := range diffs {
		byPlace[d.place] = append(byPlace[d.place], d.by)
	}
	for place := range byPlace {
		at = append(at, place)
	}
	sort.Ints(at)
	for _, place := range at {
		sort.Float64s(byPlace[place]) // whatever the order of rows, the same sum
		level = append(level, stat.Mean(byPlace[place], nil))
	}
	return at, level
}

// autocorrelation is that of neighbouring places, without the bias that few of
// them bring (Marriott and Pope), and below one.
func autocorrelation(at []int, level []float64) float64 {
	mean, variance := stat.PopMeanVariance(level, nil)
	sum, n := 0.0, 0
	for i := 1; i < len(at); i++ {
		if at[i] == at[i-1]+1 {
			sum += (level[i] - mean) * (level[i-1] - mean)
			n++
		}
	}
	const rounding = 1e-12 // relative: differences that are the same but for it resemble nothing
	if math.Sqrt(variance) <= rounding*math.Abs(mean) || n < minPeriods-1 {
		return 0
	}
	m := float64(len(at))
	r := sum / m / variance * (m - 1) / float64(n)
	return math.Min((r+1/m)/(1-3/m), 0.95)
}

// resemblance warns of pairs that count for fewer.
func (t *MetricTable) resemblance(axis string) {
	var worst *Comparison
	for _, g := range t.Groups {
		if a := g.Against; a != nil && a.Effective > 0 && (worst == nil || a.Autocorrelation > worst.Autocorrelation) {
			worst = a
		}
	}
	if worst != nil {
		t.Warnings = append(t.Warnings, fmt.Sprintf("neighbouring values of %s resemble each other (autocorrelation up to %.2f): they count as %.0f independent ones, which p and the intervals say", axis, worst.Autocorrelation, worst.Effective))
	}
}
