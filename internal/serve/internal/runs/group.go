package runs

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Group is the runs that share a value.
type Group struct {
	Value    Cell      `json:"value"`
	Runs     int       `json:"runs"`
	Counts   []string  `json:"counts"` // how many went how, for people
	Measures []Measure `json:"measures"`
	Where    string    `json:"where"` // the expression that selects its runs, "" where there is none

	key    key
	status map[outcome.Status]int
	values [][]float64 // by measured column
}

// A Measure is what the runs of a group recorded in one column.
type Measure struct {
	Name   string    `json:"name"`
	Title  string    `json:"-"` // the name for people
	N      int       `json:"n"`
	Median Cell      `json:"median"`
	Low    Cell      `json:"low"` // of the median's interval, at 95%; null where the values are too few
	High   Cell      `json:"high"`
	Min    Cell      `json:"min"`
	Max    Cell      `json:"max"`
	Points []float64 `json:"-"` // where every value lies between the least and the largest of all groups, from 0 to 1
}

// Limits of what is shown of groups.
const (
	maxGroups   = 200
	maxMeasures = 6
	maxPoints   = 400
)

// group puts the chosen runs into groups by a column. Only runs that succeeded
// and are not stale are measured.
func (t *Table) group(by Column) {
	var measured []Column
	for _, c := range t.Columns {
		if c.Kind != Parameter && c.Number && c.Name != by.Name && len(measured) < maxMeasures && c.Name != query.Replicate && c.Name != "run_attempts" {
			measured = append(measured, c)
		}
	}
	groups := map[key]*Group{}
	var order []*Group
	for _, r := range t.chosen {
		v := by.of(r)
		g := groups[keyOf(v)]
		if g == nil {
			g = &Group{Value: Cell{v, textOf(v, by, unit.Number)}, key: keyOf(v), Where: condition(by.Name, v), status: map[outcome.Status]int{}, values: make([][]float64, len(measured))}
			groups[g.key] = g
			order = append(order, g)
		}
		g.Runs++
		g.status[r.Status]++
		if r.Status != outcome.Succeeded || len(r.Stale) > 0 {
			continue
		}
		for i, c := range measured {
			if x, ok := table.Number(c.of(r)); ok && x == x {
				g.values[i] = append(g.values[i], x)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(a.key.rank, b.key.rank), cmp.Compare(a.key.number, b.key.number), strings.Compare(a.key.text, b.key.text))
	})
	t.Left = max(len(order)-maxGroups, 0)
	order = order[:len(order)-t.Left]
	for i, c := range measured {
		measure(order, i, c)
	}
	for _, g := range order {
		for _, s := range outcome.Statuses() {
			if n := g.status[s]; n > 0 {
				g.Counts = append(g.Counts, unit.Number(float64(n))+" "+s.Words())
			}
		}
		t.Groups = append(t.Groups, *g)
	}
}

// measure adds a column's measure to every group, on one scale.
func measure(groups []*Group, i int, c Column) {
	var all []float64
	for _, g := range groups {
		slices.Sort(g.values[i])
		all = append(all, g.values[i]...)
	}
	number := unit.Numbers(all...)
	low, high := 0.0, 0.0
	if len(all) > 0 {
		low, high = slices.Min(all), slices.Max(all)
	}
	for _, g := range groups {
		v := g.values[i]
		m := Measure{Name: c.Name, Title: c.Title(), N: len(v)}
		if len(v) > 0 {
			middle, low, high := compare.Centre(v)
			cell := func(x float64) Cell { return Cell{x, textOf(x, c, number)} }
			m.Median, m.Min, m.Max = cell(middle), cell(v[0]), cell(v[len(v)-1])
			if low <= high && !math.IsInf(low, 0) && !math.IsInf(high, 0) {
				m.Low, m.High = cell(low), cell(high)
			}
		}
		step := max((len(v)+maxPoints-1)/maxPoints, 1)
		for j := 0; j < len(v); j += step {
			x := v[j]
			at := 0.5
			if high > low {
				at = (x - low) / (high - low)
			}
			m.Points = append(m.Points, at)
		}
		g.Measures = append(g.Measures, m)
	}
}

// condition is the expression that is true of runs with a value.
func condition(name string, v any) string {
	if v == nil {
		return ""
	}
	literal, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return query.Term(name) + " == " + string(literal)
}
