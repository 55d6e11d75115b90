package stats

import (
	"math"
	"slices"
	"sort"

	"golang.org/x/perf/benchmath"
)

// oneByRanks is Wilcoxon's signed-rank test.
func oneByRanks(diffs []float64, confidence float64) Change {
	c := Change{P: signedRank(diffs), Least: leastByRanks(true, len(diffs)), Tilt: rankCorrelation(diffs)}
	c.Shift, c.Lo, c.Hi = walsh(diffs, confidence)
	return c
}

// twoByRanks is the Mann–Whitney test of two sorted samples.
func twoByRanks(a, b []float64, confidence float64) Change {
	c := Change{P: rankSum(a, b), Least: leastByRanks(false, min(len(a), len(b))), Tilt: dominance(a, b)}
	c.Shift, c.Lo, c.Hi = hodgesLehmann(a, b, confidence)
	return c
}

// maxExactSum is the size of the larger sample up to which rankSum is exact where
// values are equal.
const maxExactSum = 25

// rankSum is the two-sided p of the Mann–Whitney test, as benchstat computes
// it, except for small samples with equal values: the distribution of their rank
// sum is not symmetric, which benchstat takes it to be.
func rankSum(a, b []float64) float64 {
	all := slices.Concat(a, b)
	doubled, ties := doubledRanks(all)
	if ties == 0 || max(len(a), len(b)) > maxExactSum {
		return math.Min(1, benchmath.AssumeNothing.Compare(benchSample(a), benchSample(b)).P)
	}
	total, sum := 0, 0
	for i, r := range doubled {
		total += r
		if i < len(a) {
			sum += r
		}
	}
	return exactSumP(doubled, len(a), sum, total)
}

// exactSumP counts the samples of n ranks whose sum is at least as extreme.
func exactSumP(doubled []int, n, sum, total int) float64 {
	ways := make([][]float64, n+1) // by how many are taken, and their sum
	for k := range ways {
		ways[k] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for i, r := range doubled {
		for k := min(i+1, n); k > 0; k-- {
			for s := total; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	low, high, all := 0.0, 0.0, 0.0
	for s, w := range ways[n] {
		all += w
		if s <= sum {
			low += w
		}
		if s >= sum {
			high += w
		}
	}
	return math.Min(1, 2*math.Min(low, high)/all)
}

// maxExact is the most pairs, or values a side, for which the tests and their
// intervals are exact.
const maxExact = 50

// signedRank is the two-sided p of Wilcoxon's signed-rank test. Zero
// differences are left out, ties share their mean rank; the distribution is
// exact for up to maxExact differences, else normal with a correction for ties.
func signedRank(diffs []float64) float64 {
	doubled, plus, total, ties := signedRanks(diffs)
	n := len(doubled)
	if n == 0 {
		return 1
	}
	if n <= maxExact {
		return exactRankP(doubled, plus, total)
	}
	variance := float64(n*(n+1)*(2*n+1))/24 - ties/48
	z := math.Abs(float64(plus)/2-float64(total)/4) / math.Sqrt(variance)
	return math.Min(1, twoTails(z))
}

// signedRanks are the doubled ranks of the sizes of all differences that are not
// zero, with the sum of those of differences above zero, and of all.
func signedRanks(diffs []float64) (doubled []int, plus, total int, ties float64) {
	var abs, signed []float64
	for _, d := range diffs {
		if d != 0 {
			abs, signed = append(abs, math.Abs(d)), append(signed, d)
		}
	}
	doubled, ties = doubledRanks(abs)
	for i, r := range doubled {
		total += r
		if signed[i] > 0 {
			plus += r
		}
	}
	return doubled, plus, total, ties
}

// doubledRanks are twice the mean ranks, which are whole numbers; ties is the
// sum of t³-t.
func doubledRanks(x []float64) (ranks []int, ties float64) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return x[order[i]] < x[order[j]] })
	ranks = make([]int, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
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
	low := min(plus, total-plus)
	return math.Min(1, 2*sumOf(signWays(doubled)[:low+1])/math.Exp2(float64(len(doubled))))
}

// signWays counts, for every sum, the sets of ranks that have it.
func signWays(ranks []int) []float64 {
	reach := 0
	for _, r := range ranks {
		reach += r
	}
	ways := make([]float64, reach+1)
	ways[0], reach = 1, 0
	for _, r := range ranks {
		reach += r
		for s := reach; s >= r; s-- {
			ways[s] += ways[s-r]
		}
	}
	return ways
}

func sumOf(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}

// dealWays counts, for every number of pairs in which a value of b is above one of
// a, the orders of two samples of these sizes that have it: the coefficients of
// Gauss's binomial. Those in the lower half are precise.
func dealWays(a, b int) []float64 {
	ways := make([]float64, a*b+1)
	ways[0] = 1
	for i := 1; i <= a; i++ {
		for u := a * b; u >= b+i; u-- {
			ways[u] -= ways[u-b-i]
		}
		for u := i; u <= a*b; u++ {
			ways[u] += ways[u-i]
		}
	}
	return ways
}

// beyond is how many values of a statistic lie so low that they are significant:
// those with less than half of what confidence leaves, of all ways there are.
func beyond(ways []float64, all, confidence float64) int {
	const rounding = 1e-9 // relative: a chance that is just the limit is not below it
	limit := (1 - confidence) / 2 * (1 - rounding) * all
	below := 0.0
	for v, w := range ways {
		if below += w; below >= limit {
			return v
		}
	}
	return len(ways)
}

func pseudomedian(values []float64) float64 {
	centre, _, _ := walsh(values, 0.5)
	return centre
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
	k := averages.normally(math.Sqrt(float64(n*(n+1)*(2*n+1))/24), 0, confidence)
	if n <= maxExact {
		ranks := make([]int, n)
		for i := range ranks {
			ranks[i] = i + 1
		}
		k = beyond(signWays(ranks), math.Exp2(float64(n)), confidence)
	}
	lo, hi = averages.interval(k)
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
	k := diffs.normally(math.Sqrt(n*m*(n+m+1)/12), 0.5, confidence)
	if max(len(a), len(b)) <= maxExact {
		k = beyond(dealWays(len(a), len(b)), math.Exp(logChoose(n+m, n)), confidence)
	}
	lo, hi = diffs.interval(k)
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

// normally is how many values of the statistic lie so low that they are significant,
// where it is taken for normal with this standard deviation, and the test takes
// correction from its distance to the mean.
func (p pairwise) normally(sd, correction, confidence float64) int {
	return int(math.Ceil(float64(p.n)/2 - correction - normalQuantile(0.5+confidence/2)*sd))
}

// interval ends at the kth number from either end. Too few numbers have no bounds.
func (p pairwise) interval(k int) (lo, hi float64) {
	if k < 1 {
		return math.Inf(-1), math.Inf(1)
	}
	return p.at(k), p.at(p.n - k + 1)
}
