package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/align"
	"github.com/fanout-dev/fanout/internal/value"
)

func differing(t *testing.T) *align.Report {
	region := func(name string) []value.Binding {
		v, err := value.Of(name)
		if err != nil {
			t.Fatal(err)
		}
		return []value.Binding{{Name: "region", Value: v}}
	}
	return &align.Report{
		Cells: 9, Runs: []align.Compared{{ID: "aaaaaaaaaaaaaaaa", Name: "region=us"}, {ID: "bbbbbbbbbbbbbbbb", Name: "region=<eu>"}, {ID: "cccccccccccccccc", Name: "region=eu", Ended: 8, Failed: "KeyError: <x>"}},
		Left: []align.Left{{ID: "d", Name: "region=*", Why: "it has no notebook: planned"}},
		Differences: []align.Difference{{
			Cell: 7, Title: "fit <b>", Source: "fit()\n<script>", Among: 3, Rank: 4. / 9, Pattern: align.Exactly, Axes: []string{"region"},
			Groups: []align.Group{
				{Runs: []string{"aaaaaaaaaaaaaaaa"}, Exemplar: "aaaaaaaaaaaaaaaa", Values: region("us"), Shows: "rmse 0.5"},
				{Runs: []string{"bbbbbbbbbbbbbbbb", "cccccccccccccccc"}, Exemplar: "bbbbbbbbbbbbbbbb", Reference: "aaaaaaaaaaaaaaaa", Values: region("<eu>"), Left: 3, Deltas: []align.Delta{
					{Output: "stdout", Kind: align.Number, Where: "rmse", From: "0.5", To: "0.51234567891", Change: 0.01234567891, Share: 0.02469135782},
					{Output: "image/png", Kind: align.Picture, Share: 0.031, Alike: true},
					{Output: "text/html", Kind: align.Cell, Where: "row a|b, n", From: "<i>", To: "y"},
				}},
			},
		}},
	}
}

func TestCellsText(t *testing.T) {
	var b bytes.Buffer
	if err := (Cells{differing(t)}).Write(&b, "text"); err != nil {
		t.Fatal(err)
	}
	want := `1 of 9 code cells differs among 3 runs
cell 7 'fit <b>' differs: 2 outputs among 3 runs, splits exactly by region
note: region=eu ended in cell 8: KeyError: <x>
note: not compared: region=*: it has no notebook: planned

cell 7 'fit <b>'
  region=us: aaaaaaaa shows rmse 0.5
  region=<eu>, 2 runs: bbbbbbbb against aaaaaaaa
      stdout rmse        0.5000 → 0.5123 (+2.47%)
      picture            3.10% different, alike at a glance
      table, row a|b, n  <i> → y
      … and 3 more differences
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

// What notebooks hold is text on the page, and executes nothing.
func TestCellsPage(t *testing.T) {
	var b bytes.Buffer
	if err := (Cells{differing(t)}).Write(&b, "html"); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"<h1>1 of 9 code cells differs among 3 runs</h1>", "fit &lt;b&gt;", "&lt;script&gt;", "3.10% different", `<a href="#cell-7">`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "<b>", "<i>", "http://", "https://"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
}

func TestCellsJSON(t *testing.T) {
	var b bytes.Buffer
	if err := (Cells{differing(t)}).Write(&b, "json"); err != nil {
		t.Fatal(err)
	}
	var back align.Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := back.Differences[0]; d.Cell != 7 || d.Groups[1].Deltas[0].Where != "rmse" || d.Groups[1].Values[0].Value.Text() != "<eu>" {
		t.Errorf("%+v", d)
	}
}

// The summary names the first cells, and nothing in them is markup.
func TestCellsSection(t *testing.T) {
	in := Input{Cells: differing(t)}
	text := cellsSection(in).markdown(nil)
	for _, want := range []string{"## Where outputs differ", "1 of 9 code cells differs among 3 runs:", "- **cell 7 'fit &lt;b&gt;'**: 2 outputs among 3 runs, splits exactly by region", "    - region=&lt;eu&gt;, 2 runs: stdout rmse 0.5000 → 0.5123 (+2.47%)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the section lacks %q:\n%s", want, text)
		}
	}
	in.Cells.By = []string{"region"}
	in.Cells.Differences[0].Groups[1].Differ, in.Cells.Differences[0].Groups[1].Compared = 2, 3
	for range 3 {
		in.Cells.Differences = append(in.Cells.Differences, in.Cells.Differences[0])
	}
	text = cellsSection(in).markdown(nil)
	for _, want := range []string{"Of runs that differ in region alone, 4 of 9 code cells differ:", "- and 1 more cell", "region=&lt;eu&gt;, differs in 2 of 3 comparisons, in the first: stdout rmse 0.5000 → 0.5123 (+2.47%)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the section lacks %q:\n%s", want, text)
		}
	}
	if cellsSection(Input{}).title != "" || cellsSection(Input{Cells: &align.Report{}}).title != "" {
		t.Error("there is a section where nothing differs")
	}
}

func TestWithout(t *testing.T) {
	const text = "# s\n\nx\n\n## Where outputs differ\n\n- **cell 1 `base = 1`**\n\n## Odd\n\ny\n\n## Where this comes from\n\nz\n"
	if got := string(Without([]byte(text), "cells", "provenance")); got != "# s\n\nx\n\n## Odd\n\ny\n" {
		t.Errorf("%q", got)
	}
	if got := string(Without([]byte(text))); got != text {
		t.Errorf("%q", got)
	}
}
