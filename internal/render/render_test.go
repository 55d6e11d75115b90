package render

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/notebook"
)

func TestDocument(t *testing.T) {
	n := book(t, map[string]any{"kernelspec": bundle{"name": "python3", "language": "python"}, "papermill": bundle{"parameters": bundle{"region": "emea", "n": 3, "key": bundle{"secret": "API_KEY"}}}},
		sketch{Type: "markdown", Source: "# The *report*\n\nWords.\n\n```\n# not a heading\n```"},
		sketch{Source: "n = 1", Metadata: bundle{"tags": []any{"parameters"}}},
		sketch{Source: `n = 3`, Metadata: bundle{"tags": []any{"injected-parameters"}}},
		sketch{Type: "markdown", Source: "An Exception was encountered", Metadata: bundle{"tags": []any{"papermill-error-cell-tag"}}},
		sketch{Type: "markdown", Source: "## Second\n## Second"},
		sketch{Source: "boom()", Outputs: []any{raises("ValueError", "bad <value>")}},
		sketch{Type: "raw", Source: "raw <b>"},
	)
	d := New(n, Options{Title: "a name"})
	if d.Title != "The report" || d.Byline() != "python, kernel python3" {
		t.Errorf("title %q, byline %q", d.Title, d.Byline())
	}
	if want := []Heading{{1, "The report", "h-The-report"}, {2, "Second", "h-Second"}, {2, "Second", "h-Second"}}; !slices.Equal(d.Outline, want) {
		t.Errorf("outline %v, want %v", d.Outline, want)
	}
	if want := []Given{{"key", "secret API_KEY"}, {"n", "3"}, {"region", `"emea"`}}; !slices.Equal(d.Given, want) {
		t.Errorf("given %v, want %v", d.Given, want)
	}
	if d.Failure == nil || *d.Failure != (Failure{3, "cell-6", "ValueError", "bad <value>"}) {
		t.Errorf("failure %v", d.Failure)
	}
	var numbers []int
	all := ""
	for c := range d.Cells() {
		numbers = append(numbers, c.Number)
		all += string(c.HTML)
	}
	if want := []int{0, 1, 2, 0, 3, 0}; !slices.Equal(numbers, want) {
		t.Errorf("numbers %v, want %v", numbers, want)
	}
	check(t, all, []string{`<section class="cell code failed" id="cell-6">`, `<th scope="row">region</th><td>&#34;emea&#34;</td>`, "raw &lt;b&gt;", `<h1 id="h-The-report">`, "<em>report</em>"},
		[]string{"An Exception was encountered", "<b>"})
	if n := strings.Count(all, `id="h-Second"`); n != 1 {
		t.Errorf("%d headings have one id", n)
	}
	again := ""
	for c := range d.Cells() {
		again += string(c.HTML)
	}
	if again != all {
		t.Error("the cells differ when they are rendered again")
	}
	if c, ok := d.Cell(5); !ok || c.Number != 3 {
		t.Errorf("cell 5 is %v, %v", c.Number, ok)
	}
	if _, ok := d.Cell(3); ok {
		t.Error("the banner of papermill is a cell")
	}
}

func TestHiddenCode(t *testing.T) {
	for name, m := range map[string]map[string]any{
		"report mode": {"jupyter": bundle{"source_hidden": true}}, "nteract": {"inputHidden": true}, "old nteract": {"input_hidden": true},
		"hide-input": {"tags": []any{"hide-input"}}, "remove_cell": {"tags": []any{"remove_cell"}},
	} {
		got := rendered(book(t, nil, sketch{Source: "secret()", Metadata: m}), Options{})
		check(t, got, []string{`<details class="source"><summary>`}, []string{" open>"})
		if t.Failed() {
			t.Fatal(name)
		}
	}
	shown := book(t, nil, sketch{Source: "secret()", Outputs: []any{prints("stdout", "out")}})
	check(t, rendered(shown, Options{}), []string{`<details class="source" open>`}, nil)
	check(t, rendered(shown, Options{NoCode: true}), []string{"out"}, []string{"secret"})
	folded := book(t, nil, sketch{Source: "x", Metadata: bundle{"jupyter": bundle{"outputs_hidden": true}}, Outputs: []any{prints("stdout", "out")}})
	check(t, rendered(folded, Options{}), []string{`<details class="fold"><summary>Output</summary>`}, nil)
}

func TestAttachments(t *testing.T) {
	n := book(t, nil, sketch{Type: "markdown", Source: `![one](attachment:a.png) ![two](attachment:b.html) ![three](beside.png) ![four](https://evil.test/x.png)`,
		Attached: bundle{"a.png": bundle{"image/png": pixel}, "b.html": bundle{"text/html": "<script>"}}})
	got := rendered(n, Options{File: func(name string) string { return "/files/" + name }})
	check(t, got, []string{`<img src="data:image/png;base64,` + pixel + `" alt="one"`, "[image: two]", `<img src="/files/beside.png" alt="three"`, `href="https://evil.test/x.png">[image: four]</a>`},
		[]string{`src="https`, "<script"})
}

