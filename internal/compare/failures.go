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
type Condition struct{ Name, Value string }

// digits differ between occurrences of one mistake.
var (
	digits = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+`)
	quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// fingerprint is a failure without what differs from run to run.
func fingerprint(kind, reason string) string {
	return kind + "\x00" + digits.ReplaceAllString(quoted.ReplaceAllString(reason, "…"), "#")
}

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
	var out []FailureGroup
	for _, p := range order {
		g := groups[p]
		g.When = c.explain(rows[p])
		out = append(out, *g)
	}
	sort.SliceStable(out, func(i, j int) bool { return len(out[i].Runs) > len(out[j].Runs) })
	return out
}

// explain finds one value, or two together, that all failed runs share and no
// success has. With no success to tell apart there is nothing to explain.
func (c *comparer) explain(failed []int) []Condition {
	succeeded := slices.DeleteFunc(slices.Clone(c.planned), func(i int) bool { return c.text(i, "run_status") != "succeeded" })
	if len(succeeded) == 0 {
		return nil
	}
	shared := c.shared(failed)
	for _, x := range shared {
		if !c.any(succeeded, x) {
			return []Condition{x}
		}
	}
	for i, x := range shared {
		for _, y := range shared[i+1:] {
			if !c.any(succeeded, x, y) {
				return []Condition{x, y}
			}
		}
	}
	return nil
}

// shared are the values that all rows have in common, on what varies.
func (c *comparer) shared(rows []int) []Condition {
	var out []Condition
	for _, a := range c.o.Axes {
		if _, ok := c.t.Column(a.Name); !ok {
			continue
		}
		x := Condition{a.Name, c.text(rows[0], a.Name)}
		if !slices.ContainsFunc(rows, func(i int) bool { return c.text(i, x.Name) != x.Value }) {
			out = append(out, x)
		}
	}
	sort.Slice(out, func(i, j int) bool { return strings.Compare(out[i].Name, out[j].Name) < 0 })
	return out
}

func (c *comparer) any(rows []int, conditions ...Condition) bool {
	return slices.ContainsFunc(rows, func(i int) bool {
		for _, x := range conditions {
			if c.text(i, x.Name) != x.Value {
				return false
			}
		}
		return true
	})
}
