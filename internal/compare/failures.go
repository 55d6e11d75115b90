package compare

import (
	"regexp"
	"slices"
	"sort"
	"strings"
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
	Value string
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
	groups := map[string]*FailureGroup{}
	var order []string
	rows := map[string][]int{}
	for _, i := range c.planned {
		status := c.text(i, "run_status")
		if status == "succeeded" || status == "planned" || status == "running" || status == "" {
			continue
		}
		kind, reason := c.text(i, "run_reason_kind"), c.text(i, "run_error")
		if kind == "" {
			kind = status
		}
		print := fingerprint(kind, reason)
		g := groups[print]
		if g == nil {
			g = &FailureGroup{Kind: kind, Reason: reason}
			groups[print] = g
			order = append(order, print)
		}
		g.Runs = append(g.Runs, c.run(i, 0))
		rows[print] = append(rows[print], i)
	}
	sort.SliceStable(order, func(i, j int) bool { return len(rows[order[i]]) > len(rows[order[j]]) })
	var out []FailureGroup
	for i, p := range order {
		g := groups[p]
		if i < maxExplained {
			g.When = c.explain(rows[p])
		}
		out = append(out, *g)
	}
	return out
}

// minRange is how many failures a range, or three conditions, must explain:
// fewer are always within some.
const minRange = 4

// explain finds the fewest conditions, up to three, that are true of all failed
// runs and together of no success. With no success to tell apart there is
// nothing to explain.
func (c *comparer) explain(failed []int) []Condition {
	succeeded := slices.DeleteFunc(slices.Clone(c.planned), func(i int) bool { return c.text(i, "run_status") != "succeeded" })
	if len(succeeded) == 0 {
		return nil
	}
	shared, most := c.shared(failed), 2
	if len(failed) >= minRange {
		shared, most = append(shared, c.bounds(failed)...), 3
	}
	for n := 1; n <= most; n++ {
		if found := c.separate(shared, nil, succeeded, n); found != nil {
			return found
		}
	}
	return nil
}

// separate chooses n of the conditions so that none of the rows has them all,
// the earliest first.
func (c *comparer) separate(from, chosen []Condition, rows []int, n int) []Condition {
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

// holds reports whether a condition is true of a row.
func (c *comparer) holds(row int, x Condition) bool {
	have := c.text(row, x.Name)
	switch x.Op {
	case ">=":
		return compareText(have, x.Value) >= 0
	case "<=":
		return compareText(have, x.Value) <= 0
	}
	return have == x.Value
}

// shared are the values that all rows have in common, on what varies.
func (c *comparer) shared(rows []int) []Condition {
	var out []Condition
	for _, a := range c.o.Axes {
		if _, ok := c.t.Column(a.Name); !ok {
			continue
		}
		x := Condition{a.Name, "=", c.text(rows[0], a.Name)}
		if !slices.ContainsFunc(rows, func(i int) bool { return !c.holds(i, x) }) {
			out = append(out, x)
		}
	}
	sort.Slice(out, func(i, j int) bool { return strings.Compare(out[i].Name, out[j].Name) < 0 })
	return out
}

// bounds are the ranges of the ordered axes that all rows lie in.
func (c *comparer) bounds(rows []int) []Condition {
	var out []Condition
	for _, a := range c.o.Axes {
		if _, ok := c.t.Column(a.Name); !ok || !a.Ordered {
			continue
		}
		lo, hi := c.text(rows[0], a.Name), c.text(rows[0], a.Name)
		for _, i := range rows[1:] {
			x := c.text(i, a.Name)
			if compareText(x, lo) < 0 {
				lo = x
			}
			if compareText(x, hi) > 0 {
				hi = x
			}
		}
		if lo != hi {
			out = append(out, Condition{a.Name, ">=", lo}, Condition{a.Name, "<=", hi})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
