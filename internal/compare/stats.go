package compare

import (
	"math"
	"slices"
	"sort"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// summarize fills in centre and spread.
func summarize(m Metric, g *group, confidence float64) {
	g.N = len(g.samples)
	g.Values = values(g.samples)
	if g.N == 0 {
		nan := math.NaN()
		g.Centre, g.Lo, g.Hi, g.Q1, g.Q3 = nan, nan, nan, nan, nan
		return
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(g.Values), &benchmath.DefaultThresholds), confidence)
	g.Centre, g.Lo, g.Hi = s.Center, s.Lo, s.Hi
	switch {
	case m.By == ByExact:
		g.Lo, g.Hi = g.Values[0], g.Values[g.N-1]
	case m.byMean():
		f := methodOf(m).one(g.Values, confidence)
		g.Centre, g.Lo, g.Hi = f.Shift, f.Lo, f.Hi
	}
	g.Q1 = stat.Quantile(0.25, stat.LinInterp, g.Values, nil)
	g.Q3 = stat.Quantile(0.75, stat.LinInterp, g.Values, nil)
	if m.Trials != "" {
		summarizeCounts(g, confidence)
	}
}

func values(samples []sample) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = s.value
	}
	sort.Float64s(out)
	return out
}

// A test compares two groups with values.
type test func(base, g *group, confidence float64) *Comparison

// testOf compares pair by pair where both groups have the same replicates, else
// as two samples.
func testOf(m Metric) test {
	by := methodOf(m)
	samples := func(base, g *group, confidence float64) *Comparison {
		if c := paired(by, base, g, confidence); c != nil {
			return c
		}
		c := &Comparison{Pairs: min(base.N, g.N), Possible: min(base.N, g.N)}
		c.found = by.two(base.Values, g.Values, confidence)
		c.Size, c.SizeName = by.sizeTwo(base.Values, g.Values), by.size
		return c
	}
	if m.By != ByExact {
		return samples
	}
	return func(base, g *group, confidence float64) *Comparison {
		if c := exactly(base, g); c != nil {
			return c
		}
		return samples(base, g, confidence)
	}
}

// against compares a group to the baseline, both with values.
func against(m Metric, t test, base, g *group, confidence float64) *Comparison {
	c := t(base, g, confidence)
	c.relative(base.Centre)
	if m.Guardrail && m.Goal != "" {
		c.P = oneSided(c.P, c.Shift, m.Goal)
	}
	return c
}

// relative says the shift as a fraction of the baseline.
func (c *Comparison) relative(base float64) {
	if base == 0 {
		c.Relative, c.RelLo, c.RelHi = math.NaN(), math.NaN(), math.NaN()
		return
	}
	b := math.Abs(base)
	c.Relative, c.RelLo, c.RelHi = c.Shift/b, c.Lo/b, c.Hi/b
}

// oneSided asks only whether it got worse.
func oneSided(p, shift float64, goal string) float64 {
	worse := shift < 0 == (goal == "maximize") && shift != 0
	if worse {
		return p / 2
	}
	return 1 - p/2
}

// minPairs is how many pairs make pairing worth more than two samples.
const minPairs = 3

// paired compares the runs that differ in the group alone; nil when there are
// not enough, or a pair is ambiguous.
func paired(m method, base, g *group, confidence float64) *Comparison {
	along := differences(base, g)
	if len(along) < minPairs {
		return nil
	}
	diffs := make([]float64, len(along))
	for i, d := range along {
		diffs[i] = d.by
	}
	sort.Float64s(diffs)
	c := &Comparison{Paired: true, Pairs: len(diffs), Possible: max(base.N+base.Missing, g.N+g.Missing), Equal: diffs[0] == 0 && diffs[len(diffs)-1] == 0}
	c.found = m.one(diffs, confidence)
	c.Size, c.SizeName = m.sizeOne(diffs), m.size
	c.Fragile = c.couldTurn(m, diffs)
	c.correct(m, along, confidence)
	return c
}

// differences are those of the pairs; none where a pair is ambiguous.
func differences(base, g *group) []difference {
	left := map[string]float64{}
	for _, s := range base.samples {
		if _, twice := left[s.pair]; twice || s.pair == "" {
			return nil
		}
		left[s.pair] = s.value
	}
	var out []difference
	seen := map[string]bool{}
	for _, s := range g.samples {
		if seen[s.pair] {
			return nil
		}
		seen[s.pair] = true
		if x, ok := left[s.pair]; ok {
			out = append(out, difference{s.place, s.value - x})
		}
	}
	return out
}

// couldTurn says whether the pairs that are missing could give the change the
// other sign, were each as extreme as the most extreme one there is.
func (c *Comparison) couldTurn(m method, diffs []float64) bool {
	n := len(diffs)
	if c.Possible <= c.Pairs || c.Shift == 0 {
		return false
	}
	against := -math.Copysign(math.Max(math.Abs(diffs[0]), math.Abs(diffs[n-1])), c.Shift)
	all := slices.Grow(slices.Clone(diffs), c.Possible-n)
	for range c.Possible - n {
		all = append(all, against)
	}
	sort.Float64s(all)
	shift := m.one(all, 0.5).Shift
	return shift == 0 || shift > 0 != (c.Shift > 0)
}

