package compare

import (
	"cmp"
	"regexp"
	"slices"

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
		status := outcome.Status(c.text(i, "run_status"))
		if status == outcome.Succeeded || !status.Ended() {
			continue
		}
		kind, reason := cmp.Or(c.text(i, "run_reason_kind"), string(status)), c.text(i, "run_error")
		print := fingerprint(kind, reason)
		k, ok := index[print]
		if !ok {
			k = len(groups)
			index[print], groups = k, append(groups, FailureGroup{Kind: kind, Reason: reason})
		}
		groups[k].Runs = append(groups[k].Runs, c.run(i, 0))
	}
	slices.SortStableFunc(groups, func(a, b FailureGroup) int { return cmp.Compare(len(b.Runs), len(a.Runs)) })
	for i := range groups[:min(len(groups), maxExplained)] {
		var rows []int
		for _, r := range groups[i].Runs {
			rows = append(rows, r.Row)
		}
		groups[i].When = c.explain(rows)
	}
	return groups
}

// minRange is how many failures a range, or three conditions, must explain:
// fewer are always within some.
const minRange = 4

// A bound is a condition on the levels of an axis.
type bound struct {
	axis, op string
	level    int
}

// explain finds the fewest conditions, up to three, that are true of all failed
// runs and together of no success. With no success to tell apart there is
// nothing to explain.
func (c *comparer) explain(failed []int) []Condition {
	succeeded := slices.DeleteFunc(slices.Clone(c.planned), func(i int) bool { return !c.succeeded(i) })
	if len(succeeded) == 0 {
		return nil
	}
	shared, most := c.shared(failed), 2
	if len(failed) >= minRange {
		shared, most = append(shared, c.ranges(failed)...), 3
	}
	for n := 1; n <= most; n++ {
		if found := c.separate(shared, nil, succeeded, n); found != nil {
			return c.conditions(found)
		}
	}
	return nil
}

func (c *comparer) conditions(bounds []bound) []Condition {
	var out []Condition
	for _, b := range bounds {
		out = append(out, Condition{b.axis, b.op, c.factors[b.axis].Levels[b.level]})
	}
	return out
}

// separate chooses n of the bounds so that none of the rows is within them all,
// the earliest first.
func (c *comparer) separate(from, chosen []bound, rows []int, n int) []bound {
	if n == 0 {
		if len(rows) > 0 {
			return nil
		}
		return chosen
	}
	for i, x := range from {
		left := slices.DeleteFunc(slices.Clone(rows), func(row int) bool { return !c.holds(row, x) })
		if len(left) == len(rows) {
			continue // it tells nothing apart
		}
		if found := c.separate(from[i+1:], append(slices.Clone(chosen), x), left, n-1); found != nil {
			return found
		}
	}
	return nil
}

// holds reports whether a row is within a bound.
func (c *comparer) holds(row int, x bound) bool {
	have := c.level(row, x.axis)
	switch x.op {
	case ">=":
		return have >= x.level
	case "<=":
		return have <= x.level
	}
	return have == x.level
}

// shared are the values that all rows have in common, on what varies.
func (c *comparer) shared(rows []int) []bound {
	var out []bound
	for _, a := range c.axes() {
		if levels := c.levelsOf(rows, a.Name); len(levels) == 1 {
			out = append(out, bound{a.Name, "=", levels[0]})
		}
	}
	return out
}

// ranges are those of the ordered axes that all rows lie in.
func (c *comparer) ranges(rows []int) []bound {
	var out []bound
	for _, a := range c.axes() {
		if levels := c.levelsOf(rows, a.Name); a.Ordered && len(levels) > 1 {
			out = append(out, bound{a.Name, ">=", levels[0]}, bound{a.Name, "<=", levels[len(levels)-1]})
		}
	}
	return out
}
