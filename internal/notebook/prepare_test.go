package notebook

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/value"
)

// prepareCase is a call of papermill as make_prepare.py writes it.
type prepareCase struct {
	args     []Argument
	warnings []string
	options  map[string]any
}

func prepareCases(t testing.TB) map[string]prepareCase {
	t.Helper()
	v, err := value.Decode(read(t, "prepare/cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]prepareCase{}
	for name, c := range v.(map[string]any) {
		m := c.(map[string]any)
		pc := prepareCase{options: m}
		for _, p := range m["params"].([]any) {
			pair := p.([]any)
			pc.args = append(pc.args, Argument{Name: pair[0].(string), Value: pair[1]})
		}
		for _, w := range m["warnings"].([]any) {
			pc.warnings = append(pc.warnings, w.(string))
		}
		cases[name] = pc
	}
	return cases
}

func (c prepareCase) prepareOptions() PrepareOptions {
	o := PrepareOptions{Args: c.args, InputPath: "in.ipynb", OutputPath: "out.ipynb"}
	o.ReportMode, _ = c.options["report_mode"].(bool)
	o.Kernel, _ = c.options["kernel_name"].(string)
	o.Language, _ = c.options["language"].(string)
	return o
}

// refused are the cases in which papermill would compute with other values than
// those it was given.
var refused = map[string]bool{"two-parameters": true, "replace-two": true}

func TestPrepareAsPapermill(t *testing.T) {
	for name, c := range prepareCases(t) {
		t.Run(name, func(t *testing.T) {
			n := mustDecode(t, read(t, "prepare/"+name+".ipynb"))
			n.Encode() // what was encoded before must not show
			warnings, err := n.Prepare(c.prepareOptions())
			if refused[name] {
				if err == nil || !strings.Contains(err.Error(), "would reset") {
					t.Errorf("papermill lets a cell reset what it injected; ours: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, language := n.Kernel(); language == "python" {
				if diff := cmp.Diff(c.warnings, warnings); diff != "" {
					t.Errorf("warnings: -papermill +ours\n%s", diff)
				}
			}
			seen := map[string]bool{}
			for _, cell := range n.Cells {
				if seen[cell.ID] || cell.ID == "" {
					t.Errorf("id %q", cell.ID)
				}
				seen[cell.ID] = true
			}
			numberIDs(n)
			if diff := cmp.Diff(string(read(t, "prepare/"+name+".golden")), string(n.Encode())); diff != "" {
				t.Errorf("-papermill +ours\n%s", diff)
			}
		})
	}
}

func TestMarkFailureAsPapermill(t *testing.T) {
	paths, _ := filepath.Glob("testdata/prepare/failed-*.ipynb")
	if len(paths) < 5 {
		t.Fatal(paths)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".ipynb")
		t.Run(name, func(t *testing.T) {
			n := mustDecode(t, read(t, "prepare/"+name+".ipynb"))
			f, failed := n.Failure()
			if !failed {
				t.Fatal("no failure found")
			}
			n.MarkFailure(f)
			numberIDs(n)
			if diff := cmp.Diff(string(read(t, "prepare/"+name+".golden")), string(n.Encode())); diff != "" {
				t.Errorf("-papermill +ours\n%s", diff)
			}
			n.Prepare(PrepareOptions{})
			for _, c := range n.Cells {
				if isBanner(c) {
					t.Error("a banner survives the next run")
				}
			}
		})
	}
}

func TestOldBannersAreRemoved(t *testing.T) {
	old := "%%html\n<span style=\"color:red; font-family:Helvetica Neue, Helvetica, Arial, sans-serif; font-size:2em;\">An Exception was encountered at 'In [3]'.</span>"
	n := &Notebook{Cells: []*Cell{
		{Type: "code", Source: old}, {Type: "markdown", Source: bannerHere},
		{Type: "markdown", Source: "<span>about An Exception was encountered at 'x'</span> and more"}, {Type: "code", Source: "%%html\n<span>mine</span>"},
	}}
	if _, err := n.Prepare(PrepareOptions{}); err != nil || len(n.Cells) != 2 {
		t.Error(err, len(n.Cells))
	}
}

func TestProgressAsPapermill(t *testing.T) {
	v, err := value.Decode(read(t, "prepare/progress.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := mustDecode(t, read(t, "prepare/progress.ipynb"))
	if _, err := n.Prepare(PrepareOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"input_path", "output_path"} { // papermill's engine does not write them
		delete(n.papermill(), key)
	}
	for _, step := range v.([]any) {
		pair := step.([]any)
		at, err := time.Parse(time.RFC3339Nano, pair[1].(string))
		if err != nil {
			t.Fatal(err)
		}
		n.Encode()
		at = at.In(time.FixedZone("elsewhere", 3600)).Add(999) // nanoseconds are cut
		what, which, _ := strings.Cut(pair[0].(string), " ")
		i := int(append([]byte(which), '0')[0] - '0')
		map[string]func(){
			"start": func() { n.BeginRun(at) }, "finish": func() { n.EndRun(at) },
			"begin": func() { n.BeginCell(i, at) }, "end": func() { n.EndCell(i, at) }, "fail": func() { n.FailCell(i) },
		}[what]()
	}
	if diff := cmp.Diff(string(read(t, "prepare/progress.golden")), string(n.Encode())); diff != "" {
		t.Errorf("-papermill +ours\n%s", diff)
	}
	if v := n.Verdict(); v.Status != "failed" {
		t.Error(v)
	}
	start, end := n.Times()
	if !start.Equal(time.Date(2024, 2, 29, 23, 59, 59, 1000, time.UTC)) || end.Sub(start) <= 0 {
		t.Error(start, end)
	}
}

func TestNeverRunCellsStayPending(t *testing.T) {
	n := &Notebook{Cells: []*Cell{{Type: "code", Source: "a"}, {Type: "code", Source: "b"}}}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	n.BeginRun(at)
	n.BeginCell(0, at)
	n.EndCell(0, at.Add(1500*time.Millisecond))
	n.EndRun(at.Add(2 * time.Second))
	if got := n.Cells[1].papermill()["status"]; got != "pending" {
		t.Error(got)
	}
	if got := n.Cells[0].papermill()["duration"]; got != 1.5 {
		t.Error(got)
	}
	if got := n.papermill()["end_time"]; got != "2024-01-01T00:00:02+00:00" {
		t.Error(got)
	}
	if v := n.Verdict(); v.Status != outcome.Lost || v.Cell != 2 {
		t.Error(v)
	}
}

func TestParseTimes(t *testing.T) {
	want := time.Date(2021, 3, 4, 5, 6, 7, 89000, time.UTC)
	for _, s := range []string{"2021-03-04T05:06:07.000089", "2021-03-04T05:06:07.000089+00:00", "2021-03-04T06:06:07.000089+01:00", "2021-03-04T05:06:07.000089Z"} {
		if got, err := parseTime(s); err != nil || !got.Equal(want) {
			t.Error(s, got, err)
		}
	}
	if got, err := parseTime("2021-03-04T05:06:07"); err != nil || got.Unix() != want.Unix() {
		t.Error(got, err)
	}
}

func TestReportModeMergesMetadata(t *testing.T) {
	n := &Notebook{Cells: []*Cell{{Type: "code", Metadata: map[string]any{"jupyter": map[string]any{"outputs_hidden": true}}}, {Type: "markdown"}}}
	if _, err := n.Prepare(PrepareOptions{ReportMode: true}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"outputs_hidden": true, "source_hidden": true}
	if diff := cmp.Diff(want, n.Cells[0].Metadata["jupyter"]); diff != "" || n.Cells[1].Metadata["jupyter"] != nil {
		t.Error(diff)
	}
}

// languages are those that parameters can be written in.
var languages = []string{"python", "R", "scala", "julia", "matlab", "c#", "f#", "powershell", "bash", "javascript"}

func TestSecretsAreNotWritten(t *testing.T) {
	for _, key := range languages {
		n := &Notebook{Metadata: map[string]any{"kernelspec": map[string]any{"name": key, "language": key}}}
		_, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "token", Value: "hunter2-value", Secret: "API_TOKEN"}}})
		if err != nil {
			t.Fatal(key, err)
		}
		text := string(n.Encode())
		if strings.Contains(text, "hunter2") || !strings.Contains(n.Cells[0].Source, "API_TOKEN") {
			t.Errorf("%s:\n%s", key, text)
		}
		args, found := n.Arguments()
		if diff := cmp.Diff([]Argument{{Name: "token", Secret: "API_TOKEN"}}, args); diff != "" || !found {
			t.Error(key, diff)
		}
	}
	n := &Notebook{Metadata: map[string]any{"kernelspec": map[string]any{"name": "python3"}}}
	if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "t", Secret: `X"]; boom()`}}}); err == nil || len(n.Cells) > 0 {
		t.Error("a hostile variable name was written", err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		language string
		args     []Argument
		want     string
	}{
		"statement":   {"python", []Argument{{Name: "x; import os", Value: 1}}, "it is not a name"},
		"keyword":     {"python", []Argument{{Name: "class", Value: 1}}, "it is not a name"},
		"empty":       {"python", []Argument{{Name: "", Value: 1}}, "it is not a name"},
		"newline":     {"python", []Argument{{Name: "x\n", Value: 1}}, "it is not a name"},
		"matlab":      {"matlab", []Argument{{Name: "_x", Value: 1}}, "it is not a name"},
		"r clash":     {"R", []Argument{{Name: "_x", Value: 1}, {Name: "x", Value: 1}}, "another parameter has the same name"},
		"nested bash": {"bash", []Argument{{Name: "x", Value: []any{[]any{}}}}, "no nested lists"},
		"nul bash":    {"bash", []Argument{{Name: "x", Value: "a\x00b"}}, "cannot hold NUL"},
		"nul r":       {"R", []Argument{{Name: "x", Value: "a\x00b"}}, "cannot hold NUL"},
		"powershell":  {"powershell", []Argument{{Name: "x", Value: map[string]any{"a": 1, "A": 2}}}, "differ in more than case"},
		"channel":     {"python", []Argument{{Name: "x", Value: make(chan int)}}, "cannot write a chan int"},
		"cobol":       {"cobol", []Argument{{Name: "x", Value: 1}}, "no literals are known for kernel \"k\" or language \"cobol\""},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Notebook{Minor: 5, Metadata: map[string]any{"kernelspec": map[string]any{"name": "k", "language": c.language}}, Cells: []*Cell{{Type: "code", ID: "a"}}}
			before := string(n.Clone().Encode())
			_, err := n.Prepare(PrepareOptions{Args: c.args})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
			if after := string(n.Encode()); after != before {
				t.Error("the notebook was changed")
			}
		})
	}
	var hint interface{ Hint() string }
	_, err := (&Notebook{}).Prepare(PrepareOptions{Args: []Argument{{Name: "x"}}})
	if hint, _ = err.(interface{ Hint() string }); hint == nil || !strings.Contains(hint.Hint(), "-k python3") {
		t.Error(err)
	}
}

