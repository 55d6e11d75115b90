package stats

import (
	"hash/fnv"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	resamples    = 9_999
	maxExactFlip = 16      // differences whose signs are all tried
	maxExactWays = 200_000 // ways to deal two samples that are all tried
	maxDraws     = 4_000_000
)

// fewer is how many resamples of n values are drawn: many, unless that takes
// too long.
func fewer(n int) int { return max(min(resamples, maxDraws/max(n, 1)), 999) }

// source draws the same numbers for the same values, so that nothing but the
// values decides.
func source(samples ...[]float64) *rand.Rand {
	h := fnv.New64a()
	for _, x := range samples {
		for _, v := range x {
			var b [8]byte
			for i, u := 0, math.Float64bits(v); i < 8; i++ {
				b[i] = byte(u >> (8 * i))
			}
			h.Write(b[:])
		}
		h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(h.Sum64(), uint64(len(samples))))
}

// oneByResamples is the mean of differences, with the bias-corrected and
// accelerated bootstrap's interval, and p from giving them other signs.
func oneByResamples(diffs []float64, confidence float64) Change {
	if c, ok := flatOne(diffs, len(diffs)); ok {
		return c
	}
	c := Change{Shift: stat.Mean(diffs, nil)}
	if len(diffs) < 2 {
		return unknown(c.Shift)
	}
	r := source(diffs)
	c.P, c.Least = flips(diffs, r)
	c.Lo, c.Hi = accelerated(r, confidence, nil, diffs)
	c.resolve(len(diffs), confidence)
	return c
}

// twoByResamples is the difference of two means, with the same interval, and
// p from dealing the values to the two samples anew.
func twoByResamples(a, b []float64, confidence float64) Change {
	if c, ok := flatTwo(a, b, 0); ok {
		return c
	}
	c := Change{Shift: stat.Mean(b, nil) - stat.Mean(a, nil)}
	if len(a) < 2 || len(b) < 2 {
		return unknown(c.Shift)
	}
	r := source(a, b)
	c.P, c.Least = deals(a, b, r)
	c.Lo, c.Hi = accelerated(r, confidence, a, b)
	c.resolve(len(a)+len(b), confidence)
	return c
}

// resolve leaves no interval that is to be surer than p, or the resamples of n
// values, can be: those of looks at a sweep, which add up their levels.
func (c *Change) resolve(n int, confidence float64) {
	const usual = 0.95
	if least := math.Max(c.Least, 2/float64(fewer(n)+1)); confidence > usual && 1-confidence < least {
		c.Lo, c.Hi = math.Inf(-1), math.Inf(1)
	}
}

// tails counts the sums that are at most, and at least, as large as the one
// seen, in which sums of the same numbers in another order count for both.
type tails struct {
	seen, slack      float64
	low, high, tried int
}

func newTails(seen float64, values []float64) *tails {
	t := &tails{seen: seen}
	for _, v := range values {
		t.slack += 1e-11 * math.Abs(v)
	}
	return t
}

func (t *tails) add(sum float64) {
	t.tried++
	if sum <= t.seen+t.slack {
		t.low++
	}
	if sum >= t.seen-t.slack {
		t.high++
	}
}

// p is two-sided: twice the smaller tail. unseen is one when the sums were
// drawn, which the one seen was as well.
func (t *tails) p(unseen int) (p, least float64) {
	n := float64(t.tried + unseen)
	return math.Min(1, 2*float64(min(t.low, t.high)+unseen)/n), 2 / n
}

// flips is the two-sided p of the sum of the differences among all ways to
// give them signs, or among many drawn ones, and the least there could be.
func flips(diffs []float64, r *rand.Rand) (p, least float64) {
	sum := 0.0
	for _, d := range diffs {
		sum += d
	}
	t := newTails(sum, diffs)
	if n := len(diffs); n <= maxExactFlip {
		everyFlip(diffs, sum, t.add)
		return t.p(0)
	}
	for range fewer(len(diffs)) {
		s, word, left := 0.0, uint64(0), 0
		for _, d := range diffs {
			if left == 0 {
				word, left = r.Uint64(), 64
			}
			if word&1 == 1 {
				s += d
			} else {
				s -= d
			}
			word, left = word>>1, left-1
		}
		t.add(s)
	}
	return t.p(1)
}

