package compare

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fanout-dev/fanout/internal/table"
)

// BenchmarkCompare compares 10,000 runs of four axes by 20 metrics.
func BenchmarkCompare(b *testing.B) {
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}}
	o := Options{Baseline: at("variant", 1), Axes: []Axis{{Name: "variant"}, {Name: "region"}, {Name: "seed", Replicate: true}, {Name: "day", Ordered: true}}}
	for _, a := range o.Axes {
		specs = append(specs, table.ColumnSpec{Name: a.Name, Role: table.RoleParameter})
	}
	for i := range 20 {
		name := fmt.Sprintf("m%d", i)
		specs = append(specs, table.ColumnSpec{Name: name, Role: table.RoleScrap})
		o.Metrics = append(o.Metrics, Metric{Name: name, Goal: "maximize"})
	}
	r := rand.New(rand.NewPCG(1, 2))
	var rows [][]any
	for i := range 10_000 {
		row := []any{fmt.Sprint(i), "succeeded", i % 10, i / 10 % 10, i / 100 % 10, fmt.Sprintf("2026-03-%02d", 1+i/1000)}
		for range o.Metrics {
			row = append(row, r.NormFloat64())
		}
		rows = append(rows, row)
	}
	t, err := table.Build(specs, rows)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Compare(t, o); err != nil {
			b.Fatal(err)
		}
	}
}
