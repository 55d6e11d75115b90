// Package factor lays columns of tables out as levels, the distinct values that
// comparisons group by.
package factor

import (
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Factor is a column of a table as levels: its distinct values, and which of
// them each row has. Levels are told apart by value.Equal, so that the number 1
// is one level however it is spelled, and ascend by value.Compare: to compare
// levels is to compare values.
type Factor struct {
	Levels []value.Value
	keys   []value.Value // the levels, settled
	Texts  []string      // of the levels, for people; no two are the same
	At     []int         // level by row
}

// New lays columns of several tables end to end; one that is not there is
// null in as many rows as its table has.
func New(columns ...Column) *Factor {
	f, all := &Factor{}, []spelled{}
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
			f.Levels, f.keys, f.Texts = append(f.Levels, x.value), append(f.keys, x.key), append(f.Texts, x.text)
		}
		levelOf[k] = len(f.keys) - 1
	}
	for row, k := range f.At {
		f.At[row] = levelOf[k]
	}
	f.distinguish()
	return f
}

// distinguish writes texts that look like other values as JSON: "1" and 1.
func (f *Factor) distinguish() {
	n := map[string]int{}
	for _, text := range f.Texts {
		n[text]++
	}
	for i, text := range f.Texts {
		if n[text] > 1 && f.Levels[i].Kind() == value.String {
			f.Texts[i] = f.Levels[i].String()
		}
	}
}

// A Column is a column of a table by its name.
type Column struct {
	Table *table.Table
	Name  string
}

// spelled is a value as a column spells it.
type spelled struct {
	value, key value.Value
	text       string
}

// spellings adds what the column's rows hold to all, and to f.at where in all
// it is.
func (c Column) spellings(f *Factor, all []spelled) []spelled {
	col, ok := c.Table.Column(c.Name)
	null, seen := -1, map[string]int{}
	for row := range c.Table.Len() {
		if !ok || col.Null(row) {
			if null < 0 {
				null, all = len(all), append(all, spelled{text: value.Value{}.Text()})
			}
			f.At = append(f.At, null)
			continue
		}
		text := col.Text(row)
		k, known := seen[text]
		if !known {
			k = len(all)
			seen[text], all = k, append(all, spell(col, row, text))
		}
		f.At = append(f.At, k)
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

// Find is the level that a value is; ok is false when there is none.
func (f *Factor) Find(v value.Value) (level int, ok bool) {
	return slices.BinarySearchFunc(f.keys, settled(v), value.Compare)
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

// Classes numbers the rows that have the same levels of all factors: equal
// numbers, equal values. n is how many numbers there are.
func Classes(rows int, factors []*Factor) (class []int, n int) {
	class, n = make([]int, rows), min(rows, 1)
	for _, f := range factors {
		seen := map[[2]int]int{}
		for row, was := range class {
			both := [2]int{was, f.At[row]}
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
