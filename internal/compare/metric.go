package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/ratio"
	"github.com/fanout-dev/fanout/internal/compare/internal/reading"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// metrics are the declared ones, or every numeric scrap.
func (c *comparer) metrics() []Metric {
	if len(c.o.Metrics) > 0 {
		return c.o.Metrics
	}
	var out []Metric
	for _, col := range c.t.Columns() {
		if col.Role() == table.RoleScrap && reading.Comparable(col, c.used) {
			out = append(out, Metric{Name: col.Name(), Unit: col.Unit(), Goal: col.Goal()})
		}
	}
	return out
}

// sampler is the value of a metric in a row of the table: found is false where
// there is none, good where it cannot be used.
type sampler = func(row int) (s sample, found, good bool)

// reader reads the values of a metric. good is what one, or some,
// that cannot be used are not; the error says that none can.
func (c *comparer) reader(m Metric) (read sampler, good [2]string, err error) {
	col, ok := c.t.Column(m.Name)
	switch {
	case !ok:
		return nil, good, fmt.Errorf("no run recorded a scrap called %s", m.Name)
	case !reading.Comparable(col, c.used) && col.Type() != table.Null:
		return nil, good, fmt.Errorf("%s holds %s values, which have no median", m.Name, col.Type())
	case m.Trials == "":
		return func(row int) (s sample, found, good bool) {
			x, good := reading.Finite(col, row)
			return sample{row: row, value: x}, !col.Null(row), good
		}, [2]string{"a finite number", "finite numbers"}, nil
	}
	trials, ok := c.t.Column(m.Trials)
	if !ok || !reading.Numeric(trials) {
		return nil, good, fmt.Errorf("no run recorded %s, the trials of %s, as a number", m.Trials, m.Name)
	}
	return func(row int) (s sample, found, good bool) {
		f, ok := reading.Fraction(col, trials, row)
		return sample{row: row, value: f.Rate(), of: f}, !col.Null(row), ok
	}, [2]string{"a count out of " + m.Trials, "counts out of " + m.Trials}, nil
}

// samplesAt are the values of some rows.
func samplesAt(rows []int, read sampler) []sample {
	var out []sample
	for _, row := range rows {
		if s, found, good := read(row); found && good {
			out = append(out, s)
		}
	}
	return out
}

func (c *comparer) table(m Metric) MetricTable {
	mt := MetricTable{Metric: m}
	read, good, err := c.reader(m)
	if err != nil {
		mt.Warnings = append(mt.Warnings, err.Error())
		return mt
	}
	groups, odd := c.gather(read)
	if odd > 0 {
		words := "is not " + good[0] + " and is"
		if odd > 1 {
			words = "are not " + good[1] + " and are"
		}
		mt.Warnings = append(mt.Warnings, fmt.Sprintf("%s of %s %s left out", unit.Plural(odd, "value"), m.Name, words))
	}
	rates := ratesOf(m, groups)
	test, warning := testFor(m, rates)
	if warning != "" {
		mt.Warnings = append(mt.Warnings, warning)
	}
	var split ratio.Split
	for _, g := range groups {
		summarize(m, g, rates, c.confidence)
		split.Add(g.Name, g.Trials, g.N)
	}
	mt.Warnings = append(mt.Warnings, split.Warnings(m.Trials, m.Split == metric.Even)...)
	if base := baselineOf(groups); base != nil && base.N > 0 {
		for _, g := range groups {
			if !g.Baseline && g.N > 0 {
				g.Against = against(m, test, base, g, c.confidence)
			}
		}
	}
	for _, g := range groups {
		mt.Groups = append(mt.Groups, g.Group)
	}
	mt.span = c.span(m, groups)
	mt.resemblance(c.axis)
	mt.inexact()
	if c.o.Brief {
		return mt
	}
	mt.Effects, mt.Trends = c.effects(groups), c.trends(groups, read)
	mt.Night = c.night(m, read)
	mt.Crosses = c.crosses(m, groups)
	mt.Best = c.best(m, groups)
	return mt
}

// A Group is the runs of one variant.
type Group struct {
	Key      []value.Value // of Report.Rows
	Name     string        // Key for people
	Baseline bool
	N        int         // values
	Missing  int         // planned runs of the group without a value; of two sweeps runs that lost theirs
	Stale    int         // planned runs of the group that are stale, counted or not
	Lacking  []string    // the first of the missing, for people
	Centre   float64     // median, or mean; of a proportion the rate of all trials
	Lo, Hi   float64     // its interval: order statistics, infinite when N is too small; of a proportion Wilson's
	Q1, Q3   float64     // quartiles
	Values   []float64   // sorted; of a proportion the rates of the runs
	Hits     float64     // successes of all runs; of a proportion
	Trials   float64     // trials of all runs; of a proportion
	Against  *Comparison // nil for the baseline and without one
}

