package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare/internal/factor"
	"github.com/fanout-dev/fanout/internal/compare/internal/stats"
	"github.com/fanout-dev/fanout/internal/compare/internal/versus"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// comparer holds what all metrics share. None of it changes while metrics are
// compared.
type comparer struct {
	*factor.Columns
	t          *table.Table
	o          Options
	alpha      float64
	confidence float64
	rows       []string
	planned    []int          // rows of the table that are planned
	used       []int          // and succeeded, freshly
	counts     []bool         // by row, whether it is used
	outdated   []int          // planned and succeeded, and are stale
	past       []int          // succeeded, stale or not, and are planned no more
	groups     []Group        // without values, in their order
	groupOf    []int          // by row, of the planned ones
	baseline   map[string]int // level by axis; -1 where there is no such value
	matched    int            // how many groups the baseline matches
	pair       []int          // by row: equal in runs of different groups that are a pair; nil when nothing tells pairs
	axis       string         // along which the samples of a group lie, if any
	place      []int          // by level of axis
	averaged   []string
	over       []int    // by row: equal where it is of the same values of these
	nights     axisLine // the dates up to the last planned one; see dates
	nightRows  []int    // and the rows there
}

func newComparer(t *table.Table, o Options) (*comparer, error) {
	c := &comparer{t: t, o: o, alpha: cmp.Or(o.Alpha, 0.05), confidence: cmp.Or(o.Confidence, 0.95)}
	names := append(axisNames(o.Axes), "run_code")
	c.Columns = factor.Of(t, append(names, o.Rows...))
	if c.rows = o.Rows; len(c.rows) == 0 {
		c.rows = c.defaultRows()
	}
	for _, name := range c.rows {
		if c.Factors[name] == nil {
			return nil, fmt.Errorf("compare by %q: the table has no such column", name)
		}
	}
	for _, a := range o.Axes {
		if !a.Ordered {
			c.List(a.Name, a.Values)
		}
	}
	c.divide()
	c.makeGroups()
	c.axis, c.place = c.order()
	c.averaged = c.averages()
	c.over, _ = factor.Classes(t.Len(), c.Named(c.averaged))
	return c, nil
}

// divide tells rows that are planned, and those whose numbers count.
func (c *comparer) divide() {
	c.counts = make([]bool, c.t.Len())
	for i := range c.t.Len() {
		if c.o.Keep != nil && !c.o.Keep(i) {
			continue
		}
		succeeded, planned := c.succeeded(i), c.Text(i, "run_planned") != "false"
		c.counts[i] = planned && succeeded && (c.o.Stale || !c.stale(i))
		switch {
		case c.counts[i]:
			c.used = append(c.used, i)
		case planned && succeeded:
			c.outdated = append(c.outdated, i)
		case succeeded:
			c.past = append(c.past, i)
		}
		if planned {
			c.planned = append(c.planned, i)
		}
	}
}

func (c *comparer) stale(row int) bool { return c.Text(row, "run_stale") == "true" }

func (c *comparer) succeeded(row int) bool {
	return outcome.Status(c.Text(row, "run_status")) == outcome.Succeeded
}

// makeGroups makes a group of every combination of levels that is planned, the
// baseline first, then in the order of the sweep file. The order of rows in the
// table does not matter.
func (c *comparer) makeGroups() {
	c.baseline = map[string]int{}
	for _, b := range c.o.Baseline {
		c.baseline[b.Name] = -1
		if f := c.Factors[b.Name]; f != nil {
			if level, ok := f.Find(b.Value); ok {
				c.baseline[b.Name] = level
			}
		}
	}
	class, _ := factor.Classes(c.t.Len(), c.Named(c.rows))
	rowOf := map[int]int{} // of each class its first planned row
	for _, row := range c.planned {
		if _, ok := rowOf[class[row]]; !ok {
			rowOf[class[row]] = row
		}
	}
	order := slices.SortedFunc(maps.Keys(rowOf), func(a, b int) int { return c.compareGroups(rowOf[a], rowOf[b]) })
	groupOf := map[int]int{}
	for i, k := range order {
		groupOf[k] = i
		c.groups = append(c.groups, c.newGroup(rowOf[k]))
		if c.isBaseline(rowOf[k]) {
			c.matched++
		}
	}
	if c.matched == 1 { // a partial point that several groups match compares nothing
		c.groups[0].Baseline = true
	}
	c.groupOf = make([]int, c.t.Len())
	for _, row := range c.planned {
		c.groupOf[row] = groupOf[class[row]]
	}
	if names := c.pairing(); len(names) > 0 {
		c.pair, _ = factor.Classes(c.t.Len(), c.Named(names))
	}
}

func (c *comparer) newGroup(row int) Group {
	var g Group
	var texts []string
	for _, name := range c.rows {
		f := c.Factors[name]
		g.Key, texts = append(g.Key, f.Levels[f.At[row]]), append(texts, f.Texts[f.At[row]])
	}
	g.Name = unit.Together(texts)
	return g
}

func (c *comparer) compareGroups(a, b int) int {
	if is := c.isBaseline(a); is != c.isBaseline(b) {
		return map[bool]int{true: -1, false: 1}[is]
	}
	return c.Order(c.rows)(a, b)
}

// isBaseline reports whether a row is of the partial point that others are
// compared to. One that names what does not make the groups is no group.
func (c *comparer) isBaseline(row int) bool {
	for name, level := range c.baseline {
		if !slices.Contains(c.rows, name) || c.Level(row, name) != level {
			return false
		}
	}
	return len(c.baseline) > 0
}

