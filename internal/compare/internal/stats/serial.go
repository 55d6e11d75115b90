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
	sort.Float64s(level)
	return ofFewer(m, level, effective, confidence), rho, effective, true
}

// ofFewer is the change of values that count for fewer. p and the interval follow
// from the same standard errors, one for each side, which are those of m's
// interval as of so many values: by Student's distribution. p is never below m's
// own.
func ofFewer(m Method, values []float64, effective, confidence float64) Change {
	const base = 0.95 // whatever confidence is asked for, p is the same
	c, n := m.One(values, base), float64(len(values))
	reach := normalQuantile(0.5 + base/2)
	if m.students {
		reach = distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.5 + base/2)
	}
	error1 := math.Sqrt(n/effective) / reach // of an interval's half
	below, above := (c.Shift-c.Lo)*error1, (c.Hi-c.Shift)*error1
	t := distuv.StudentsT{Sigma: 1, Nu: effective - 1}
	half := t.Quantile(0.5 + confidence/2)
	c.Lo, c.Hi = c.Shift-half*below, c.Shift+half*above
	fewer := func(p float64) float64 { return 2 * t.Survival(-normalQuantile(p/2)*math.Sqrt(effective/n)) }
	side := below
	if c.Shift < 0 {
		side = above
	}
	if c.Shift == 0 || side == 0 { // most values are equal: the ranks alone are sure of something
		c.P, c.Least = math.Min(1, fewer(c.P)), math.Min(1, fewer(c.Least))
		return c
	}
	c.P = math.Min(1, math.Max(c.P, 2*t.Survival(math.Abs(c.Shift)/side)))
	return c
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
