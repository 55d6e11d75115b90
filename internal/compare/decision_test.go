package compare

import (
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// The groups of a table stand in the order of the sweep file, behind the
// baseline, and so do the columns of a cross.
func TestGroupsInTheOrderOfTheSweepFile(t *testing.T) {
	var rows []row
	for _, v := range []string{"large", "medium", "small", "other", "base"} {
		for _, r := range []string{"eu", "apac"} {
			rows = append(rows, row{variant: v, region: r, y: 1.0})
		}
	}
	values := func(texts ...string) (out []value.Value) {
		for _, text := range texts {
			out = append(out, val(text))
		}
		return out
	}
	listed := []Axis{{Name: "variant", Values: values("small", "medium", "base", "large")}, {Name: "region", Values: values("eu", "apac")}}
	r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: listed, Baseline: at("variant", "base")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range r.Metrics[0].Groups {
		names = append(names, g.Name)
	}
	if got := strings.Join(names, " "); got != "base small medium large other" {
		t.Error(got)
	}
	if got := strings.Join(r.Metrics[0].Crosses[0].Columns, " "); got != "eu apac" {
		t.Error(got)
	}
}

// decided compares b and c with a by revenue, which decides, and latency, a
// guardrail; signups are exploratory.
func decided(t *testing.T, latencyOfB float64) *Report {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter},
		{Name: "revenue", Role: table.RoleScrap}, {Name: "latency", Role: table.RoleScrap}, {Name: "signups", Role: table.RoleScrap}}
	var rows [][]any
	for seed := range 12 {
		noise := float64(seed*7%5) + float64(seed)/10
		for _, v := range []string{"a", "b", "c"} {
			revenue, latency := 100+noise, 50+noise
			if v == "b" {
				revenue, latency = revenue+10+noise/100, latency+latencyOfB-noise/100
			}
			if v == "c" {
				revenue, latency = revenue+float64(seed%2)-0.5, latency+float64(seed%2)-0.5
			}
			rows = append(rows, []any{v + string(rune('a'+seed)), "succeeded", v, seed, revenue, latency, noise})
		}
	}
	made, err := table.Build(specs, rows)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Compare(made, Options{
		Metrics:  []Metric{{Name: "revenue", Goal: "maximize", Primary: true}, {Name: "latency", Goal: "minimize", Guardrail: true}, {Name: "signups", Goal: "maximize"}},
		Axes:     []Axis{{Name: "variant"}, {Name: "seed", Replicate: true}},
		Baseline: at("variant", "a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDecision(t *testing.T) {
	for latency, want := range map[float64]string{
		0: "b is better by revenue, and not shown to be worse by a guardrail; c is not distinguishable by revenue, and not shown to be worse by a guardrail.",
		5: "b is better by revenue, but worse by the guardrail latency; c is not distinguishable by revenue, and not shown to be worse by a guardrail.",
	} {
		r := decided(t, latency)
		if r.Decision != want {
			t.Errorf("%q, want %q", r.Decision, want)
		}
		revenue, guard, signups := r.Metrics[0], r.Metrics[1], r.Metrics[2]
		if revenue.Exploratory || guard.Exploratory || !signups.Exploratory || revenue.Family != 2 || guard.Family != 0 || signups.Family != 0 {
			t.Errorf("exploratory %v %v %v, families %d %d %d", revenue.Exploratory, guard.Exploratory, signups.Exploratory, revenue.Family, guard.Family, signups.Family)
		}
	}
	if r, err := Compare(tableOf(t, seeds(10, 0.1)), Options{Metrics: []Metric{{Name: "y", Goal: "maximize"}}, Axes: axes, Baseline: at("variant", "a")}); err != nil || r.Decision != "" {
		t.Errorf("one metric says it all: %q, %v", r.Decision, err)
	}
}

// Most pairs rise a little while the medians fall: the comparison knows.
func TestContrary(t *testing.T) {
	a := []float64{1, 2, 3, 10, 11, 12, 13}
	b := []float64{2, 3, 4, 5, 12, 13, 14}
	var rows []row
	for i := range a {
		rows = append(rows, row{variant: "a", seed: i, y: a[i]}, row{variant: "b", seed: i, y: b[i]})
	}
	if c := compareY(t, rows, Metric{Goal: "maximize"}).Groups[1].Against; c.Shift <= 0 || c.Centres != -5 || !c.Contrary() {
		t.Errorf("%+v", c)
	}
	if c := compareY(t, seeds(10, 0.1), Metric{Goal: "maximize"}).Groups[1].Against; c.Shift > 0 == (c.Centres > 0) && c.Contrary() {
		t.Errorf("%+v", c)
	}
}

// Where chance decides which runs fail, and more often in one region, the rates
// say so.
func TestFailureRates(t *testing.T) {
	var rows []row
	for seed := range 30 {
		for _, region := range []string{"apac", "eu", "us"} {
			for _, v := range []string{"a", "b"} {
				r := row{variant: v, region: region, seed: seed, y: 1.0}
				if region == "eu" && seed%2 == 0 || region == "us" && seed%15 == 0 && v == "a" {
					r.status, r.err = "failed", "OSError: no answer"
				}
				rows = append(rows, r)
			}
		}
	}
	r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: axes})
	if err != nil {
		t.Fatal(err)
	}
	f := r.Failures[0]
	if len(f.When) != 0 || len(f.Rates) != 2 || f.Rates[0].Axis != "region" || !f.Rates[0].Uneven || f.Rates[1].Uneven {
		t.Fatalf("%v, %+v", f.When, f.Rates)
	}
	want := []FailureRate{{Value: "eu", Failed: 30, Of: 60}, {Value: "us", Failed: 2, Of: 60}, {Value: "apac", Failed: 0, Of: 60}}
	for i, got := range f.Rates[0].Values {
		if got != want[i] {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
}
