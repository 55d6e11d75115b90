package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// A growing is a sweep that grows, and the number of its runs in the end.
type growing struct {
	spec, cells string
	runs        int
}

// growings are one for each way to grow: b is better, which nine pairs show, or
// the largest x is the best of six.
var growings = map[string]growing{
	"replicates": {`grid: {model: [a, b]}
repeat: {n: 3, as: x, max: 9, until: decided}
baseline: {model: a}
`, "when $model a scrap y $x\nwhen $model b scrap y 10$x", 18},
	"points": {`grid: {model: [a, b], x: {range: {from: 10, to: 99}}}
sample: {n: 3, max: 9, by: halton, until: decided}
baseline: {model: a}
`, "when $model a scrap y $x\nwhen $model b scrap y 10$x", 18},
	"rounds": {`grid: {x: {range: {from: 1, to: 6}}}
repeat: {n: 2}
halve: {parameter: epochs, from: 1, to: 4, by: 2}
`, "scrap y $x$epochs", 22},
}

func newGrowing(t *testing.T, g growing) *victim {
	t.Helper()
	v := newVictim(t, 1)
	cells := []string{"x = 0\nmodel = \"a\"\nepochs = 0", g.cells}
	spec := "name: victim\ntemplate: t.ipynb\nmetrics: {y: {goal: maximize}}\n" + g.spec
	for name, data := range map[string][]byte{"t.ipynb": notebookOf("fake", "python", cells), "sweep.yaml": []byte(spec)} {
		if err := os.WriteFile(filepath.Join(v.dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// decided are the looks at a sweep that grows and its planned runs, all of which
// must have succeeded once.
func (v *victim) decided(t *testing.T) (looks string, runs []string) {
	t.Helper()
	s := openVictim(t, v)
	head, _ := s.Head()
	succeeded := successes(t, s.Store())
	for _, st := range s.Runs() {
		if st.Run.Unplanned || st.Status != outcome.Succeeded || succeeded[st.Run.ID] != 1 {
			t.Errorf("run %s, unplanned %v, is %s and succeeded %d times", st.Run.ID, st.Run.Unplanned, st.Status, succeeded[st.Run.ID])
		}
		runs = append(runs, st.Run.ID)
	}
	return string(head.Looks), runs
}

// undisturbed is what the sweep decides, and by which runs, where nothing ends it early.
func (g growing) undisturbed(t *testing.T) (looks string, runs []string) {
	t.Helper()
	whole := newGrowing(t, g)
	whole.run(t, 0)
	looks, runs = whole.decided(t)
	if len(runs) != g.runs {
		t.Fatalf("%d runs, want %d: %s", len(runs), g.runs, looks)
	}
	return looks, runs
}

func (v *victim) checkDecided(t *testing.T, looks string, runs []string) {
	t.Helper()
	gotLooks, gotRuns := v.decided(t)
	if gotLooks != looks {
		t.Errorf("other decisions:\n%s\nwant\n%s", gotLooks, looks)
	}
	if len(gotRuns) != len(runs) {
		t.Fatalf("%d runs, want %d", len(gotRuns), len(runs))
	}
	for i := range runs {
		if gotRuns[i] != runs[i] {
			t.Errorf("run %d is %s, want %s", i, gotRuns[i], runs[i])
		}
	}
	v.checkProcesses(t)
}

// TestGrowingJobs: a sweep that grows comes to the same decisions by the same runs,
// however many are executed at a time.
func TestGrowingJobs(t *testing.T) {
	for name, g := range growings {
		t.Run(name, func(t *testing.T) {
			one, four := newGrowing(t, g), newGrowing(t, g)
			one.ok(t, "run", "--no-progress", "-j", "1", "sweep.yaml")
			four.ok(t, "run", "--no-progress", "-j", "4", "sweep.yaml")
			looks, runs := one.decided(t)
			if len(runs) != g.runs {
				t.Fatalf("%d runs, want %d: %s", len(runs), g.runs, looks)
			}
			four.checkDecided(t, looks, runs)
		})
	}
}

// TestKilledGrowing: a sweep that grows comes to the same decisions by the same
// runs when it is killed at its first write, then at its second, and so on.
func TestKilledGrowing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes many processes")
	}
	for name, g := range growings {
		t.Run(name, func(t *testing.T) {
			looks, runs := g.undisturbed(t)
			v := newGrowing(t, g)
			v.killInTurn(t, 8, 300)
			v.checkDecided(t, looks, runs)
		})
	}
}

// TestKilledGrowingOnce: and when it is killed at any one write.
func TestKilledGrowingOnce(t *testing.T) {
	deep(t)
	for name, g := range growings {
		t.Run(name, func(t *testing.T) {
			looks, runs := g.undisturbed(t)
			for n := 1; ; n++ {
				v := newGrowing(t, g)
				if !v.run(t, n) {
					if n < 40 {
						t.Errorf("only %d writes", n-1)
					}
					return
				}
				v.run(t, 0)
				if v.checkDecided(t, looks, runs); t.Failed() {
					t.Fatalf("after a kill at write %d", n)
				}
			}
		})
	}
}

// onCluster makes workers of a cluster execute a sweep that grows.
func (v *victim) onCluster(t *testing.T, g growing) []string {
	t.Helper()
	name, value, _ := strings.Cut(v.mark, "=")
	v.edit(t, "sweep.yaml", func(spec string) string {
		return spec + fmt.Sprintf("nomad: {command: %s, runs_per_job: 4}\nenv: {%s: %q}\n", workerBinary(t), name, value)
	})
	return []string{"run", "--on", "nomad", "--no-progress", "sweep.yaml"}
}

// TestGrowingOnNomad: a cluster comes to the same decisions by the same runs as this
// machine, and says which node executed each.
func TestGrowingOnNomad(t *testing.T) {
	testCluster(t)
	for name, g := range growings {
		t.Run(name, func(t *testing.T) {
			looks, runs := g.undisturbed(t)
			v := newGrowing(t, g)
			v.ok(t, v.onCluster(t, g)...)
			v.checkDecided(t, looks, runs)
			for _, st := range openVictim(t, v).Runs() {
				if st.Last == nil || st.Last.Node == "" || strings.Contains(st.Last.Node, "$") || st.Last.Host == "" {
					t.Errorf("run %s was executed on %+v", st.Run.ID, st.Last)
				}
			}
		})
	}
}

// TestGrowingControllerKilled: and so it does when its controller is killed at its
// first write, then at its second, and so on.
func TestGrowingControllerKilled(t *testing.T) {
	deep(t)
	testCluster(t)
	for name, g := range growings {
		t.Run(name, func(t *testing.T) {
			looks, runs := g.undisturbed(t)
			v := newGrowing(t, g)
			v.killUntilDone(t, 1, 5, v.onCluster(t, g)...)
			v.checkDecided(t, looks, runs)
		})
	}
}
