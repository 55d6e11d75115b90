package stats

import (
	"math"
	"slices"
	"testing"
)

// TestWhatDoesNotVary: means of differences that are all the same are as sure as the
// permutation of their signs, or of two samples the dealing of their values, and have
// no interval: Student's standard error of zero would be sure of anything.
func TestWhatDoesNotVary(t *testing.T) {
	for name, m := range map[string]Method{"means": Means, "resamples": Resamples} {
		for n := 2; n <= 20; n++ {
			for _, by := range []float64{0.1, -3, 1e-9, 0} { // sums of 0.1 are rounded
				same := slices.Repeat([]float64{by}, n)
				want, least := math.Exp2(float64(1-n)), math.Exp2(float64(1-n))
				if n <= maxExactFlip {
					want, _ = flips(same, nil)
				} else if by == 0 {
					want = 1
				}
				unvarying(t, name, m.One(same, 0.95), by, want, least)
			}
		}
		for na := 2; na <= 9; na++ {
			for nb := 2; nb <= 9; nb++ {
				a := slices.Repeat([]float64{0.3}, na)
				b := slices.Repeat([]float64{0.1 + 0.6}, nb)
				want, least := deals(a, b, nil)
				unvarying(t, name, m.Two(a, b, 0.95), 0.4, want, least)
				x, y := 0.1, 0.2 // added by the machine, so that it rounds
				unvarying(t, name, m.Two(a, slices.Repeat([]float64{x + y}, nb), 0.95), 0, 1, least)
			}
		}
		if c := m.One([]float64{1, 1, 1.5}, 0.95); c.Flat || math.IsInf(c.Lo, 0) {
			t.Errorf("%s: what varies is %+v", name, c)
		}
		if c := m.Two([]float64{1, 1, 1}, []float64{2, 2, 2.5}, 0.95); c.Flat || math.IsInf(c.Lo, 0) {
			t.Errorf("%s: two samples of which one varies are %+v", name, c)
		}
	}
	if d := meanInDeviations([]float64{0.1, 0.1, 0.1}); !math.IsInf(d, 1) {
		t.Errorf("three equal differences are %v deviations", d)
	}
}

func unvarying(t *testing.T, name string, c Change, shift, p, least float64) {
	t.Helper()
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-12 }
	if !c.Flat || !near(c.Shift, shift) || !near(c.P, p) || !near(c.Least, least) || !math.IsInf(c.Lo, -1) || !math.IsInf(c.Hi, 1) {
		t.Errorf("%s: %+v, want a change of %v without interval, p %v, least %v", name, c, shift, p, least)
	}
}

// TestAllIsExplained: where covariates explain every difference, what is left does not
// vary, and those that are used up count for nothing. Without a change beside them
// nothing is told, by any method.
func TestAllIsExplained(t *testing.T) {
	x := []float64{0.31, -1.27, 2.09, 0.77, -0.11, 1.63, -2.41, 0.53}
	for name, m := range map[string]Method{"ranks": Ranks, "means": Means, "resamples": Resamples} {
		for _, shift := range []float64{0, 1.0 / 3} {
			var diffs, a, b, of []float64
			for i, v := range x {
				diffs = append(diffs, shift+v*math.Pi)
				if of = append(of, v); i < 4 {
					a = append(a, 100+v*math.Pi)
				} else {
					b = append(b, 100+shift+v*math.Pi)
				}
			}
			one, ok := AdjustOne(diffs, [][]float64{x})
			two, also := AdjustTwo(a, b, [][]float64{of})
			if !ok || !also || one.Saved != 1 || two.Saved != 1 {
				t.Fatalf("saved %v and %v", one.Saved, two.Saved)
			}
			p1, p2 := math.Exp2(-6), 2/35.0 // of 7 differences, and of 4 among 7 values
			want1, want2 := p1, p2
			if shift == 0 {
				want1, want2 = 1, 1
			}
			unvarying(t, name, m.OneOf(one, 0.95), shift, want1, p1)
			unvarying(t, name, m.TwoOf(two, 4, 0.95), shift, want2, p2)
		}
	}
	same := []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}
	if a, ok := AdjustOne(same, [][]float64{x[:6]}); ok {
		t.Errorf("differences that are all the same are adjusted: %+v", a)
	}
}

// TestRatiosThatDoNotVary: runs of one ratio each stand for it, whatever their sizes.
func TestRatiosThatDoNotVary(t *testing.T) {
	var of []Fraction
	for _, n := range []float64{3, 7, 11, 1e6 + 3, 0.7} {
		of = append(of, Fraction{n / 3, n})
	}
	if got := Linearized(of); !constant(got) || math.Abs(got[0]-1.0/3) > 1e-15 {
		t.Errorf("one ratio varies: %v", got)
	}
}

// TestResamplesThatCannotBeSure: an interval at the level of an early look is none where
// the permutation, or the resamples, cannot be as sure.
func TestResamplesThatCannotBeSure(t *testing.T) {
	five := []float64{-1, 0.5, 1.25, 2, 3.5}
	var many []float64
	for i := range 60 {
		many = append(many, float64(i)/7+math.Sin(float64(i)))
	}
	slices.Sort(many)
	for _, c := range []struct {
		change Change
		none   bool
	}{
		{Resamples.One(five, 0.95), false}, {Resamples.One(five, 0.99), true}, {Resamples.Two(five, five, 0.99), false}, {Resamples.Two(five, five, 0.995), true},
		{Resamples.One(many, 0.999), false}, {Resamples.One(many, 1-1e-7), true}, {Resamples.Two(many, five, 1-1e-7), true},
	} {
		if got := math.IsInf(c.change.Lo, -1) && math.IsInf(c.change.Hi, 1); got != c.none {
			t.Errorf("%+v: no interval: %v, want %v", c.change, got, c.none)
		}
	}
}
