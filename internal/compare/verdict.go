package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/unit"
)

// conclude adjusts the p of all comparisons and judges every metric.
func (c *comparer) conclude(r *Report) {
	c.holm(r.Metrics)
	c.recall(r.Metrics)
	for i := range r.Metrics {
		c.judge(&r.Metrics[i])
	}
	r.Decision = decide(r.Metrics)
	if r.Decision != "" {
		r.Decision += c.few(r.Metrics[0].Groups)
	}
}

// holm adjusts the p of every comparison of a primary metric, over all primary
// metrics and groups together. When no metric is declared primary, those with
// a goal are. What is not in the family is exploratory, unless it is a guardrail.
func (c *comparer) holm(tables []MetricTable) {
	metrics := make([]Metric, len(tables))
	for i, t := range tables {
		metrics[i] = t.Metric
	}
	decisive := metric.Decisive(metrics)
	var family []*Comparison
	var ps []float64
	for i := range tables {
		t := &tables[i]
		inFamily := decisive[i] && !(t.Guardrail && c.o.Looked != nil)
		t.Exploratory = !inFamily && !t.Guardrail
		for j := range t.Groups {
			a := t.Groups[j].Against
			if a == nil {
				continue
			}
			a.PAdjusted = a.P
			if inFamily && !a.Exact {
				family, ps = append(family, a), append(ps, c.known(t, &t.Groups[j]).or(a.P))
				t.Family = 1
			}
		}
	}
	for i := range tables {
		tables[i].Family *= len(family)
	}
	for i, p := range stats.Holm(ps) {
		family[i].PAdjusted = p
	}
}

// judge gives every comparison its verdict and the metric its sentence.
func (c *comparer) judge(t *MetricTable) {
	for i := range t.Groups {
		a := t.Groups[i].Against
		if a == nil {
			continue
		}
		a.Detectable = math.NaN()
		if a.Verdict != "" { // which a look has found, with an interval of its own
			continue
		}
		if !a.Exact {
			a.Detectable = stats.Detectable(a.Change, t.sides()*c.alpha/t.times(), c.confidence)
		}
		if a.Verdict = c.verdict(t, a); a.Verdict == Unclear || a.Verdict == TooFew {
			a.Need = needed(t.Metric, a, c.alpha/t.times(), c.confidence)
		}
	}
	t.Verdict = c.sentence(t) + c.few(t.Groups)
}

// few says that a verdict rests on the smaller part of the runs, where the others
// are stale: as between a repair and a word on what succeeded before it.
func (c *comparer) few(groups []Group) string {
	counted, stale, all := 0, 0, 0
	for _, g := range groups {
		counted, stale, all = counted+g.N, stale+g.Stale, all+g.N+g.Missing
	}
	if c.o.Stale || stale <= counted {
		return ""
	}
	return fmt.Sprintf(" This rests on %d of %s: %d are stale.", counted, unit.Plural(all, "run"), stale)
}

func (t *MetricTable) base() float64 {
	for _, g := range t.Groups {
		if g.Baseline {
			return g.Centre
		}
	}
	return math.NaN()
}

// maxNeed is the most samples that are worth naming: a change that needs more
// is as good as none.
const maxNeed = 10_000

// needed is how many values a side a change of the observed size would need
// for p below alpha; 0 when the data say nothing of it. confidence is that of
// the interval.
func needed(m Metric, a *Comparison, alpha, confidence float64) int {
	if m.Guardrail && m.Goal != "" {
		if a.Up() == m.Wanted() {
			return 0 // no number of values shows that it got worse
		}
		alpha *= 2
	}
	n := stats.Needed(a.Change, a.Pairs, alpha, confidence)
	if a.Shift != 0 && a.Least >= alpha && !a.Counted && (a.Flat || !m.ByMean()) {
		n = max(n, float64(stats.Enough(a.Paired, alpha)))
	}
	if n > maxNeed || n <= float64(a.Pairs) {
		return 0
	}
	return int(n)
}

// times is how many comparisons a metric's p answers for.
func (t *MetricTable) times() float64 { return float64(max(t.Family, 1)) }

// sides is 2 of a metric that is tested on one side, whose p is half as large.
func (t *MetricTable) sides() float64 {
	if t.Guardrail && t.Goal != "" {
		return 2
	}
	return 1
}

func (c *comparer) verdict(t *MetricTable, a *Comparison) Verdict {
	m := t.Metric
	switch {
	case a.Equal:
		return Same
	case a.PAdjusted >= c.alpha && a.Least*t.times() >= c.alpha:
		return TooFew
	case a.PAdjusted >= c.alpha:
		return Unclear
	case math.Abs(a.Shift) < m.Limit(t.base()):
		return Small
	case a.Fragile():
		return Withheld
	case a.Up()*m.Wanted() == 0 || a.Exact && a.Lo < 0 && a.Hi > 0:
		return Different
	case a.Up() == m.Wanted():
		return Better
	}
	return Worse
}

