package compare

import (
	"fmt"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A factor is a column of a table as levels: its distinct values, and which of
// them each row has. Levels are told apart by value.Equal, so that the number 1
// is one level however it is spelled, and ascend by value.Compare: to compare
// levels is to compare values.
type factor struct {
	levels []value.Value
	keys   []value.Value // the levels, settled
	texts  []string      // of the levels, for people; no two are the same
	at     []int         // level by row
}

// newFactor lays columns of several tables end to end; one that is not there is
// null in as many rows as its table has.
func newFactor(columns ...tableColumn) *factor {
	f, all := &factor{}, []spelled{}
	for _, c := range columns {
		all = c.spellings(f, all)
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return value.Compare(all[i].key, all[j].key) })
	levelOf := make([]int, len(all))
	for i, k := range order {
		x := all[k]
		if i == 0 || !value.Equal(x.key, f.keys[len(f.keys)-1]) {
			f.levels, f.keys, f.texts = append(f.levels, x.value), append(f.keys, x.key), append(f.texts, x.text)
		}
		levelOf[k] = len(f.keys) - 1
	}
	for row, k := range f.at {
		f.at[row] = levelOf[k]
	}
	f.distinguish()
	return f
}

// distinguish writes texts that look like other values as JSON: "1" and 1.
func (f *factor) distinguish() {
	n := map[string]int{}
	for _, text := range f.texts {
		n[text]++
	}
	for i, text := range f.texts {
		if n[text] > 1 && f.levels[i].Kind() == value.String {
			f.texts[i] = f.levels[i].String()
		}
	}
}

// A tableColumn is a column of a table by its name.
type tableColumn struct {
	table *table.Table
	name  string
}

// spelled is a value as a column spells it.
type spelled struct {
	value, key value.Value
	text       string
}

// spellings adds what the column's rows hold to all, and to f.at where in all
// it is.
func (c tableColumn) spellings(f *factor, all []spelled) []spelled {
	col, ok := c.table.Column(c.name)
	null, seen := -1, map[string]int{}
	for row := range c.table.Len() {
		if !ok || col.Null(row) {
			if null < 0 {
				null, all = len(all), append(all, spelled{text: value.Value{}.Text()})
			}
			f.at = append(f.at, null)
			continue
		}
		text := col.Text(row)
		k, known := seen[text]
		if !known {
			k = len(all)
			seen[text], all = k, append(all, spell(col, row, text))
		}
		f.at = append(f.at, k)
	}
	return all
}

func spell(col table.Column, row int, text string) spelled {
	v := col.Value(row)
	if v.Kind() == value.String {
		text = v.Text() // also where the column holds JSON
	}
	return spelled{v, settled(v), text}
}

// find is the level that a value is; ok is false when there is none.
func (f *factor) find(v value.Value) (level int, ok bool) {
	return slices.BinarySearchFunc(f.keys, settled(v), value.Compare)
}

// ValueAmong is the first of some values that a column of the table has. The
// error names those that are there.
func ValueAmong(t *table.Table, column string, wanted ...value.Value) (value.Value, error) {
	if _, ok := t.Column(column); !ok {
		return value.Value{}, fmt.Errorf("the table has no column %q", column)
	}
	f := newFactor(tableColumn{t, column})
	for _, v := range wanted {
		if _, ok := f.find(v); ok {
			return v, nil
		}
	}
	return value.Value{}, fmt.Errorf("no run has this value: %s is %s", column, unit.Either(f.texts))
}

// settled is a value in the one spelling of all that tables take for the same:
// points in time are written in many ways.
func settled(v value.Value) value.Value {
	if v.Kind() != value.String {
		return v
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, v.Text()); err == nil {
			v, _ = value.Of(t.UTC().Format(layout))
		}
	}
	return v
}

// classes numbers the rows that have the same levels of all factors: equal
// numbers, equal values. n is how many numbers there are.
func classes(rows int, factors []*factor) (class []int, n int) {
	class, n = make([]int, rows), min(rows, 1)
	for _, f := range factors {
		seen := map[[2]int]int{}
		for row, was := range class {
			both := [2]int{was, f.at[row]}
			id, ok := seen[both]
			if !ok {
				id = len(seen)
				seen[both] = id
			}
			class[row] = id
		}
		n = len(seen)
	}
	return class, n
}

// factorsOf are the columns of a table that are no scraps, and those of these
// names.
func factorsOf(t *table.Table, names []string) map[string]*factor {
	all := map[string]*factor{}
	for _, col := range t.Columns() {
		switch col.Role() {
		case table.RoleParameter, table.RoleLabel:
			all[col.Name()] = newFactor(tableColumn{t, col.Name()})
		}
	}
	for _, name := range names {
		if _, ok := t.Column(name); ok && all[name] == nil {
			all[name] = newFactor(tableColumn{t, name})
		}
	}
	return all
}
