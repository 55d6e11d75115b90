package stats

import (
	"math"
	"slices"
	"testing"
)

func binary(hits, n int) []float64 {
	return slices.Concat(slices.Repeat([]float64{0}, n-hits), slices.Repeat([]float64{1}, hits))
}

// TestTiedRankSums compares small samples of unequal size with equal values. The
// p of zeros and ones is twice the smaller tail of scipy.stats.hypergeom, that
// of the rest is of scipy.stats.mannwhitneyu with an exact PermutationMethod.
func TestTiedRankSums(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		p    float64
	}{
		{binary(16, 16), binary(9, 12), 0.13431013431013433},
		{binary(16, 16), binary(10, 12), 0.3492063492063492},
		{binary(4, 16), binary(0, 12), 0.17777777777777776},
		{binary(13, 16), binary(6, 12), 0.17971014492753626},
		{[]float64{0, 0, 1, 1, 2, 5}, []float64{1, 2, 2, 3, 5, 5, 5, 7}, 0.05194805194805195},
		{[]float64{1, 1, 1, 2}, []float64{1, 1, 2, 2, 2, 2, 3}, 0.3333333333333333},
		{binary(3, 16), binary(4, 24), 1},
	} {
		for _, order := range [][2][]float64{{c.a, c.b}, {c.b, c.a}} {
			if got := twoByRanks(order[0], order[1], 0.95).P; math.Abs(got-c.p) > 1e-12 {
				t.Errorf("%v against %v: p %v, want %v", order[0], order[1], got, c.p)
			}
		}
	}
}
