package factor

import (
	"cmp"
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// Columns are those of a table that are no scraps, and others by name, with the
// order in which people are to read their levels.
type Columns struct {
	Factors map[string]*Factor
	table   *table.Table
	ranks   map[string][]int // by level, where levels are not read by value
}

// Of are the columns of a table that are no scraps, and those of these names.
func Of(t *table.Table, names []string) *Columns {
	c := &Columns{map[string]*Factor{}, t, map[string][]int{}}
	for _, col := range t.Columns() {
		switch col.Role() {
		case table.RoleParameter, table.RoleLabel:
			c.Factors[col.Name()] = New(Column{t, col.Name()})
		}
	}
	for _, name := range names {
		if _, ok := t.Column(name); ok && c.Factors[name] == nil {
			c.Factors[name] = New(Column{t, name})
		}
	}
	return c
}

// List has people read the levels of a column in the order of some values, and
// the others after those.
func (c *Columns) List(column string, values []value.Value) {
	f := c.Factors[column]
	if f == nil || len(values) == 0 {
		return
	}
	ranks := make([]int, len(f.Levels))
	for level := range ranks {
		ranks[level] = len(values) + level
	}
	for i, v := range slices.Backward(values) {
		if level, ok := f.Find(v); ok {
			ranks[level] = i
		}
	}
	c.ranks[column] = ranks
}

// Order compares rows by columns, one after the other.
func (c *Columns) Order(names []string) func(a, b int) int {
	return func(a, b int) int {
		for _, name := range names {
			if d := cmp.Compare(c.rank(c.Level(a, name), name), c.rank(c.Level(b, name), name)); d != 0 {
				return d
			}
		}
		return 0
	}
}

// rank is where a level stands among those of its column: as the sweep file
// lists them, the others after those, by value.
func (c *Columns) rank(level int, column string) int {
	if ranks := c.ranks[column]; ranks != nil {
		return ranks[level]
	}
	return level
}

// Level is the level of a row in a column; 0 in a column that is not there.
func (c *Columns) Level(row int, column string) int {
	if f := c.Factors[column]; f != nil {
		return f.At[row]
	}
	return 0
}

// Text is what a row holds in a column, for people; empty in one that is not there.
func (c *Columns) Text(row int, column string) string {
	if f := c.Factors[column]; f != nil {
		return f.Texts[f.At[row]]
	}
	if col, ok := c.table.Column(column); ok {
		return col.Text(row)
	}
	return ""
}

// Named are the columns of these names, without those that are not there.
func (c *Columns) Named(names []string) []*Factor {
	var out []*Factor
	for _, name := range names {
		if f := c.Factors[name]; f != nil {
			out = append(out, f)
		}
	}
	return out
}

// Varieties is how many levels of a column some rows have.
func (c *Columns) Varieties(rows []int, column string) int { return len(c.LevelsOf(rows, column)) }

// LevelsOf are the levels of a column that some rows have, ascending.
func (c *Columns) LevelsOf(rows []int, column string) []int {
	if c.Factors[column] == nil {
		return nil
	}
	seen := map[int]bool{}
	for _, row := range rows {
		seen[c.Level(row, column)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// TextsOf are the levels of a column that some rows have, for people.
func (c *Columns) TextsOf(rows []int, column string) []string {
	var texts []string
	for _, level := range c.Listed(c.LevelsOf(rows, column), column) {
		texts = append(texts, c.Factors[column].Texts[level])
	}
	return texts
}

// Listed sorts levels of a column by rank.
func (c *Columns) Listed(levels []int, column string) []int {
	slices.SortFunc(levels, func(a, b int) int { return cmp.Compare(c.rank(a, column), c.rank(b, column)) })
	return levels
}

// Tally counts rows by the level of an axis.
func (c *Columns) Tally(rows []int, axis string) map[int]int {
	n := map[int]int{}
	for _, row := range rows {
		n[c.Level(row, axis)]++
	}
	return n
}
