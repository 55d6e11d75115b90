package stats

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Difference is that of one pair, at a place of an ordered axis.
type Difference struct {
	Place int
	By    float64
}

// Resembling is the change of pairs where those of neighbouring places resemble
// each other, which says as much as fewer independent ones: effective of them.
// It is not ok when they do not, or places are fewer than MinPlaces. diffs are
// not sorted.
func Resembling(m Method, diffs []Difference, confidence float64) (c Change, correlation, effective float64, ok bool) {
	at, level := levels(diffs)
	if len(at) < MinPlaces {
		return c, 0, 0, false
	}
	rho := autocorrelation(at, level)
	if rho <= 0 {
		return c, 0, 0, false
	}
	n := float64(len(at))
	effective = math.Max(2, n*(1-rho)/(1+rho))
	shrink := math.Sqrt(effective / n)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: effective - 1}
	dull := func(p float64) float64 { return math.Min(1, 2*t.Survival(-normalQuantile(p/2)*shrink)) }
	sort.Float64s(level)
	c = m.One(level, confidence)
	c.P, c.Least = dull(c.P), dull(c.Least)
	widen := t.Quantile(0.5+confidence/2) / normalQuantile(0.5+confidence/2) / shrink
	c.Lo, c.Hi = c.Shift-(c.Shift-c.Lo)*widen, c.Shift+(c.Hi-c.Shift)*widen
	return c, rho, effective, true
}

// levels are the mean differences by place, in order.
func levels(diffs []Difference) (at []int, level []float64) {
	byPlace := map[int][]float64{}
	for _, d := range diffs {
		byPlace[d.Place] = append(byPlace[d.Place], d.By)
	}
	for place := range byPlace {
		at = append(at, place)
	}
	slices.Sort(at)
	for _, place := range at {
		slices.Sort(byPlace[place]) // whatever the order of the differences, the same sum
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
	if math.Sqrt(variance) <= rounding*math.Abs(mean) || n < MinPlaces-1 {
		return 0
	}
	m := float64(len(at))
	r := sum / m / variance * (m - 1) / float64(n)
	return math.Min((r+1/m)/(1-3/m), 0.95)
}
