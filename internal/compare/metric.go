package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/ratio"
	"github.com/fanout-dev/fanout/internal/compare/internal/reading"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/compare/internal/versus"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// metrics are the declared ones, or every numeric scrap.
func (c *comparer) metrics() []Metric {
	if len(c.o.Metrics) > 0 || c.o.Unmeasured {
		return c.o.Metrics
	}
	var out []Metric
	for _, col := range c.t.Columns() {
		if col.Role() == table.RoleScrap && reading.Comparable(col, c.used) && (!c.o.Recorded || slices.ContainsFunc(c.planned, func(row int) bool { return !col.Null(row) })) {
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
	case m.Over() == "":
		return func(row int) (s sample, found, good bool) {
			x, good := reading.Finite(col, row)
			return sample{Row: row, Value: x}, !col.Null(row), good
		}, [2]string{"a finite number", "finite numbers"}, nil
	}
	what, fraction := "the trials of "+m.Name, reading.Fraction
	good = [2]string{"a count out of " + m.Trials, "counts out of " + m.Trials}
	if m.Trials == "" {
		what, fraction = "by which "+m.Name+" is divided", reading.Ratio
		good = [2]string{"a number by " + m.Per + " above zero", "numbers by " + m.Per + " above zero"}
	}
	over, ok := c.t.Column(m.Over())
	if !ok || !reading.Numeric(over) {
		return nil, good, fmt.Errorf("no run recorded %s, %s, as a number", m.Over(), what)
	}
	return func(row int) (s sample, found, good bool) {
		f, ok := fraction(col, over, row)
		return sample{Row: row, Value: f.Rate(), Of: f}, !col.Null(row), ok
	}, good, nil
}

// shuffled reads the values of the rows that rows have them from.
func (c *comparer) shuffled(read sampler) sampler {
	if c.o.From == nil {
		return read
	}
	return func(row int) (sample, bool, bool) {
		s, found, good := read(c.o.From(row))
		s.Row = row
		return s, found, good
	}
}

func (c *comparer) from(row int) int {
	if c.o.From == nil {
		return row
	}
	return c.o.From(row)
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
	groups, odd := c.gather(c.shuffled(read))
	if odd > 0 {
		words := "is not " + good[0] + " and is"
		if odd > 1 {
			words = "are not " + good[1] + " and are"
		}
		mt.Warnings = append(mt.Warnings, fmt.Sprintf("%s of %s %s left out", unit.Plural(odd, "value"), m.Name, words))
	}
	rates := ratesOf(m, groups)
	mt.Warnings = append(mt.Warnings, uneven(m, rates)...)
	var split ratio.Split
	for _, g := range groups {
		summarize(m, g, rates, c.confidence)
		split.Add(g.Name, g.Trials, g.N)
	}
	mt.Warnings = append(mt.Warnings, split.Warnings(m.Trials, m.Split == metric.Even)...)
	if base := baselineOf(groups); base != nil && base.N > 0 {
		adjust, by, why := c.adjustment(m, groups)
		for _, g := range groups {
			if !g.Baseline && g.N > 0 {
				g.Against = against(m, m.Trials != "" && !rates.Uneven, base, g, adjust, c.confidence)
			}
		}
		mt.Warnings = append(mt.Warnings, why...)
		mt.remark(groups, by)
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
	Flat     bool        // a mean of values that do not vary, which has no interval
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
		mean := versus.Method(m).One(g.side(m).Values, confidence)
		g.Centre, g.Lo, g.Hi, g.Flat = mean.Shift, mean.Lo, mean.Hi, mean.Flat
	case m.By == ByExact:
		g.Centre, g.Lo, g.Hi = stats.Median(g.Values), g.Values[0], g.Values[g.N-1]
	default:
		g.Centre, g.Lo, g.Hi = stats.Summary(g.Values, confidence)
	}
}

// centre is what CentreName says, of the samples of one cell.
func centre(m Metric, of []sample) float64 {
	switch {
	case m.Over() != "":
		return stats.Total(fractions(of)).Rate()
	case m.ByMean():
		return stats.Mean(values(of))
	}
	return stats.Median(values(of))
}

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

// uneven warns of trials that are not independent.
func uneven(m Metric, rates stats.Rates) []string {
	if !rates.Uneven {
		return nil
	}
	return []string{fmt.Sprintf("the rate of %s varies between runs by more than counting explains: the runs are compared, not each of the %s, and the intervals of the rates are wider for it", m.Name, m.Trials)}
}

// against compares a group to the baseline, both with values: counted is by
// single trials.
func against(m Metric, counted bool, base, g *group, adjust *versus.Adjustment, confidence float64) *Comparison {
	return versus.Of(m, counted, base.side(m), g.side(m), adjust, confidence)
}

func (g *group) side(m Metric) versus.Side {
	samples, sorted := g.samples, g.Values
	if m.Per != "" {
		samples = slices.Clone(samples)
		for i, x := range stats.Linearized(fractions(samples)) {
			samples[i].Value = x
		}
		sorted = values(samples)
	}
	return versus.Side{Samples: samples, Values: sorted, Paired: g.paired, Missing: g.Missing, Centre: g.Centre, Total: stats.Fraction{Hits: g.Hits, Trials: g.Trials}}
}

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
