package compare

import (
	"math"
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
	if j.Both != 3 || len(j.Moved) != 2 || len(j.Lost) != 1 || len(j.Vanished) != 0 || len(j.Appeared) != 1 {
		t.Errorf("%+v", j)
	}
	if m := j.Moved[0]; m.Name != "variant=a region= seed=1" || m.Metric != "y" || m.From != 2 || m.To != 2.5 {
		t.Errorf("the run that moved furthest is %+v", m)
	}
	if l := j.Lost[0]; l.Name != "variant=a region= seed=3" || l.Metric != "y" || l.From != 9 || l.To != "failed" || j.Appeared[0].Name != "variant=a region= seed=4" {
		t.Errorf("%+v", j)
	}
	g := r.Metrics[0].Groups
	if g[0].N != 3 || g[1].N != 3 || !g[1].Against.Paired || g[1].Against.Shift != 0.375 { // the median of the means of 0, 0.5 and 0.5, two by two
		t.Errorf("%+v, %+v", g, g[1].Against)
	}
}

// TestSweepsThatLostValues breaks one run of eight in every way: it is named,
// it is counted, and no gate passes.
func TestSweepsThatLostValues(t *testing.T) {
	made := func(fourth row) []row {
		rows := make([]row, 8)
		for i := range rows {
			rows[i] = row{variant: "a", seed: i, y: 100 + float64(i)}
		}
		fourth.variant, fourth.seed = "a", 3
		rows[3] = fourth
		return rows
	}
	old := tableOf(t, made(row{y: 103.0}))
	for _, c := range []struct {
		broken row
		to     string
	}{
		{row{y: math.NaN()}, "NaN"}, {row{y: math.Inf(1)}, "Infinity"}, {row{}, "no value"}, {row{y: "n/a"}, `"n/a"`},
		{row{y: 103.0, status: "failed"}, "failed"}, {row{status: "timed_out"}, "timed out"}, {row{status: "planned"}, "planned"},
		{row{y: 103.0, stale: true}, "stale"},
	} {
		now := tableOf(t, made(c.broken))
		for _, metrics := range [][]Metric{nil, {{Name: "y", Goal: "maximize"}}} {
			r, j, err := Sweeps(Side{Name: "old", Table: old, Axes: axes}, Side{Name: "new", Table: now, Axes: axes}, Options{Metrics: metrics})
			if err != nil {
				t.Fatal(err)
			}
			if len(j.Lost) != 1 || j.Lost[0].To != c.to || j.Lost[0].From != 103 || j.Lost[0].Name != "variant=a region= seed=3" || len(j.Vanished) != 0 {
				t.Errorf("%s: %+v", c.to, j)
			}
			mt := r.Metrics[0]
			if g := mt.Groups; g[0].N != 7 || g[1].N != 7 || g[1].Missing != 1 || g[1].Against.Possible != 8 {
				t.Errorf("%s: %+v", c.to, g)
			}
			if !strings.HasPrefix(mt.Verdict, "Where there are values, every group equals") || !strings.Contains(mt.Verdict, "7 of 8 pairs") {
				t.Errorf("%s: verdict %q", c.to, mt.Verdict)
			}
			for text, want := range map[string]int{"y < -1%": 1, "y > 1 (p<0.01)": 1, "y < -1% (missing<=1)": 0, "y < -1% (p<0.05, missing<=0)": 1} {
				g, err := ParseGate(text)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := g.Violations(r); len(got) != want || err != nil {
					t.Errorf("%s: gate %s says %q, %v", c.to, text, got, err)
				}
			}
		}
	}
}

// TestSweepsThatLostAll: what there was stays a number.
func TestSweepsThatLostAll(t *testing.T) {
	old := tableOf(t, []row{{variant: "a", seed: 0, y: 1.0}, {variant: "a", seed: 1, y: 3.0}})
	now := tableOf(t, []row{{variant: "a", seed: 0, y: "x"}, {variant: "a", seed: 1, y: "z"}})
	r, j, err := Sweeps(Side{Name: "old", Table: old, Axes: axes}, Side{Name: "new", Table: now, Axes: axes}, Options{Metrics: []Metric{{Name: "y"}}})
	if err != nil {
		t.Fatal(err)
	}
	if g := r.Metrics[0].Groups; g[0].N != 2 || g[0].Centre != 2 || g[1].N != 0 || g[1].Missing != 2 || len(j.Lost) != 2 {
		t.Errorf("%+v, %+v", g, j)
	}
	g, _ := ParseGate("y < -1%")
	if _, err := g.Violations(r); err == nil {
		t.Error("a sweep without values passes")
	}
}

// TestGateCountsMissing: within one sweep, of a variant or of the baseline.
func TestGateCountsMissing(t *testing.T) {
	for _, broken := range []row{{y: math.NaN()}, {}, {y: "n/a"}, {y: 5.0, status: "failed"}} {
		for _, variant := range []string{"a", "b"} {
			var rows []row
			for i := range 6 {
				rows = append(rows, row{variant: "a", seed: i, y: 5.0}, row{variant: "b", seed: i, y: 5.0})
			}
			broken.variant, broken.seed = variant, 6
			rows = append(rows, broken)
			r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: axes, Baseline: at("variant", "a")})
			if err != nil {
				t.Fatal(err)
			}
			g, _ := ParseGate("y < -1%")
			if got, err := g.Violations(r); err != nil || len(got) != 1 || !strings.Contains(got[0], "1 run of 7 in "+variant) {
				t.Errorf("%+v: %q, %v", broken, got, err)
			}
		}
	}
}
