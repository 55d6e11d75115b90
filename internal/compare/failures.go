package compare

import (
	"cmp"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/cause"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// A FailureGroup is the planned runs that went wrong in the same way.
type FailureGroup struct {
	Kind   string // reason kind
	Reason string // what the first of them says
	Runs   []Run  // all of them, in the order of the table
	// When is the smallest condition on what varies that is true of these
	// runs and of no run that succeeded; empty when there is none so small.
	When []Condition
	// Rates are how often runs failed like this by each axis, where When is
	// empty and some run succeeded: the axes that tell most first.
	Rates []FailureRates
}

// What failures have to do with the values of axes.
type (
	Condition    = cause.Condition
	FailureRates = cause.Rates
	FailureRate  = cause.Rate
)

// maxExplained is how many groups, the largest, are explained: each costs a
// look at every run for every condition.
const maxExplained = 20

func (c *comparer) failures() []FailureGroup {
	index := map[string]int{}
	var groups []FailureGroup
	var succeeded, ended []int
	for _, i := range c.planned {
		status := outcome.Status(c.Text(i, "run_status"))
		if !status.Ended() {
			continue
		}
		ended = append(ended, i)
		if status == outcome.Succeeded {
			succeeded = append(succeeded, i)
			continue
		}
		kind, reason := cmp.Or(c.Text(i, "run_reason_kind"), string(status)), c.Text(i, "run_error")
		print := cause.Signature(kind, reason)
		k, ok := index[print]
		if !ok {
			k = len(groups)
			index[print], groups = k, append(groups, FailureGroup{Kind: kind, Reason: reason})
		}
		groups[k].Runs = append(groups[k].Runs, c.run(i, 0))
	}
	slices.SortStableFunc(groups, func(a, b FailureGroup) int { return cmp.Compare(len(b.Runs), len(a.Runs)) })
	axes := c.causes()
	for i := range groups[:min(len(groups), maxExplained)] {
		groups[i].explain(axes, succeeded, ended)
	}
	return groups
}

// explain looks for what the runs of a group have in common.
func (g *FailureGroup) explain(axes []cause.Axis, succeeded, ended []int) {
	failed := make([]int, len(g.Runs))
	isFailed := map[int]bool{}
	for i, r := range g.Runs {
		failed[i], isFailed[r.Row] = r.Row, true
	}
	if g.When = cause.Separate(axes, failed, succeeded); g.When == nil && len(succeeded) > 0 {
		others := slices.DeleteFunc(slices.Clone(ended), func(row int) bool { return isFailed[row] })
		g.Rates = cause.RatesOf(axes, failed, others)
	}
}

// causes are the axes that may explain a failure.
func (c *comparer) causes() []cause.Axis {
	var out []cause.Axis
	for _, a := range c.axes() {
		out = append(out, cause.Axis{Factor: c.Factors[a.Name], Name: a.Name, Ordered: a.Ordered, Replicate: a.Replicate})
	}
	return out
}
