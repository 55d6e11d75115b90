package compare

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare/internal/threshold"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Gate is a change from the baseline that must not be.
type Gate struct{ threshold.Threshold }

// ParseGate reads "revenue < -2%" or "latency_ms > 5 (p<0.01, missing<=3)": a
// change from the baseline, relative with %, that violates the gate, and how
// many runs of a group may lack the value, which is none where nothing is said.
func ParseGate(text string) (Gate, error) {
	t, err := threshold.Parse(text)
	return Gate{t}, err
}

// Violations says which groups violate the gate, a sentence each. The error
// says that the gate could not be applied: no number may pass for a good one.
func (g Gate) Violations(r *Report) ([]string, error) {
	for _, t := range r.Metrics {
		if t.Name != g.Metric {
			continue
		}
		return g.inTable(t)
	}
	return nil, fmt.Errorf("gate %q: nothing is compared by %s", g.Text, g.Metric)
}

func (g Gate) inTable(t MetricTable) (violated []string, err error) {
	compared := 0
	for _, group := range t.Groups {
		a := group.Against
		if group.Missing > g.Missing {
			violated = append(violated, fmt.Sprintf("%s of %d in %s: no value of %s counts: %s",
				unit.Plural(group.Missing, "run"), group.N+group.Missing, group.Name, g.Metric, group.lacking()))
		}
		if a == nil && !group.Baseline {
			return violated, fmt.Errorf("gate %q: %s has no change of %s from a baseline", g.Text, group.Name, g.Metric)
		}
		if a == nil {
			continue
		}
		compared++
		change := a.Shift
		if g.Relative {
			change = a.Relative
		}
		if change != change {
			return violated, fmt.Errorf("gate %q: the baseline's values of %s are zero, or lie on both sides of it: a percentage of them says nothing of %s", g.Text, g.Metric, group.Name)
		}
		if (g.Below && change < g.Limit || !g.Below && change > g.Limit) && (g.P == 0 || a.PAdjusted < g.P) {
			violated = append(violated, fmt.Sprintf("%s changed by %s in %s, p %s", g.Metric, g.change(a), group.Name, unit.P(a.PAdjusted)))
		}
	}
	if compared == 0 {
		return violated, fmt.Errorf("gate %q: no group of %s is compared to a baseline", g.Text, g.Metric)
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
	if g.Relative {
		return unit.Percent(a.Relative)
	}
	return unit.Change(a.Shift)
}
