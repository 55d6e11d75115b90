// Package stats computes: summaries of samples, tests and intervals of changes,
// sizes of effects, trends and families of p values.
//
// In go numbers, out come numbers: it knows no table, no metric and no words,
// and keeps nothing. The same numbers give the same answer, also where it
// resamples. Samples are finite and sorted, ascending, unless a function says
// otherwise, and are never changed. Nobody else computes statistics.
package stats

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Change is an estimated change and how sure it is.
type Change struct {
	Shift  float64 // the estimate: of medians, means or rates
	Lo, Hi float64 // its interval; infinite where so few values have none
	P      float64 // two-sided
	Least  float64 // the smallest P that this many values can have
	Tilt   float64 // has the sign of what P is of, where Shift is 0 because most values are equal
	Flat   bool    // means are compared of what does not vary: P is of the signs alone, and there is no interval
}

// Up is 1 for a change upwards, -1 for one downwards, and 0 for neither.
func (c Change) Up() int {
	if c.Shift != 0 {
		return cmp.Compare(c.Shift, 0)
	}
	return cmp.Compare(c.Tilt, 0)
}

// OneSided makes P, and the least there can be, those of a change in one
// direction, 1 or -1.
func (c *Change) OneSided(direction int) {
	c.Least /= 2
	switch c.Up() {
	case direction:
		c.P /= 2
	case -direction:
		c.P = 1 - c.P/2
	}
}

// A Method finds the change of paired differences, and that between two
// samples, which are not empty.
type Method struct {
	One func(diffs []float64, confidence float64) Change
	Two func(a, b []float64, confidence float64) Change

	Centre func(values []float64) float64 // the estimate of One alone

	SizeName string // what the sizes of its effects are called
	SizeOne  func(diffs []float64) float64
	SizeTwo  func(a, b []float64) float64

	students bool // the interval of One is Student's, else a normal one
}

// The methods.
var (
	Ranks     = Method{oneByRanks, twoByRanks, pseudomedian, "r", rankCorrelation, dominance, false}     // assumes nothing
	Means     = Method{oneByMeans, twoByMeans, Mean, "d", meanInDeviations, standardized, true}          // Student's and Welch's t tests
	Resamples = Method{oneByResamples, twoByResamples, Mean, "d", meanInDeviations, standardized, false} // of means, by bootstrap and permutation
)

// Summary is the median of a sample with its order-statistic interval, as
// benchstat computes them.
func Summary(sample []float64, confidence float64) (centre, lo, hi float64) {
	s := benchmath.AssumeNothing.Summary(benchSample(sample), confidence)
	if math.IsNaN(s.Center) || math.IsInf(s.Center, 0) { // the values are too far apart for their difference
		s.Center = medianOf(sample)
	}
	return s.Center, s.Lo, s.Hi
}

func benchSample(x []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(x), &benchmath.DefaultThresholds)
}

// Quartiles are the first and the third of a sample, interpolated between the
// values as numpy, pandas and R do by default: Hyndman and Fan's type 7.
func Quartiles(sample []float64) (q1, q3 float64) {
	return quantile(sample, 0.25), quantile(sample, 0.75)
}

func quantile(sample []float64, q float64) float64 {
	at := q * float64(len(sample)-1)
	below := int(at)
	if below == len(sample)-1 {
		return sample[below]
	}
	share := at - float64(below)
	return sample[below]*(1-share) + sample[below+1]*share
}

// Mean is that of a sample.
func Mean(sample []float64) float64 { return stat.Mean(sample, nil) }

// Median is that of a sample.
func Median(sample []float64) float64 {
	n := len(sample)
	if n%2 == 1 {
		return sample[n/2]
	}
	if sum := sample[n/2-1] + sample[n/2]; !math.IsInf(sum, 0) {
		return sum / 2
	}
	return sample[n/2-1]/2 + sample[n/2]/2
}

// Minus is x−y to the digits that decimal numbers of their size keep: 5.1−4.9 is
// 0.2. Ranks would tell equal differences apart that are rounded differently.
func Minus(x, y float64) float64 {
	const digits = 15 // of a decimal number, in every float64
	size := math.Max(math.Abs(x), math.Abs(y))
	places := digits - 1 - int(math.Floor(math.Log10(size)))
	if !(size > 0) || places < 0 || math.IsInf(x-y, 0) {
		return x - y
	}
	d, _ := strconv.ParseFloat(strconv.FormatFloat(x-y, 'f', places, 64), 64)
	return d + 0 // which is never −0
}

// IsSize reports whether fractions of the centre of a sample say something: it is
// not zero, and the quartiles do not lie on both sides of zero.
func IsSize(centre float64, sample []float64) bool {
	q1, q3 := Quartiles(sample)
	return centre != 0 && !(q1 < 0 && q3 > 0)
}

func medianOf(unsorted []float64) float64 { return Median(slices.Sorted(slices.Values(unsorted))) }

// Explained is how much of the variance of a sample its levels explain, from 0
// to 1: the adjusted R² of the means by level. sample[i] has level[i], one of
// the given number of levels. It is not ok when fewer than two levels have
// values, every value has a level of its own, or the values are all equal.
func Explained(sample []float64, level []int, levels int) (share float64, ok bool) {
	total, by := spread{}, make([]spread, levels)
	centre := Median(sample) // squares of small numbers keep their digits
	for i, x := range sample {
		total.add(x - centre)
		by[level[i]].add(x - centre)
	}
	var parts []float64
	for _, s := range by {
		if s.n > 0 {
			parts = append(parts, math.Max(s.variation(), 0))
		}
	}
	slices.Sort(parts) // sums do not depend on the order of levels
	within := 0.0
	for _, p := range parts {
		within += p
	}
	n, k, whole := total.n, float64(len(parts)), total.variation()
	if k < 2 || n <= k || !(whole > 0) || math.IsInf(whole, 0) { // squares of huge numbers are no numbers
		return 0, false
	}
	return math.Max(0, 1-within/(n-k)/(whole/(n-1))), true
}

// A spread adds up numbers and their squares.
type spread struct{ n, sum, squares float64 }

func (s *spread) add(x float64) {
	s.n++
	s.sum += x
	s.squares += x * x
}

// variation is the sum of the squared distances from the mean.
func (s *spread) variation() float64 { return s.squares - s.sum*s.sum/s.n }

// twoTails is the chance of a normal value at least z from its mean, also
// where it is tiny.
func twoTails(z float64) float64 { return math.Erfc(z / math.Sqrt2) }

func logChoose(n, k float64) float64 {
	of := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	return of(n) - of(k) - of(n-k)
}

// normalQuantile is the value below which a normal variable lies with
// probability p.
func normalQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }
