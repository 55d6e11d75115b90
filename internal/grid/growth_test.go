package grid

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// reserved are the identities of all points that a grid may come to have, by round.
func reserved(t *testing.T, g *Grid) map[int][]string {
	t.Helper()
	out := map[int][]string{}
	for p := range g.Reserve() {
		out[p.Round()] = append(out[p.Round()], p.Identity())
	}
	if g.Err() != nil {
		t.Fatal(g.Err())
	}
	return out
}

// TestSamplesGrow: a sample that grows has every point for all variants, its first
// points are those of the smaller sample, and neither the order of axes nor that of
// their values matters.
func TestSamplesGrow(t *testing.T) {
	spec := func(by string, n, most int, swap bool) string {
		axes := []string{"x: {range: {from: 1, to: 30}}", "model: [p, q, r]", "z: {linspace: {from: 0, to: 1, n: 11}}"}
		if swap {
			slices.Reverse(axes)
		}
		return fmt.Sprintf("template: t.ipynb\ngrid: {%s}\nwhere: x != 7\nsample: {n: %d, max: %d, seed: 5, by: %s, until: decided}\nmetrics: {y: {goal: maximize}}\nbaseline: {model: q}\n",
			strings.Join(axes, ", "), n, most, by)
	}
	for _, by := range []string{"chance", "halton"} {
		g := mustGrid(t, spec(by, 4, 40, false), nil)
		all := reserved(t, g)
		if len(all) != 40 {
			t.Fatalf("%s: %d points, want 40", by, len(all))
		}
		units := map[string]bool{}
		for p := range g.Reserve() {
			units[p.Unit()] = true
		}
		if len(units) != 40 {
			t.Errorf("%s: %d units, want 40", by, len(units))
		}
		for round, ids := range all {
			if len(ids) != 3 {
				t.Errorf("%s: point %d is of %d variants: %q", by, round, len(ids), ids)
			}
		}
		if n, err := g.Count(t.Context()); n != 12 || err != nil {
			t.Errorf("%s: the sweep begins with %d runs, %v", by, n, err)
		}
		for k, other := range map[int]*Grid{10: mustGrid(t, spec(by, 3, 10, true), nil), 40: mustGrid(t, spec(by, 5, 40, true), nil)} {
			for round, ids := range reserved(t, other) {
				slices.Sort(ids)
				if want := slices.Sorted(slices.Values(all[round])); !slices.Equal(ids, want) {
					t.Errorf("%s: point %d of %d is %q, want %q", by, round, k, ids, want)
				}
			}
		}
	}
}

// TestSampleOfRows: a variant that is a column of rows leaves the rest of the row
// to be sampled.
func TestSampleOfRows(t *testing.T) {
	var rows []string
	for x := range 20 {
		rows = append(rows, fmt.Sprintf("{x: %d, model: p}", x), fmt.Sprintf("{x: %d, model: q}", x))
	}
	g := mustGrid(t, "template: t.ipynb\nlist: ["+strings.Join(rows, ", ")+"]\nsample: {n: 2, max: 6, until: decided}\nmetrics: {y: {goal: maximize}}\nbaseline: {model: p}\n", nil)
	all := reserved(t, g)
	if len(all) != 6 {
		t.Fatalf("%d points, want 6", len(all))
	}
	for round, ids := range all {
		if len(ids) != 2 {
			t.Errorf("point %d is of %q", round, ids)
		}
	}
}

// TestHalvingReserves: every candidate has a point for each value of the parameter,
// and the sweep begins with the first; a sample keeps or drops whole candidates.
func TestHalvingReserves(t *testing.T) {
	for _, c := range []struct {
		rest             string
		candidates, runs int
	}{
		{"grid: {x: {range: {from: 1, to: 30}}}", 30, 30},
		{"grid: {x: {range: {from: 1, to: 30}}}\nrepeat: {n: 2}", 30, 60},
		{"grid: {x: {range: {from: 1, to: 30}}}\nsample: 8", 8, 8},
		{"grid: {x: {range: {from: 1, to: 30}}}\nsample: {n: 8, by: halton}", 8, 8},
		{"grid: {x: [1, 2]}\ninclude: [{x: 5}]", 3, 3},
		{"any_of: [{grid: {x: [1, 2]}}, {list: [{z: 4}]}]", 3, 3},
		{"grid: {x: [1, 2]}\nderive: {z: x * epochs}", 2, 2},
	} {
		g := mustGrid(t, "template: t.ipynb\n"+c.rest+"\nhalve: {parameter: epochs, from: 2, to: 50, by: 5}\nmetrics: {y: {goal: maximize}}\n", nil)
		units := map[string]int{}
		values := map[string]bool{}
		for p := range g.Reserve() {
			units[p.Unit()]++
			v, _ := p.get("epochs")
			values[fmt.Sprint(p.Round(), " ", v)] = true
		}
		n, err := g.Count(t.Context())
		if err != nil || n != c.runs || len(units) != c.candidates {
			t.Errorf("%s: begins with %d runs, %v, of %d candidates", c.rest, n, err, len(units))
		}
		for u, n := range units {
			if n != 3*c.runs/c.candidates {
				t.Errorf("%s: %s has %d points", c.rest, u, n)
			}
		}
		if len(values) != 3 || !values["0 2"] || !values["1 10"] || !values["2 50"] {
			t.Errorf("%s: values %v", c.rest, values)
		}
	}
}

// TestHalvingOfTemplates: templates are candidates, and a sample keeps all of one
// point.
func TestHalvingOfTemplates(t *testing.T) {
	g := mustGrid(t, "template: {axis: how, of: {p: p.ipynb, q: q.ipynb}}\ngrid: {x: {range: {from: 1, to: 30}}}\nsample: 5\nhalve: {parameter: epochs, from: 1, to: 2.5, by: 2}\nmetrics: {y: {goal: maximize}}\n", nil)
	units, points := map[string]bool{}, 0
	for p := range g.Reserve() {
		units[p.Unit()] = true
		points++
	}
	if len(units) != 10 || points != 30 {
		t.Errorf("%d candidates with %d points, want 10 with 30: at 1, 2 and 2.5", len(units), points)
	}
}
