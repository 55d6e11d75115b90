package align

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/align/internal/delta"
	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// described is how many groups of a cell are held against the reference.
const described = 8

// Notebooks compares runs. At least two must have been executed.
func Notebooks(ctx context.Context, runs []Run, o Options) (*Report, error) {
	memory := o.Memory.open()
	l, left, err := newLibrary(ctx, runs, memory)
	if err != nil {
		return nil, err
	}
	if len(l.runs) < 2 {
		return nil, tooFew(left)
	}
	rows := rowsOf(l.sheets)
	divisions, err := classesOf(ctx, l, rows, o.Tolerance)
	if err != nil {
		return nil, err
	}
	c := &comparison{library: l, o: o, rows: rows, divisions: divisions, values: byName(l.runs)}
	r := &Report{Left: left, By: o.By, Cells: shared(divisions), Edited: c.edited(), Tolerance: o.Tolerance, Differences: []Difference{}}
	for run := range l.runs {
		r.Runs = append(r.Runs, c.compared(run))
	}
	type found struct {
		d   Difference
		row int
	}
	var all []found
	for i := range rows {
		if d, differs := c.difference(i); differs {
			all = append(all, found{d, i})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return tellingFirst(a.d, b.d) })
	if err := inParallel(ctx, len(all), func(i int) {
		if o.Most == 0 || i < o.Most {
			c.describe(&all[i].d, all[i].row)
		}
	}); err != nil {
		return nil, err
	}
	for _, f := range all {
		r.Differences = append(r.Differences, f.d)
	}
	memory.save(l.runs)
	return r, nil
}

// shared is how many rows at least two runs reached.
func shared(divisions []division) (n int) {
	for _, d := range divisions {
		reached := 0
		for _, class := range d.class {
			if class >= 0 {
				reached++
			}
		}
		if reached > 1 {
			n++
		}
	}
	return n
}

func tooFew(left []Left) error {
	if len(left) == 0 {
		return unit.Mistake(errors.New("compare notebooks: two that were executed are needed"))
	}
	return unit.Mistake(errors.New("compare notebooks: two that were executed are needed; " + left[0].Name + ": " + left[0].Why))
}

// tellingFirst orders differences: what nothing explains comes before what the
// values of axes explain, and of two alike the first in the notebook, where
// the other may follow from it.
func tellingFirst(a, b Difference) int {
	if t := cmp.Compare(tier(a), tier(b)); t != 0 || a.Pattern == Between || a.Pattern == Every {
		return t
	}
	return cmp.Or(cmp.Compare(b.Rank, a.Rank), cmp.Compare(b.spread, a.spread))
}

func tier(d Difference) int {
	if d.raised && d.Pattern != Between {
		return -1
	}
	return slices.Index([]Pattern{Alone, Unknown, Between, Exactly, Within, Every}, d.Pattern)
}

type comparison struct {
	*library
	o         Options
	rows      []row
	divisions []division
	values    []map[string]value.Value // by run
}

func (c *comparison) compared(run int) Compared {
	r := c.runs[run]
	out := Compared{ID: r.ID, Name: r.Name, Values: r.Values, Stale: r.Stale, Failed: c.failed[run]}
	cells := c.sheets[run].cells
	for i := len(cells) - 1; i >= 0; i-- {
		if cells[i].reached {
			if slices.ContainsFunc(cells[i+1:], func(s sheetCell) bool { return s.source != "" }) {
				out.Ended = cells[i].number
			}
			break
		}
	}
	return out
}

// edited are the cells whose code is not the same in all runs.
func (c *comparison) edited() []Edited {
	var all []Edited
	for _, r := range c.rows {
		changed := Edited{Cell: r.cell.number, Title: r.cell.title}
		gone := Edited{Cell: r.cell.number, Title: r.cell.title, Gone: true}
		for run, i := range r.at {
			if i < 0 {
				gone.Runs = append(gone.Runs, c.runs[run].ID)
			} else if c.sheets[run].cells[i].code != r.cell.code {
				changed.Runs = append(changed.Runs, c.runs[run].ID)
			}
		}
		for _, e := range []Edited{changed, gone} {
			if len(e.Runs) > 0 {
				all = append(all, e)
			}
		}
	}
	return all
}

// difference is what there is to say about a row without looking into outputs.
func (c *comparison) difference(i int) (Difference, bool) {
	r, division := c.rows[i], c.divisions[i]
	d := Difference{Cell: r.cell.number, ID: r.cell.id, Title: r.cell.title, Source: r.cell.source, spread: division.spread}
	if len(division.first) < 2 {
		return d, false
	}
	m := members{n: len(division.first)}
	raised := 0
	for run, class := range division.class {
		if class < 0 {
			if r.at[run] >= 0 && r.cell.source != "" {
				d.Unreached = append(d.Unreached, c.runs[run].ID)
			}
			continue
		}
		m.runs, m.class = append(m.runs, c.runs[run]), append(m.class, class)
		if c.sheets[run].cells[r.at[run]].raised != "" {
			raised++
		}
	}
	d.Among, d.raised = len(m.runs), raised > 0 && raised < len(m.runs)
	if len(c.o.By) > 0 {
		return c.byAxes(d, i)
	}
	d.Rank = disagreement(m.class, m.n)
	d.Pattern, d.Axes = m.pattern()
	d.Groups = c.groups(i)
	return d, true
}

