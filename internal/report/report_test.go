package report

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/changes"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/cost"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// hostile is text that tries to be something else wherever it is put.
const hostile = "<script>alert(1)</script>|`x`*b*_i_[l](javascript:1)\x1b[31mred\x1b[0m\n# head\u202e ![p](x)"

// at is a partial point of one axis.
func at(name, text string) []value.Binding {
	v, err := value.Of(text)
	if err != nil {
		panic(err)
	}
	return []value.Binding{{Name: name, Value: v}}
}

// costOf is a cost of which the first variant took most.
func costOf(variants []string, seeds int) cost.Cost {
	c := cost.Cost{Runs: len(variants) * seeds, Axes: []cost.Axis{{Name: "variant"}}}
	for i, v := range variants {
		x := cost.Value{Name: v, Runs: seeds, Wall: time.Duration(10*seeds) * time.Second, CPU: time.Duration(seeds) * time.Second, Memory: 50 << 20}
		if i == 0 {
			x.CPU *= 10
		}
		c.Wall, c.CPU, c.Axes[0].Values = c.Wall+x.Wall, c.CPU+x.CPU, append(c.Axes[0].Values, x)
		c.Slowest = append(c.Slowest, cost.Run{Name: v, Notebook: fmt.Sprintf("runs/id%d.ipynb", i), Status: outcome.Succeeded, Wall: 10 * time.Second, Memory: 50 << 20})
	}
	c.Hungriest = c.Slowest
	return c
}

// inputOf makes a summary's input from variants × seeds.
func inputOf(t *testing.T, variants []string, seeds int) Input {
	t.Helper()
	columns := []table.ColumnSpec{
		{Name: "run_id"}, {Name: "run_status"}, {Name: "run_reason_kind"}, {Name: "run_error"}, {Name: "run_planned"}, {Name: "run_stale"},
		{Name: "run_notebook"}, {Name: "variant", Role: table.RoleLabel}, {Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap},
	}
	var rows [][]any
	in := Input{
		Name: "sweep", Template: "t.ipynb", AsOf: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC), Counts: []string{"23 succeeded", "1 failed"},
		Axes:  []Axis{{Name: "variant", Kind: "bundle", Values: variants}, {Name: "seed", Kind: "replicate"}},
		Rerun: "fanout run sweep.sweep", Facts: []Fact{{"fanout", "devel"}},
	}
	for i, v := range variants {
		for seed := range seeds {
			id := fmt.Sprintf("id%03d%03d", i, seed)
			status, kind, reason := "succeeded", "", ""
			var y any = float64(i) + float64(seed*seed%7)/10
			if i == len(variants)-1 && seed == 0 && len(variants) > 1 {
				status, kind, reason, y = "failed", "exception", "KeyError: "+hostile, nil
			}
			rows = append(rows, []any{id, status, kind, reason, true, false, "runs/" + id + ".ipynb", v, seed, y})
			in.Planned++
		}
	}
	in.Cost = costOf(variants, seeds)
	table, err := table.Build(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	o := compare.Options{
		Metrics:  []compare.Metric{{Name: "y", Goal: "maximize", Unit: "EUR"}},
		Axes:     []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}},
		Baseline: at("variant", variants[0]),
	}
	if in.Compare, err = compare.Compare(table, o); err != nil {
		t.Fatal(err)
	}
	return in
}