// sentence is the verdict on a metric in words.
func (c *comparer) sentence(t *MetricTable) string {
	names := map[Verdict][]string{}
	var none []string
	need := ""
	most := 0
	for _, g := range t.Groups {
		a := g.Against
		g.Name = shortName(g.Name)
		switch {
		case a == nil && !g.Baseline && g.N == 0 && !math.IsNaN(t.base()):
			none = append(none, g.Name)
		case a == nil:
		case a.Verdict == Withheld:
			names[Withheld] = append(names[Withheld], fmt.Sprintf("%s (%s on %d of %d pairs)", g.Name, change(a), a.Pairs, a.Possible))
		case a.Verdict == Unclear || a.Verdict == TooFew:
			names[a.Verdict] = append(names[a.Verdict], g.Name)
			if a.Need > most {
				most = a.Need
				need = fmt.Sprintf("for %s, a change of the size seen would need about %d runs a side, %d more", g.Name, a.Need, a.Need-a.Pairs)
			}
		case a.Verdict == Small:
			names[t.direction(a)] = append(names[t.direction(a)], g.Name+" ("+change(a)+")")
		default:
			names[a.Verdict] = append(names[a.Verdict], g.Name+" ("+change(a)+")")
		}
	}
	var parts []string
	add := func(of []string, words string) {
		if len(of) > 0 {
			parts = append(parts, unit.List(of)+" "+words)
		}
	}
	baseline := t.baselineName()
	for _, v := range []Verdict{Better, Worse, Different} {
		add(names[v], isAre(names[v])+" "+comparative[v]+baseline)
	}
	for _, v := range []Verdict{Better, Worse, Different} {
		add(names["small "+v], isAre(names["small "+v])+" "+comparative[v]+baseline+", but by less than matters"+t.effect())
	}
	add(names[Unclear], t.unclear(names[Unclear])+baseline)
	add(names[Withheld], isAre(names[Withheld])+" not judged: the pairs that are missing could turn it")
	add(names[Equivalent], isAre(names[Equivalent])+" shown to differ by less than matters"+t.effect()+" from "+baseline)
	add(names[TooFew], hasHave(names[TooFew])+" too few runs to tell")
	if need != "" {
		parts = append(parts, need)
	}
	add(none, hasHave(none)+" no values")
	if len(parts) == 0 {
		return c.noVerdict(t)
	}
	return strings.Join(parts, "; ") + "." + pairing(t.Groups)
}

var comparative = map[Verdict]string{Better: "better than ", Worse: "worse than ", Different: "different from "}

// direction tells a change that is smaller than matters from others.
func (t *MetricTable) direction(a *Comparison) Verdict {
	switch {
	case a.Up()*t.Wanted() == 0:
		return "small " + Different
	case a.Up() == t.Wanted():
		return "small " + Better
	}
	return "small " + Worse
}

// effect is how much would matter.
func (t *MetricTable) effect() string {
	if t.MinEffectRelative {
		return " (" + unit.Number(100*t.MinEffect) + "%)"
	}
	return " (" + strings.TrimSpace(unit.Number(t.MinEffect)+" "+t.Unit) + ")"
}

func (t *MetricTable) baselineName() string {
	for _, g := range t.Groups {
		if g.Baseline {
			return "the baseline, " + shortName(g.Name)
		}
	}
	return "the baseline"
}

func (t *MetricTable) unclear(names []string) string {
	if t.Guardrail && t.Goal != "" {
		return isAre(names) + " not shown to be worse than "
	}
	return "cannot be distinguished from "
}

// pairing says on how many pairs a verdict rests, where runs were paired.
func pairing(groups []Group) string {
	least, most, possible := math.MaxInt, 0, 0
	for _, g := range groups {
		switch a := g.Against; {
		case a == nil || a.Verdict == Withheld: // which says its own
		case !a.Paired || possible > 0 && a.Possible != possible:
			return ""
		default:
			least, most, possible = min(least, a.Pairs), max(most, a.Pairs), a.Possible
		}
	}
	switch {
	case possible == 0:
		return ""
	case least < most:
		return fmt.Sprintf(" Compared on %d to %d of %d pairs.", least, most, possible)
	case most < possible:
		return fmt.Sprintf(" Compared on %d of %d pairs.", most, possible)
	}
	return fmt.Sprintf(" Compared on %s.", unit.Plural(possible, "pair"))
}

func (c *comparer) noVerdict(t *MetricTable) string {
	switch {
	case len(t.Groups) == 0:
		return "There are no values to compare."
	case len(t.Groups) == 1:
		return "There is one group, and nothing to compare it to."
	case slices.ContainsFunc(t.Groups, func(g Group) bool { return g.Baseline && g.N == 0 }):
		return "The baseline has no values."
	case math.IsNaN(t.base()) && len(c.o.Baseline) > 0:
		return t.span + "The baseline is not a single group, so the groups are described and not tested."
	case math.IsNaN(t.base()):
		return t.span + "No baseline is named, so the groups are described and not tested."
	}
	if slices.ContainsFunc(t.Groups, func(g Group) bool { return g.Missing > 0 }) {
		return "Where there are values, every group equals " + t.baselineName() + "." + pairing(t.Groups)
	}
	return "Every group equals " + t.baselineName() + "." + pairing(t.Groups)
}

// change is a change as people read it, relative where that says something.
func change(a *Comparison) string {
	if math.IsNaN(a.Relative) {
		return unit.Change(a.Shift)
	}
	return unit.Percent(a.Relative)
}

func isAre(names []string) string {
	if len(names) == 1 {
		return "is"
	}
	return "are"
}

func hasHave(names []string) string {
	if len(names) == 1 {
		return "has"
	}
	return "have"
}

// maxName is how many characters of a name a sentence holds.
const maxName = 60

func shortName(name string) string { return unit.Cut(name, maxName) }
