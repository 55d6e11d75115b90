package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Fraction is how many of some trials succeeded: whole numbers, Hits at most
// Trials and Trials at least one. That of a ratio is any two numbers, Trials above
// zero.
type Fraction struct{ Hits, Trials float64 }

// Rate is hits by trials.
func (f Fraction) Rate() float64 { return f.Hits / f.Trials }

// Wilson is the score interval of a proportion.
func Wilson(f Fraction, confidence float64) (lo, hi float64) {
	return score(f, normalQuantile(0.5+confidence/2))
}

// score are the rates that lie within z standard errors of that of f.
func score(f Fraction, z float64) (lo, hi float64) {
	n, p := f.Trials, f.Rate()
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return math.Max(0, middle-half), math.Min(1, middle+half)
}

// Total adds up fractions.
func Total(of []Fraction) (sum Fraction) {
	for _, f := range of {
		sum.Hits += f.Hits
		sum.Trials += f.Trials
	}
	return sum
}

// dispersionAlpha is how sure one must be that runs differ before trials are
// no longer taken for independent.
const dispersionAlpha = 0.01

// Rates are those of the runs of groups.
type Rates struct {
	Uneven     bool    // they vary within the groups by more than counting explains
	dispersion float64 // by how much: Pearson's chi-squared by its freedom
	freedom    float64
}

// RatesOf looks at the runs of groups, by Pearson's test of homogeneity over all
// of them.
func RatesOf(groups [][]Fraction) (r Rates) {
	chi := 0.0
	for _, g := range groups {
		p := Total(g).Rate()
		if len(g) < 2 || p == 0 || p == 1 {
			continue
		}
		for _, f := range g {
			d := f.Hits - f.Trials*p
			chi += d * d / (f.Trials * p * (1 - p))
		}
		r.freedom += float64(len(g) - 1)
	}
	if r.freedom > 0 {
		r.dispersion = chi / r.freedom
		r.Uneven = distuv.ChiSquared{K: r.freedom}.Survival(chi) < dispersionAlpha
	}
	return r
}

// Divided is the p of counts that are to be divided by shares: Pearson's test of
// goodness of fit. It is 1 where there is nothing to divide.
func Divided(counts, shares []float64) float64 {
	all, parts := sumOf(counts), sumOf(shares)
	if len(counts) < 2 || all == 0 {
		return 1
	}
	chi := 0.0
	for i, n := range counts {
		want := all * shares[i] / parts
		chi += (n - want) * (n - want) / want
	}
	return distuv.ChiSquared{K: float64(len(counts) - 1)}.Survival(chi)
}

// Interval is that of the rate of all trials of a group: Wilson's, or where the
// rates are uneven the same with a variance larger by their dispersion, as of a
// quasi-binomial model, and Student's distribution.
func (r Rates) Interval(of Fraction, confidence float64) (lo, hi float64) {
	if !r.Uneven {
		return Wilson(of, confidence)
	}
	t := distuv.StudentsT{Sigma: 1, Nu: r.freedom}
	return score(of, t.Quantile(0.5+confidence/2)*math.Sqrt(r.dispersion))
}

// minExpected is the usual bound of tests that rest on the normal
// distribution.
const minExpected = 5

// Proportions is the change from the rate of a to that of b: by the score test,
// or Fisher's where a cell expects fewer than minExpected, with Newcombe's
// interval of the difference; size is Cohen's h.
func Proportions(a, b Fraction, confidence float64) (c Change, size float64) {
	c.Shift = b.Rate() - a.Rate()
	c.Least = fisher(Fraction{0, a.Trials}, Fraction{b.Trials, b.Trials})
	la, ua := Wilson(a, confidence)
	lb, ub := Wilson(b, confidence)
	c.Lo = c.Shift - math.Hypot(b.Rate()-lb, ua-a.Rate())
	c.Hi = c.Shift + math.Hypot(ub-b.Rate(), a.Rate()-la)
	if c.P = scoreTest(a, b); expected(a, b) < minExpected {
		c.P = fisher(a, b)
	}
	return c, arcsine(a, b)
}

// expected is the least count that a cell of the table would have if both
// rates were one.
func expected(a, b Fraction) float64 {
	hits, trials := a.Hits+b.Hits, a.Trials+b.Trials
	return math.Min(hits, trials-hits) * math.Min(a.Trials, b.Trials) / trials
}

// scoreTest is the two-sided p of the pooled z test.
func scoreTest(a, b Fraction) float64 {
	p := (a.Hits + b.Hits) / (a.Trials + b.Trials)
	sd := math.Sqrt(p * (1 - p) * (1/a.Trials + 1/b.Trials))
	if sd == 0 {
		return 1
	}
	return math.Min(1, twoTails(math.Abs(b.Rate()-a.Rate())/sd))
}

// fisher is the two-sided p of Fisher's exact test: of all tables with these
// margins, those that are no likelier.
func fisher(a, b Fraction) float64 {
	hits := a.Hits + b.Hits
	lo, hi := math.Max(0, hits-b.Trials), math.Min(hits, a.Trials)
	// Chances follow each other by ratios from the likeliest table, which is 1:
	// factorials of millions would cost the last digits.
	chance := make([]float64, int(hi-lo)+1)
	top := math.Floor((hits + 1) * (a.Trials + 1) / (a.Trials + b.Trials + 2))
	top = math.Min(math.Max(top, lo), hi)
	up := func(h float64) float64 { return (a.Trials - h) * (hits - h) / ((h + 1) * (b.Trials - hits + h + 1)) }
	chance[int(top-lo)] = 1
	for h := top; h < hi; h++ {
		chance[int(h-lo)+1] = chance[int(h-lo)] * up(h)
	}
	for h := top; h > lo; h-- {
		chance[int(h-lo)-1] = chance[int(h-lo)] / up(h-1)
	}
	seen := chance[int(a.Hits-lo)] * (1 + 1e-7) // equal chances differ in their last digits
	p, all := 0.0, 0.0
	for _, x := range chance {
		if all += x; x <= seen {
			p += x
		}
	}
	return math.Min(1, p/all)
}
