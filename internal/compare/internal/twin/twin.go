// Package twin finds which runs of two tables computed the same: those of one
// id, else those of equal parameters.
package twin

import (
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/table"
)

// A Side is one of two tables.
type Side struct {
	*factor.Columns
	Table     *table.Table
	Used      []int    // rows whose numbers count
	Planned   []int    // rows
	Templates []string // axes whose values are templates
}

// Match finds for each used row of a the one of b that computed the same: that
// of the same id, else the only one of equal parameters. A row whose numbers
// count is preferred; else it is one that b plans. Values are compared, not how
// they are spelled.
func Match(a, b Side) map[int]int {
	other, taken := map[int]int{}, map[int]bool{}
	class := sameParameters(a, b)
	left := func(rows []int, start int, done func(row int) bool) map[int][]int {
		byClass := map[int][]int{}
		for _, row := range rows {
			if k := class[start+row]; !done(row) {
				byClass[k] = append(byClass[k], row)
			}
		}
		return byClass
	}
	isMatched := func(row int) bool { _, ok := other[row]; return ok }
	byID := map[string]int{}
	for _, row := range b.Planned {
		byID[b.Text(row, "run_id")] = row
	}
	for _, row := range a.Used {
		if same, ok := byID[a.Text(row, "run_id")]; ok {
			other[row], taken[same] = same, true
		}
	}
	for _, candidates := range [][]int{b.Used, b.Planned} {
		rest := left(candidates, a.Table.Len(), func(row int) bool { return taken[row] })
		for k, rows := range left(a.Used, 0, isMatched) {
			if len(rows) == 1 && len(rest[k]) == 1 {
				other[rows[0]], taken[rest[k][0]] = rest[k][0], true
			}
		}
	}
	return other
}

// sameParameters numbers the rows of a, then those of b, by what they compute.
func sameParameters(a, b Side) []int {
	var factors []*factor.Factor
	for _, name := range computedBy(a, b) {
		factors = append(factors, factor.New(factor.Column{Table: a.Table, Name: name}, factor.Column{Table: b.Table, Name: name}))
	}
	class, _ := factor.Classes(a.Table.Len()+b.Table.Len(), factors)
	return class
}

// computedBy are the columns that say what a run computes, by name: parameters,
// the replicate and the template.
func computedBy(sides ...Side) []string {
	names := map[string]bool{"template": true, "run_replicate": true}
	for _, s := range sides {
		for _, col := range s.Table.Columns() {
			if col.Role() == table.RoleParameter {
				names[col.Name()] = true
			}
		}
		for _, name := range s.Templates {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
