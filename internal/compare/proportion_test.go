package compare

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// visits draws runs of two variants: how many of a day's visitors sign up.
// Days differ by as much as spread, on both sides alike.
func visits(days int, a, b, spread float64) []row {
	r := rand.New(rand.NewPCG(5, 6))
	draw := func(n int, p float64) (hits int) {
		for range n {
			if r.Float64() < p {
				hits++
			}
		}
		return hits
	}
	var rows []row
	for day := range days {
		of := 1 + spread*(2*r.Float64()-1)
		rows = append(rows,
			row{variant: "a", region: "eu", seed: day, y: draw(1000, a*of), n: 1000},
			row{variant: "b", region: "eu", seed: day, y: draw(1000, b*of), n: 1000})
	}
	return rows
}

var signups = Metric{Goal: "maximize", Trials: "n"}

func TestProportionVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		rows    []row
		verdict Verdict
		counted bool
	}{
		"better":             {visits(20, 0.10, 0.13, 0), Better, true},
		"one day is enough":  {visits(1, 0.10, 0.20, 0), Better, true},
		"no difference":      {visits(20, 0.10, 0.10, 0), Unclear, true},
		"days differ":        {visits(20, 0.10, 0.13, 0.8), Better, false},
		"a handful":          {[]row{{variant: "a", y: 0, n: 2}, {variant: "b", y: 2, n: 2}}, TooFew, true},
		"nobody signs up":    {[]row{{variant: "a", y: 0, n: 500}, {variant: "b", y: 0, n: 500}}, Unclear, true},
		"everybody signs up": {[]row{{variant: "a", y: 500, n: 500}, {variant: "b", y: 500, n: 500}}, Unclear, true},
	} {
		t.Run(name, func(t *testing.T) {
			mt := compareY(t, c.rows, signups)
			a := mt.Groups[1].Against
			if a == nil || a.Verdict != c.verdict || a.Counted != c.counted {
				t.Fatalf("%+v, %q", a, mt.Verdict)
			}
			if warned := strings.Contains(strings.Join(mt.Warnings, " "), "varies between runs"); warned == c.counted {
				t.Errorf("warnings %q", mt.Warnings)
			}
		})
	}
}

// The rate of a group is that of all its trials, not the median of its runs.
func TestRateOfAllTrials(t *testing.T) {
	mt := compareY(t, []row{{variant: "a", seed: 1, y: 1, n: 10}, {variant: "a", seed: 2, y: 99, n: 990}, {variant: "b", y: 5, n: 10}}, signups)
	if g := mt.Groups[0]; g.Centre != 0.1 || g.Hits != 100 || g.Trials != 1000 || g.N != 2 || g.Lo > 0.1 || g.Hi < 0.1 {
		t.Errorf("%+v", g)
	}
}

func TestCountsThatAreNone(t *testing.T) {
	rows := []row{
		{variant: "a", seed: 1, y: 1.0, n: 10.0}, {variant: "b", seed: 1, y: 2.0, n: 10.0},
		{variant: "a", seed: 2, y: 11.0, n: 10.0}, {variant: "a", seed: 3, y: 1.5, n: 10.0}, {variant: "a", seed: 4, y: -1.0, n: 10.0},
		{variant: "a", seed: 5, y: 0.0, n: 0.0}, {variant: "a", seed: 6, y: 1.0, n: nil}, {variant: "a", seed: 7, y: nil, n: 10.0},
	}
	mt := compareY(t, rows, signups)
	if g := mt.Groups[0]; g.N != 1 || g.Missing != 6 {
		t.Errorf("%+v", g)
	}
	if w := strings.Join(mt.Warnings, " "); !strings.Contains(w, "5 values of y") {
		t.Errorf("warnings %q", mt.Warnings)
	}
	mt = compareY(t, rows, Metric{Goal: "maximize", Trials: "nowhere"})
	if w := strings.Join(mt.Warnings, " "); !strings.Contains(w, "no run recorded nowhere") || len(mt.Groups) > 0 {
		t.Errorf("warnings %q, %d groups", mt.Warnings, len(mt.Groups))
	}
}