func mustSummary(t *testing.T, in Input) *Summary {
	t.Helper()
	s, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustNotebook(t *testing.T, in Input) *notebook.Notebook {
	t.Helper()
	return mustSummary(t, in).Notebook()
}

func TestGolden(t *testing.T) {
	in := inputOf(t, []string{"control", "treatment", "other"}, 8)
	got := mustSummary(t, in).Markdown()
	file := filepath.Join("testdata", "summary.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("(-want +got, UPDATE_GOLDEN=1 accepts):\n%s", d)
	}
}

func TestNotebookIsWhole(t *testing.T) {
	for name, variants := range map[string][]string{
		"one variant":   {"only"},
		"three":         {"a", "b", "c"},
		"many":          numbered(45),
		"every script":  {"naïve", "Ωμέγα", "Привет", "漢字", "עברית", "😀"},
		"hostile names": {"plain", hostile, strings.Repeat("long", 60)},
	} {
		t.Run(name, func(t *testing.T) {
			n := mustNotebook(t, inputOf(t, variants, 6))
			text := n.Encode()
			again, err := notebook.Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			pictures := 0
			for _, c := range again.Cells {
				for file, bundle := range c.Attachments {
					pictures++
					if !strings.Contains(c.Source, "(attachment:"+file+")") {
						t.Errorf("the picture %s is not shown", file)
					}
					if len(bundle["image/png"]) == 0 {
						t.Errorf("the picture %s is empty", file)
					}
				}
			}
			if pictures != 1 {
				t.Errorf("%d pictures, want 1", pictures)
			}
			if !bytes.Equal(text, mustNotebook(t, inputOf(t, variants, 6)).Encode()) {
				t.Error("the same facts make other bytes")
			}
			if len(text) > 5<<20 {
				t.Errorf("the summary has %d bytes", len(text))
			}
		})
	}
}

func numbered(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("variant %d", i))
	}
	return out
}

// Nothing out of a notebook or the sweep file may mean anything in Markdown.
func TestHostileTextIsText(t *testing.T) {
	in := inputOf(t, []string{"plain", hostile}, 6)
	in.Name, in.Template = hostile, hostile
	in.Problems = []string{hostile}
	in.Facts = []Fact{{hostile, hostile}}
	text := mustSummary(t, in).Markdown()
	for _, bad := range []string{"<script", "\x1b", "\u202e", "\n# head", "[l](", "![p](x)", "`x`", "*b*"} {
		if strings.Contains(string(text), bad) {
			t.Errorf("the summary holds %q", bad)
		}
	}
	checkTables(t, string(text))
}

// The page holds no other script than its own, asks nobody for anything, and
// shows hostile text as text.
func TestPage(t *testing.T) {
	in := inputOf(t, []string{"plain", hostile}, 6)
	in.Name = hostile
	page, err := mustSummary(t, in).HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, want 1", n)
	}
	if !strings.Contains(text, "&lt;script&gt;alert(1)") {
		t.Error("the hostile name is not there as text")
	}
	for _, bad := range []string{"http://", "https://", "javascript:1\"", "\x1b", "\u202e", "<link", "@import", "raw HTML omitted"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if strings.Count(text, " src=\"data:image/png;base64,") != 1 || strings.Count(text, "<table>") < 4 {
		t.Error("the page lacks its picture or its tables")
	}
	again, err := mustSummary(t, inputOf(t, []string{"plain", hostile}, 6)).HTML()
	if err != nil || len(again) == 0 {
		t.Error(err)
	}
}

// checkTables demands that every row of a table has as many cells as its head.
func checkTables(t *testing.T, text string) {
	t.Helper()
	width := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			width = 0
			continue
		}
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if width == 0 {
			width = n
		}
		if n != width {
			t.Errorf("a row has %d bars, its head %d: %s", n, width, line)
		}
	}
}

func TestLinksAreEscaped(t *testing.T) {
	if got, want := link("a]b", "runs/a b(1).ipynb"), `[a\]b](runs/a%20b%281%29.ipynb)`; got != want {
		t.Errorf("link is %s, want %s", got, want)
	}
}

func TestOrderedAxisIsALine(t *testing.T) {
	in := inputOf(t, numbered(10), 3)
	in.Axes[0].Ordered = true
	n := mustNotebook(t, in)
	if !slices.ContainsFunc(n.Cells, func(c *notebook.Cell) bool { return strings.Contains(c.Source, "the line joins the medians") }) {
		t.Error("no line was drawn")
	}
}

func TestPicturesAreDrawn(t *testing.T) {
	in := inputOf(t, []string{"a", "b"}, 6)
	p, err := drawMetric(in, in.Compare.Metrics[0], "m")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(p[0].PNG))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[fmt.Sprintf("%02x%02x%02x", r>>8, g>>8, b>>8)] = true
		}
	}
	for _, want := range []string{"ffffff", "0072b2", "d55e00"} {
		if !colours[want] {
			t.Errorf("nothing is drawn in #%s", want)
		}
	}
}