// A method finds the change of paired differences, and that between two
// samples, all of them sorted.
type method struct {
	one     func(diffs []float64, confidence float64) found
	two     func(a, b []float64, confidence float64) found
	size    string // what the sizes of effects are
	sizeOne func(diffs []float64) float64
	sizeTwo func(a, b []float64) float64
}

var (
	byRanks     = method{oneByRanks, twoByRanks, "r", rankCorrelation, dominance}
	byMeans     = method{oneByMeans, twoByMeans, "d", meanInDeviations, standardized}
	byResamples = method{oneByResamples, twoByResamples, "d", meanInDeviations, standardized}
)

func methodOf(m Metric) method {
	switch m.By {
	case ByMean:
		return byMeans
	case ByBootstrap:
		return byResamples
	}
	return byRanks
}

func oneByRanks(diffs []float64, confidence float64) found {
	f := found{P: signedRank(diffs), least: 2 / math.Exp2(float64(len(diffs)))}
	f.Shift, f.Lo, f.Hi = walsh(diffs, confidence)
	return f
}

func twoByRanks(a, b []float64, confidence float64) found {
	x := benchmath.NewSample(slices.Clone(a), &benchmath.DefaultThresholds)
	y := benchmath.NewSample(slices.Clone(b), &benchmath.DefaultThresholds)
	n := float64(min(len(a), len(b)))
	f := found{P: benchmath.AssumeNothing.Compare(x, y).P, least: 2 / math.Exp(logChoose(2*n, n))}
	f.Shift, f.Lo, f.Hi = hodgesLehmann(a, b, confidence)
	return f
}

// oneByMeans is the paired t test.
func oneByMeans(diffs []float64, confidence float64) found {
	mean, variance := stat.MeanVariance(diffs, nil)
	n := float64(len(diffs))
	return byStudent(mean, math.Sqrt(variance/n), n-1, confidence)
}

// twoByMeans is Welch's t test.
func twoByMeans(a, b []float64, confidence float64) found {
	ma, va := stat.MeanVariance(a, nil)
	mb, vb := stat.MeanVariance(b, nil)
	na, nb := float64(len(a)), float64(len(b))
	ea, eb := va/na, vb/nb
	return byStudent(mb-ma, math.Sqrt(ea+eb), (ea+eb)*(ea+eb)/(ea*ea/(na-1)+eb*eb/(nb-1)), confidence)
}

// byStudent tests a mean with its standard error. Without freedom nothing can
// be said of it.
func byStudent(mean, se, freedom, confidence float64) found {
	switch {
	case se == 0 && freedom > 0:
		return found{Shift: mean, Lo: mean, Hi: mean, P: map[bool]float64{true: 1}[mean == 0]}
	case !(freedom > 0):
		return found{Shift: mean, Lo: math.Inf(-1), Hi: math.Inf(1), P: 1, least: 1}
	}
	t := distuv.StudentsT{Sigma: 1, Nu: freedom}
	half := t.Quantile(0.5+confidence/2) * se
	return found{Shift: mean, Lo: mean - half, Hi: mean + half, P: 2 * t.Survival(math.Abs(mean/se))}
}

// maxExact is the most pairs for which the signed-rank test is exact.
const maxExact = 50

// signedRank is the two-sided p of Wilcoxon's signed-rank test. Zero
// differences are left out, ties share their mean rank; the distribution is
// exact for up to maxExact differences, else normal with a correction for ties.
func signedRank(diffs []float64) float64 {
	var abs, signed []float64
	for _, d := range diffs {
		if d != 0 {
			abs, signed = append(abs, math.Abs(d)), append(signed, d)
		}
	}
	n := len(abs)
	if n == 0 {
		return 1
	}
	doubled, ties := doubledRanks(abs)
	plus, total := 0, 0
	for i, r := range doubled {
		total += r
		if signed[i] > 0 {
			plus += r
		}
	}
	if n <= maxExact {
		return exactRankP(doubled, plus, total)
	}
	variance := float64(n*(n+1)*(2*n+1))/24 - ties/48
	z := math.Abs(float64(plus)/2-float64(total)/4) / math.Sqrt(variance)
	return math.Min(1, twoTails(z))
}

// twoTails is the chance of a normal value at least z from its mean, also
// where it is tiny.
func twoTails(z float64) float64 { return math.Erfc(z / math.Sqrt2) }

// doubledRanks are twice the mean ranks, which are whole numbers; ties is the
// sum of t³-t.
func doubledRanks(abs []float64) (ranks []int, ties float64) {
	order := make([]int, len(abs))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return abs[order[i]] < abs[order[j]] })
	ranks = make([]int, len(abs))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && abs[order[j]] == abs[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			ranks[order[k]] = i + 1 + j
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return ranks, ties
}

