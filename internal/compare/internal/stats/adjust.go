package stats

import (
	"math"
	"slices"
)

// An Adjusted sample is values less what covariates explain of them, in the same
// order.
type Adjusted struct {
	Values []float64
	Saved  float64 // the share of the variance of the change that is gone; below 0 where it grew
	Rank   int     // how many of the covariates say something that no other one says
}

// AdjustOne takes from paired differences what covariates explain of them, by least
// squares: the mean of what is left is the change where all covariates are zero, and
// its standard error that of the regression. covariates are lists by pair. It is
// not ok where they say nothing, or so much that too few differences are left, and
// where there is nothing to explain.
func AdjustOne(diffs []float64, covariates [][]float64) (a Adjusted, ok bool) {
	if constant(diffs) {
		return a, false
	}
	n := float64(len(diffs))
	f := regress(diffs, column(len(diffs), 1), covariates)
	return f.adjusted(variation(diffs), n-1, 1/n, func(int) float64 { return f.effect })
}

// AdjustTwo does so for two samples: the difference of the means of what is left is
// the change between runs with equal covariates. Lists have the runs of a, then
// those of b.
func AdjustTwo(a, b []float64, covariates [][]float64) (both Adjusted, ok bool) {
	if constant(a) && constant(b) {
		return both, false
	}
	all, na, nb := slices.Concat(a, b), float64(len(a)), float64(len(b))
	of := append(column(len(a), 0), column(len(b), 1)...)
	f := regress(all, of, append([][]float64{column(len(all), 1)}, covariates...))
	f.rank-- // the mean, which the plain change needs, too
	mean := Mean(all)
	return f.adjusted(variation(a)+variation(b), na+nb-2, 1/na+1/nb, func(i int) float64 { return mean + (of[i]-nb/(na+nb))*f.effect })
}

// OneOf is the change of adjusted differences, TwoOf that between two samples, of
// which the first has n values.
func (m Method) OneOf(a Adjusted, confidence float64) Change {
	if c, ok := flatOne(a.Values, len(a.Values)-a.Rank); ok {
		return c
	}
	n := float64(len(a.Values))
	if !m.students {
		return m.One(a.wider(a.Values, n-1), confidence)
	}
	return byStudent(Mean(a.Values), math.Sqrt(variation(a.Values)/(n-1)/n), n-1-float64(a.Rank), confidence)
}

// TwoOf is described at OneOf.
func (m Method) TwoOf(a Adjusted, n int, confidence float64) Change {
	x, y := sorted(a.Values[:n]), sorted(a.Values[n:])
	if c, ok := flatTwo(x, y, a.Rank); ok {
		return c
	}
	if freedom := float64(len(a.Values) - 2); !m.students {
		return m.Two(a.wider(x, freedom), a.wider(y, freedom), confidence)
	}
	se, freedom := welch(x, y)
	return byStudent(Mean(y)-Mean(x), se, math.Max(freedom-float64(a.Rank), 1), confidence)
}

// wider spreads values around their mean, and sorts them: methods that know nothing
// of degrees of freedom see as much as Student's distribution allows for those that
// the covariates cost.
func (a Adjusted) wider(x []float64, freedom float64) []float64 {
	by := student(freedom-float64(a.Rank), 0.975) / student(freedom, 0.975)
	mean, out := Mean(x), make([]float64, len(x))
	for i, v := range x {
		out[i] = mean + by*(v-mean)
	}
	return sorted(out)
}

func sorted(x []float64) []float64 { return slices.Sorted(slices.Values(x)) }

func column(n int, x float64) []float64 { return slices.Repeat([]float64{x}, n) }

// variation is the sum of the squared distances from the mean.
func variation(x []float64) (sum float64) {
	mean := Mean(x)
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return sum
}

// A regression is least squares of values on one column beside others.
type regression struct {
	effect    float64 // of the column
	each      float64 // the variance of the effect, in that of a residual
	residuals []float64
	rank      int // of the others
}

// regress makes the others orthogonal one after the other. Those that follow from
// earlier ones are left out; each is 0 where the column itself does.
func regress(y, of []float64, others [][]float64) (f regression) {
	const same = 1e-9 // relative: what is left of a column that others make up
	var basis [][]float64
	for _, x := range others {
		if q := less(x, basis); math.Sqrt(dot(q, q)) > same*math.Sqrt(dot(x, x)) {
			basis = append(basis, times(1/math.Sqrt(dot(q, q)), q))
		}
	}
	f.rank, f.residuals = len(basis), less(y, basis)
	if q := less(of, basis); math.Sqrt(dot(q, q)) > same*math.Sqrt(dot(of, of)) {
		f.each = 1 / dot(q, q)
		f.effect = dot(q, y) * f.each
		for i := range q {
			f.residuals[i] -= f.effect * q[i]
		}
	}
	f.clean(10 * rounding * largest(y))
	return f
}

// clean makes zero of what is left by rounding alone: where covariates explain
// everything, a test would be sure of it.
func (f *regression) clean(least float64) {
	for i, r := range f.residuals {
		if math.Abs(r) <= least {
			f.residuals[i] = 0
		}
	}
	if math.Abs(f.effect) <= least {
		f.effect = 0
	}
}

func largest(x []float64) float64 { return math.Max(math.Abs(slices.Min(x)), math.Abs(slices.Max(x))) }

// less is x without what lies along a basis: twice, as the first time rounds.
func less(x []float64, basis [][]float64) []float64 {
	x = slices.Clone(x)
	for range 2 {
		for _, q := range basis {
			along := dot(q, x)
			for i := range x {
				x[i] -= along * q[i]
			}
		}
	}
	return x
}

func dot(x, y []float64) (sum float64) {
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

func times(by float64, x []float64) []float64 {
	for i := range x {
		x[i] *= by
	}
	return x
}

// adjusted puts the residuals around what is fitted, scaled so that the usual
// standard error of the change is the regression's. squares, freedom and each are
// those of the change without covariates.
func (f regression) adjusted(squares, freedom, each float64, fitted func(i int) float64) (a Adjusted, ok bool) {
	a.Rank = f.rank
	left := freedom - float64(f.rank)
	// With less than half of it left, the residuals that ranks compare would be
	// more the regression's than the runs'.
	if f.rank < 1 || f.each == 0 || left < freedom/2 || !(squares > 0) {
		return a, false
	}
	grown := freedom / left * f.each / each
	a.Saved = 1 - grown*dot(f.residuals, f.residuals)/squares
	for i, r := range f.residuals {
		a.Values = append(a.Values, fitted(i)+math.Sqrt(grown)*r)
	}
	return a, true
}
