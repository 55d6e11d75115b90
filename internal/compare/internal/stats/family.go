package stats

import (
	"cmp"
	"math"
	"slices"
)

// Holm adjusts the p values of a family for each other, in their places.
func Holm(family []float64) []float64 {
	order := make([]int, len(family))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(family[i], family[j]) })
	adjusted := make([]float64, len(family))
	high := 0.0
	for i, at := range order {
		high = math.Max(high, math.Min(1, family[at]*float64(len(family)-i)))
		adjusted[at] = high
	}
	return adjusted
}

// power is how often the values that Needed asks for are enough.
const power = 0.8

// Needed is how many values a side, or pairs, a change of this size would need
// for p below alpha, four times in five; n is how many there are, and
// confidence that of c's interval. It is 0 where the data say nothing of it.
func Needed(c Change, n int, alpha, confidence float64) float64 {
	size := Detectable(c, alpha, confidence)
	if c.Shift == 0 || math.IsNaN(size) {
		return 0
	}
	// The interval shrinks with the root of n.
	ratio := size / math.Abs(c.Shift)
	return math.Ceil(float64(n) * ratio * ratio)
}

// Detectable is the change that as many values as c is of would tell four times in
// five, with p below alpha and in its own direction; confidence is that of c's
// interval. Twice as many would tell one smaller by the root of two. It is NaN where
// the data say nothing of it.
func Detectable(c Change, alpha, confidence float64) float64 {
	half := (c.Hi - c.Lo) / 2
	if !(half > 0) || math.IsInf(half, 0) {
		return math.NaN()
	}
	return (normalQuantile(1-alpha/2) + normalQuantile(power)) / normalQuantile(0.5+confidence/2) * half
}

// Enough is how many values a side, or pairs, can give a p of ranks below alpha
// at all.
func Enough(paired bool, alpha float64) int {
	n := 1
	for leastByRanks(paired, n) >= alpha {
		n++
	}
	return n
}

// leastByRanks is the smallest p of n values a side, or n pairs.
func leastByRanks(paired bool, n int) float64 {
	if paired {
		return 2 / math.Exp2(float64(n))
	}
	return 2 / math.Exp(logChoose(2*float64(n), float64(n)))
}
