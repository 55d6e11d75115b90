// Package versus compares the values of one group with those of another.
//
// In go two sides, whose values are pairs where they agree in all else, and what
// is asked of the metric; out comes a Comparison. Package versus adjusts no p for
// other comparisons and gives no verdict.
package versus

import (
	"cmp"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/metric"
)

// A Sample is one value with what it is paired by.
type Sample struct {
	Row   int // of the table
	Value float64
	Pair  int            // that of two groups is a pair where it is equal
	Place int            // along the ordered axis
	Of    stats.Fraction // of a proportion, or a ratio
}

// A Side is one of two groups. It has values. Those of a ratio of sums are what it
// varies by, so that its change is their means'.
type Side struct {
	Samples []Sample
	Values  []float64      // theirs, ascending
	Paired  bool           // samples have pairs
	Missing int            // runs without a value
	Centre  float64        // of Values
	Total   stats.Fraction // of a proportion
}

func (s Side) n() int { return len(s.Values) }

func (s Side) varies() bool { return s.Values[0] != s.Values[s.n()-1] }

// A Comparison is a group against the baseline.
type Comparison struct {
	stats.Change
	Paired    bool
	Counted   bool    // trials are compared, not runs
	Pairs     int     // pairs, or the smaller number of values
	Possible  int     // pairs there could be
	Centres   float64 // the difference of the two groups' centres, which Shift may contradict
	PAdjusted float64 // after Holm over primary metrics and variants; P itself when exploratory
	// Shift, its interval and Centres as fractions of the baseline's centre; NaN
	// where that is no size: it is zero, or its values lie on both sides of zero.
	Relative, RelLo, RelHi, RelCentres float64
	// Size is how large the change is whatever the unit, and SizeName what it
	// is: NaN and empty where there is no such number.
	Size     float64
	SizeName string
	Plain    *Plain  // the change as it is without being adjusted; nil where nothing adjusts it
	Saved    float64 // the share of the variance of the change that adjusting takes away
	Exact    bool    // every difference is one; P says only whether there is any
	Verdict  Verdict
	Equal    bool // every pair is equal
	Need     int  // values a group would need to tell a change of this size; 0 when not known
	// Detectable is the change that this many values tell four times in five; NaN
	// where that is not known.
	Detectable float64
	// Lowest and Highest are the change if all pairs that are missing were as
	// extreme as the most extreme one there is: Shift where none is missing.
	Lowest, Highest float64
	// Where pairs resemble those of neighbouring places of an ordered axis: how
	// much, and how many independent ones they count for. P and the interval say so.
	Autocorrelation, Effective float64
}

// Plain is a change that nothing adjusts, and its fractions of the baseline's centre.
type Plain struct {
	stats.Change
	Relative, RelLo, RelHi float64
}

// A Verdict is what a comparison says.
type Verdict string

// Of compares g with the baseline, by single trials where counted. adjust is nil
// where nothing adjusts the change.
func Of(m metric.Metric, counted bool, base, g Side, adjust *Adjustment, confidence float64) *Comparison {
	var c *Comparison
	if counted {
		c = proportions(base, g, confidence)
	} else if m.By == metric.ByExact && m.Per == "" {
		c = exactly(base, g)
	}
	if c == nil {
		c = samples(Method(m), base, g, adjust, confidence)
	}
	if !c.Paired || c.Exact { // of which nothing is known that could turn it
		c.Lowest, c.Highest = c.Shift, c.Shift
	}
	c.Centres = g.Centre - base.Centre
	c.Relate(base.Centre, base.Values, g.Values)
	if m.Guardrail && m.Goal != "" {
		c.OneSided(-m.Wanted())
		if c.Plain != nil {
			c.Plain.OneSided(-m.Wanted())
		}
	}
	return c
}

// Method is how the values of a metric are summarized and compared.
func Method(m metric.Metric) stats.Method {
	switch {
	case m.By == metric.ByMean, m.Per != "": // of what a ratio varies by
		return stats.Means
	case m.By == metric.ByBootstrap:
		return stats.Resamples
	}
	return stats.Ranks
}

// Fragile reports whether the missing pairs could give the change the other sign.
func (c *Comparison) Fragile() bool {
	return c.Shift > 0 && c.Lowest <= 0 || c.Shift < 0 && c.Highest >= 0
}

// Contrary reports whether the difference of the centres has another sign than
// the change, which compares pair by pair, or every run with every other.
func (c *Comparison) Contrary() bool {
	size := 1e-9 * math.Max(math.Abs(c.Shift), math.Abs(c.Centres)) // smaller is rounding
	sign := func(x float64) int { return cmp.Compare(x, size) + cmp.Compare(x, -size) }
	return sign(c.Shift) != sign(c.Centres)
}

// As gives c what an earlier test of the same groups came to: p, the size of the
// effect, what adjusting did, and whether anything varied. Of nil it takes nothing.
func (c *Comparison) As(earlier *Comparison) {
	if earlier != nil {
		c.P, c.Size, c.Saved, c.Plain, c.Flat = earlier.P, earlier.Size, earlier.Saved, earlier.Plain, earlier.Flat
	}
}

