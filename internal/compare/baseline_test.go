package compare

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// swept is a table of runs of one axis x, three seeds each.
func swept(t *testing.T, sweep string, xs ...any) *table.Table {
	t.Helper()
	specs := []table.ColumnSpec{{Name: "run_id"}, {Name: "run_status"}, {Name: "x", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap}}
	var rows [][]any
	for i, x := range xs {
		for seed := range 3 {
			rows = append(rows, []any{fmt.Sprintf("%s-%d-%d", sweep, i, seed), "succeeded", x, seed, float64(i*seed + 1)})
		}
	}
	table, err := table.Build(specs, rows)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func parsed(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A baseline is a value: how it is spelled, and what the column makes of it, do
// not matter.
func TestBaselineIsAValue(t *testing.T) {
	list := func(x ...any) []any { return x }
	for _, c := range []struct {
		values   []any
		baseline string // JSON
		name     string // of its group
	}{
		{list(0.00005, 0.5), "0.00005", "5e-05"},
		{list(0.00005, 0.5), "5e-5", "5e-05"},
		{list(1000000.0, 2000000.0), "1000000", "1000000.0"},
		{list(1000000, 2000000), "1e6", "1000000"},
		{list(nil, 1), "null", "null"},
		{list(nil, "null"), "null", "null"},
		{list(nil, "null"), `"null"`, `"null"`},
		{list(nil, ""), `""`, ""},
		{list(1, 0.5), "1", "1.0"},
		{list(1, 0.5), "1.0", "1.0"},
		{list(1, "1", "a"), "1", "1"},
		{list(1, "1", "a"), `"1"`, `"1"`},
		{list(1, "1", "a"), `"a"`, "a"},
		{list("1.10", "1.9"), `"1.10"`, "1.10"},
		{list(true, false), "true", "true"},
		{list(true, "true"), "true", "true"},
		{list(9007199254740993, 9007199254740992), "9007199254740993", "9007199254740993"},
		{list("2026-03-01", "2026-03-02"), `"2026-03-01"`, "2026-03-01"},
		{list("2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+01:00"), `"2026-03-01T00:00:00+00:00"`, "2026-03-01T00:00:00Z"},
		{list("2026-03-01T00:00:00.500", "2026-03-02T00:00:00"), `"2026-03-01T00:00:00.500"`, "2026-03-01T00:00:00.5"},
		{list([]any{1, 2}, []any{0.5, 2}), "[1, 2]", "[1.0,2.0]"},
		{list(map[string]any{"a": 1, "b": "x"}, map[string]any{"a": 2, "b": "x"}), `{"b": "x", "a": 1.0}`, `{"a":1,"b":"x"}`},
	} {
		t.Run(fmt.Sprint(c.values, c.baseline), func(t *testing.T) {
			r, err := Compare(swept(t, "a", c.values...), Options{
				Metrics: []Metric{{Name: "y"}}, Axes: []Axis{{Name: "x"}, {Name: "seed", Replicate: true}}, Baseline: []value.Binding{{Name: "x", Value: parsed(t, c.baseline)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			groups := r.Metrics[0].Groups
			if g := groups[0]; len(groups) != len(c.values) || !g.Baseline || g.Name != c.name || r.Baseline != c.name || groups[1].Against == nil {
				t.Errorf("%d groups, the first is %+v; the baseline is %q, warnings %q", len(groups), g, r.Baseline, r.Warnings)
			}
		})
	}
}

// What a user types is a value of the column in one reading or the other.
func TestValueAmong(t *testing.T) {
	table := swept(t, "a", 1, "1.10", nil)
	for typed, want := range map[string]string{"1": "1", "1.0": "1.0", "1.10": `"1.10"`, "null": "null"} {
		if got, err := ValueAmong(table, "x", parsed(t, typed), val(typed)); err != nil || got.String() != want {
			t.Errorf("%s is %s, %v", typed, got, err)
		}
	}
	times := swept(t, "a", "2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+01:00")
	if _, err := ValueAmong(times, "x", val("2026-03-01T01:00:00+01:00")); err != nil {
		t.Error(err)
	}
	if _, err := ValueAmong(table, "x", val(7), val("7")); err == nil || err.Error() != "no run has this value: x is null, 1 or 1.10" {
		t.Error(err)
	}
	if _, err := ValueAmong(table, "z", val(7)); err == nil || err.Error() != `the table has no column "z"` {
		t.Error(err)
	}
}

// A baseline that is no single group compares nothing, and the warning says
// which values there are.
func TestNoSingleBaseline(t *testing.T) {
	rows := seeds(4, 0.1)
	for name, c := range map[string]struct {
		rows     []string
		baseline []value.Binding
		want     string
	}{
		"no such value":     {nil, at("variant", "c"), "the baseline, variant=c, names no single group: the values of variant are a and b, so"},
		"another kind":      {[]string{"seed"}, at("seed", "1"), `the baseline, seed="1", names no single group: the values of seed are 0, 1, 2 and 3, so`},
		"makes no groups":   {[]string{"variant"}, at("seed", 1), "the baseline, seed=1, names no single group: groups are formed by variant, so"},
		"several":           {[]string{"variant", "seed"}, at("variant", "a"), "the baseline, variant=a, names no single group: it is 4 of them, so"},
		"not planned so":    {nil, append(at("variant", "a"), at("region", "us")...), "the baseline, variant=a region=us, names no single group: no run is planned with these values, so"},
		"one is, as before": {nil, at("variant", "a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			rows := append(rows, row{variant: "b", region: "us", y: 1.0})
			r, err := Compare(tableOf(t, rows), Options{Metrics: []Metric{{Name: "y"}}, Axes: axes, Rows: c.rows, Baseline: c.baseline})
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(r.Warnings, "\n")
			if c.want == "" {
				if strings.Contains(said, "names no single group") || r.Baseline == "" {
					t.Errorf("the baseline is %q: %s", r.Baseline, said)
				}
				return
			}
			if !strings.Contains(said, c.want) || r.Baseline != "" {
				t.Errorf("the baseline is %q: %s", r.Baseline, said)
			}
			for _, g := range r.Metrics[0].Groups {
				if g.Baseline || g.Against != nil {
					t.Errorf("%+v", g)
				}
			}
		})
	}
}

// Two sweeps are joined by values.
func TestSweepsJoinValues(t *testing.T) {
	list := func(x ...any) []any { return x }
	x := []Axis{{Name: "x"}, {Name: "seed", Replicate: true}}
	for name, c := range map[string]struct {
		a, b []any
		both int
	}{
		"ints and floats":       {list(1, 2), list(1.0, 2.5), 3},
		"texts are no numbers":  {list(1, 2), list("1", "2"), 0},
		"null":                  {list(nil, 1), list(1, nil), 6},
		"spellings of one time": {list("2026-03-01T00:00:00Z"), list("2026-03-01T01:00:00+01:00", "never"), 3},
		"an axis more":          {list(1, 2), list(1, 2, 3), 6},
	} {
		t.Run(name, func(t *testing.T) {
			_, j, err := Sweeps(Side{"old", swept(t, "a", c.a...), x, nil}, Side{"new", swept(t, "b", c.b...), x, nil}, Options{Metrics: []Metric{{Name: "y"}}})
			if err != nil {
				t.Fatal(err)
			}
			if j.Both != c.both || len(j.Vanished) != 3*len(c.a)-c.both || len(j.Appeared) != 3*len(c.b)-c.both {
				t.Errorf("%d in both, %d vanished, %d appeared", j.Both, len(j.Vanished), len(j.Appeared))
			}
		})
	}
}

// A table each: only what varies in one of them is averaged over.
func TestWithin(t *testing.T) {
	var rows []row
	for _, region := range []string{"us", "eu"} {
		rows = append(rows, row{variant: "a", region: region, y: 1.0}, row{variant: "b", region: region, y: 2.0})
	}
	parts, err := Within(tableOf(t, rows), []string{"region"}, Options{Metrics: []Metric{{Name: "y"}}, Axes: axes, Baseline: at("variant", "a")})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 2 || parts[0].Title != "region=us" || parts[1].Title != "region=eu" {
		t.Fatalf("%+v", parts)
	}
	for _, p := range parts {
		if r := p.Report; r.Runs != 2 || len(r.Warnings) > 0 || r.Baseline != "a" {
			t.Errorf("%s: %+v", p.Title, r)
		}
	}
}
