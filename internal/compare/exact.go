package compare

import "fmt"

// exactly compares two groups of a metric without chance: pair by pair, else
// the one value of each. Nil when a group that has no pairs has several.
func exactly(base, g *group) *Comparison {
	diffs := differences(base, g)
	c := &Comparison{Exact: true, Paired: len(diffs) > 0, Pairs: len(diffs), Possible: max(base.N+base.Missing, g.N+g.Missing), SizeName: ""}
	if !c.Paired {
		if varies(base) || varies(g) {
			return nil
		}
		diffs = []difference{{by: g.Values[0] - base.Values[0]}}
		c.Pairs, c.Possible = min(base.N, g.N), min(base.N, g.N)
	}
	by := make([]float64, len(diffs))
	for i, d := range diffs {
		by[i] = d.by
	}
	by = sortedCopy(by)
	c.Lo, c.Hi, c.Shift, c.P = by[0], by[len(by)-1], median(by), 1
	if c.Equal = c.Lo == 0 && c.Hi == 0; !c.Equal {
		c.P = 0
	}
	return c
}

func varies(g *group) bool { return g.Values[0] != g.Values[g.N-1] }

// inexact warns of a metric that is said to be exact and cannot be compared
// like that.
func (t *MetricTable) inexact() {
	if t.By != ByExact {
		return
	}
	for _, g := range t.Groups {
		if a := g.Against; a != nil && !a.Exact {
			t.Warnings = append(t.Warnings, fmt.Sprintf("%s is said to be exact, and varies among runs that are no pairs: %s is compared by medians", t.Name, g.Name))
			return
		}
	}
}