// exactRankP counts the sign patterns at least as extreme.
func exactRankP(doubled []int, plus, total int) float64 {
	ways := make([]float64, total+1)
	ways[0] = 1
	reach := 0
	for _, r := range doubled {
		reach += r
		for s := reach; s >= r; s-- {
			ways[s] += ways[s-r]
		}
	}
	tail := 0.0
	low := min(plus, total-plus)
	for s := 0; s <= low; s++ {
		tail += ways[s]
	}
	return math.Min(1, 2*tail/math.Exp2(float64(len(doubled))))
}

// walsh is the median of all averages of two differences, which are sorted,
// with the interval that belongs to the signed-rank test.
func walsh(diffs []float64, confidence float64) (centre, lo, hi float64) {
	n := len(diffs)
	averages := pairwise{n * (n + 1) / 2, diffs[0], diffs[n-1], func(x float64) (below int) {
		j := n - 1
		for i := range diffs {
			for j >= i && (diffs[i]+diffs[j])/2 > x {
				j--
			}
			if j < i {
				break
			}
			below += j - i + 1
		}
		return below
	}}
	sd := math.Sqrt(float64(n*(n+1)*(2*n+1)) / 24)
	lo, hi = averages.interval(sd, confidence)
	return averages.median(), lo, hi
}

// hodgesLehmann is the median of all differences between two sorted samples,
// with the interval that belongs to the rank-sum test.
func hodgesLehmann(a, b []float64, confidence float64) (centre, lo, hi float64) {
	diffs := pairwise{len(a) * len(b), b[0] - a[len(a)-1], b[len(b)-1] - a[0], func(x float64) (below int) {
		j := 0
		for i := range a {
			for j < len(b) && b[j]-a[i] <= x {
				j++
			}
			below += j
		}
		return below
	}}
	n, m := float64(len(a)), float64(len(b))
	lo, hi = diffs.interval(math.Sqrt(n*m*(n+m+1)/12), confidence)
	return diffs.median(), lo, hi
}

// pairwise are numbers that pairs make, too many to write down: how many there
// are, their ends, and how many are at most x.
type pairwise struct {
	n      int
	lo, hi float64
	atMost func(x float64) int
}

// at is the kth smallest, from 1: the least number that k of them do not
// exceed, found by halving the floating-point numbers between the ends.
func (p pairwise) at(k int) float64 {
	lo, hi := ordered(p.lo), ordered(p.hi)
	for lo < hi {
		middle := lo + (hi-lo)/2
		if p.atMost(unordered(middle)) >= k {
			hi = middle
		} else {
			lo = middle + 1
		}
	}
	return unordered(lo)
}

// ordered numbers the floating-point numbers by size.
func ordered(x float64) uint64 {
	b := math.Float64bits(x)
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

func unordered(b uint64) float64 {
	if b>>63 == 1 {
		return math.Float64frombits(b &^ (1 << 63))
	}
	return math.Float64frombits(^b)
}

func (p pairwise) median() float64 {
	if p.n%2 == 1 {
		return p.at(p.n/2 + 1)
	}
	return (p.at(p.n/2) + p.at(p.n/2+1)) / 2
}

// interval cuts so far from the middle as the rank statistic with this
// standard deviation allows. Too few numbers have no bounds.
func (p pairwise) interval(sd, confidence float64) (lo, hi float64) {
	k := int(math.Floor(float64(p.n)/2 - distuv.UnitNormal.Quantile(0.5+confidence/2)*sd))
	if k < 1 {
		return math.Inf(-1), math.Inf(1)
	}
	return p.at(k), p.at(p.n - k + 1)
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// maxNeed is the most samples that are worth naming: a change that needs more
// is as good as none.
const maxNeed = 10_000

// power is how often as many samples as are asked for are enough.
const power = 0.8

// needed is how many values a side a change of the observed size would need
// for p below alpha; 0 when the data say nothing of it. confidence is that of
// the interval.
func needed(m Metric, c *Comparison, alpha, confidence float64) int {
	if c.Shift == 0 || c.Pairs == 0 {
		return 0
	}
	n := 0.0
	if half := (c.Hi - c.Lo) / 2; half > 0 && !math.IsInf(half, 0) {
		// The interval shrinks with the root of n.
		z := distuv.UnitNormal.Quantile
		ratio := (z(1-alpha/2) + z(power)) / z(0.5+confidence/2) * half / math.Abs(c.Shift)
		n = math.Ceil(float64(c.Pairs) * ratio * ratio)
	}
	if c.least >= alpha && !c.Counted && !m.byMean() {
		n = max(n, float64(enough(c.Paired, alpha)))
	}
	if n > maxNeed || n <= float64(c.Pairs) {
		return 0
	}
	return int(n)
}

// enough is how many values, or pairs, can give a p below alpha at all.
func enough(paired bool, alpha float64) int {
	least := func(n float64) float64 {
		if paired {
			return 2 / math.Exp2(n)
		}
		return 2 / math.Exp(logChoose(2*n, n))
	}
	n := 1
	for least(float64(n)) >= alpha {
		n++
	}
	return n
}
