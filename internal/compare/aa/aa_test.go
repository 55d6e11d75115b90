package aa

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// sweepOf has seeds runs of two variants, b far better: of each y, and hits out of
// trials that vary from day to day by as much as spread.
func sweepOf(t *testing.T, seeds int, paired bool) *table.Table {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 7))
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter},
		{Name: "y", Role: table.RoleScrap}, {Name: "hits", Role: table.RoleScrap}, {Name: "trials", Role: table.RoleScrap}}
	var cells [][]any
	for seed := range seeds {
		for i, v := range []string{"a", "b"} {
			at := seed
			if !paired {
				at = 2*seed + i
			}
			hits := 400 + 60*i + r.IntN(40)
			cells = append(cells, []any{fmt.Sprint(v, seed), "succeeded", v, at, 10 + 5*float64(i) + r.NormFloat64(), hits, 1000})
		}
	}
	tab, err := table.Build(specs, cells)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func options(metrics ...compare.Metric) compare.Options {
	a, _ := value.Of("a")
	return compare.Options{Metrics: metrics, Axes: []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}}, Baseline: []value.Binding{{Name: "variant", Value: a}}}
}

// TestCheck: a difference that is real is gone when values are dealt anew, and what is
// told then stays at alpha, by pairs and by samples; the same table has the same answer.
func TestCheck(t *testing.T) {
	o := options(compare.Metric{Name: "y", Goal: "maximize"}, compare.Metric{Name: "trials"})
	for _, paired := range []bool{true, false} {
		tab := sweepOf(t, 10, paired)
		got, err := Check(tab, o, 400)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Check(tab, o, 400)
		y := got.Metrics[0]
		if got.Pairs != paired || y.Of != 400 || y.Told < 2 || y.Told > 33 || got.Sweep != (Rate{Told: y.Told, Of: 400}) || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("paired %v: %+v, and again %+v", paired, got, again)
		}
		words := strings.Join(got.Words(), "; ")
		if !strings.Contains(words, "y tells a difference in") || !strings.Contains(words, "where 5% may; ") || strings.Contains(words, "too often") {
			t.Errorf("paired %v: %s", paired, words)
		}
	}
}

// TestTooOften: trials of which the runs differ, and which are compared one by one all
// the same, are found out.
func TestTooOften(t *testing.T) {
	told := Result{Shuffles: 1000, Alpha: 0.05, Metrics: []Rate{{"hits", 300, 1000}}, Sweep: Rate{"", 300, 1000}}
	words := told.Words()
	if want := "A/A check: hits tells a difference in 30% of comparisons (27.2% to 32.9%), where 5% may: too often, so its p is not to be trusted; compare runs instead of trials (`per`), or medians"; words[0] != want {
		t.Errorf("%q, want %q", words[0], want)
	}
	none, err := Check(sweepOf(t, 3, true), compare.Options{Axes: options().Axes, Metrics: []compare.Metric{{Name: "y"}}}, 10)
	if err != nil || len(none.Words()) != 1 || !strings.Contains(none.Words()[0], "nothing is compared") {
		t.Errorf("%v, %v", none.Words(), err)
	}
}
