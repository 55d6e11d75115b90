package compare

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fanout-dev/fanout/internal/table"
)

// fraction is how many of a run's trials succeeded.
type fraction struct{ hits, trials float64 }

func (f fraction) rate() float64 { return f.hits / f.trials }

// fractionAt reads a run's counts; it is not ok when they are no counts.
func fractionAt(hits, trials table.Column, row int) (f fraction, ok bool) {
	h, ok1 := hits.Float(row)
	n, ok2 := trials.Float(row)
	return fraction{h, n}, ok1 && ok2 && n > 0 && h >= 0 && h <= n && !math.IsInf(n, 0) && h == math.Trunc(h) && n == math.Trunc(n)
}

func counts(samples []sample) (sum fraction) {
	for _, s := range samples {
		sum.hits += s.of.hits
		sum.trials += s.of.trials
	}
	return sum
}

// summarizeCounts puts the rate of all trials, with Wilson's interval, in the
// place of the median.
func summarizeCounts(g *group, confidence float64) {
	all := counts(g.samples)
	g.Hits, g.Trials = all.hits, all.trials
	g.Centre = all.rate()
	g.Lo, g.Hi = wilson(all, confidence)
}

// wilson is the score interval of a proportion.
func wilson(f fraction, confidence float64) (lo, hi float64) {
	z := distuv.UnitNormal.Quantile(0.5 + confidence/2)
	n, p := f.trials, f.rate()
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return math.Max(0, middle-half), math.Min(1, middle+half)
}

// dispersionAlpha is how sure one must be that runs differ before trials are
// no longer taken for independent.
const dispersionAlpha = 0.01

// uneven reports whether the rates of the runs within the groups vary by more
// than counting explains: Pearson's test of homogeneity, over all groups.
func uneven(groups []*group) bool {
	chi, free := 0.0, 0
	for _, g := range groups {
		all := counts(g.samples)
		p := all.rate()
		if len(g.samples) < 2 || p == 0 || p == 1 {
			continue
		}
		for _, s := range g.samples {
			d := s.of.hits - s.of.trials*p
			chi += d * d / (s.of.trials * p * (1 - p))
		}
		free += len(g.samples) - 1
	}
	return free > 0 && distuv.ChiSquared{K: float64(free)}.Survival(chi) < dispersionAlpha
}

func unevenWarning(m Metric) string {
	return fmt.Sprintf("the rate of %s varies between runs by more than counting explains: the runs are compared, not each of the %s", m.Name, m.Trials)
}

// proportions compares the rates of two groups, trial by trial: the score
// test, or Fisher's where a cell expects fewer than minExpected, and
// Newcombe's interval of the difference.
func proportions(base, g *group, confidence float64) *Comparison {
	a, b := counts(base.samples), counts(g.samples)
	c := &Comparison{Counted: true, Pairs: min(base.N, g.N), Possible: min(base.N, g.N)}
	c.Shift = b.rate() - a.rate()
	c.Size, c.SizeName = arcsine(a, b), "h"
	c.least = fisher(fraction{0, a.trials}, fraction{b.trials, b.trials})
	la, ua := wilson(a, confidence)
	lb, ub := wilson(b, confidence)
	c.Lo = c.Shift - math.Hypot(b.rate()-lb, ua-a.rate())
	c.Hi = c.Shift + math.Hypot(ub-b.rate(), a.rate()-la)
	if c.P = scoreTest(a, b); expected(a, b) < minExpected {
		c.P = fisher(a, b)
	}
	return c
}

// minExpected is the usual bound of tests that rest on the normal
// distribution.
const minExpected = 5

// expected is the least count that a cell of the table would have if both
// rates were one.
func expected(a, b fraction) float64 {
	hits, trials := a.hits+b.hits, a.trials+b.trials
	return math.Min(hits, trials-hits) * math.Min(a.trials, b.trials) / trials
}

// scoreTest is the two-sided p of the pooled z test.
func scoreTest(a, b fraction) float64 {
	p := (a.hits + b.hits) / (a.trials + b.trials)
	sd := math.Sqrt(p * (1 - p) * (1/a.trials + 1/b.trials))
	if sd == 0 {
		return 1
	}
	return math.Min(1, twoTails(math.Abs(b.rate()-a.rate())/sd))
}

// fisher is the two-sided p of Fisher's exact test: of all tables with these
// margins, those that are no likelier.
func fisher(a, b fraction) float64 {
	hits := a.hits + b.hits
	lo, hi := math.Max(0, hits-b.trials), math.Min(hits, a.trials)
	// Chances follow each other by ratios from the likeliest table, which is 1:
	// factorials of millions would cost the last digits.
	chance := make([]float64, int(hi-lo)+1)
	top := math.Floor((hits + 1) * (a.trials + 1) / (a.trials + b.trials + 2))
	top = math.Min(math.Max(top, lo), hi)
	up := func(h float64) float64 { return (a.trials - h) * (hits - h) / ((h + 1) * (b.trials - hits + h + 1)) }
	chance[int(top-lo)] = 1
	for h := top; h < hi; h++ {
		chance[int(h-lo)+1] = chance[int(h-lo)] * up(h)
	}
	for h := top; h > lo; h-- {
		chance[int(h-lo)-1] = chance[int(h-lo)] / up(h-1)
	}
	seen := chance[int(a.hits-lo)] * (1 + 1e-7) // equal chances differ in their last digits
	p, all := 0.0, 0.0
	for _, x := range chance {
		if all += x; x <= seen {
			p += x
		}
	}
	return math.Min(1, p/all)
}

func logChoose(n, k float64) float64 {
	of := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	return of(n) - of(k) - of(n-k)
}
