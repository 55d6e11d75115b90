package compare

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// TestElsewhere: a comparison says that a variant and the baseline share no
// machine, and says nothing where they do.
func TestElsewhere(t *testing.T) {
	for _, apart := range []bool{true, false} {
		specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "run_host"}, {Name: "v", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap}}
		var cells [][]any
		for seed := range 8 {
			for _, v := range []string{"a", "b"} {
				host := fmt.Sprint("h", seed%2)
				if apart {
					host = "h" + v
				}
				cells = append(cells, []any{fmt.Sprint(v, seed), "succeeded", host, v, seed, float64(seed)})
			}
		}
		tab, err := table.Build(specs, cells)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := value.Of("a")
		r, err := Compare(tab, Options{Metrics: []Metric{{Name: "y", Goal: "maximize"}}, Axes: []Axis{{Name: "v"}, {Name: "seed", Replicate: true}}, Baseline: []value.Binding{{Name: "v", Value: a}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(r.Warnings, func(w string) bool {
			return strings.Contains(w, "b and the baseline were executed on different hosts (hb; the baseline: ha)")
		}); got != apart {
			t.Errorf("apart %v: %q", apart, r.Warnings)
		}
	}
}