func TestCommentIsNoCode(t *testing.T) {
	for _, key := range languages {
		n := &Notebook{Metadata: map[string]any{"kernelspec": map[string]any{"name": key, "language": key}}}
		if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "x", Value: 1}}, Comment: "a\nboom()\u2028b \"*) boom() (* "}); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(n.Cells[0].Source, "\n"); len(lines) != 3 || strings.Contains(lines[0], "\u2028") || strings.Count(lines[0], "*)") > 1 && strings.Contains(key, "f#") {
			t.Errorf("%s: %q", key, n.Cells[0].Source)
		}
	}
}

func TestJavaScriptKeepsTheDeclaration(t *testing.T) {
	n := &Notebook{Metadata: map[string]any{"kernelspec": map[string]any{"name": "deno", "language": "typescript"}},
		Cells: []*Cell{{Type: "code", Source: "let a = 1;\nconst b = 2;\nvar c: number = 3", Metadata: map[string]any{"tags": []any{"parameters"}}}}}
	if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "a", Value: 5}, {Name: "b", Value: 6}, {Name: "c", Value: 7}, {Name: "d", Value: 8}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := n.Cells[1].Source, "// Parameters\na = 5;\nconst b = 6;\nc = 7;\nvar d = 8;\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestArguments(t *testing.T) {
	n := mustDecode(t, read(t, "prepare/many.golden"))
	args, found := n.Arguments()
	if !found || len(args) != 18 || args[0].Name != "back" || args[0].Value != `C:\dir\new` {
		t.Error(args, found)
	}
	delete(n.Metadata, "papermill")
	fromCell, found := n.Arguments()
	if !found || len(fromCell) != len(args) {
		t.Fatal(fromCell)
	}
	for i, a := range args { // what the cell says is what the metadata said
		want, err1 := dialect.Python().Literal(a.Value)
		got, err2 := dialect.Python().Literal(fromCell[i].Value)
		if a.Name != fromCell[i].Name || got != want || err1 != nil || err2 != nil {
			t.Errorf("%s: %s, in metadata %s", a.Name, got, want)
		}
	}
	scheduler := &Notebook{Cells: []*Cell{{Type: "code", Source: "region = us east\nn = 5", Metadata: map[string]any{"tags": []any{"injected-parameters"}}}}}
	args, found = scheduler.Arguments()
	if diff := cmp.Diff([]Argument{{Name: "n", Value: int64(5)}, {Name: "region", Value: "us east"}}, args); diff != "" || !found {
		t.Error(diff)
	}
	if args, found = (&Notebook{}).Arguments(); args != nil || found {
		t.Error(args, found)
	}
}

