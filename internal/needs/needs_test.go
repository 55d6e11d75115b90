package needs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/needs"
)

// A run of the tests has its values by axis.
type run struct {
	step string
	at   map[string]string
}

// A drawn sweep is steps over a few axes, and the runs of each: the projections
// of some points on its axes.
type drawn struct {
	steps []needs.Step
	runs  []run
}

func draw(t *rapid.T) drawn {
	all := []string{"a", "b", "c"}
	var points []map[string]string
	for range rapid.IntRange(0, 8).Draw(t, "points") {
		p := map[string]string{}
		for _, axis := range all {
			p[axis] = fmt.Sprint(rapid.IntRange(0, 2).Draw(t, axis))
		}
		points = append(points, p)
	}
	var d drawn
	for i := range rapid.IntRange(1, 4).Draw(t, "steps") {
		s := needs.Step{Name: fmt.Sprint("s", i)}
		for _, axis := range all {
			if rapid.Bool().Draw(t, "over "+axis) {
				s.Axes = append(s.Axes, axis)
			}
		}
		for j := range i {
			if rapid.Bool().Draw(t, "needs") {
				s.Needs = append(s.Needs, needs.Need{Step: fmt.Sprint("s", j), Share: 1})
			}
		}
		d.steps = append(d.steps, s)
		seen := map[string]bool{}
		for _, p := range points {
			r := run{s.Name, map[string]string{}}
			for _, axis := range s.Axes {
				r.at[axis] = p[axis]
			}
			if key := fmt.Sprint(r.at); !seen[key] {
				seen[key] = true
				d.runs = append(d.runs, r)
			}
		}
	}
	return d
}

func (d drawn) graph() *needs.Graph {
	return needs.New(d.steps, len(d.runs), func(i int) string { return d.runs[i].step }, func(i int, axis string) string { return d.runs[i].at[axis] })
}

func (d drawn) step(name string) needs.Step {
	return d.steps[slices.IndexFunc(d.steps, func(s needs.Step) bool { return s.Name == name })]
}

// needs is the rule, by looking at a pair.
func (d drawn) needs(i, j int) bool {
	a, b := d.step(d.runs[i].step), d.step(d.runs[j].step)
	if !slices.ContainsFunc(a.Needs, func(n needs.Need) bool { return n.Step == b.Name }) {
		return false
	}
	for _, axis := range a.Axes {
		if slices.Contains(b.Axes, axis) && d.runs[i].at[axis] != d.runs[j].at[axis] {
			return false
		}
	}
	return true
}

// The index answers as looking at every pair does.
func TestAgreesWithPairs(t *testing.T) { rapid.Check(t, agreesWithPairs) }

func FuzzAgreesWithPairs(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agreesWithPairs)) }

func agreesWithPairs(t *rapid.T) {
	d := draw(t)
	g := d.graph()
	for i := range d.runs {
		var needed, fed []int
		for j := range d.runs {
			if d.needs(i, j) {
				needed = append(needed, j)
			}
			if d.needs(j, i) {
				fed = append(fed, j)
			}
		}
		var got []int
		for _, set := range g.Needed(i) {
			got = append(got, set.Runs...)
		}
		slices.Sort(got)
		if diff := cmp.Diff(needed, got); diff != "" {
			t.Fatalf("run %d needs (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(fed, g.Fed(i)); diff != "" {
			t.Fatalf("run %d feeds (-want +got):\n%s", i, diff)
		}
	}
}

// However runs are settled, one is free exactly when none that it needs is open,
// and is returned once, when that comes true.
func TestWait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		var open []int
		for i := range d.runs {
			if rapid.Bool().Draw(t, "open") {
				open = append(open, i)
			}
		}
		w := d.graph().Wait(open)
		free := func(i int) bool {
			return !slices.ContainsFunc(open, func(j int) bool { return d.needs(i, j) })
		}
		for len(open) > 0 {
			for i := range d.runs {
				if w.Free(i) != free(i) {
					t.Fatalf("run %d: free %v", i, w.Free(i))
				}
			}
			var could []int
			for _, i := range open {
				if free(i) {
					could = append(could, i)
				}
			}
			done := rapid.SampledFrom(could).Draw(t, "settle")
			open = slices.DeleteFunc(open, func(i int) bool { return i == done })
			var want []int
			for _, i := range open {
				if free(i) && !slices.Contains(could, i) {
					want = append(want, i)
				}
			}
			got := w.Settle(done)
			slices.Sort(got)
			if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
				t.Fatalf("settling %d (-want +got):\n%s", done, diff)
			}
			if len(w.Settle(done)) > 0 {
				t.Fatal("a run settles twice")
			}
		}
	})
}

func TestLacks(t *testing.T) {
	for _, c := range []struct {
		share float64
		n, ok int
		lacks bool
	}{{1, 3, 3, false}, {1, 3, 2, true}, {0.9, 10, 9, false}, {0.9, 10, 8, true}, {0.9, 9, 8, true}, {0.9, 0, 0, false}} {
		if needs.Lacks(c.share, c.n, c.ok) != c.lacks {
			t.Errorf("%d of %d at %g: lacks %v", c.ok, c.n, c.share, !c.lacks)
		}
	}
}
