package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRatiosAgainstStatsmodels demands the ratios, their standard errors, and the
// change with p and interval of statsmodels' regressions through the origin, which
// find the delta method's errors as a sandwich (testdata/oracle.py).
func TestRatiosAgainstStatsmodels(t *testing.T) {
	type sides struct {
		A, B   [][2]float64
		Paired bool
	}
	r := rand.New(rand.NewPCG(7, 8))
	draw := func(n int, rate float64) (out [][2]float64) {
		for range n {
			x := math.Exp(3 + r.NormFloat64())
			out = append(out, [2]float64{x*rate + 2*r.NormFloat64(), x})
		}
		return out
	}
	var cases []sides
	for n := 3; n < 40; n += 3 {
		cases = append(cases, sides{draw(n, 2), draw(n, 2.2), true}, sides{draw(n, -1), draw(n+n%4, -1.1), false})
	}
	var want []struct{ Centre, Error, Shift, Lo, Hi, P float64 }
	ask(t, "ratios", cases, &want)
	for i, c := range cases {
		a, b := linearized(c.A), linearized(c.B)
		one := Means.One(slices.Sorted(slices.Values(a)), 0.95)
		var got Change
		if c.Paired {
			diffs := make([]float64, len(a))
			for k := range a {
				diffs[k] = b[k] - a[k]
			}
			got = Means.One(slices.Sorted(slices.Values(diffs)), 0.95)
		} else {
			got = Means.Two(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)), 0.95)
		}
		w := want[i]
		half := w.Error * student(float64(len(a)-1), 0.975)
		for _, x := range [][2]float64{{one.Shift, w.Centre}, {one.Hi - one.Shift, half}, {got.Shift, w.Shift}, {got.Lo, w.Lo}, {got.Hi, w.Hi}, {got.P, w.P}} {
			if math.Abs(x[0]-x[1]) > 1e-8 {
				t.Errorf("case %d (%d and %d runs, paired %v): %+v of %+v; statsmodels says %+v", i, len(a), len(b), c.Paired, got, one, w)
			}
		}
	}
}

func linearized(of [][2]float64) []float64 {
	var fractions []Fraction
	for _, f := range of {
		fractions = append(fractions, Fraction{f[0], f[1]})
	}
	return Linearized(fractions)
}
