package stats

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/stat"
)

// rankCorrelation is the matched-pairs rank-biserial correlation: of the ranks of all
// differences, the share of those above zero less that of those below. Zero
// differences are left out.
func rankCorrelation(diffs []float64) float64 {
	_, plus, total, _ := signedRanks(diffs)
	if total == 0 {
		return 0
	}
	return float64(2*plus-total) / float64(total)
}

// dominance is the rank-biserial correlation of two sorted samples, Cliff's
// delta: how much more often b exceeds a than the other way round.
func dominance(a, b []float64) float64 {
	above, below := 0, 0
	for _, y := range b {
		i := sort.SearchFloat64s(a, y)
		above += i
		for i < len(a) && a[i] == y {
			i++
		}
		below += len(a) - i
	}
	return float64(above-below) / float64(len(a)*len(b))
}

// meanInDeviations is the mean of differences in their standard deviations.
func meanInDeviations(diffs []float64) float64 {
	mean, sd := stat.MeanStdDev(diffs, nil)
	if constant(diffs) {
		sd = 0
	}
	return inUnits(mean, sd)
}

// standardized is Cohen's d: the difference of the means in pooled standard
// deviations.
func standardized(a, b []float64) float64 {
	if len(a) < 2 || len(b) < 2 {
		return math.NaN()
	}
	ma, va := stat.MeanVariance(a, nil)
	mb, vb := stat.MeanVariance(b, nil)
	if constant(a) && constant(b) {
		va, vb = 0, 0
	}
	na, nb := float64(len(a)-1), float64(len(b)-1)
	return inUnits(mb-ma, math.Sqrt((na*va+nb*vb)/(na+nb)))
}

func inUnits(mean, sd float64) float64 {
	if mean == 0 {
		return 0
	}
	return mean / sd // without spread infinite, and shown as that
}

// arcsine is Cohen's h of two proportions.
func arcsine(a, b Fraction) float64 {
	return 2*math.Asin(math.Sqrt(b.Rate())) - 2*math.Asin(math.Sqrt(a.Rate()))
}