// disagreement is how likely two of the members are in different groups.
func disagreement(class []int, n int) float64 {
	sizes, same := make([]float64, n), 0.0
	for _, c := range class {
		sizes[c]++
	}
	for _, size := range sizes {
		share := size / float64(len(class))
		same += share * share
	}
	return 1 - same
}

// groups are the runs of a row by output: that of the reference first, then
// the largest.
func (c *comparison) groups(i int) []Group {
	division := c.divisions[i]
	byClass := make([][]int, len(division.first))
	for run, class := range division.class {
		if class >= 0 {
			byClass[class] = append(byClass[class], run)
		}
	}
	reference := c.reference(byClass)
	order := make([]int, 0, len(byClass))
	for class := range byClass {
		order = append(order, class)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(boolInt(a != reference), boolInt(b != reference)), cmp.Compare(len(byClass[b]), len(byClass[a])))
	})
	var groups []Group
	for _, class := range order {
		g := Group{Raised: c.sheets[byClass[class][0]].cells[c.rows[i].at[byClass[class][0]]].raised}
		exemplar := byClass[class][0]
		var in, others []map[string]value.Value
		for run, k := range division.class {
			switch {
			case k == class:
				in, g.Runs = append(in, c.values[run]), append(g.Runs, c.runs[run].ID)
			case k >= 0:
				others = append(others, c.values[run])
			}
		}
		g.Values = own(c.runs[exemplar], in, others)
		g.Exemplar = c.runs[exemplar].ID
		if class != reference {
			g.Reference = c.runs[c.partner(exemplar, byClass[reference])].ID
		}
		groups = append(groups, g)
	}
	return groups
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reference is the class that others are held against: that of the first run
// that is the reference, else the largest.
func (c *comparison) reference(byClass [][]int) int {
	best := 0
	first := -1
	for class, runs := range byClass {
		for _, run := range runs {
			if c.isReference(run) && (first < 0 || run < first) {
				best, first = class, run
			}
		}
	}
	if first >= 0 {
		return best
	}
	for class, runs := range byClass {
		if len(runs) > len(byClass[best]) {
			best = class
		}
	}
	return best
}

func (c *comparison) isReference(run int) bool {
	if c.o.First {
		return run == 0
	}
	for _, b := range c.o.Reference {
		if v, ok := value.Lookup(c.runs[run].Values, b.Name); !ok || !value.Equal(v, b.Value) {
			return false
		}
	}
	return len(c.o.Reference) > 0
}

// partner is the run of a group that has most values in common with a run, of
// the reference if there are some.
func (c *comparison) partner(run int, group []int) int {
	best, most := group[0], -1
	for _, other := range group {
		score := 0
		if c.isReference(other) {
			score = 1000
		}
		for _, b := range c.runs[run].Values {
			if v, ok := value.Lookup(c.runs[other].Values, b.Name); ok && value.Equal(v, b.Value) {
				score++
			}
		}
		if score > most {
			best, most = other, score
		}
	}
	return best
}

// describe says how the groups of a difference differ from the reference.
func (c *comparison) describe(d *Difference, i int) {
	index := map[string]int{}
	for run, r := range c.runs {
		index[r.ID] = run
	}
	parts := func(id string) []normal.Part {
		run := index[id]
		return c.sheets[run].clock.During(c.parts(run, c.rows[i].at[run]))
	}
	for k := range d.Groups[:min(len(d.Groups), described)] {
		g := &d.Groups[k]
		own := parts(g.Exemplar)
		g.Shows = shown(own)
		if g.Reference == "" {
			continue
		}
		g.Deltas, g.Left = delta.Of(parts(g.Reference), own, c.o.Tolerance)
		if len(g.Deltas) == 0 {
			g.Deltas = []Delta{{Kind: Markup, Where: "the order of outputs, or last digits"}}
		}
	}
}

// pictured reports whether a part is the text that stands for a picture of its output,
// such as "<Figure size 640x480 with 1 Axes>".
func pictured(parts []normal.Part, p normal.Part) bool {
	return p.What == "text/plain" && slices.ContainsFunc(parts, func(q normal.Part) bool { return q.Of == p.Of && q.Kind == normal.Picture })
}

// shown is the line of an output that says most at a glance.
func shown(parts []normal.Part) string {
	const most = 100
	for _, what := range []string{normal.Raised, "text/plain", normal.Stdout, "text/markdown", normal.Stderr} {
		for _, p := range parts {
			if p.What != what || pictured(parts, p) {
				continue
			}
			line, _, _ := strings.Cut(strings.TrimSpace(p.Text), "\n")
			if len(line) > 0 {
				return unit.Cut(unit.Line(line), most)
			}
		}
	}
	var names []string
	for _, p := range parts {
		if !pictured(parts, p) {
			names = append(names, p.What)
		}
	}
	return unit.List(append(names, []string{"nothing"}[min(len(names), 1):]...))
}