// maxGroups is how many groups the default projection makes at most.
const maxGroups = 60

// defaultRows are the baseline's axes, else every axis that is no replicate,
// as long as that leaves groups one can read; else the first axis.
func (c *comparer) defaultRows() []string {
	var rows []string
	for _, a := range c.o.Axes {
		if _, ok := value.Lookup(c.o.Baseline, a.Name); ok && !a.Replicate && c.Factors[a.Name] != nil {
			rows = append(rows, a.Name)
		}
	}
	if len(rows) > 0 {
		return rows
	}
	for _, a := range c.o.Axes {
		if !a.Replicate && c.Factors[a.Name] != nil { // which it is where there are no rows
			rows = append(rows, a.Name)
		}
	}
	for len(rows) > 1 {
		if _, n := factor.Classes(c.t.Len(), c.Named(rows)); n <= maxGroups {
			break
		}
		rows = rows[:len(rows)-1]
	}
	return rows
}

func axisNames(axes []Axis) []string {
	names := make([]string, len(axes))
	for i, a := range axes {
		names[i] = a.Name
	}
	return names
}

// axes are those of the table, by name: where they stand in the sweep file
// decides nothing.
func (c *comparer) axes() []Axis {
	there := slices.DeleteFunc(slices.Clone(c.o.Axes), func(a Axis) bool { return c.Factors[a.Name] == nil })
	slices.SortFunc(there, func(a, b Axis) int { return strings.Compare(a.Name, b.Name) })
	return there
}

// ordered are the axes along which something can move.
func (c *comparer) ordered() []Axis {
	return slices.DeleteFunc(c.axes(), func(a Axis) bool { return !a.Ordered || a.Replicate })
}

// pairing are the axes whose equal values make two runs of different groups a
// pair: all that do not make groups.
func (c *comparer) pairing() []string {
	return slices.DeleteFunc(axisNames(c.axes()), func(name string) bool { return slices.Contains(c.rows, name) })
}

// averages are axes that vary within a group and are no replicates: a group's
// numbers average over them.
func (c *comparer) averages() []string {
	var out []string
	for _, a := range c.axes() {
		if !a.Replicate && !slices.Contains(c.rows, a.Name) && c.Varieties(c.planned, a.Name) > 1 {
			out = append(out, a.Name)
		}
	}
	return out
}

// order is the ordered axis along which the samples of a group lie, with the
// place of each of its levels; "" when there is none with places enough.
func (c *comparer) order() (axis string, place []int) {
	most := 0
	for _, a := range c.ordered() {
		levels := c.LevelsOf(c.planned, a.Name)
		if slices.Contains(c.rows, a.Name) || len(levels) < stats.MinPlaces || len(levels) <= most {
			continue
		}
		axis, most = a.Name, len(levels)
		place = make([]int, len(c.Factors[a.Name].Levels))
		for i, level := range levels {
			place[level] = i
		}
	}
	return axis, place
}

type sample = versus.Sample

// group gathers the samples of one key.
type group struct {
	Group
	samples []sample // ascending
	paired  bool     // samples have pairs
}

// gather puts every planned run into its group; those that count bring their
// value. odd is how many values cannot be used.
func (c *comparer) gather(read sampler) (groups []*group, odd int) {
	for _, g := range c.groups {
		groups = append(groups, &group{Group: g, paired: c.pair != nil})
	}
	for _, i := range c.planned {
		g := groups[c.groupOf[i]]
		s, found, good := read(i)
		if c.stale(i) {
			g.Stale++
		}
		if !c.counts[i] || !found || !good {
			g.lack(c.run(i, 0).Name)
			if c.counts[i] && found {
				odd++
			}
			continue
		}
		if g.paired {
			s.Pair = c.pair[i]
		}
		if c.axis != "" {
			s.Place = c.place[c.Level(i, c.axis)]
		}
		g.samples = append(g.samples, s)
	}
	for _, g := range groups {
		sortSamples(g.samples)
	}
	return groups, odd
}

// maxLacking is how many runs without a value are named.
const maxLacking = 5

// lack counts a run that has no value.
func (g *Group) lack(name string) {
	if g.Missing++; g.Missing <= maxLacking {
		g.Lacking = append(g.Lacking, name)
	}
}

func sortSamples(samples []sample) {
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.Value, b.Value) })
}

func values(samples []sample) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = s.Value
	}
	slices.Sort(out)
	return out
}

func fractions(samples []sample) []stats.Fraction {
	out := make([]stats.Fraction, len(samples))
	for i, s := range samples {
		out[i] = s.Of
	}
	return out
}

func baselineOf(groups []*group) *group {
	if len(groups) > 0 && groups[0].Baseline {
		return groups[0]
	}
	return nil
}

// ValueAmong is the first of some values that a column of the table has. The
// error names those that are there.
func ValueAmong(t *table.Table, column string, wanted ...value.Value) (value.Value, error) {
	if _, ok := t.Column(column); !ok {
		return value.Value{}, fmt.Errorf("the table has no column %q", column)
	}
	f := factor.New(factor.Column{Table: t, Name: column})
	for _, v := range wanted {
		if _, ok := f.Find(v); ok {
			return v, nil
		}
	}
	return value.Value{}, fmt.Errorf("no run has this value: %s is %s", column, unit.Either(f.Texts))
}