// summarize fills in centre and spread. rates are those of all groups of a
// proportion.
func summarize(m Metric, g *group, rates stats.Rates, confidence float64) {
	g.N = len(g.samples)
	g.Values = values(g.samples)
	if g.N == 0 {
		nan := math.NaN()
		g.Centre, g.Lo, g.Hi, g.Q1, g.Q3 = nan, nan, nan, nan, nan
		return
	}
	g.Q1, g.Q3 = stats.Quartiles(g.Values)
	switch {
	case m.Trials != "":
		all := stats.Total(fractions(g.samples))
		g.Hits, g.Trials, g.Centre = all.Hits, all.Trials, all.Rate()
		g.Lo, g.Hi = rates.Interval(all, confidence)
	case m.ByMean():
		mean := methodOf(m).One(g.Values, confidence)
		g.Centre, g.Lo, g.Hi = mean.Shift, mean.Lo, mean.Hi
	case m.By == ByExact:
		g.Centre, g.Lo, g.Hi = stats.Median(g.Values), g.Values[0], g.Values[g.N-1]
	default:
		g.Centre, g.Lo, g.Hi = stats.Summary(g.Values, confidence)
	}
}

// centre is what CentreName says, of the samples of one cell.
func centre(m Metric, of []sample) float64 {
	switch {
	case m.Trials != "":
		return stats.Total(fractions(of)).Rate()
	case m.ByMean():
		return stats.Mean(values(of))
	}
	return stats.Median(values(of))
}

func methodOf(m Metric) stats.Method {
	switch m.By {
	case ByMean:
		return stats.Means
	case ByBootstrap:
		return stats.Resamples
	}
	return stats.Ranks
}

// A test compares two groups with values.
type test func(base, g *group, confidence float64) *Comparison

// ratesOf are those of the runs of a proportion.
func ratesOf(m Metric, groups []*group) stats.Rates {
	if m.Trials == "" {
		return stats.Rates{}
	}
	var all [][]stats.Fraction
	for _, g := range groups {
		all = append(all, fractions(g.samples))
	}
	return stats.RatesOf(all)
}

// testFor is how the groups of a metric are compared, with a warning where that
// is not what was asked for.
func testFor(m Metric, rates stats.Rates) (t test, warning string) {
	switch {
	case m.Trials == "":
		return testOf(m), ""
	case rates.Uneven:
		return testOf(m), fmt.Sprintf("the rate of %s varies between runs by more than counting explains: the runs are compared, not each of the %s, and the intervals of the rates are wider for it", m.Name, m.Trials)
	}
	return proportions, ""
}

