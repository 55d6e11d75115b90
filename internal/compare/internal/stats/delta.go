package stats

import "math"

// Linearized are the values by which a ratio of two sums varies: their mean is
// the ratio of the sums, and the standard error of that mean is the ratio's by
// the delta method. They are in the order of the fractions, whose sum of trials
// is not zero.
func Linearized(of []Fraction) []float64 {
	all := Total(of)
	ratio, each := all.Rate(), all.Trials/float64(len(of))
	out := make([]float64, len(of))
	for i, f := range of {
		out[i] = ratio
		if beyond := f.Hits - ratio*f.Trials; math.Abs(beyond) > 10*rounding*math.Abs(f.Hits) {
			out[i] += beyond / each
		}
	}
	return out
}
