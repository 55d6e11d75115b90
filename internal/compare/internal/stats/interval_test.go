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

// Above maxExact the critical values are those at which scipy 1.17's wilcoxon
// (method "asymptotic", no correction) and mannwhitneyu ("asymptotic", with its
// correction for continuity) reach 5%.
func TestIntervalsOfManyAreCutWhereTheirTestsReject(t *testing.T) {
	one := map[int]int{51: 453, 60: 648, 77: 1115, 100: 1954, 150: 4617}
	for n, critical := range one {
		diffs := make([]float64, n)
		for i := range diffs {
			diffs[i] = math.Exp2(float64(i) / 3) // no two averages are equal
		}
		var averages []float64
		for i := range diffs {
			for j := range i + 1 {
				averages = append(averages, (diffs[i]+diffs[j])/2)
			}
		}
		slices.Sort(averages)
		if _, lo, hi := walsh(diffs, 0.95); lo != averages[critical] || hi != averages[len(averages)-1-critical] {
			t.Errorf("%d pairs: %v … %v, want %v … %v", n, lo, hi, averages[critical], averages[len(averages)-1-critical])
		}
	}
	two := map[[2]int]int{{51, 51}: 1007, {60, 30}: 670, {20, 55}: 385, {80, 100}: 3318}
	for size, critical := range two {
		a, b := make([]float64, size[0]), make([]float64, size[1])
		for i := range a {
			a[i] = float64(i)
		}
		for i := range b {
			b[i] = float64(i * size[0])
		}
		var all []float64
		for _, x := range a {
			for _, y := range b {
				all = append(all, y-x)
			}
		}
		slices.Sort(all)
		if _, lo, hi := hodgesLehmann(a, b, 0.95); lo != all[critical] || hi != all[len(all)-1-critical] {
			t.Errorf("%d and %d values: %v … %v, want %v … %v", size[0], size[1], lo, hi, all[critical], all[len(all)-1-critical])
		}
	}
}

// An interval holds just the changes that its test does not reject: where p is
// below 0.05, it does not hold zero.
func TestIntervalsBelongToTheirTests(t *testing.T) {
	for _, c := range draws() {
		a, b := slices.Sorted(slices.Values(c.A)), slices.Sorted(slices.Values(c.B))
		if isTied(a, b) {
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
