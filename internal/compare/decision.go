package compare

import (
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// decide says of every variant what the metrics that decide and the guardrails
// say together. Where one metric alone says it all, there is nothing to add.
func decide(tables []MetricTable) string {
	var decisive, guards []MetricTable
	for _, t := range tables {
		switch {
		case t.Guardrail:
			guards = append(guards, t)
		case !t.Exploratory && t.Goal != "":
			decisive = append(decisive, t)
		}
	}
	if len(decisive) == 0 || len(decisive)+len(guards) < 2 {
		return ""
	}
	var order []string // of what is said, the first first
	names := map[string][]string{}
	for _, g := range decisive[0].Groups {
		if g.Baseline || math.IsNaN(decisive[0].base()) {
			continue
		}
		found := byVerdict(decisive, g.Name)
		text := joinClauses(decisiveClauses(found), guardClause(found, guards, g.Name))
		if names[text] == nil {
			order = append(order, text)
		}
		names[text] = append(names[text], shortName(g.Name))
	}
	var parts []string
	for _, text := range order {
		parts = append(parts, unit.List(names[text])+" "+isAre(names[text])+" "+text)
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, "; ") + "."
}

// of is how a group compares to the baseline; nil where it does not.
func (t *MetricTable) of(group string) *Comparison {
	i := slices.IndexFunc(t.Groups, func(g Group) bool { return g.Name == group })
	if i < 0 {
		return nil
	}
	return t.Groups[i].Against
}

// byVerdict are the names of the metrics by their verdicts on a group.
func byVerdict(tables []MetricTable, group string) map[Verdict][]string {
	names := map[Verdict][]string{}
	for _, t := range tables {
		v := Withheld
		if a := t.of(group); a != nil {
			v = a.Verdict
		}
		names[v] = append(names[v], t.Name)
	}
	return names
}

func decisiveClauses(names map[Verdict][]string) []string {
	var out []string
	add := func(words string, verdicts ...Verdict) {
		var of []string
		for _, v := range verdicts {
			of = append(of, names[v]...)
		}
		if len(of) > 0 {
			out = append(out, words+" "+unit.List(of))
		}
	}
	add("better by", Better)
	add("worse by", Worse)
	add("different by less than matters in", Small)
	add("different both ways in", Different)
	add("shown to differ by less than matters in", Equivalent)
	add("not distinguishable by", Unclear, Same)
	add("not judged by", TooFew, Withheld)
	return out
}

// guardClause says what the guardrails say of a group; empty without any. It
// follows the names of the metrics that decide, by their verdicts.
func guardClause(decisive map[Verdict][]string, guards []MetricTable, group string) string {
	names := byVerdict(guards, group)
	afterGood, afterBad := "and", "but"
	if len(decisive[Better]) > 0 && len(decisive[Worse]) == 0 {
		afterGood = "but"
	}
	if len(decisive[Worse]) == 0 {
		afterBad = "and"
	}
	unknown := slices.Concat(names[TooFew], names[Withheld])
	switch {
	case len(guards) == 0:
		return ""
	case len(names[Worse]) > 0:
		return afterGood + " worse by the guardrail " + unit.List(names[Worse])
	case len(unknown) > 0:
		return afterGood + " not judged by the guardrail " + unit.List(unknown)
	}
	return afterBad + " not shown to be worse by a guardrail"
}

func joinClauses(clauses []string, last string) string {
	text := strings.Join(clauses, ", ")
	if last != "" {
		text += ", " + last
	}
	return text
}
