package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// walk is a difference a day that resembles the day before by rho.
func walk(r *rand.Rand, days int, rho, shift float64) []Difference {
	var out []Difference
	level := r.NormFloat64()
	for day := range days {
		level = rho*level + math.Sqrt(1-rho*rho)*r.NormFloat64()
		out = append(out, Difference{day, shift + level})
	}
	return out
}

// p and the interval say the same: one is below alpha where the other leaves out
// zero, for every method and every confidence. They may differ only where p is
// the method's own.
func TestResemblingAgreesWithItself(t *testing.T) {
	compared := 0
	for name, m := range map[string]Method{"ranks": Ranks, "means": Means, "resamples": Resamples} {
		r := rand.New(rand.NewPCG(51, 52))
		for range map[bool]int{true: 20, false: 150}[name == "resamples"] {
			diffs := walk(r, 8+r.IntN(40), []float64{0.3, 0.6, 0.8}[r.IntN(3)], 2*r.NormFloat64())
			for _, confidence := range []float64{0.8, 0.95, 0.99} {
				c, _, effective, ok := Resembling(m, diffs, confidence)
				if !ok {
					continue
				}
				compared++
				_, level := levels(diffs)
				slices.Sort(level)
				own := m.One(level, 0.95)
				without := c.Lo > 0 || c.Hi < 0
				if below := c.P < 1-confidence; below != without && c.P != own.P {
					t.Errorf("%s: p %v, interval %v … %v at %v, of %v values", name, c.P, c.Lo, c.Hi, confidence, effective)
				}
				if c.P < own.P || confidence == 0.95 && (c.Lo > own.Lo || c.Hi < own.Hi) {
					t.Errorf("%s: more sure than of independent values: %+v, %+v", name, c, own)
				}
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d were compared", compared)
	}
}

// serialDiffs are differences of days that resemble each other.
var serialDiffs = []float64{0.9, 0.2, 1.4, 1.2, 0.3, 0.4, -0.5, 0.3, 0.2, 1.1, 0.8, 0.4, 0.7, 0.9}

// The numbers are scipy's, of the effective number that Marriott and Pope's
// correction gives.
func TestResemblingAgainstScipy(t *testing.T) {
	var diffs []Difference
	for day, by := range serialDiffs {
		diffs = append(diffs, Difference{day, by})
	}
	for name, c := range map[string]struct {
		method Method
		want   Change
	}{
		"means": {Means, Change{Shift: 0.5928571428571429, Lo: 0.17670528761512078, Hi: 1.009008998099165, P: 0.011864570856058116}},
		"ranks": {Ranks, Change{Shift: 0.6, Lo: 0.124736727141531, Hi: 1.075263272858469, P: 0.02028920778709213}},
	} {
		got, rho, effective, ok := Resembling(c.method, diffs, 0.95)
		if !ok {
			t.Fatal("they do not resemble each other")
		}
		for what, pair := range map[string][2]float64{"shift": {got.Shift, c.want.Shift}, "lo": {got.Lo, c.want.Lo}, "hi": {got.Hi, c.want.Hi}, "p": {got.P, c.want.P}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Errorf("%s: %s is %.12g, want %.12g (r %.12g, n %.12g)", name, what, pair[0], pair[1], rho, effective)
			}
		}
	}
}

// The intervals are those of a quasi-binomial model: the dispersion is that of
// statsmodels, the interval its Wilson's with as many trials fewer.
func TestIntervalsOfUnevenRates(t *testing.T) {
	groups := [][]Fraction{
		{{120, 1000}, {60, 1000}, {95, 800}, {150, 1200}, {40, 900}},
		{{130, 1000}, {90, 1000}, {101, 800}, {190, 1200}, {50, 900}},
	}
	r := RatesOf(groups)
	if !r.Uneven {
		t.Fatalf("%+v", r)
	}
	for i, want := range [][2]float64{{0.0627928803562465, 0.1409492175669321}, {0.07882744502448516, 0.16342385118553215}} {
		lo, hi := r.Interval(Total(groups[i]), 0.95)
		if math.Abs(lo-want[0]) > 1e-9 || math.Abs(hi-want[1]) > 1e-9 {
			t.Errorf("group %d: %.12g … %.12g, want %.12g … %.12g", i, lo, hi, want[0], want[1])
		}
		if l, h := Wilson(Total(groups[i]), 0.95); l < lo || h > hi {
			t.Errorf("group %d: %v … %v is not wider than Wilson's", i, lo, hi)
		}
	}
	if got := fmt.Sprintf("%.12g %v", r.dispersion, r.freedom); got != "16.1390294331 8" {
		t.Errorf("the dispersion is %s", got)
	}
	even := RatesOf([][]Fraction{{{50, 1000}, {52, 1000}, {49, 1000}}})
	lo, hi := even.Interval(Fraction{151, 3000}, 0.95)
	if l, h := Wilson(Fraction{151, 3000}, 0.95); even.Uneven || lo != l || hi != h {
		t.Errorf("%+v: %v … %v", even, lo, hi)
	}
}
