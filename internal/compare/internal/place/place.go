// Package place finds variants that were executed elsewhere than the baseline.
//
// In go groups of rows and where each row was executed; out come those groups of
// which no run was executed where one of the baseline was, so that a difference
// between them may be one between machines.
package place

import (
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Group is a variant, with the rows that count.
type Group struct {
	Name string
	Rows []int
}

// maxNames is how many groups and places a sentence names.
const maxNames = 4

// Warning puts the rows that count into their groups and is what Apart says of
// their nodes or, where those are unknown, hosts. text is a column of a row.
func Warning(groups []Group, rows, groupOf []int, text func(row int, column string) string) string {
	node := func(row int) string { return text(row, "run_node") }
	known := false
	for _, row := range rows {
		g := &groups[groupOf[row]]
		g.Rows, known = append(g.Rows, row), known || node(row) != ""
	}
	switch {
	case len(groups) < 2:
		return ""
	case known:
		return Apart(groups, "node", node)
	}
	return Apart(groups, "host", func(row int) string { return text(row, "run_host") })
}

// Apart is a warning about groups that share no place with the first one; empty
// where there is none. of is the place of a row, empty where that is unknown.
func Apart(groups []Group, what string, of func(row int) string) string {
	base := places(groups[0].Rows, of)
	var apart, there []string
	for _, g := range groups[1:] {
		own := places(g.Rows, of)
		if len(own) == 0 || slices.ContainsFunc(own, func(p string) bool { return slices.Contains(base, p) }) {
			continue
		}
		apart, there = append(apart, g.Name), append(there, own...)
	}
	if len(base) == 0 || len(apart) == 0 {
		return ""
	}
	slices.Sort(there)
	return fmt.Sprintf("%s and the baseline were executed on different %ss (%s; the baseline: %s): a difference between them may be one between the machines",
		some(apart), what, some(slices.Compact(there)), some(base))
}

func places(rows []int, of func(row int) string) []string {
	var out []string
	for _, row := range rows {
		if p := of(row); p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// some lists the first of many names.
func some(names []string) string {
	if n := len(names); n > maxNames {
		return unit.List(append(slices.Clone(names[:maxNames-1]), fmt.Sprintf("%d more", n-maxNames+1)))
	}
	return unit.List(names)
}