// wide makes a summary's input of variants × regions × days, of three runs
// each, without those that gone names.
func wide(t *testing.T, variants, regions []string, days int, gone func(variant, region, day int) bool) Input {
	t.Helper()
	columns := []table.ColumnSpec{
		{Name: "run_id"}, {Name: "run_status"}, {Name: "variant", Role: table.RoleLabel}, {Name: "region", Role: table.RoleParameter},
		{Name: "day", Role: table.RoleParameter}, {Name: "seed", Role: table.RoleParameter}, {Name: "y", Role: table.RoleScrap},
	}
	in := Input{Name: "sweep", Template: "t.ipynb"}
	in.Axes = []Axis{{Name: "variant"}, {Name: "region"}, {Name: "day", Ordered: true}, {Name: "seed", Kind: "replicate"}}
	var rows [][]any
	for v, variant := range variants {
		for r, region := range regions {
			for d := range days {
				for seed := range 3 {
					status, y := "succeeded", any(10+float64(v)+float64(r*r)/3+float64(d*d%11)/9+float64(seed)/20)
					if gone != nil && gone(v, r, d) {
						status, y = "failed", nil
					}
					date := time.Date(2026, 1, 1+d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
					rows = append(rows, []any{fmt.Sprint(len(rows)), status, variant, region, date, seed, y})
				}
			}
		}
	}
	table, err := table.Build(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	in.Planned = len(rows)
	in.Compare, err = compare.Compare(table, compare.Options{
		Metrics:  []compare.Metric{{Name: "y", Goal: "maximize", Unit: "EUR"}},
		Axes:     []compare.Axis{{Name: "variant"}, {Name: "region"}, {Name: "day", Ordered: true}, {Name: "seed", Replicate: true}},
		Baseline: at("variant", variants[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// The second axis becomes shades or lines, missing dates a calendar, and each
// picture has its sentence.
func TestPicturesOfTwoAxes(t *testing.T) {
	regions := []string{"apac", "emea", "漢字"}
	for name, c := range map[string]struct {
		variants []string
		gone     func(v, r, d int) bool
		want     []string
	}{
		"lines":   {[]string{"a", "b", "c"}, nil, []string{"y by variant and region: the darker, the higher", "№ 3 is 漢字", "y along day: a line for each variant", "orange is the baseline, a", "All 40 values of day are complete"}},
		"panels":  {numbered(30), nil, []string{"a panel for each variant", "the first 24 of 30"}},
		"missing": {[]string{"a", "b"}, func(v, r, d int) bool { return d == 7 || v == 1 && r == 2 }, []string{"40 of 40 values of day lack runs", "2026-01-08 (0 of 18)", "The days of day, a column for each week"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := wide(t, c.variants, regions, 40, c.gone)
			s := mustSummary(t, in)
			text := string(s.Notebook().Encode())
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("the summary lacks %q", want)
				}
			}
			if again := mustSummary(t, in).Notebook().Encode(); string(again) != text {
				t.Error("the same facts make other bytes")
			}
			keep(t, s)
		})
	}
}

// keep leaves the page of a summary in the folder that FANOUT_TEST_KEEP names,
// to be looked at.
func keep(t *testing.T, s *Summary) {
	t.Helper()
	dir := os.Getenv("FANOUT_TEST_KEEP")
	if dir == "" {
		return
	}
	page, err := s.HTML()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + ".html"
	if err := os.WriteFile(filepath.Join(dir, name), page, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestSectionsAreChosen(t *testing.T) {
	in := inputOf(t, []string{"a", "b"}, 6)
	in.Sections = []string{"provenance", "swept"}
	text := string(mustSummary(t, in).Markdown())
	first, second := strings.Index(text, "## Where this comes from"), strings.Index(text, "## What was swept")
	if first < 0 || second < first || !strings.HasPrefix(text, "# sweep") || strings.Contains(text, "## y") {
		t.Errorf("the sections are not those chosen:\n%s", text)
	}
	in.Sections = []string{"nothing"}
	if _, err := New(in); err == nil || !strings.Contains(err.Error(), `no section "nothing"; there are verdict, looks, steps, swept`) {
		t.Errorf("the error is %v", err)
	}
}

// What is not as usual at the last date is said at the top, with what it is held
// against, and drawn.
func TestUnusual(t *testing.T) {
	dates, values := []string{}, []float64{}
	for d := range 9 {
		dates = append(dates, time.Date(2026, 1, 1+d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
		values = append(values, 100+float64(d%3))
	}
	of := func(name string, value float64) compare.Departure {
		v := append(slices.Clone(values[:8]), value)
		return compare.Departure{Name: name, Value: value, Expected: 100, Usual: 5, Earlier: 8, Values: v}
	}
	saturday, always := of("eu", 300), of("us", 101)
	saturday.Weekday, saturday.Earlier = "Saturday", 6
	always.Constant, always.Usual = true, 1e-7
	for name, c := range map[string]struct {
		night compare.Night
		want  []string
	}{
		"one of several": {compare.Night{By: []string{"region"}, Series: 12, Unusual: []compare.Departure{of("eu", 300)}, OtherCode: 8},
			[]string{"⚠ **y** is unusual at the last day, 2026-01-09, for 1 of 12 values of region: eu (+200.00% from the level of 8 earlier values, 100, where ±5.00% is usual).\n- ⚠ The runs of 8 earlier dates executed other code. Their numbers count as they were published.",
				"| eu | 300 | 100 ±5 | level | +200.00% | 8 |"}},
		"all": {compare.Night{By: []string{"region"}, Series: 2, Unusual: []compare.Departure{of("eu", 300), of("us", 0)}, Together: &compare.Departure{Value: 2, Usual: 0.01}},
			[]string{"for 2 of 2 values of region: eu (+200.00%", "us (−100.00% from", "Taken together, they lie +200.00% from what earlier dates suggest, where ±1.00% is usual."}},
		"the whole metric": {compare.Night{Series: 1, Unusual: []compare.Departure{of("", 300)}, Stale: 3},
			[]string{"2026-01-09: +200.00% from the level of 8 earlier values, 100, where ±5.00% is usual.\n- ⚠ Runs of 3 earlier dates are stale"}},
		"weekdays that differ": {compare.Night{By: []string{"region"}, Series: 12, Unusual: []compare.Departure{saturday, always}},
			[]string{"eu (+200.00% from the level of 6 earlier Saturdays, 100, where ±5.00% is usual), us (+1.00% from the level of 8 earlier values, 100, which all were the same)",
				"| eu | 300 | 100 ±5 | level of Saturdays | +200.00% | 6 |", "| us | 101 | 100, always | level | +1.00% | 8 |"}},
		"nothing there": {compare.Night{By: []string{"region"}, Series: 1, Gone: []string{hostile}}, []string{"**y** has no value at the last day, 2026-01-09, of region &lt;script"}},
		"too few":       {compare.Night{By: []string{"region"}, Short: 3}, []string{"The last day, 2026-01-09, is held against earlier dates, but there are too few earlier values to say what is usual: 7 are needed."}},
	} {
		t.Run(name, func(t *testing.T) {
			in := wide(t, []string{"a", "b"}, []string{"r"}, 20, nil)
			c.night.Axis, c.night.Date, c.night.Dates = "day", dates[8], dates
			in.Compare.Metrics[0].Night = &c.night
			in.Changes = func(string, []string) []changes.Change {
				return []changes.Change{{Date: "2026-01-03", Parts: []string{"code", "files"}}, {Date: "2026-01-05", Parts: []string{"environment"}, Series: []string{hostile}}}
			}
			s := mustSummary(t, in)
			text := string(s.Markdown())
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("the summary lacks %q:\n%s", want, text)
				}
			}
			drawn := strings.Contains(string(s.Notebook().Encode()), "the grey bar what was expected there")
			if drawn != (len(c.night.Unusual) > 0) {
				t.Errorf("the series is drawn: %v", drawn)
			}
			if marked := strings.Contains(string(s.Notebook().Encode()), "a dashed upright line a date from which on"); marked != drawn {
				t.Errorf("changes are drawn: %v", marked)
			}
			if want := "Changed along the dates: environment on 2026-01-05 for &lt;script"; len(c.night.Gone) == 0 && (!strings.Contains(text, want) || !strings.Contains(text, "; code, files on 2026-01-03.")) {
				t.Errorf("the summary lacks %q:\n%s", want, text)
			}
			checkTables(t, text)
			for line := range strings.Lines(text) {
				if strings.HasSuffix(line, " \n") {
					t.Errorf("a line ends with a space: %q", line)
				}
			}
			keep(t, s)
		})
	}
}

// Failures that no condition tells apart are shown as rates; a decision names
// metrics and guardrails; rows whose medians differ the other way say so.
func TestWordsOfDecisionsAndRates(t *testing.T) {
	in := inputOf(t, []string{"a", "b"}, 6)
	in.Compare.Decision = "b is better by y, but worse by the guardrail z_ms."
	in.Compare.Failures[0].When = nil
	in.Compare.Failures[0].Rates = []compare.FailureRates{{Axis: "variant", Uneven: true, Values: []compare.FailureRate{{Value: "b|", Failed: 3, Of: 6}, {Value: "a", Failed: 1, Of: 6}, {Value: "c", Of: 6}, {Value: "d", Of: 6}}}}
	against := in.Compare.Metrics[0].Groups[1].Against
	against.Centres, against.RelCentres = -against.Shift/2, -against.Relative/2
	text := string(mustSummary(t, in).Markdown())
	for _, want := range []string{
		"**Decision:** b is better by y, but worse by the guardrail z\\_ms.\n",
		"No condition is true of exactly these runs. How many of the runs that ended went wrong like this:\n",
		"| variant | b\\| 3 of 6, a 1 of 6, none of 2 others |",
		fmt.Sprintf("; apart %s |", unit.Percent(-against.Relative/2)),
		"\"Apart\" is the difference of the two medians, where that points another way.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, text)
		}
	}
	checkTables(t, text)
}

// A table says whether a rate's change is relative, and what p answers for.
func TestExplanation(t *testing.T) {
	of := func(m compare.Metric, exploratory bool, family int, a compare.Comparison) string {
		return explanation(compare.MetricTable{Metric: m, Exploratory: exploratory, Family: family, Groups: []compare.Group{{Name: "a", Baseline: true, N: 1}, {Name: "b", N: 1, Against: &a}}}, sentence)
	}
	for _, c := range []struct{ got, want string }{
		{of(compare.Metric{Trials: "n"}, false, 4, compare.Comparison{Counted: true, Relative: 0.1}), "the difference of the rates, as a percentage of the baseline's rate, not in percentage points. p says how likely a difference this large is where there is none, adjusted for 4 comparisons, which the intervals are not."},
		{of(compare.Metric{Unit: "ms", Goal: "minimize", Guardrail: true}, false, 0, compare.Comparison{Relative: math.NaN()}), "a run of the group and one of the baseline, in ms. p asks only whether it got worse, of each comparison by itself."},
		{of(compare.Metric{By: compare.ByMean}, true, 0, compare.Comparison{Paired: true, Relative: 1}), "the difference of the means, within pairs of runs, as a percentage of the baseline's mean. p says how likely a difference this large is where there is none, of each comparison by itself: the metric is exploratory."},
		{of(compare.Metric{By: compare.ByExact}, false, 0, compare.Comparison{Exact: true, Relative: 1}), "the median difference, as a percentage of the baseline's median. Ranges are from the least to the largest; any difference counts, and needs no p."},
	} {
		if !strings.HasSuffix(c.got, c.want) {
			t.Errorf("%q, want …%q", c.got, c.want)
		}
	}
}

// TestManyMetrics: not every metric of thousands is drawn, and the summary says so.
func TestManyMetrics(t *testing.T) {
	defer func(n int) { maxMetrics = n }(maxMetrics)
	maxMetrics = 2
	in := inputOf(t, []string{"a", "b"}, 6)
	one := in.Compare.Metrics[0]
	for n, want := range map[int]string{2: "", 3: "## 1 more metric\n\nThe first 2 have a section.", 7: "## 5 more metrics\n\nThe first 2 have a section."} {
		in.Compare.Metrics = slices.Repeat([]compare.MetricTable{one}, n)
		text := string(mustSummary(t, in).Markdown())
		if got := strings.Count(text, "\n## "+one.Name); got != 2 || !strings.Contains(text, want) || (want == "") == strings.Contains(text, "more metric") {
			t.Errorf("%d metrics: %d sections in\n%s", n, got, text)
		}
	}
}
