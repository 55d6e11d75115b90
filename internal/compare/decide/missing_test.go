package decide

import (
	"fmt"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// TestMissingPairsAreNotEquivalent: an interval within what matters is no answer
// where the pairs that are missing could lie beyond it.
func TestMissingPairsAreNotEquivalent(t *testing.T) {
	for missing, want := range map[int]compare.Verdict{0: compare.Equivalent, 20: compare.Withheld} {
		specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap}}
		var cells [][]any
		for seed := range 40 {
			far := []float64{-1, 1, -0.5, 0.5}[seed%4]
			if seed < 2 {
				far *= 9 // two pairs that differ by more than matters
			}
			status := "succeeded"
			if seed >= 40-missing {
				status = "failed"
			}
			cells = append(cells, []any{fmt.Sprint("a", seed), "succeeded", "a", seed, 10.0}, []any{fmt.Sprint("b", seed), status, "b", seed, 10 + far})
		}
		tab, err := table.Build(specs, cells)
		if err != nil {
			t.Fatal(err)
		}
		o := compare.Options{Axes: []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}},
			Baseline: []value.Binding{{Name: "variant", Value: key(t, "a")[0]}},
			Metrics:  []compare.Metric{{Name: "y", Goal: "maximize", MinEffect: 2}}}
		look, err := Path{}.Take(tab, o, Rule{First: 40, Most: 41}, 40)
		if err != nil {
			t.Fatal(err)
		}
		if f := look.Found[0]; f.Verdict != want || f.Open != (want == compare.Withheld) {
			t.Errorf("%d missing: %s, open %v, want %s; %v to %v", missing, f.Verdict, f.Open, want, f.Lo, f.Hi)
		}
	}
}
