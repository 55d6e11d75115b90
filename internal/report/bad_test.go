package report

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/table"
)

// A point is one run of a bad table: its variant, replicate and metric.
type point struct {
	variant string
	seed    int
	y       any
}

// each makes n runs of every variant.
func each(n int, y func(variant, seed int) any, variants ...string) []point {
	var out []point
	for v, name := range variants {
		for seed := range n {
			out = append(out, point{name, seed, y(v, seed)})
		}
	}
	return out
}

func spread(v, seed int) any { return 10 + float64(v) + float64(seed*seed%7)/10 }

// everyScript are names of 200 characters.
func everyScript() []string {
	var names []string
	for _, c := range []string{"a", "é", "Ω", "Ж", "漢", "ア", "한", "ع", "א", "ก", "अ", "😀", "\u0301", "\u200b", "\u202e"} {
		names = append(names, strings.Repeat(c, 200))
	}
	return names
}

// Whatever a sweep brings, the documents are whole: tables are tables,
// nothing means anything, no number is made up, and something is said.
func TestBadInput(t *testing.T) {
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		values []point
		says   string // a regular expression
		not    string
	}{
		"one variant":           {each(8, spread, "only"), "There is one group, and nothing to compare it to", ""},
		"one run":               {each(1, spread, "only"), "There is one group", ""},
		"n is one":              {each(1, spread, "a", "b", "c"), "b and c have too few runs to tell", "better"},
		"n is two":              {each(2, spread, "a", "b"), "b has too few runs to tell", "better"},
		"all null":              {each(8, func(int, int) any { return nil }, "a", "b"), "The baseline has no values", "better"},
		"constant":              {each(8, func(int, int) any { return 5.0 }, "a", "b"), "Every group equals the baseline, a", "NaN"},
		"constant each":         {each(8, func(v, _ int) any { return float64(v) }, "a", "b"), `b \(\+1\) is better than the baseline, a`, "NaN"},
		"infinite":              {each(8, func(_, seed int) any { return inf * float64(1-2*(seed%2)) }, "a", "b"), "16 values of y are not finite", "better"},
		"some infinite":         {each(8, func(v, seed int) any { return map[bool]any{true: inf, false: spread(v, seed)}[seed == 0] }, "a", "b"), "2 values of y are not finite", "∞"},
		"not a number":          {each(8, func(int, int) any { return math.NaN() }, "a", "b"), "16 values of y are not finite", "NaN"},
		"huge":                  {each(8, func(v, seed int) any { return math.MaxFloat64 / 4 * (1 - float64(v+seed)/100) }, "a", "b"), "y", "NaN"},
		"tiny":                  {each(8, func(v, seed int) any { return 5e-324 * float64(1+v+seed) }, "a", "b"), "y", "NaN"},
		"text":                  {each(8, func(v, _ int) any { return fmt.Sprint("text ", v) }, "a", "b"), "holds string values, which have no median", "better"},
		"baseline zero":         {each(8, func(v, seed int) any { return float64(v) * (1 + float64(seed)) }, "a", "b"), `b \(\+[0-9.]+\) is better`, "%\\) is"},
		"baseline negative":     {each(8, func(v, seed int) any { return -10 + spread(v, seed).(float64)/5 }, "a", "b"), `b \(\+[0-9.]+%\) is better`, ""},
		"unequal n":             {append(each(12, spread, "a"), each(5, spread, "b")...), "Compared on 5 of 12 pairs|pairs that are missing", ""},
		"ties":                  {each(12, func(v, seed int) any { return (v + seed) % 3 }, "a", "b"), "cannot be distinguished from the baseline, a", "better"},
		"missing for a variant": {append(each(8, spread, "a", "b"), each(8, func(int, int) any { return nil }, "c")...), "c has no values", ""},
		"1,000 variants":        {each(3, spread, numbered(1000)...), "960 more groups are in the tables", ""},
		"every script":          {each(6, spread, everyScript()...), "…", ""},
		"names that mean":       {each(6, spread, "plain", hostile, "a|b", "`c`", "$x$", "\x1b]8;;http://x\x07link\x1b]8;;\x07", "<img src=x onerror=alert(1)>", "&lt;", "1. x", "- x", "> x", "http://a.b"), "&lt;img src=x onerror", "<img src=x|\x1b"},
	} {
		t.Run(name, func(t *testing.T) {
			in := badInput(t, c.values)
			s := mustSummary(t, in)
			text := string(s.Markdown())
			checkTables(t, text)
			if !regexp.MustCompile(c.says).MatchString(strings.ReplaceAll(text, "\\", "")) {
				t.Errorf("the summary does not say %q:\n%.3000s", c.says, text)
			}
			if c.not != "" && regexp.MustCompile(c.not).MatchString(text) {
				t.Errorf("the summary says %q:\n%.3000s", c.not, text)
			}
			wholeDocuments(t, s)
		})
	}
}

func badInput(t *testing.T, values []point) Input {
	t.Helper()
	columns := []table.ColumnSpec{
		{Name: "run_id"}, {Name: "run_status"}, {Name: "run_notebook"}, {Name: "variant", Role: table.RoleLabel},
		{Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap},
	}
	in := Input{Name: "sweep", Template: "t.ipynb", Counts: []string{"all succeeded"}, Planned: len(values), Axes: []Axis{{Name: "variant"}, {Name: "seed", Kind: "replicate"}}}
	var rows [][]any
	for i, v := range values {
		id := fmt.Sprintf("id%05d", i)
		rows = append(rows, []any{id, "succeeded", "runs/" + id + ".ipynb", v.variant, v.seed, v.y})
	}
	table, err := table.Build(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	in.Compare, err = compare.Compare(table, compare.Options{
		Metrics: []compare.Metric{{Name: "y", Goal: "maximize", Unit: "EUR"}}, Axes: []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}},
		Baseline: at("variant", values[0].variant),
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// wholeDocuments demands a notebook that decodes, and a page with one script
// that asks nobody for anything; both small.
func wholeDocuments(t *testing.T, s *Summary) {
	t.Helper()
	text := s.Notebook().Encode()
	if _, err := notebook.Decode(text); err != nil {
		t.Error(err)
	}
	page, err := s.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 5<<20 || len(page) > 5<<20 {
		t.Errorf("the notebook has %d bytes, the page %d", len(text), len(page))
	}
	if n := strings.Count(string(page), "<script"); n != 1 {
		t.Errorf("%d scripts, want 1", n)
	}
	for _, bad := range []string{" onerror=alert(1)>", "<img src=x", "href=\"javascript", "href=\"http", "src=\"http", "\x1b", "\u202e"} {
		if strings.Contains(strings.ReplaceAll(string(page), "&lt;img src=x onerror=alert(1)&gt;", ""), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}
