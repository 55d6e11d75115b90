package stats

import (
	"math"
	"slices"
	"testing"
)

// The critical values are those of the tables of both tests, at 5% on two sides.
func TestIntervalsAreCutAtCriticalValues(t *testing.T) {
	for n, critical := range map[int]int{5: -1, 6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 11: 10, 12: 13, 13: 17, 15: 25, 20: 52, 25: 89, 30: 137, 40: 264, 50: 434} {
		ranks := make([]int, n)
		for i := range ranks {
			ranks[i] = i + 1
		}
		if got := beyond(signWays(ranks), math.Exp2(float64(n)), 0.95) - 1; got != critical {
			t.Errorf("%d pairs: %d, want %d", n, got, critical)
		}
	}
	for size, critical := range map[[2]int]int{{3, 4}: -1, {3, 5}: 0, {4, 4}: 0, {5, 5}: 2, {5, 8}: 6, {8, 8}: 13, {10, 10}: 23, {12, 17}: 57, {20, 20}: 127} {
		all := math.Exp(logChoose(float64(size[0]+size[1]), float64(size[0])))
		if got := beyond(dealWays(size[0], size[1]), all, 0.95) - 1; got != critical {
			t.Errorf("%d and %d values: %d, want %d", size[0], size[1], got, critical)
		}
	}
}

// An interval holds just the changes that its test does not reject: where p is
// below 0.05, it does not hold zero.
func TestIntervalsBelongToTheirTests(t *testing.T) {
	for _, c := range draws() {
		a, b := slices.Sorted(slices.Values(c.A)), slices.Sorted(slices.Values(c.B))
		if isTied(a, b) || len(a) > maxExact {
			continue
		}
		p := func(shift float64) float64 {
			moved := drawn{c.A, slices.Clone(c.B), c.Paired}
			for i := range moved.B {
				moved.B[i] -= shift
			}
			change, _ := answer(Ranks, moved)
			return change.P
		}
		change, _ := answer(Ranks, c)
		if math.IsInf(change.Lo, 0) {
			if change.Least < 0.05 {
				t.Errorf("%d and %d values, paired %v: no interval, and p can be %v", len(a), len(b), c.Paired, change.Least)
			}
			continue
		}
		const step = 1e-9
		for _, bound := range []struct{ inside, outside float64 }{{change.Lo + step, change.Lo - step}, {change.Hi - step, change.Hi + step}} {
			if in, out := p(bound.inside), p(bound.outside); in < 0.05 || out >= 0.05 {
				t.Errorf("%d and %d values, paired %v: p is %v within the interval %v … %v, and %v beyond it", len(a), len(b), c.Paired, in, change.Lo, change.Hi, out)
			}
		}
	}
}

func isTied(a, b []float64) bool {
	_, ties := doubledRanks(slices.Concat(a, b))
	return ties > 0
}
