package report

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// hostile is text that tries to be something else wherever it is put.
const hostile = "<script>alert(1)</script>|`x`*b*_i_[l](javascript:1)\x1b[31mred\x1b[0m\n# head\u202e ![p](x)"

// inputOf makes a summary's input from variants × seeds.
func inputOf(t *testing.T, variants []string, seeds int) Input {
	t.Helper()
	columns := []collect.ColumnSpec{
		{Name: "run_id"}, {Name: "run_status"}, {Name: "run_reason_kind"}, {Name: "run_error"}, {Name: "run_planned"}, {Name: "run_stale"},
		{Name: "run_notebook"}, {Name: "variant", Role: collect.RoleLabel}, {Name: "seed", Role: collect.RoleParameter}, {Name: "y", Role: collect.RoleScrap},
	}
	var rows [][]any
	in := Input{
		Name: "sweep", Template: "t.ipynb", AsOf: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC), Counts: map[sweep.Status]int{},
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
			in.Counts[sweep.Status(status)]++
			in.Planned++
			in.Runs = append(in.Runs, Run{Name: v, Notebook: "runs/" + id + ".ipynb", Status: sweep.Status(status), Duration: time.Duration(seed+1) * time.Second, PeakRSS: 50 << 20})
		}
	}
	table, err := collect.Build(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	o := compare.Options{
		Metrics:  []compare.Metric{{Name: "y", Goal: "maximize", Unit: "EUR"}},
		Axes:     []compare.Axis{{Name: "variant"}, {Name: "seed", Replicate: true}},
		Baseline: map[string]string{"variant": variants[0]},
	}
	if in.Compare, err = compare.Compare(table, o); err != nil {
		t.Fatal(err)
	}
	return in
}

func mustNotebook(t *testing.T, in Input) *notebook.Notebook {
	t.Helper()
	n, err := Notebook(in)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGolden(t *testing.T) {
	in := inputOf(t, []string{"control", "treatment", "other"}, 8)
	got, err := Markdown(in)
	if err != nil {
		t.Fatal(err)
	}
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
	text, err := Markdown(in)
	if err != nil {
		t.Fatal(err)
	}
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
	page, err := HTML(in)
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
	if strings.Count(text, "<img src=\"data:image/png;base64,") != 1 || strings.Count(text, "<table>") < 4 {
		t.Error("the page lacks its picture or its tables")
	}
	again, err := HTML(inputOf(t, []string{"plain", hostile}, 6))
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
	p, err := drawMetric(in, in.Compare.Metrics[0], "m.png")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(p.png))
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
