package align

import (
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// byAxes compares the values of the axes asked for among runs that agree on all
// others: a cell that differs between such runs differs because of them.
func (c *comparison) byAxes(d Difference, i int) (Difference, bool) {
	division := c.divisions[i]
	variants := map[string]*Group{}
	var order []string
	var in, out []Run // a run for each pair that differs, and that does not
	disagreements, strata := 0.0, 0
	for _, stratum := range c.strata(division) {
		base := c.base(stratum)
		if len(stratum) < 2 || base < 0 {
			continue
		}
		strata++
		class := make([]int, len(stratum))
		for k, run := range stratum {
			class[k] = division.class[run]
		}
		disagreements += disagreement(class, len(division.first))
		for _, run := range stratum {
			if run == base {
				continue
			}
			key := keyOf(c.runs[run].Values, c.isBy)
			g := variants[key]
			if g == nil {
				g = &Group{Values: c.variant(run)}
				variants[key], order = g, append(order, key)
			}
			g.Compared++
			d.Pairs++
			if division.class[run] == division.class[base] {
				out = append(out, c.runs[run])
				continue
			}
			in = append(in, c.runs[run])
			d.Differ++
			if g.Differ++; g.Exemplar == "" {
				g.Exemplar, g.Reference = c.runs[run].ID, c.runs[base].ID
				g.Raised = c.sheets[run].cells[c.rows[i].at[run]].raised
			}
			g.Runs = append(g.Runs, c.runs[run].ID)
		}
	}
	if d.Differ == 0 {
		return d, false
	}
	d.Rank = disagreements / float64(strata)
	d.Pattern = Every
	if len(out) > 0 {
		values := own(in[0], byName(in[1:]), byName(out))
		if d.Pattern = Unknown; values != nil {
			d.Pattern = Within
			for _, b := range values {
				d.Axes = append(d.Axes, b.Name+"="+b.Value.Text())
			}
		}
	}
	for _, key := range order {
		if g := variants[key]; g.Differ > 0 {
			d.Groups = append(d.Groups, *g)
		}
	}
	return d, true
}

func (c *comparison) isBy(name string) bool { return slices.Contains(c.o.By, name) }

// variant are a run's values of the axes that are compared.
func (c *comparison) variant(run int) []value.Binding {
	return slices.DeleteFunc(slices.Clone(c.runs[run].Values), func(b value.Binding) bool { return !c.isBy(b.Name) })
}

// strata are the runs of a row that agree on all axes that are not compared, in
// the order of the plan.
func (c *comparison) strata(division division) [][]int {
	index := map[string]int{}
	var all [][]int
	for run, class := range division.class {
		if class < 0 {
			continue
		}
		key := keyOf(c.runs[run].Values, func(name string) bool { return !c.isBy(name) })
		i, known := index[key]
		if !known {
			i = len(all)
			index[key], all = i, append(all, nil)
		}
		all[i] = append(all[i], run)
	}
	return all
}

// base is the run of a stratum that the others are compared with: the
// reference, or the first where what is the reference does not depend on the
// axes that are compared; −1 where the reference did not reach the cell.
func (c *comparison) base(stratum []int) int {
	if i := slices.IndexFunc(stratum, c.isReference); i >= 0 {
		return stratum[i]
	}
	if slices.ContainsFunc(c.o.Reference, func(b value.Binding) bool { return c.isBy(b.Name) }) {
		return -1
	}
	return stratum[0]
}

func raisedText(ename, evalue string) string {
	return strings.TrimSuffix(unit.Short(unit.Short(ename, maxTitle)+": "+unit.Short(evalue, 3*maxTitle), 3*maxTitle), ": ")
}