// Relate says the change in fractions of the centre of the baseline's values.
func (c *Comparison) Relate(centre float64, base, g []float64) {
	b := math.NaN()
	if stats.IsSize(centre, base) {
		b = math.Abs(centre)
	}
	least := math.Inf(-1)
	if base[0] >= 0 && g[0] >= 0 {
		least = -1 // what is never negative falls by no more than all of it
	}
	lower := func(lo float64) float64 {
		if math.IsInf(lo, 0) {
			return lo / b
		}
		return math.Max(lo/b, least)
	}
	c.Relative, c.RelLo, c.RelHi, c.RelCentres = c.Shift/b, lower(c.Lo), c.Hi/b, c.Centres/b
	if p := c.Plain; p != nil {
		p.Relative, p.RelLo, p.RelHi = p.Shift/b, lower(p.Lo), p.Hi/b
	}
}

// samples compares pair by pair where both groups have the same replicates, else
// as two samples.
func samples(by stats.Method, base, g Side, adjust *Adjustment, confidence float64) *Comparison {
	if c := paired(by, base, g, adjust, confidence); c != nil {
		return c
	}
	c := unpaired(base, g)
	c.Change = by.Two(base.Values, g.Values, confidence)
	c.Size, c.SizeName = by.SizeTwo(base.Values, g.Values), by.SizeName
	adjust.ofSamples(c, by, base, g, confidence)
	return c
}

func unpaired(base, g Side) *Comparison {
	n := min(base.n(), g.n())
	return &Comparison{Pairs: n, Possible: n}
}

// proportions compares the rates of two groups, trial by trial.
func proportions(base, g Side, confidence float64) *Comparison {
	c := unpaired(base, g)
	c.Counted, c.SizeName = true, "h"
	c.Change, c.Size = stats.Proportions(base.Total, g.Total, confidence)
	return c
}

func sorted(x []float64) []float64 { return slices.Sorted(slices.Values(x)) }

// minPairs is how many pairs make pairing worth more than two samples.
const minPairs = 3

// paired compares the runs that differ in the group alone; nil when there are
// not enough, or a pair is ambiguous.
func paired(m stats.Method, base, g Side, adjust *Adjustment, confidence float64) *Comparison {
	pairs := pairsOf(base, g)
	along := differences(pairs, stats.Minus)
	if len(along) < minPairs {
		return nil
	}
	c, diffs := ofPairs(base, g, along)
	c.Change = m.One(diffs, confidence)
	if !c.Equal && adjust.ofPairs(c, m, pairs, along, confidence) {
		for i, d := range along {
			diffs[i] = d.By
		}
		slices.Sort(diffs)
	}
	c.Size, c.SizeName = m.SizeOne(diffs), m.SizeName
	if !c.Equal {
		if change, rho, effective, ok := stats.Resembling(m, along, confidence); ok {
			c.Change, c.Autocorrelation, c.Effective = change, rho, effective
		}
	}
	c.reach(m, diffs)
	return c
}

func ofPairs(base, g Side, along []stats.Difference) (c *Comparison, diffs []float64) {
	diffs = make([]float64, len(along))
	for i, d := range along {
		diffs[i] = d.By
	}
	slices.Sort(diffs)
	n := len(diffs)
	return &Comparison{Paired: true, Pairs: n, Possible: max(base.n()+base.Missing, g.n()+g.Missing), Equal: diffs[0] == 0 && diffs[n-1] == 0}, diffs
}

// pairsOf are the samples that are pairs, that of the baseline first; none where
// one is ambiguous.
func pairsOf(base, g Side) [][2]Sample {
	if !base.Paired || !g.Paired {
		return nil
	}
	left := map[int]Sample{}
	for _, s := range base.Samples {
		if _, twice := left[s.Pair]; twice {
			return nil
		}
		left[s.Pair] = s
	}
	var out [][2]Sample
	seen := map[int]bool{}
	for _, s := range g.Samples {
		if seen[s.Pair] {
			return nil
		}
		seen[s.Pair] = true
		if x, ok := left[s.Pair]; ok {
			out = append(out, [2]Sample{x, s})
		}
	}
	return out
}

func differences(pairs [][2]Sample, minus func(x, y float64) float64) (out []stats.Difference) {
	for _, p := range pairs {
		out = append(out, stats.Difference{Place: p[1].Place, By: minus(p[1].Value, p[0].Value)})
	}
	return out
}

// reach says how far the pairs that are missing could move the change, were each
// as extreme as the most extreme one there is.
func (c *Comparison) reach(m stats.Method, diffs []float64) {
	n := len(diffs)
	c.Lowest, c.Highest = c.Shift, c.Shift
	if c.Possible <= n || c.Equal {
		return
	}
	extreme := math.Max(math.Abs(diffs[0]), math.Abs(diffs[n-1]))
	with := func(missing float64) float64 {
		all := append(slices.Clone(diffs), slices.Repeat([]float64{missing}, c.Possible-n)...)
		slices.Sort(all)
		return m.Centre(all)
	}
	c.Lowest, c.Highest = math.Min(c.Shift, with(-extreme)), math.Max(c.Shift, with(extreme))
}

// exactly compares two groups of a metric without chance: pair by pair, else
// the one value of each. Nil when a group that has no pairs has several.
func exactly(base, g Side) *Comparison {
	var c *Comparison
	var by []float64
	switch along := differences(pairsOf(base, g), func(x, y float64) float64 { return x - y }); {
	case len(along) > 0:
		c, by = ofPairs(base, g, along)
	case base.varies() || g.varies():
		return nil
	default:
		c, by = unpaired(base, g), []float64{g.Values[0] - base.Values[0]}
		c.Equal = by[0] == 0
	}
	c.Change = stats.Change{Shift: stats.Median(by), Lo: by[0], Hi: by[len(by)-1], Tilt: by[0] + by[len(by)-1]}
	c.Exact = true
	if c.Equal {
		c.P = 1
	}
	return c
}
