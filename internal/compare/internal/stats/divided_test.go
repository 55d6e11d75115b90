package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDividedAgainstScipy demands the p of scipy's chisquare.
func TestDividedAgainstScipy(t *testing.T) {
	type division struct {
		Counts []float64 `json:"counts"`
		Shares []float64 `json:"shares"`
	}
	r := rand.New(rand.NewPCG(3, 4))
	var cases []division
	for i := range 60 {
		var d division
		for range 2 + i%4 {
			share := float64(1 + r.IntN(5))
			d.Shares = append(d.Shares, share)
			d.Counts = append(d.Counts, math.Round(1000*share*(1+0.05*r.NormFloat64())))
		}
		cases = append(cases, d)
	}
	var want []float64
	ask(t, "divided", cases, &want)
	sure := 0
	for i, d := range cases {
		if got := Divided(d.Counts, d.Shares); math.Abs(got-want[i]) > 1e-9 {
			t.Errorf("%v by %v: p %v, scipy says %v", d.Counts, d.Shares, got, want[i])
		}
		if want[i] < 0.001 {
			sure++
		}
	}
	if sure < 5 || sure > 55 {
		t.Errorf("%d of %d cases are out of order", sure, len(cases))
	}
	if p := Divided([]float64{5}, []float64{1}); p != 1 {
		t.Errorf("one group has p %v", p)
	}
}
