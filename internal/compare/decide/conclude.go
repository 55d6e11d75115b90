package decide

import (
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Words is a verdict within a sentence: the variant is …
func Words(v compare.Verdict) string {
	switch v {
	case compare.Equivalent:
		return "shown to differ by less than matters"
	case compare.Same:
		return "the same in every run"
	case compare.Small:
		return "different by less than matters"
	case compare.Unclear, compare.TooFew:
		return "undecided"
	}
	return string(v)
}

// A standing is what the metrics that decide and the guardrails say of one
// variant.
type standing struct {
	name                string
	better, worse, open []string // metrics
	harmed, unknown     []string // guardrails
}

// Conclude is what follows from the looks for the whole sweep, as one sentence:
// which variant to take, or why none. It says no more than the verdicts of r,
// which recalls the looks. Of no look it is empty.
func (p Path) Conclude(r *compare.Report, rule Rule) string {
	switch {
	case len(p) > 0 && p[len(p)-1].Blank():
		return fmt.Sprintf("Undecided, at %d of %d %s: %s.", p[len(p)-1].Replicates, rule.Most, rule.Of, p[len(p)-1].Why)
	case len(p) == 0 || r.Baseline == "":
		return ""
	}
	all := standings(r)
	var good, open []standing
	for _, s := range all {
		switch {
		case len(s.better) > 0 && len(s.worse)+len(s.open)+len(s.harmed)+len(s.unknown) == 0:
			good = append(good, s)
		case len(s.open) > 0:
			open = append(open, s)
		}
	}
	if !p.Ended() {
		return fmt.Sprintf("Not decided yet, at %d of %d %s%s.", p[len(p)-1].Replicates, rule.Most, rule.Of, undecided(open))
	}
	needed := fmt.Sprintf("%d of %d %s were needed", p[len(p)-1].Replicates, rule.Most, rule.Of)
	switch {
	case len(good) == 1:
		return fmt.Sprintf("Take %s: better by %s%s; %s%s.", good[0].name, unit.List(good[0].better), guarded(r), needed, undecided(open))
	case len(good) > 1:
		return fmt.Sprintf("%s are better than %s%s, and are not compared with each other; %s%s.", unit.List(names(good)), r.Baseline, guarded(r), needed, undecided(open))
	}
	text := fmt.Sprintf("Keep %s: no variant is shown to be better in all respects; %s%s", r.Baseline, needed, undecided(open))
	for _, s := range all {
		if len(s.better) > 0 {
			text += fmt.Sprintf("; %s is better by %s, %s", s.name, unit.List(s.better), s.but())
		}
	}
	return text + "."
}

// but says what keeps a variant that is better by some metric from being taken.
func (s standing) but() string {
	switch {
	case len(s.worse) > 0:
		return "and worse by " + unit.List(s.worse)
	case len(s.harmed) > 0:
		return "and worse by the guardrail " + unit.List(s.harmed)
	case len(s.unknown) > 0:
		return "and not judged by the guardrail " + unit.List(s.unknown)
	}
	return "and undecided by " + unit.List(s.open)
}

// standings are those of all variants, in the order of the report.
func standings(r *compare.Report) []standing {
	var all []standing
	for _, m := range r.Metrics {
		if m.Exploratory {
			continue
		}
		for _, g := range m.Groups {
			if g.Baseline {
				continue
			}
			i := slices.IndexFunc(all, func(s standing) bool { return s.name == g.Name })
			if i < 0 {
				i, all = len(all), append(all, standing{name: g.Name})
			}
			all[i].add(m, g.Against)
		}
	}
	return all
}

func (s *standing) add(m compare.MetricTable, a *compare.Comparison) {
	verdict := compare.Withheld
	if a != nil {
		verdict = a.Verdict
	}
	if m.Guardrail {
		switch verdict {
		case compare.Worse:
			s.harmed = append(s.harmed, m.Name)
		case compare.TooFew, compare.Withheld:
			s.unknown = append(s.unknown, m.Name)
		}
		return
	}
	switch verdict {
	case compare.Better:
		s.better = append(s.better, m.Name)
	case compare.Worse, compare.Different:
		s.worse = append(s.worse, m.Name)
	case compare.Unclear, compare.TooFew, compare.Withheld:
		s.open = append(s.open, m.Name)
	}
}

func guarded(r *compare.Report) string {
	if slices.ContainsFunc(r.Metrics, func(m compare.MetricTable) bool { return m.Guardrail }) {
		return ", no guardrail shown to be worse"
	}
	return ""
}

// undecided names variants that are open still.
func undecided(open []standing) string {
	switch len(open) {
	case 0:
		return ""
	case 1:
		return "; " + open[0].name + " is undecided"
	}
	return "; " + unit.List(names(open)) + " are undecided"
}

func names(all []standing) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = s.name
	}
	return out
}