// Frames and large pictures have the addresses that the caller gives them, and
// what stands there has its own policy.
func TestAddresses(t *testing.T) {
	large := strings.Repeat(pixel, 100)
	n := book(t, nil, sketch{Outputs: []any{
		shows(bundle{"image/png": large}),
		shows(bundle{"text/html": "<p>one</p>"}), shows(bundle{"application/vnd.vegalite.v5+json": bundle{"mark": "</script><b>"}}),
		prints("stdout", "between"),
		shows(bundle{"text/html": "<p>two</p>"}),
	}})
	o := Options{Address: func(p Part) string { return fmt.Sprintf("/o/%d/%d/%s", p.Cell, p.Output, p.MIME) }}
	d := New(n, o)
	c, _ := d.Cell(0)
	check(t, string(c.HTML), []string{`src="/o/0/0/image/png"`, `src="/o/0/1/text/html"`, `src="/o/0/4/text/html"`}, []string{"data-libraries", "/o/0/2"})
	if want := []Part{{Cell: 0, Output: 1, MIME: "text/html"}, {Cell: 0, Output: 4, MIME: "text/html"}}; !slices.Equal(c.Frames, want) {
		t.Errorf("frames %v, want %v", c.Frames, want)
	}
	r, err := Respond(n, c.Frames[0], "https://host.test/-/static/")
	if err != nil {
		t.Fatal(err)
	}
	policy := r.Header["Content-Security-Policy"]
	check(t, policy, []string{"sandbox allow-scripts;", "default-src 'none'", "'unsafe-eval'", "https://host.test/-/static/", "connect-src 'none'"}, []string{"allow-same-origin", "allow-popups"})
	check(t, string(r.Body), []string{"<p>one</p>", `<script src="https://host.test/-/static/vega-embed-`, `\u003c/script\u003e\u003cb\u003e`}, []string{"<p>two</p>"})
	if r, err = Respond(n, Part{Cell: 0, Output: 4, MIME: "text/html"}, "/s/"); err != nil || strings.Contains(r.Header["Content-Security-Policy"], "unsafe-eval") {
		t.Errorf("a frame that needs no eval has it, or %v", err)
	}
	for _, p := range []Part{{Cell: 0, Output: 9, MIME: "text/html"}, {Cell: -1, Output: 0, MIME: "text/html"}, {Cell: 0, Output: 0, MIME: "text/html"}, {Cell: 0, Output: 0, MIME: "image/gif"}, {Cell: 0, Output: 3, MIME: "text/html"}, {Cell: 3, Output: 0, MIME: ""}} {
		if _, err := Respond(n, p, "/s/"); err == nil {
			t.Errorf("there is something at %v", p)
		}
	}
}

// What a cell loads for others is put before what needs it, and not shown.
func TestLoaders(t *testing.T) {
	n := book(t, nil,
		sketch{Outputs: []any{shows(bundle{"text/html": `<div class="bk-notebook-logo"></div>`}), shows(bundle{"application/javascript": "window.Bokeh = 1", "application/vnd.bokehjs_load.v0+json": "window.Bokeh = 1"})}},
		sketch{Outputs: []any{shows(bundle{"text/html": `<div data-root-id="p1"></div>`}), shows(bundle{"application/javascript": "draw()", "application/vnd.bokehjs_exec.v0+json": ""}, bundle{"application/vnd.bokehjs_exec.v0+json": bundle{"id": "p1"}})}})
	d := New(n, Options{Address: func(p Part) string { return fmt.Sprint(p.Cell, "-", p.Output) }})
	first, _ := d.Cell(0)
	check(t, string(first.HTML), nil, []string{"<iframe", "not shown"})
	second, _ := d.Cell(1)
	if len(second.Frames) != 1 {
		t.Fatalf("frames %v, want one for the plot and its script", second.Frames)
	}
	r, err := Respond(n, second.Frames[0], "/s/")
	if err != nil {
		t.Fatal(err)
	}
	check(t, string(r.Body), []string{`"window.Bokeh = 1"`, `<div data-root-id="p1">`, `"draw()"`}, nil)
}

func TestWidgets(t *testing.T) {
	state := bundle{"state": bundle{
		"a": bundle{"model_name": "HBoxModel", "state": bundle{"children": []any{"IPY_MODEL_b"}}},
		"b": bundle{"model_name": "IntSliderModel", "state": bundle{"value": 5}}, "c": bundle{"model_name": "other"}}}
	n := book(t, map[string]any{"widgets": bundle{"application/vnd.jupyter.widget-state+json": state}},
		sketch{Outputs: []any{shows(bundle{"application/vnd.jupyter.widget-view+json": bundle{"model_id": "a", "version_major": 2}, "text/plain": "HBox"})}})
	r, err := Respond(n, Part{Cell: 0, Output: 0, MIME: "text/html"}, "/s/")
	if err != nil {
		t.Fatal(err)
	}
	check(t, string(r.Body), []string{"IntSliderModel", `"model_id":"a"`, `src="/s/widgets-`}, []string{`"other"`})
}

