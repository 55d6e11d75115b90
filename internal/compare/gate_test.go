package compare

import (
	"strings"
	"testing"
)

func TestGates(t *testing.T) {
	var rows []row
	for i := range 12 {
		rows = append(rows, row{variant: "a", seed: i, y: 100.0 + float64(i)}, row{variant: "b", seed: i, y: 95.0 + float64(i)})
	}
	r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y", Goal: "maximize"}}, Axes: axes, Baseline: at("variant", "a")})
	if err != nil {
		t.Fatal(err)
	}
	for text, violated := range map[string]bool{
		"y < -2%": true, "y < -10%": false, "y > 2%": false, "y < -4.9": true, "y<-5.1": false,
		"y < -2% (p<0.01)": true, "y < -2% (p < 0.0000001)": false,
	} {
		g, err := ParseGate(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Violations(r)
		if err != nil || len(got) > 0 != violated {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "y", "y =", "y < x", "y < 1 (p<2)", "y < 1 (q<0.1)", "y <= 1", "a b < 1"} {
		if g, err := ParseGate(text); err == nil {
			t.Errorf("%q is read as %+v", text, g)
		}
	}
	g, _ := ParseGate("z < 1")
	if _, err := g.Violations(r); err == nil || !strings.Contains(err.Error(), "nothing is compared by z") {
		t.Errorf("a metric that is not there: %v", err)
	}
}

// A gate that cannot be applied is not passed.
func TestGateWithoutValues(t *testing.T) {
	r, err := Compare(tableOf(t, []row{{variant: "a", y: 1.0}, {variant: "b", y: 1.0, status: "failed"}}),
		Options{Metrics: []Metric{{Name: "y"}}, Axes: axes, Baseline: at("variant", "a")})
	if err != nil {
		t.Fatal(err)
	}
	g, _ := ParseGate("y < -1%")
	if _, err := g.Violations(r); err == nil {
		t.Error("a variant without values passes")
	}
}

func TestSweeps(t *testing.T) {
	a := tableOf(t, []row{{variant: "a", seed: 0, y: 1.0}, {variant: "a", seed: 1, y: 2.0}, {variant: "a", seed: 2, y: 3.0}, {variant: "a", seed: 3, y: 9.0}})
	b := tableOf(t, []row{{variant: "a", seed: 0, y: 1.0}, {variant: "a", seed: 1, y: 2.5}, {variant: "a", seed: 2, y: 3.5}, {variant: "a", seed: 3, y: 1.0, status: "failed"}, {variant: "a", seed: 4, y: 7.0}})
	// What counts in one table says nothing of the rows of the other.
	keep := func(n int) func(int) bool { all := make([]bool, n); return func(row int) bool { return !all[row] } }
	r, j, err := Sweeps(Side{"old", a, axes, keep(4)}, Side{"new", b, axes, keep(5)}, Options{Metrics: []Metric{{Name: "y"}}})
	if err != nil {
		t.Fatal(err)
	}
	if j.Both != 3 || len(j.Moved) != 2 || len(j.Vanished) != 1 || len(j.Appeared) != 1 {
		t.Errorf("%+v", j)
	}
	if m := j.Moved[0]; m.Name != "variant=a region= seed=1" || m.Metric != "y" || m.From != 2 || m.To != 2.5 {
		t.Errorf("the run that moved furthest is %+v", m)
	}
	if j.Vanished[0].Name != "variant=a region= seed=3" || j.Appeared[0].Name != "variant=a region= seed=4" {
		t.Errorf("%+v", j)
	}
	g := r.Metrics[0].Groups
	if g[0].N != 3 || g[1].N != 3 || !g[1].Against.Paired || g[1].Against.Shift != 0.375 { // the median of the means of 0, 0.5 and 0.5, two by two
		t.Errorf("%+v, %+v", g, g[1].Against)
	}
}
