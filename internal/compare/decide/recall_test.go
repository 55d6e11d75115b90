package decide

import (
	"fmt"
	"math"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// TestDecidedRowsAreOfOneLook: the numbers of a variant that was decided are those of
// the look that decided it, though the baseline, and even the variant, has more runs
// now.
func TestDecidedRowsAreOfOneLook(t *testing.T) {
	sweepOf := func(n int) *table.Table {
		specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter},
			{Name: "y", Role: table.RoleScrap}, {Name: "before", Role: table.RoleScrap}}
		var cells [][]any
		for seed := range n {
			for i, variant := range []string{"a", "b"} {
				noise := math.Sin(float64(seed*seed + 7*i))
				cells = append(cells, []any{fmt.Sprint(variant, seed), "succeeded", variant, seed, 10 + 2*float64(i) + noise + 0.1*math.Cos(float64(seed*(i+1))), noise})
			}
		}
		tab, err := table.Build(specs, cells)
		if err != nil {
			t.Fatal(err)
		}
		return tab
	}
	o := compare.Options{Axes: []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}},
		Baseline: []value.Binding{{Name: "variant", Value: key(t, "a")[0]}},
		Metrics:  []compare.Metric{{Name: "y", Goal: "maximize", Adjust: "before"}}}
	look, err := Path{}.Take(sweepOf(20), o, Rule{First: 20, Most: 40}, 20)
	if err != nil {
		t.Fatal(err)
	}
	if f := look.Found[0]; f.Verdict != compare.Better || f.Open {
		t.Fatalf("20 pairs: %s, open %v", f.Verdict, f.Open)
	}
	row := func(n int, path Path) *compare.Comparison {
		o := o
		if path != nil {
			o.Looked = path.Found
		}
		r, err := compare.Compare(sweepOf(n), o)
		if err != nil {
			t.Fatal(err)
		}
		return r.Metrics[0].Groups[1].Against
	}
	text, err := Path{look}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	want, later, got := row(20, nil), row(40, nil), row(40, path)
	if want.Plain == nil || want.P == later.P || want.Plain.P == later.Plain.P {
		t.Fatalf("twice as many runs change nothing: %+v, %+v", want, later)
	}
	if got.Pairs != 20 || got.P != want.P || got.Size != want.Size && !math.IsNaN(want.Size) || got.Saved != want.Saved || got.Plain == nil || got.Plain.Shift != want.Plain.Shift || got.Plain.P != want.Plain.P {
		t.Errorf("the row is of p %v, effect %v, saved %v, plain %+v\nwant p %v, effect %v, saved %v, plain %+v", got.P, got.Size, got.Saved, got.Plain, want.P, want.Size, want.Saved, want.Plain)
	}
}