// everyFlip calls f with the sum under every choice of signs. Gray's code
// turns one at a time.
func everyFlip(diffs []float64, sum float64, f func(sum float64)) {
	n := len(diffs)
	for i := range 1 << n {
		f(sum)
		j := bits.TrailingZeros(uint(i + 1))
		if j == n {
			return
		}
		if gray := (i + 1) ^ (i+1)>>1; gray>>j&1 == 1 {
			sum -= 2 * diffs[j]
		} else {
			sum += 2 * diffs[j]
		}
	}
}

// deals is the two-sided p of the difference of the means among all ways to
// deal the values to the samples, or many drawn ones.
func deals(a, b []float64, r *rand.Rand) (p, least float64) {
	all := slices.Concat(a, b)
	mean := stat.Mean(all, nil)
	for i := range all {
		all[i] -= mean
	}
	k, sum := len(b), 0.0
	for _, x := range all[len(a):] {
		sum += x
	}
	t := newTails(sum, all)
	if ways := math.Exp(logChoose(float64(len(all)), float64(k))); ways <= maxExactWays {
		deal(all, k, 0, t.add)
		return t.p(0)
	}
	for range fewer(len(all)) {
		s := 0.0
		for i := range k {
			j := i + r.IntN(len(all)-i)
			all[i], all[j] = all[j], all[i]
			s += all[i]
		}
		t.add(s)
	}
	return t.p(1)
}

// deal calls f with the sum of every choice of k of the values.
func deal(values []float64, k int, sum float64, f func(sum float64)) {
	switch {
	case k == 0:
		f(sum)
	case k <= len(values):
		deal(values[1:], k-1, sum+values[0], f)
		deal(values[1:], k, sum, f)
	}
}

// accelerated is Efron's BCa interval of the mean of b less that of a; a may be
// empty.
func accelerated(r *rand.Rand, confidence float64, a, b []float64) (lo, hi float64) {
	shift := stat.Mean(b, nil)
	if len(a) > 0 {
		shift -= stat.Mean(a, nil)
	}
	drawn := make([]float64, fewer(len(a)+len(b)))
	below, same := 0, 0
	for i := range drawn {
		if drawn[i] = again(r, b); len(a) > 0 {
			drawn[i] -= again(r, a)
		}
		switch {
		case drawn[i] < shift:
			below++
		case drawn[i] == shift:
			same++
		}
	}
	slices.Sort(drawn)
	normal := distuv.UnitNormal
	bias := normal.Quantile((float64(below) + float64(same)/2) / float64(len(drawn)))
	if math.IsInf(bias, 0) {
		return shift, shift // nothing varies
	}
	cubes, squares := moments(b)
	if len(a) > 0 {
		c, s := moments(a)
		cubes, squares = cubes-c, squares+s
	}
	skew := 0.0
	if squares > 0 {
		skew = cubes / (6 * math.Pow(squares, 1.5))
	}
	at := func(p float64) float64 {
		z := bias + normal.Quantile(p)
		return stat.Quantile(normal.CDF(bias+z/(1-skew*z)), stat.LinInterp, drawn, nil)
	}
	return at(0.5 - confidence/2), at(0.5 + confidence/2)
}

func again(r *rand.Rand, x []float64) float64 {
	sum := 0.0
	for range x {
		sum += x[r.IntN(len(x))]
	}
	return sum / float64(len(x))
}

// moments are what a sample brings to the acceleration.
func moments(x []float64) (cubes, squares float64) {
	mean, n := stat.Mean(x, nil), float64(len(x))
	for _, v := range x {
		d := (v - mean) / n
		cubes += d * d * d
		squares += d * d
	}
	return cubes, squares
}
