package halving

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// tableOf has a row for each value of y, with n beside it.
func tableOf(t *testing.T, y []any, n []any) *table.Table {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "y", Role: table.RoleScrap}, {Name: "n", Role: table.RoleScrap}}
	var cells [][]any
	for i := range y {
		cells = append(cells, []any{fmt.Sprint(i), y[i], n[i]})
	}
	tab, err := table.Build(specs, cells)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func names(r Round) (kept, rest []string) {
	for _, c := range r.Candidates {
		if c.Kept {
			kept = append(kept, c.Name)
		} else {
			rest = append(rest, c.Name)
		}
	}
	return kept, rest
}

// TestTake: who is kept, for each way to compare a metric.
func TestTake(t *testing.T) {
	y := []any{1.0, 2.0, 100.0, 5.0, 5.0, 5.0, nil, math.NaN(), math.Inf(1), 5.0, nil, 4.0}
	n := []any{10.0, 10.0, 10.0, 1.0, 1.0, 100.0, 1.0, 1.0, 1.0, 0.0, 7.0, 1.0}
	tab := tableOf(t, y, n)
	entrants := []Entrant{
		{"a", "a", []int{0, 1, 2}}, // median 2, mean 34.3, ratio 3.43
		{"b", "b", []int{3, 4, 5}}, // median 5, mean 5, ratio 0.147
		{"c", "c", []int{6, 7, 8}}, // nothing
		{"d", "d", []int{9, 10}},   // median 5, no ratio
		{"e", "e", []int{11}},      // 4
		{"f", "f", nil},
	}
	at, _ := value.Of(3)
	for _, c := range []struct {
		m          metric.Metric
		keep       int
		kept, rest []string
	}{
		{metric.Metric{Name: "y", Goal: "maximize"}, 2, []string{"b", "d"}, []string{"e", "a", "c", "f"}},
		{metric.Metric{Name: "y", Goal: "minimize"}, 1, []string{"a"}, []string{"e", "b", "d", "c", "f"}},
		{metric.Metric{Name: "y", Goal: "maximize", By: metric.ByMean}, 1, []string{"a"}, []string{"b", "d", "e", "c", "f"}},
		{metric.Metric{Name: "y", Goal: "maximize", Per: "n"}, 2, []string{"e", "a"}, []string{"b", "c", "d", "f"}},
		{metric.Metric{Name: "y", Goal: "maximize"}, 6, []string{"b", "d", "e", "a"}, []string{"c", "f"}},
		{metric.Metric{Name: "lacking", Goal: "maximize"}, 2, nil, []string{"a", "b", "c", "d", "e", "f"}},
	} {
		r := Take(tab, c.m, at, entrants, c.keep)
		if kept, rest := names(r); !reflect.DeepEqual(kept, c.kept) || !reflect.DeepEqual(rest, c.rest) {
			t.Errorf("%+v keep %d: %v, and not %v, want %v, and not %v", c.m, c.keep, kept, rest, c.kept, c.rest)
		}
		if (r.Why != "") != (c.kept == nil) {
			t.Errorf("%+v: why %q", c.m, r.Why)
		}
	}
}

// TestRounds: who enters the next round is what the rounds that are stored say.
func TestRounds(t *testing.T) {
	tab := tableOf(t, []any{1.0, 3.0, 2.0}, []any{1.0, 1.0, 1.0})
	at, _ := value.Of(1)
	m := metric.Metric{Name: "y", Goal: "maximize"}
	round := Take(tab, m, at, []Entrant{{"a", "a", []int{0}}, {"b", "b", []int{1}}, {"c", "c", []int{2}}}, 2)
	text, err := Rounds{round}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	rounds, err := Decode(text)
	if err != nil || !reflect.DeepEqual(rounds, Rounds{round}) {
		t.Fatalf("%s is read as %+v, %v", text, rounds, err)
	}
	for unit, want := range map[string]bool{"a": false, "b": true, "c": true, "d": false} {
		if rounds.Enters(unit, 1) != want || !rounds.Enters(unit, 0) || rounds.Enters(unit, 2) {
			t.Errorf("%s enters round 1: %v", unit, !want)
		}
	}
	if rounds.Ended(2) || !rounds.Ended(1) {
		t.Error("one round of two has ended")
	}
	if w, want := round.Words(m, "epochs", func(x float64) string { return fmt.Sprint(x) }), "at epochs = 1, 2 of 3 candidates are kept: the last of them has y 2, the best that is dropped 1"; w != want {
		t.Errorf("%q, want %q", w, want)
	}
	if _, err := Decode([]byte("{")); err == nil {
		t.Error("rounds that cannot be read are read")
	}
}

// TestEqualMeans: candidates with one and the same value are equal, however many runs
// they have: sums of 0.1 are rounded, and the first in the plan counts as the better.
func TestEqualMeans(t *testing.T) {
	y, ones := []any{0.1, 0.1, 0.1, 0.1}, []any{1.0, 1.0, 1.0, 1.0}
	at, _ := value.Of(1)
	for _, m := range []metric.Metric{{Name: "y", Goal: "minimize", By: metric.ByMean}, {Name: "y", Goal: "maximize", Per: "n"}, {Name: "y", Goal: "maximize"}} {
		for _, first := range []string{"one", "three"} {
			entrants := []Entrant{{"one", "one", []int{0}}, {"three", "three", []int{1, 2, 3}}}
			if first == "three" {
				entrants[0], entrants[1] = entrants[1], entrants[0]
			}
			if r := Take(tableOf(t, y, ones), m, at, entrants, 1); r.Candidates[0].Name != first || *r.Candidates[0].Value != 0.1 {
				t.Errorf("%+v: %s is better than its equal, %s", m, r.Candidates[0].Name, first)
			}
		}
	}
}