// A reader who wants nothing executed gets pictures and text.
func TestStill(t *testing.T) {
	n := book(t, nil, sketch{Outputs: []any{
		shows(bundle{"application/vnd.plotly.v1+json": bundle{}, "image/png": pixel}),
		shows(bundle{"text/html": "<b>x</b>", "text/plain": "plain"}), shows(bundle{"text/html": "only"}), shows(bundle{"text/html": pandas}),
	}})
	check(t, rendered(n, Options{Still: true}), []string{"<img", ">plain<", "text/html, which is not shown here", "<table"}, []string{"<iframe"})
}

func TestBadNotebooks(t *testing.T) {
	many := make([]*notebook.Cell, 100_000)
	for i := range many {
		many[i] = &notebook.Cell{Type: "markdown", Source: "x"}
	}
	many[90_000] = &notebook.Cell{Type: "code", Source: "boom", Outputs: []notebook.Output{{Type: "error", Ename: "E"}}}
	d := New(&notebook.Notebook{Cells: many}, Options{})
	got := 0
	for range d.Cells() {
		got++
	}
	if got != maxCells+2*aroundError-1 || !strings.Contains(d.Note, "100000 cells") || d.Failure.Anchor != "cell-90001" {
		t.Errorf("%d cells, note %q, failure %v", got, d.Note, d.Failure)
	}

	for name, c := range map[string]sketch{
		"long print":         {Outputs: []any{prints("stdout", strings.Repeat("line <of> text\n", 500_000))}},
		"long line":          {Outputs: []any{prints("stdout", strings.Repeat("x", 5_000_000))}},
		"overwritten":        {Outputs: []any{prints("stderr", strings.Repeat("\r 50%", 300_000))}},
		"frames":             {Outputs: []any{raises("E", "e", slices.Repeat([]string{"frame\n"}, 100_000)...)}},
		"rows":               {Outputs: []any{shows(bundle{"text/html": "<table>" + strings.Repeat("<tr><td>1</td></tr>", 100_000) + "</table>"})}},
		"json":               {Outputs: []any{shows(bundle{"application/json": slices.Repeat([]any{1}, 500_000)})}},
		"deep json":          {Outputs: []any{shows(bundle{"application/json": nested(800)})}},
		"dollars":            {Type: "markdown", Source: strings.Repeat("${", 400_000)},
		"backticks":          {Type: "markdown", Source: strings.Repeat("a`b``", 150_000)},
		"brackets":           {Type: "markdown", Source: strings.Repeat("[", 50_000)},
		"deep html":          {Type: "markdown", Source: strings.Repeat("<div><b>", 20_000)},
		"quotes":             {Type: "markdown", Source: strings.Repeat("> ", 2_000)},
		"endless formula":    {Type: "markdown", Source: `$\def\a{\a\a}\a$`},
		"large markdown":     {Type: "markdown", Source: strings.Repeat("*word* ", 300_000)},
		"code":               {Source: strings.Repeat("def f(x): return x\n", 300_000)},
		"points":             {Outputs: []any{shows(bundle{"application/geo+json": bundle{"type": "MultiPoint", "coordinates": slices.Repeat([]any{[]any{1, 2}}, 200_000)}})}},
		"no output_type":     {Outputs: []any{bundle{"output_type": "future", "x": 1}}},
		"strange data":       {Outputs: []any{shows(bundle{"text/html": bundle{}, "image/png": []any{1}, "text/plain": 3, "text/latex": nil, "application/vnd.dataresource+json": []any{}})}},
		"strange metadata":   {Metadata: bundle{"tags": "hide-input", "jupyter": []any{}}, Outputs: []any{shows(bundle{"image/png": pixel}, bundle{"image/png": "x"})}},
		"unpaired surrogate": {Outputs: []any{prints("stdout", "a\xed\xa0\x80b")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rendered(book(t, nil, c), Options{}); len(got) > 8<<20 || got == "" {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

func nested(depth int) any {
	var v any = 1
	for range depth {
		v = []any{v}
	}
	return v
}

func TestPage(t *testing.T) {
	n := book(t, nil, sketch{Type: "markdown", Source: "# <script>alert(1)</script>A & B"}, sketch{Outputs: []any{shows(bundle{"text/html": "</script><script>x()"})}})
	var page bytes.Buffer
	if err := WritePage(&page, "</title>", New(n, Options{Anchor: "n1-"}), New(n, Options{Anchor: "n2-"})); err != nil {
		t.Fatal(err)
	}
	check(t, page.String(), []string{"&lt;/title&gt;", `id="n1-cell-1"`, `id="n2-cell-1"`, `http-equiv="Content-Security-Policy"`}, []string{"<script>x()", "alert(1)", `gzip" data-library=`})
}