// testOf compares pair by pair where both groups have the same replicates, else
// as two samples.
func testOf(m Metric) test {
	by := methodOf(m)
	samples := func(base, g *group, confidence float64) *Comparison {
		if c := paired(by, base, g, confidence); c != nil {
			return c
		}
		c := unpaired(base, g)
		c.Change = by.Two(base.Values, g.Values, confidence)
		c.Size, c.SizeName = by.SizeTwo(base.Values, g.Values), by.SizeName
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

func unpaired(base, g *group) *Comparison {
	n := min(base.N, g.N)
	return &Comparison{Pairs: n, Possible: n}
}

// proportions compares the rates of two groups, trial by trial.
func proportions(base, g *group, confidence float64) *Comparison {
	c := unpaired(base, g)
	c.Counted, c.SizeName = true, "h"
	c.Change, c.Size = stats.Proportions(stats.Fraction{Hits: base.Hits, Trials: base.Trials}, stats.Fraction{Hits: g.Hits, Trials: g.Trials}, confidence)
	return c
}

// against compares a group to the baseline, both with values.
func against(m Metric, t test, base, g *group, confidence float64) *Comparison {
	c := t(base, g, confidence)
	c.Centres = g.Centre - base.Centre
	c.relative(&base.Group, &g.Group)
	if m.Guardrail && m.Goal != "" {
		c.OneSided(-m.Wanted())
	}
	return c
}

// relative says the change in fractions of the baseline's centre.
func (c *Comparison) relative(base, g *Group) {
	b := math.NaN()
	if stats.IsSize(base.Centre, base.Values) {
		b = math.Abs(base.Centre)
	}
	c.Relative, c.RelLo, c.RelHi, c.RelCentres = c.Shift/b, c.Lo/b, c.Hi/b, c.Centres/b
	if base.Values[0] >= 0 && g.Values[0] >= 0 && c.RelLo < -1 && !math.IsInf(c.RelLo, 0) {
		c.RelLo = -1 // what is never negative falls by no more than all of it
	}
}

// Contrary reports whether the difference of the centres has another sign than
// the change, which compares pair by pair, or every run with every other.
func (c *Comparison) Contrary() bool {
	size := 1e-9 * math.Max(math.Abs(c.Shift), math.Abs(c.Centres)) // smaller is rounding
	sign := func(x float64) int { return cmp.Compare(x, size) + cmp.Compare(x, -size) }
	return sign(c.Shift) != sign(c.Centres)
}

// minPairs is how many pairs make pairing worth more than two samples.
const minPairs = 3

// paired compares the runs that differ in the group alone; nil when there are
// not enough, or a pair is ambiguous.
func paired(m stats.Method, base, g *group, confidence float64) *Comparison {
	along := differences(base, g, stats.Minus)
	if len(along) < minPairs {
		return nil
	}
	c, diffs := ofPairs(base, g, along)
	c.Change = m.One(diffs, confidence)
	c.Size, c.SizeName = m.SizeOne(diffs), m.SizeName
	c.Fragile = c.couldTurn(m, diffs)
	if !c.Equal {
		if change, rho, effective, ok := stats.Resembling(m, along, confidence); ok {
			c.Change, c.Autocorrelation, c.Effective = change, rho, effective
		}
	}
	return c
}

func ofPairs(base, g *group, along []stats.Difference) (c *Comparison, diffs []float64) {
	diffs = make([]float64, len(along))
	for i, d := range along {
		diffs[i] = d.By
	}
	slices.Sort(diffs)
	n := len(diffs)
	return &Comparison{Paired: true, Pairs: n, Possible: max(base.N+base.Missing, g.N+g.Missing), Equal: diffs[0] == 0 && diffs[n-1] == 0}, diffs
}

// differences are those of the pairs; none where a pair is ambiguous.
func differences(base, g *group, minus func(x, y float64) float64) []stats.Difference {
	if !base.paired || !g.paired {
		return nil
	}
	left := map[int]float64{}
	for _, s := range base.samples {
		if _, twice := left[s.pair]; twice {
			return nil
		}
		left[s.pair] = s.value
	}
	var out []stats.Difference
	seen := map[int]bool{}
	for _, s := range g.samples {
		if seen[s.pair] {
			return nil
		}
		seen[s.pair] = true
		if x, ok := left[s.pair]; ok {
			out = append(out, stats.Difference{Place: s.place, By: minus(s.value, x)})
		}
	}
	return out
}

// couldTurn says whether the pairs that are missing could give the change the
// other sign, were each as extreme as the most extreme one there is.
func (c *Comparison) couldTurn(m stats.Method, diffs []float64) bool {
	n := len(diffs)
	if c.Possible <= c.Pairs || c.Shift == 0 {
		return false
	}
	against := -math.Copysign(math.Max(math.Abs(diffs[0]), math.Abs(diffs[n-1])), c.Shift)
	all := slices.Grow(slices.Clone(diffs), c.Possible-n)
	for range c.Possible - n {
		all = append(all, against)
	}
	slices.Sort(all)
	shift := m.One(all, 0.5).Shift
	return shift == 0 || shift > 0 != (c.Shift > 0)
}

// exactly compares two groups of a metric without chance: pair by pair, else
// the one value of each. Nil when a group that has no pairs has several.
func exactly(base, g *group) *Comparison {
	var c *Comparison
	var by []float64
	switch along := differences(base, g, func(x, y float64) float64 { return x - y }); {
	case len(along) > 0:
		c, by = ofPairs(base, g, along)
	case varies(base) || varies(g):
		return nil
	default:
		c, by = unpaired(base, g), []float64{g.Values[0] - base.Values[0]}
		c.Equal = by[0] == 0
	}
	c.Exact, c.Lo, c.Hi, c.Shift, c.Tilt = true, by[0], by[len(by)-1], stats.Median(by), by[0]+by[len(by)-1]
	if c.Equal {
		c.P = 1
	}
	return c
}

func varies(g *group) bool { return g.Values[0] != g.Values[g.N-1] }

// inexact warns of a metric that is declared exact and cannot be compared
// like that.
func (t *MetricTable) inexact() {
	if t.By != ByExact {
		return
	}
	for _, g := range t.Groups {
		if a := g.Against; a != nil && !a.Exact {
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s is declared exact, but varies among runs that are not pairs: %s is compared by medians", t.Name, g.Name))
			return
		}
	}
}

// resemblance warns of pairs that count for fewer.
func (t *MetricTable) resemblance(axis string) {
	var worst *Comparison
	for _, g := range t.Groups {
		if a := g.Against; a != nil && a.Effective > 0 && (worst == nil || a.Autocorrelation > worst.Autocorrelation) {
			worst = a
		}
	}
	if worst != nil {
		t.Warnings = append(t.Warnings, fmt.Sprintf("neighbouring values of %s resemble each other (autocorrelation up to %.2f): they count as %.0f independent ones, which p and the interval of the change take into account, and those of the groups do not", axis, worst.Autocorrelation, worst.Effective))
	}
}

// Centre is a median with its interval at 95%, infinite where values are too few.
func Centre(values []float64) (median, lo, hi float64) { return stats.Summary(values, 0.95) }
