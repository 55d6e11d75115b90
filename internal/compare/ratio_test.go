package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestRatios: a metric with `per` is a ratio of sums, in which a run counts for as
// much as it has, and not a mean of ratios; its false alarms stay at alpha however
// the runs differ in size.
func TestRatios(t *testing.T) {
	spent := Metric{Goal: "maximize", Per: "n"}
	r := rand.New(rand.NewPCG(3, 5))
	draw := func(seeds int, rate float64) (rows []row) {
		for seed := range seeds {
			for _, v := range []string{"a", "b"} {
				n := 20 + r.IntN(400)
				each := 5.0
				if v == "b" {
					each *= rate
				}
				rows = append(rows, row{variant: v, seed: seed, n: n, y: each*float64(n) + 3*math.Sqrt(float64(n))*r.NormFloat64()})
			}
		}
		return rows
	}
	mt := compareY(t, draw(20, 1.1), spent)
	sums := map[string][2]float64{}
	r = rand.New(rand.NewPCG(3, 5))
	for _, x := range draw(20, 1.1) {
		s := sums[x.variant]
		sums[x.variant] = [2]float64{s[0] + x.y.(float64), s[1] + float64(x.n.(int))}
	}
	for _, g := range mt.Groups {
		if s := sums[g.Name]; math.Abs(g.Centre-s[0]/s[1]) > 1e-9 || !(g.Lo < g.Centre && g.Centre < g.Hi) {
			t.Errorf("%s is at %v, %v … %v, want %v", g.Name, g.Centre, g.Lo, g.Hi, s[0]/s[1])
		}
	}
	a := mt.Groups[1].Against
	if want := sums["b"][0]/sums["b"][1] - sums["a"][0]/sums["a"][1]; math.Abs(a.Shift-want) > 1e-9 || a.Verdict != Better || mt.CentreName() != "ratio" {
		t.Errorf("%s: %+v, want a change of %v", mt.CentreName(), a, want)
	}
	false_, sweeps := 0, 300
	for range sweeps {
		if v := compareY(t, draw(10, 1), spent).Groups[1].Against.Verdict; v != Unclear {
			false_++
		}
	}
	if most := 0.05 + 3*math.Sqrt(0.05*0.95/float64(sweeps)); float64(false_) > most*float64(sweeps) {
		t.Errorf("%d of %d sweeps tell a difference that is not there", false_, sweeps)
	}
	if mt := compareY(t, []row{{variant: "a", y: 1.0, n: 0}, {variant: "b", y: 1.0, n: 2}}, spent); len(mt.Warnings) != 1 || mt.Warnings[0] != "1 value of y is not a number by n above zero and is left out" {
		t.Errorf("%q", mt.Warnings)
	}
}
