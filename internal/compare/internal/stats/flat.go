package stats

import (
	"math"
	"slices"
)

// rounding is how far apart, relative to their size, numbers may be that are equal
// but for the last digits of a sum.
const rounding = 1e-14

// constant reports whether values differ by no more than rounding. They need not be
// sorted.
func constant(values []float64) bool {
	lo, hi := slices.Min(values), slices.Max(values)
	return hi-lo <= rounding*math.Max(math.Abs(lo), math.Abs(hi))
}

// flatOne is the change of differences that do not vary, of which free could vary:
// a standard error of zero would be sure of anything. Left are their signs, which
// have one way in 2^(free−1) to be all the same. How far the mean of others may lie
// is not known, so there is no interval.
func flatOne(diffs []float64, free int) (c Change, ok bool) {
	if len(diffs) < 2 || !constant(diffs) {
		return c, false
	}
	return flat(diffs[0], leastByRanks(true, max(free, 0))), true
}

// flatTwo is the change between two samples neither of which varies: left is that
// of all ways to divide the values one has the lower ones in one sample.
func flatTwo(a, b []float64, lost int) (c Change, ok bool) {
	if len(a) < 2 || len(b) < 2 || !constant(a) || !constant(b) {
		return c, false
	}
	all, few := float64(max(len(a)+len(b)-lost, 0)), float64(min(len(a), len(b)))
	return flat(Minus(b[0], a[0]), 2/math.Exp(logChoose(all, math.Min(few, all)))), true
}

func flat(shift, p float64) Change {
	c := unknown(shift)
	c.Flat, c.Least = true, math.Min(1, p)
	if shift != 0 {
		c.P = c.Least
	}
	return c
}
