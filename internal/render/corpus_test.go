package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// pixel is a picture of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// A sketch is a cell as the tests write it; the zero Type is code.
type sketch struct {
	Type     string
	Source   string
	Metadata map[string]any
	Outputs  []any
	Attached map[string]any
}

// book is the notebook of these cells, read as a file is.
func book(t testing.TB, metadata map[string]any, cells ...sketch) *notebook.Notebook {
	t.Helper()
	top := map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": metadata}
	list := []any{}
	for i, c := range cells {
		cell := map[string]any{"cell_type": "code", "id": fmt.Sprint("c", i), "source": c.Source, "metadata": map[string]any{}}
		if c.Metadata != nil {
			cell["metadata"] = c.Metadata
		}
		if c.Type != "" {
			cell["cell_type"] = c.Type
		} else {
			cell["execution_count"], cell["outputs"] = nil, c.Outputs
		}
		if c.Attached != nil {
			cell["attachments"] = c.Attached
		}
		list = append(list, cell)
	}
	top["cells"] = list
	b, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	n, err := notebook.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// shows is an output with a MIME bundle, and metadata if there is any.
func shows(data map[string]any, metadata ...map[string]any) any {
	o := map[string]any{"output_type": "display_data", "data": data, "metadata": map[string]any{}}
	if len(metadata) > 0 {
		o["metadata"] = metadata[0]
	}
	return o
}

func prints(name, text string) any {
	return map[string]any{"output_type": "stream", "name": name, "text": text}
}

func raises(ename, evalue string, traceback ...string) any {
	return map[string]any{"output_type": "error", "ename": ename, "evalue": evalue, "traceback": traceback}
}

type bundle = map[string]any

// rendered is the HTML of all cells.
func rendered(n *notebook.Notebook, o Options) string {
	var b strings.Builder
	for c := range New(n, o).Cells() {
		b.WriteString(string(c.HTML))
	}
	return b.String()
}

// The kinds of output: what their page says, and what it must not say.
var kinds = []struct {
	name    string
	outputs []any
	has     []string
	not     []string
}{
	{"prints", []any{prints("stdout", "a<b\n"), prints("stdout", "\rdone\n"), prints("stderr", "\x1b[31mwarn\x1b[0m\n")},
		[]string{`class="stream stdout"`, "a&lt;b\ndone", `class="stream stderr"`, `<span class="a1">warn</span>`}, []string{"\x1b", "\r"}},
	{"progress", []any{prints("stderr", "\r  0%"), prints("stderr", "\r 50%"), prints("stderr", "\r100%\n")}, []string{">100%<"}, []string{"50%"}},
	{"plain", []any{shows(bundle{"text/plain": "array([1, 2])"})}, []string{`<pre class="result" tabindex="0">array([1, 2])</pre>`}, nil},
	{"error", []any{raises("KeyError", "'x'", "\x1b[0;31mKeyError\x1b[0m Traceback", "File ~/run.py:3, in f\n  3 boom()", "File /usr/lib/python3.11/site-packages/pandas/core.py:9\n  9 raise", "File /v/site-packages/numpy/a.py:1", "KeyError: 'x'")},
		[]string{"<strong>KeyError</strong>: &#39;x&#39;", "boom()", "<summary>2 frames of libraries</summary>"}, nil},
	{"png", []any{shows(bundle{"image/png": pixel + "\n", "text/plain": "<Figure>"}, map[string]any{"image/png": map[string]any{"width": 321, "height": 200}})},
		[]string{`<img loading="lazy" class="paper" width="321" height="200" alt="picture that cell 1 shows" src="data:image/png;base64,` + pixel}, []string{"Figure"}},
	{"png damaged", []any{shows(bundle{"image/png": `" onerror="x`, "text/plain": "instead of it"})}, []string{"instead of it"}, []string{"onerror", "<img"}},
	{"svg", []any{shows(bundle{"image/svg+xml": `<svg onload="x()"><script>x()</script></svg>`})}, []string{`src="data:image/svg+xml;base64,`}, []string{"<svg", "<script"}},
	{"markdown", []any{shows(bundle{"text/markdown": "**bold** [x](javascript:x) <b onclick=x>raw</b>", "text/plain": "no"})}, []string{"<strong>bold</strong>", "<b>raw</b>"}, []string{"javascript:", "onclick"}},
	{"latex", []any{shows(bundle{"text/latex": `$\displaystyle \frac{a}{b}$`, "text/plain": "a/b"})}, []string{"<math", "<mfrac>", "</math>"}, []string{"<code class=\"tex\""}},
	{"pandas", []any{shows(bundle{"text/html": pandas, "text/plain": "   a"})}, []string{`<table class="values">`, `<th scope="row">0</th><td class="n">1.5</td><td>x</td>`, "2 rows × 2 columns"}, []string{"<iframe", "style scoped", "border="}},
	{"polars", []any{shows(bundle{"text/html": polars})}, []string{`<td class="n">1</td>`, "shape: (2, 2)", "i64"}, []string{"<iframe", "<style"}},
	{"styler", []any{shows(bundle{"text/html": styler})}, []string{`class="values styled"`, `style="background-color:#440154;color:#f1f1f1;"`, "linear-gradient(90deg"}, []string{"<iframe", "url(", "position"}},
	{"dataresource", []any{shows(bundle{"application/vnd.dataresource+json": bundle{"schema": bundle{"fields": []any{bundle{"name": "k<", "type": "string"}, bundle{"name": "v", "type": "number"}}}, "data": []any{bundle{"k<": "a", "v": 1.25}, bundle{"k<": nil, "v": nil}}}})},
		[]string{"<th>k&lt;</th>", `<td>a</td><td class="n">1.25</td>`}, nil},
	{"json", []any{shows(bundle{"application/json": bundle{"a": []any{1, nil, "<x>"}}, "text/plain": "<JSON>"})}, []string{"<details open>", `<span class="key">a</span>`, "&lt;x&gt;", "null"}, []string{"<x>"}},
	{"geojson", []any{shows(bundle{"application/geo+json": bundle{"type": "Feature", "geometry": bundle{"type": "Polygon", "coordinates": []any{[]any{[]any{0, 0}, []any{1, 0}, []any{1, 1}}}}}})}, []string{`<svg class="map"`, "M0.0 1000.0L1000.0 1000.0L1000.0 0.0"}, nil},
	{"pdf", []any{shows(bundle{"application/pdf": "JVBERi0="})}, []string{`download="output.pdf"`}, []string{"<object", "<embed"}},
	{"html", []any{shows(bundle{"text/html": "<h1 onclick=x()>Hi</h1>", "text/plain": "a text of more than forty characters, which is said"})}, []string{"<iframe", `sandbox="allow-scripts"`, "As text/plain"}, []string{"<h1", "onclick"}},
	{"javascript", []any{shows(bundle{"application/javascript": "element.append('x')"})}, []string{"<iframe"}, []string{"element.append"}},
	{"plotly", []any{shows(bundle{"application/vnd.plotly.v1+json": bundle{"data": []any{}}})}, []string{`data-libraries="plotly"`}, nil},
	{"vega-lite 6", []any{shows(bundle{"application/vnd.vegalite.v6.json": bundle{"mark": "bar"}, "image/png": pixel})}, []string{`data-libraries="vega vega-lite vega-embed"`, "As image/png"}, nil},
	{"vega-lite 2", []any{shows(bundle{"application/vnd.vegalite.v2+json": bundle{"mark": "bar"}})}, []string{"vega-embed"}, nil},
	{"altair", []any{shows(bundle{"text/html": `<div id="v"></div><script src="https://cdn.jsdelivr.net/npm/vega-embed@7"></script><script>vegaEmbed("#v", {})</script>`})}, []string{"vega-embed", "asks for files of cdn.jsdelivr.net"}, nil},
	{"chart of data elsewhere", []any{shows(bundle{"application/vnd.vegalite.v5+json": bundle{"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "data": bundle{"url": "https://vega.github.io/vega-datasets/data/cars.json"}, "mark": "bar"}})}, []string{"asks for files of vega.github.io"}, nil},
	{"folium", []any{shows(bundle{"text/html": `<iframe srcdoc="&lt;script src=&quot;https://cdn.example/leaflet.js&quot;&gt;"></iframe>`})}, []string{"asks for files of cdn.example"}, []string{"srcdoc"}},
	{"links", []any{shows(bundle{"text/html": `<script>1</script><a class="x" href="https://elsewhere.example/">x</a> <iframe srcdoc="&lt;a href=&quot;https://elsewhere.example/&quot;&gt;"></iframe>`})}, []string{"<iframe"}, []string{"asks for files"}},
	{"tiles", []any{shows(bundle{"text/html": `<script>L.tileLayer("https://{s}.tile.example/{z}/{x}/{y}.png"); import("https://code.example/x.js")</script>`})}, []string{"asks for files of code.example and tile.example"}, nil},
	{"widget without state", []any{shows(bundle{"application/vnd.jupyter.widget-view+json": bundle{"model_id": "gone"}, "text/plain": "IntSlider(value=3)"})}, []string{"IntSlider(value=3)"}, []string{"<iframe"}},
	{"prints as a bundle", []any{shows(bundle{"application/vnd.jupyter.stderr": "\x1b[31mwarn\x1b[0m"})}, []string{`<span class="a1">warn</span>`}, []string{"not shown"}},
	{"scrap", []any{shows(bundle{"application/scrapbook.scrap.json+json": bundle{"name": "auc", "data": 0.93, "encoder": "json", "version": 1}}, map[string]any{"scrapbook": bundle{"name": "auc", "data": true, "display": false}})}, []string{"<span>auc</span> = 0.93"}, []string{"not shown"}},
	{"unknown", []any{shows(bundle{"application/x-vtk": "?"})}, []string{"application/x-vtk, which is not shown"}, nil},
}

const pandas = `<div><style scoped>.dataframe tbody tr th { vertical-align: top; }</style>
<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th><th>a</th><th>b</th></tr></thead>
<tbody><tr><th>0</th><td>1.5</td><td>x</td></tr><tr><th>1</th><td>NaN</td><td>y</td></tr></tbody></table><p>2 rows × 2 columns</p></div>`

const polars = `<div><style>.dataframe > thead > tr { text-align: right; }</style><small>shape: (2, 2)</small><table border="1" class="dataframe">
<thead><tr><th>a</th><th>b</th></tr><tr><td>i64</td><td>str</td></tr></thead><tbody><tr><td>1</td><td>&quot;x&quot;</td></tr><tr><td>2</td><td>null</td></tr></tbody></table></div>`

const styler = `<style type="text/css">#T_1a2b_row0_col0 { background-color: #440154; color: #f1f1f1; position: fixed; }
#T_1a2b_row0_col1 { width: 10em; background: linear-gradient(90deg, transparent 50.0%, #d65f5f 50.0%, #d65f5f 75.0%, transparent 75.0%); }
#T_1a2b_row1_col0 { background: url(http://evil.test/x.png); }</style>
<table id="T_1a2b"><thead><tr><th class="blank level0">&nbsp;</th><th>a</th><th>b</th></tr></thead>
<tbody><tr><th>0</th><td id="T_1a2b_row0_col0" class="data">1</td><td id="T_1a2b_row0_col1">2</td></tr><tr><th>1</th><td id="T_1a2b_row1_col0">3</td><td>4</td></tr></tbody></table>`

func TestKinds(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			check(t, rendered(book(t, nil, sketch{Source: "show()", Outputs: k.outputs}), Options{NoCode: true}), k.has, k.not)
		})
	}
}

func check(t *testing.T, got string, has, not []string) {
	t.Helper()
	for _, text := range has {
		if !strings.Contains(got, text) {
			t.Errorf("it does not say %s:\n%s", text, got[:min(len(got), 4000)])
		}
	}
	for _, text := range not {
		if strings.Contains(got, text) {
			t.Errorf("it says %s:\n%s", text, got[:min(len(got), 4000)])
		}
	}
}
