package compare

import (
	"math"
	"testing"
)

// worseInSome are pairs of which seven got worse and none better: the median
// difference is 0, and what p is of is not.
func worseInSome(n int) []row {
	var rows []row
	for i := range n {
		y := 1.0
		if i < 7 {
			y = 2
		}
		rows = append(rows, row{variant: "a", seed: i, y: 1.0}, row{variant: "b", seed: i, y: y})
	}
	return rows
}

func TestDirectionWhereMostPairsAreEqual(t *testing.T) {
	for _, c := range []struct {
		m    Metric
		p    float64
		want Verdict
	}{
		{Metric{Goal: "minimize"}, 0.015625, Worse},
		{Metric{Goal: "maximize"}, 0.015625, Better},
		{Metric{}, 0.015625, Different},
		{Metric{Goal: "minimize", By: ByExact}, 0, Worse},
		{Metric{Goal: "minimize", Guardrail: true}, 0.0078125, Worse},
		{Metric{Goal: "maximize", Guardrail: true}, 1 - 0.0078125, Unclear},
	} {
		got := compareY(t, worseInSome(40), c.m)
		a := got.Groups[1].Against
		if a.Shift != 0 || a.Verdict != c.want || math.Abs(a.P-c.p) > 1e-12 {
			t.Errorf("%+v: %s, p %v, want %s and %v: %s", c.m, a.Verdict, a.P, c.want, c.p, got.Verdict)
		}
		if c.want == Unclear && a.Need != 0 {
			t.Errorf("a guardrail that got better would need %d runs to be worse", a.Need)
		}
	}
}

// A guardrail asks one question, so five pairs can answer it.
func TestGuardrailOfFivePairs(t *testing.T) {
	var rows []row
	for i, y := range []float64{3, 1, 2, 5, 4} {
		rows = append(rows, row{variant: "a", seed: i, y: 10.0}, row{variant: "b", seed: i, y: 10 + y})
	}
	if a := compareY(t, rows, Metric{Goal: "minimize", Guardrail: true}).Groups[1].Against; a.Verdict != Worse || a.P != 0.03125 {
		t.Errorf("%s, p %v", a.Verdict, a.P)
	}
	if a := compareY(t, rows, Metric{Goal: "maximize", Guardrail: true}).Groups[1].Against; a.Verdict != Unclear {
		t.Errorf("%s, p %v", a.Verdict, a.P)
	}
	if a := compareY(t, rows, Metric{Goal: "minimize"}).Groups[1].Against; a.Verdict != TooFew {
		t.Errorf("%s, p %v", a.Verdict, a.P)
	}
}

// Differences of decimals that are equal share their rank: p is that of the same
// numbers in tenths.
func TestPairsOfDecimals(t *testing.T) {
	a := []int{74, 57, 47, 63, 33, 28, 37, 66, 46, 52, 52, 44}
	b := []int{88, 67, 44, 59, 37, 25, 41, 76, 50, 58, 52, 41}
	for _, unit := range []float64{1, 10, 1000, 1e6} {
		var rows []row
		for i := range a {
			rows = append(rows, row{variant: "a", seed: i, y: float64(a[i]) / unit}, row{variant: "b", seed: i, y: float64(b[i]) / unit})
		}
		const scipy = 0.0576171875 // by all signs of the ranks
		if c := compareY(t, rows, Metric{Goal: "maximize"}).Groups[1].Against; c.P != scipy {
			t.Errorf("in units of 1/%v: p %v, want %v", unit, c.P, scipy)
		}
	}
}
