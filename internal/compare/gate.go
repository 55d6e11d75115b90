package compare

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Gate is a change from the baseline that must not be.
type Gate struct {
	text     string
	metric   string
	below    bool // violated by a change below Limit, else by one above
	limit    float64
	relative bool
	p        float64 // and only when p is smaller than this; 0 asks for nothing
	missing  int     // how many runs of a group may lack the value
}

var gateRE = regexp.MustCompile(`^\s*(\S+)\s*(<|>)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(%?)\s*(?:\(\s*(?:p\s*<\s*([0-9.eE-]+))?\s*,?\s*(?:missing\s*<=\s*([0-9]{1,9}))?\s*\))?\s*$`)

// ParseGate reads "revenue < -2%" or "latency_ms > 5 (p<0.01, missing<=3)": a
// change from the baseline, relative with %, that violates the gate, and how
// many runs of a group may lack the value, which is none where nothing is said.
func ParseGate(text string) (Gate, error) {
	m := gateRE.FindStringSubmatch(text)
	if m == nil {
		return Gate{}, fmt.Errorf("%q: want METRIC < CHANGE or METRIC > CHANGE, as in 'revenue < -2%% (p<0.01)'", text)
	}
	g := Gate{text: strings.TrimSpace(text), metric: m[1], below: m[2] == "<", relative: m[4] == "%"}
	var err error
	if g.limit, err = strconv.ParseFloat(m[3], 64); err != nil {
		return g, fmt.Errorf("%q: %s is not a number", text, m[3])
	}
	if g.relative {
		g.limit /= 100
	}
	if m[5] != "" {
		if g.p, err = strconv.ParseFloat(m[5], 64); err != nil || g.p <= 0 || g.p > 1 {
			return g, fmt.Errorf("%q: p<%s: want a number between 0 and 1", text, m[5])
		}
	}
	if m[6] != "" {
		if g.missing, err = strconv.Atoi(m[6]); err != nil {
			return g, fmt.Errorf("%q: missing<=%s: want a number of runs", text, m[6])
		}
	}
	return g, nil
}

// Violations says which groups violate the gate, a sentence each. The error
// says that the gate could not be applied: no number may pass for a good one.
func (g Gate) Violations(r *Report) ([]string, error) {
	for _, t := range r.Metrics {
		if t.Name != g.metric {
			continue
		}
		return g.inTable(t)
	}
	return nil, fmt.Errorf("gate %q: nothing is compared by %s", g.text, g.metric)
}

func (g Gate) inTable(t MetricTable) (violated []string, err error) {
	compared := 0
	for _, group := range t.Groups {
		a := group.Against
		if group.Missing > g.missing {
			violated = append(violated, fmt.Sprintf("%s of %d in %s: no value of %s counts: %s",
				unit.Plural(group.Missing, "run"), group.N+group.Missing, group.Name, g.metric, group.lacking()))
		}
		if a == nil && !group.Baseline {
			return violated, fmt.Errorf("gate %q: %s has no change of %s from a baseline", g.text, group.Name, g.metric)
		}
		if a == nil {
			continue
		}
		compared++
		change := a.Shift
		if g.relative {
			change = a.Relative
		}
		if change != change {
			return violated, fmt.Errorf("gate %q: the baseline's values of %s are zero, or lie on both sides of it: a percentage of them says nothing of %s", g.text, g.metric, group.Name)
		}
		if (g.below && change < g.limit || !g.below && change > g.limit) && (g.p == 0 || a.PAdjusted < g.p) {
			violated = append(violated, fmt.Sprintf("%s changed by %s in %s, p %s", g.metric, g.change(a), group.Name, unit.P(a.PAdjusted)))
		}
	}
	if compared == 0 {
		return violated, fmt.Errorf("gate %q: no group of %s is compared to a baseline", g.text, g.metric)
	}
	return violated, nil
}

// lacking names the runs without a value.
func (g Group) lacking() string {
	names := strings.Join(g.Lacking, ", ")
	if more := g.Missing - len(g.Lacking); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names
}

func (g Gate) change(a *Comparison) string {
	if g.relative {
		return unit.Percent(a.Relative)
	}
	return unit.Change(a.Shift)
}
