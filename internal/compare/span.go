package compare

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/unit"
)

// span says between which groups the others lie; empty when fewer than two have
// values. Centres are compared of the same values of the axes that groups average
// over: a region that is missing on some nights is no change.
func (c *comparer) span(m Metric, groups []*group) string {
	with := slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return g.N == 0 })
	if len(with) < 2 {
		return ""
	}
	with, centres, but := c.alike(m, with)
	low, high := slices.Min(centres), slices.Max(centres)
	if low == high {
		return "All groups are at " + unit.Number(low) + but + ". "
	}
	at := func(centre float64) string {
		var names []string
		for i, g := range with {
			if centres[i] == centre {
				names = append(names, shortName(g.Name))
			}
		}
		if len(names) > 2 {
			return fmt.Sprintf("%s (%d groups)", unit.Number(centre), len(names))
		}
		return fmt.Sprintf("%s (%s)", unit.Number(centre), unit.List(names))
	}
	return "From " + at(low) + " to " + at(high) + but + ". "
}

// alike are groups with their centres over the same values of the averaged axes:
// all groups over the values that all of them have, or those groups that have the
// values that most have, whichever is more; and in words what that leaves out.
func (c *comparer) alike(m Metric, groups []*group) (same []*group, centres []float64, but string) {
	sets, keys := make([]map[int]bool, len(groups)), make([]string, len(groups))
	groupsOf, groupsWith := map[string]int{}, map[int]int{}
	most := 0
	for i, g := range groups {
		sets[i] = map[int]bool{}
		for _, s := range g.samples {
			sets[i][c.over[s.Row]] = true
		}
		keys[i] = fmt.Sprint(slices.Sorted(maps.Keys(sets[i])))
		for k := range sets[i] {
			groupsWith[k]++
		}
		if groupsOf[keys[i]]++; groupsOf[keys[i]] > groupsOf[keys[most]] {
			most = i
		}
	}
	all := len(groupsWith)
	maps.DeleteFunc(groupsWith, func(_, n int) bool { return n < len(groups) })
	common, values := len(groupsWith), unit.Together(c.averaged)
	if common*len(groups) < len(sets[most])*groupsOf[keys[most]] {
		for i, g := range groups {
			if keys[i] == keys[most] {
				same = append(same, g)
			}
		}
		left := len(groups) - len(same)
		if len(same) == 1 {
			return groups, centresOf(groups), ", but no two groups have the same values of " + values
		}
		return same, centresOf(same), fmt.Sprintf(", leaving out %s with other values of %s", unit.Plural(left, "group"), values)
	}
	for _, g := range groups {
		of := slices.DeleteFunc(slices.Clone(g.samples), func(s sample) bool { return groupsWith[c.over[s.Row]] == 0 })
		centres = append(centres, centre(m, of))
	}
	if common < all {
		but = fmt.Sprintf(", over the %s of %s that all groups have", unit.Plural(common, "value"), values)
	}
	return groups, centres, but
}

func centresOf(groups []*group) []float64 {
	centres := make([]float64, len(groups))
	for i, g := range groups {
		centres[i] = g.Centre
	}
	return centres
}