func TestRecord(t *testing.T) {
	type rec struct {
		Status string
		Big    int64
		When   time.Time
	}
	n := mustDecode(t, read(t, "docs/plain.ipynb"))
	want := rec{"failed", 1<<62 + 1, time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC)}
	if err := n.SetRecord(want); err != nil {
		t.Fatal(err)
	}
	var got rec
	if ok, err := mustDecode(t, n.Encode()).Record(&got); !ok || err != nil || got != want {
		t.Error(ok, err, got)
	}
	if ok, err := (&Notebook{}).Record(&got); ok || err != nil {
		t.Error(ok, err)
	}
	if err := n.SetRecord([]int{1}); err == nil {
		t.Error("a list was stored")
	}
}

// TestPrepareRefusesResets: what is injected must not be undone by a tagged cell
// that follows.
func TestPrepareRefusesResets(t *testing.T) {
	cell := func(tag, source string) *Cell {
		return &Cell{Type: "code", Source: source, Metadata: map[string]any{"tags": []any{tag}}}
	}
	off := cell("parameters", "a = 2")
	off.Metadata["tags"] = []any{"parameters", "skip-execution"}
	for name, c := range map[string]struct {
		cells []*Cell
		want  string // of the error; "" is none
	}{
		"two":                    {[]*Cell{cell("parameters", "a = 1"), cell("parameters", "b = 0\na = 2")}, "cells 1 and 2 are both tagged as parameters: cell 2 would reset a, which is passed after cell 1"},
		"far away":               {[]*Cell{cell("parameters", "b = 1"), {Type: "markdown"}, cell("x", "c = 1"), cell("parameters", "a = 2")}, "cells 1 and 3"},
		"injected twice":         {[]*Cell{cell("injected-parameters", "a = 1"), cell("injected-parameters", "a = 2")}, "cell 2 would reset a"},
		"injected above":         {[]*Cell{cell("injected-parameters", "a = 1"), cell("parameters", "a = 2")}, "cell 2 would reset a"},
		"unreadable":             {[]*Cell{cell("parameters", "a = 1"), cell("parameters", "a = [")}, "read parameters of cell 2"},
		"other names":            {[]*Cell{cell("parameters", "a = 1"), cell("parameters", "b = 2")}, ""},
		"not executed":           {[]*Cell{cell("parameters", "a = 1"), off, cell("parameters", "")}, ""},
		"injected, as it is":     {[]*Cell{cell("parameters", "a = 1"), cell("injected-parameters", "a = 2"), cell("x", "a")}, ""},
		"an untagged cell is it": {[]*Cell{cell("parameters", "a = 1"), cell("x", "a = a or 2")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Notebook{Minor: 5, Cells: c.cells}
			_, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "a", Value: 10}}, Language: "python"})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
