package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A regressed case has samples and lists of covariates: of the pairs, or of the runs
// of A, then of B.
type regressed struct {
	A, B   []float64
	X      [][]float64
	Paired bool
}

func drawRegressed() (cases []regressed) {
	r := rand.New(rand.NewPCG(11, 12))
	for n := 8; n <= 40; n += 4 {
		for k := 1; k <= 3; k++ {
			for _, paired := range []bool{true, false} {
				c, runs := regressed{Paired: paired, X: make([][]float64, k)}, n
				if !paired {
					runs = 2 * n
				}
				for j := range c.X {
					for range runs {
						far := 0.0 // of pairs, what differs between them is close to zero
						if !paired {
							far = 1000 * float64(j)
						}
						c.X[j] = append(c.X[j], far+r.NormFloat64())
					}
				}
				for i := range n {
					c.A = append(c.A, 5+r.NormFloat64())
					c.B = append(c.B, 6+r.NormFloat64()+2*c.X[0][runs-n+i])
				}
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// TestAdjustedAgainstStatsmodels demands the change, its standard error and what was
// saved of statsmodels' least squares, p and the interval too where runs are pairs:
// two samples are compared by Welch's test (testdata/oracle.py).
func TestAdjustedAgainstStatsmodels(t *testing.T) {
	cases := drawRegressed()
	var want []struct{ Shift, Error, Lo, Hi, P, Saved float64 }
	ask(t, "adjusted", cases, &want)
	for i, c := range cases {
		w, n := want[i], len(c.A)
		var got Change
		var a Adjusted
		var ok bool
		var se float64
		if c.Paired {
			diffs := make([]float64, n)
			for k := range diffs {
				diffs[k] = c.B[k] - c.A[k]
			}
			a, ok = AdjustOne(diffs, c.X)
			got = Means.OneOf(a, 0.95)
			se = (got.Hi - got.Shift) / student(float64(n-1-a.Rank), 0.975)
		} else {
			a, ok = AdjustTwo(c.A, c.B, c.X)
			got = Means.TwoOf(a, n, 0.95)
			se, _ = welch(a.Values[:n], a.Values[n:])
			w.Lo, w.Hi, w.P = got.Lo, got.Hi, got.P
		}
		if !ok || a.Rank != len(c.X) {
			t.Fatalf("case %d: %+v, ok %v", i, a, ok)
		}
		for _, x := range [][2]float64{{got.Shift, w.Shift}, {se, w.Error}, {got.Lo, w.Lo}, {got.Hi, w.Hi}, {got.P, w.P}, {a.Saved, w.Saved}} {
			if math.Abs(x[0]-x[1]) > 1e-8 {
				t.Errorf("case %d (%d runs, %d covariates, paired %v): %+v, saved %v; statsmodels says %+v", i, n, len(c.X), c.Paired, got, a.Saved, w)
			}
		}
	}
}

// TestNothingToAdjust: covariates that say nothing, or as much as there are values,
// adjust nothing.
func TestNothingToAdjust(t *testing.T) {
	diffs := []float64{1, 3, 2, 5, 4}
	for name, x := range map[string][][]float64{
		"none": {}, "zero": {{0, 0, 0, 0, 0}}, "too many": {{1, 0, 0, 0, 0}, {0, 1, 0, 0, 0}, {0, 0, 1, 0, 0}}, "the change itself": {{1, 1, 1, 1, 1}},
	} {
		if a, ok := AdjustOne(diffs, x); ok {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a, ok := AdjustTwo(diffs, diffs, [][]float64{{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}}); ok {
		t.Errorf("the groups themselves: %+v", a)
	}
	if a, ok := AdjustOne(diffs, [][]float64{{1, -1, 1, -1, 0}, {2, -2, 2, -2, 0}}); !ok || a.Rank != 1 {
		t.Errorf("the same twice: %+v, %v", a, ok)
	}
}
