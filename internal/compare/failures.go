package compare

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/cause"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/value"
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

// FailureRates are how often runs failed at each value of an axis, the highest
// rate first.
type FailureRates struct {
	Axis   string
	Uneven bool // more so than chance explains
	Values []FailureRate
}

// A FailureRate is that of one value: how many of the runs that ended.
type FailureRate struct {
	Value      string
	Failed, Of int
}

// A Condition is one thing true of a run.
type Condition struct {
	Name  string
	Op    string // "=", or ">=" or "<=" of an ordered axis
	Value value.Value
}

// digits differ between occurrences of one mistake.
var (
	digits = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+`)
	quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// fingerprint is a failure without what differs from run to run.
func fingerprint(kind, reason string) string {
	return kind + "\x00" + digits.ReplaceAllString(quoted.ReplaceAllString(reason, "…"), "#")
}

// maxExplained is how many groups, the largest, are explained: each costs a
// look at every run for every condition.
const maxExplained = 20

func (c *comparer) failures() []FailureGroup {
	index := map[string]int{}
	var groups []FailureGroup
	for _, i := range c.planned {
		status := outcome.Status(c.Text(i, "run_status"))
		if status == outcome.Succeeded || !status.Ended() {
			continue
		}
		kind, reason := cmp.Or(c.Text(i, "run_reason_kind"), string(status)), c.Text(i, "run_error")
		print := fingerprint(kind, reason)
		k, ok := index[print]
		if !ok {
			k = len(groups)
			index[print], groups = k, append(groups, FailureGroup{Kind: kind, Reason: reason})
		}
		groups[k].Runs = append(groups[k].Runs, c.run(i, 0))
	}
	slices.SortStableFunc(groups, func(a, b FailureGroup) int { return cmp.Compare(len(b.Runs), len(a.Runs)) })
	succeeded := slices.DeleteFunc(slices.Clone(c.planned), func(i int) bool { return !c.succeeded(i) })
	axes := c.causes()
	for i := range groups[:min(len(groups), maxExplained)] {
		var rows []int
		for _, r := range groups[i].Runs {
			rows = append(rows, r.Row)
		}
		for _, b := range cause.Separate(axes, rows, succeeded) {
			groups[i].When = append(groups[i].When, Condition{b.Name, b.Op, c.Factors[b.Name].Levels[b.Level]})
		}
		if groups[i].When == nil && len(succeeded) > 0 {
			groups[i].Rates = c.rates(axes, rows)
		}
	}
	return groups
}

// causes are the axes that may explain a failure.
func (c *comparer) causes() []cause.Axis {
	var out []cause.Axis
	for _, a := range c.axes() {
		out = append(out, cause.Axis{Name: a.Name, Ordered: a.Ordered, Replicate: a.Replicate, At: c.Factors[a.Name].At})
	}
	return out
}

// rates are how often runs failed like some, of all planned runs that ended.
func (c *comparer) rates(axes []cause.Axis, failed []int) []FailureRates {
	isFailed := map[int]bool{}
	for _, row := range failed {
		isFailed[row] = true
	}
	others := slices.DeleteFunc(slices.Clone(c.planned), func(row int) bool {
		return isFailed[row] || !outcome.Status(c.Text(row, "run_status")).Ended()
	})
	var out []FailureRates
	for _, r := range cause.RatesOf(axes, failed, others) {
		rates := FailureRates{Axis: r.Name, Uneven: r.Uneven}
		for _, l := range r.Levels {
			rates.Values = append(rates.Values, FailureRate{c.Factors[r.Name].Texts[l.Level], l.Failed, l.Of})
		}
		out = append(out, rates)
	}
	return out
}
