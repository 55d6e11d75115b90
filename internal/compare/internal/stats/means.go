package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// oneByMeans is the paired t test.
func oneByMeans(diffs []float64, confidence float64) Change {
	if c, ok := flatOne(diffs, len(diffs)); ok {
		return c
	}
	mean, variance := stat.MeanVariance(diffs, nil)
	n := float64(len(diffs))
	return byStudent(mean, math.Sqrt(variance/n), n-1, confidence)
}

// twoByMeans is Welch's t test.
func twoByMeans(a, b []float64, confidence float64) Change {
	if c, ok := flatTwo(a, b, 0); ok {
		return c
	}
	se, freedom := welch(a, b)
	return byStudent(Mean(b)-Mean(a), se, freedom, confidence)
}

// welch is the standard error of the difference of two means, and its degrees of
// freedom.
func welch(a, b []float64) (se, freedom float64) {
	_, va := stat.MeanVariance(a, nil)
	_, vb := stat.MeanVariance(b, nil)
	na, nb := float64(len(a)), float64(len(b))
	ea, eb := va/na, vb/nb
	return math.Sqrt(ea + eb), (ea + eb) * (ea + eb) / (ea*ea/(na-1) + eb*eb/(nb-1))
}

// byStudent tests a mean with its standard error. Without freedom, or where nothing
// varies, nothing can be said of it.
func byStudent(mean, se, freedom, confidence float64) Change {
	if !(freedom > 0) || se == 0 {
		return unknown(mean)
	}
	t := distuv.StudentsT{Sigma: 1, Nu: freedom}
	half := student(freedom, 0.5+confidence/2) * se
	return Change{Shift: mean, Lo: mean - half, Hi: mean + half, P: 2 * t.Survival(math.Abs(mean/se))}
}

// student is the quantile of Student's distribution.
func student(freedom, p float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(p)
}

// unknown is a change of which so few values say nothing.
func unknown(shift float64) Change {
	return Change{Shift: shift, Lo: math.Inf(-1), Hi: math.Inf(1), P: 1, Least: 1}
}
