package decide

import (
	"fmt"
	"math"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// unvarying is a sweep in which b is better than a by the same in each of n runs, in
// every way in which a metric can be compared by means.
func unvarying(t *testing.T, n int) (*table.Table, compare.Options) {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "region", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}}
	for _, name := range []string{"y", "explained", "before", "spent", "visitors", "regional"} {
		specs = append(specs, table.ColumnSpec{Name: name, Role: table.RoleScrap})
	}
	var cells [][]any
	for seed := range n {
		for i, variant := range []string{"a", "b"} {
			x, noise := float64(i), math.Sin(float64(7*seed+3*i))
			visitors, region := float64(100+seed*13%37+11*i), seed%2
			cells = append(cells, []any{fmt.Sprint(variant, seed), "succeeded", variant, region, seed,
				10 + 0.1*x, 10 + 0.1*x + math.Pi*noise, noise, visitors * (2 + x/3), visitors, 10 + 0.1*x*float64(1+region)})
		}
	}
	tab, err := table.Build(specs, cells)
	if err != nil {
		t.Fatal(err)
	}
	return tab, compare.Options{Axes: []compare.Axis{{Name: "variant"}, {Name: "region"}, {Name: "seed", Replicate: true}},
		Baseline: []value.Binding{{Name: "variant", Value: key(t, "a")[0]}}}
}

// TestUnvaryingChangesDecideNothingEarly: three pairs, or runs a side, that differ by
// exactly the same are not better, not equivalent and not narrow by means; their signs
// are as sure as ranks would be.
func TestUnvaryingChangesDecideNothingEarly(t *testing.T) {
	mean := func(m compare.Metric) compare.Metric {
		m.Goal, m.By, m.MinEffect = "maximize", compare.ByMean, 5
		return m
	}
	bootstrap := mean(compare.Metric{Name: "y"})
	bootstrap.By = compare.ByBootstrap
	ratio := mean(compare.Metric{Name: "spent", Per: "visitors"})
	ratio.By = compare.ByMedian
	for name, c := range map[string]struct {
		metric compare.Metric
		shift  float64
		lost   int // values that are used up by what explains the others
	}{
		"mean":       {mean(compare.Metric{Name: "y"}), 0.1, 0},
		"bootstrap":  {bootstrap, 0.1, 0},
		"adjusted":   {mean(compare.Metric{Name: "explained", Adjust: "before"}), 0.1, 1},
		"stratified": {mean(compare.Metric{Name: "regional", Within: "region"}), 0.15, 1},
		"ratio":      {ratio, 1.0 / 3, 0},
	} {
		for _, paired := range []bool{true, false} {
			if !paired && name == "stratified" {
				continue // what differs by region differs in the groups, too
			}
			for _, n := range []int{3, 4, 8} {
				tab, o := unvarying(t, n)
				if o.Metrics = []compare.Metric{c.metric}; !paired {
					o.Axes = o.Axes[:2] // nothing tells pairs
				}
				r, err := compare.Compare(tab, o)
				if err != nil {
					t.Fatal(err)
				}
				a := r.Metrics[0].Groups[1].Against
				if a.Paired != paired || math.Abs(a.Shift-c.shift) > 1e-9 && n > 4 {
					t.Errorf("%s, %d runs: a change of %v, want %v", name, n, a.Shift, c.shift)
				}
				if paired && (a.Plain == nil) == (c.lost == 0) {
					if want := math.Exp2(float64(1 - n + c.lost)); math.Abs(a.P-want) > 1e-12 || !a.Flat {
						t.Errorf("%s, %d pairs: p %v, want %v; %+v", name, n, a.P, want, a.Change)
					}
				}
				early(t, fmt.Sprintf("%s, paired %v, %d runs", name, paired, n), tab, o, n)
			}
		}
	}
}

// early demands that a first look at n of 60 replicates decides nothing.
func early(t *testing.T, name string, tab *table.Table, o compare.Options, n int) {
	t.Helper()
	for _, rule := range []Rule{{First: n, Most: 60, Of: "replicates"}, {First: n, Most: 60, Of: "replicates", Width: o.Metrics[0].Name, Below: 100}} {
		look, err := Path{}.Take(tab, o, rule, n)
		if err != nil {
			t.Fatal(err)
		}
		f := look.Found[0]
		told := f.Verdict == compare.Better || f.Verdict == compare.Equivalent || float64(f.P) < Alpha
		if !f.Open || told || !math.IsInf(float64(f.Lo), -1) {
			t.Errorf("%s: a look finds %s, open %v, p %v, %v to %v", name, f.Verdict, f.Open, f.P, f.Lo, f.Hi)
		}
	}
}
