package render

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"

	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/notebook/zeppelin"
)

// labEntry has JupyterLab's renderers draw bundles, as it does in a trusted
// notebook: which representation it chooses, and what text that shows.
const labEntry = `import {RenderMimeRegistry, standardRendererFactories, MimeModel} from "@jupyterlab/rendermime";
import javascript from "@jupyterlab/javascript-extension";
import json from "@jupyterlab/json-extension";
const registry = new RenderMimeRegistry({initialFactories: standardRendererFactories});
for (const e of [javascript, json].flat()) registry.addFactory(e.rendererFactory, e.rank);
for (const mimeType of ["application/vnd.vega.v5+json", "application/vnd.vegalite.v3+json", "application/vnd.vegalite.v4+json", "application/vnd.vegalite.v5+json"])
  registry.addFactory({safe: true, mimeTypes: [mimeType], createRenderer: () => null}, 57);
registry.addFactory({safe: false, mimeTypes: ["application/vnd.jupyter.widget-view+json"], createRenderer: () => null}, -10);
const drawn = ["text/html", "text/plain", "application/vnd.jupyter.stdout", "application/vnd.jupyter.stderr"];
window.inLab = async bundles => {
  const all = [];
  for (const data of bundles) {
    const mime = registry.preferredMimeType(data, "any") || "";
    let text = "";
    if (drawn.includes(mime)) {
      const renderer = registry.createRenderer(mime);
      await renderer.renderModel(new MimeModel({data, trusted: false})); // its text, without executing it
      renderer.node.querySelectorAll("style, script").forEach(e => e.remove());
      text = renderer.node.textContent;
    }
    all.push({mime, text});
  }
  return all;
};`

// byDesign are the choices in which we differ from JupyterLab, as theirs and
// ours, and why. docs/serve.md has them for people.
var byDesign = []struct{ theirs, ours, why string }{
	{"*", typePlotly, "it has no renderer unless an extension is installed"},
	{"*", typeResource, "it has no renderer unless an extension is installed"},
	{"*", typeBokeh, "it has no renderer unless an extension is installed"},
	{"text/plain", "application/vnd.vegalite.*", "it draws versions 3 to 5 only"},
	{"text/html", "application/vnd.vega*", "HTML beside a figure is a page that loads the library from elsewhere"},
	{"application/vnd.vega.*", "application/vnd.vegalite.*", "both draw the same: the first by name is taken"},
	{"text/latex", typeSVG, "a picture says more than the formula beside it"},
	{"text/plain", typeGeo, "it has no renderer unless an extension is installed"},
	{typeWidget, "*", "the notebook does not hold the widget's state, so there is nothing to draw"},
	{"application/json", "*", "it puts a tree before what a library draws or says of it"},
	{"application/javascript", "*", "what is to be seen comes first, and is drawn with the script"},
	{"", "application/vnd.jupyter.std*", "a stream of another name is text all the same"},
}

func isByDesign(theirs, ours string) bool {
	for _, d := range byDesign {
		a, _ := path.Match(strings.ReplaceAll(d.theirs, "/", "|"), strings.ReplaceAll(theirs, "/", "|"))
		b, _ := path.Match(strings.ReplaceAll(d.ours, "/", "|"), strings.ReplaceAll(ours, "/", "|"))
		if a && b {
			return true
		}
	}
	return false
}

// As JupyterLab: of each output of other people's notebooks the same
// representation is chosen, and it says the same.
func TestAsJupyterLab(t *testing.T) {
	asJupyterLab(t, foreignNotebooks(t))
}

// So it is with every pair of the types that there are, whichever comes first.
func TestPairsAsJupyterLab(t *testing.T) {
	types := map[string]any{
		"application/json": bundle{"a": 1}, "text/html": "<b>text</b>", "text/markdown": "*text*", "text/latex": "$x$", "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>",
		"image/png": pixel, "image/jpeg": pixel, "image/gif": pixel, "text/plain": "text", "application/vnd.vegalite.v5+json": bundle{"mark": "bar"}, "application/vnd.vega.v5+json": bundle{},
		"application/vnd.plotly.v1+json": bundle{"data": []any{}}, "application/javascript": "1", "application/x-unknown": "?",
	}
	var outputs []any
	for a, x := range types {
		for b, y := range types {
			if a < b {
				outputs = append(outputs, shows(bundle{a: x, b: y}))
			}
		}
	}
	asJupyterLab(t, map[string][]byte{"pairs": book(t, nil, sketch{Source: "show()", Outputs: outputs}).Encode()})
}

func asJupyterLab(t *testing.T, notebooks map[string][]byte) {
	t.Helper()
	script := labScript(t)
	browser := browsertest.Chromium(t)
	var bundles []map[string]any
	var ours []chosen
	for name, b := range notebooks {
		n, err := zeppelin.Read(name, b)
		if err != nil {
			continue // TestForeignNotebooks says so
		}
		d := New(n, Options{})
		for i, c := range n.Cells {
			for j := range c.Outputs {
				if data := asLabReads(&c.Outputs[j]); len(data) > 0 {
					bundles = append(bundles, data)
					ours = append(ours, d.chosen(i, j, fmt.Sprintf("%s, cell %d, output %d", name, i+1, j+1)))
				}
			}
		}
	}
	theirs := inLab(t, browser, script, bundles)
	if len(theirs) != len(ours) {
		t.Fatalf("%d outputs, and JupyterLab shows %d", len(ours), len(theirs))
	}
	same, known := 0, map[string]int{}
	for i, o := range ours {
		l := theirs[i]
		if l.MIME == o.MIME {
			if a, b := squeezed(l.Text), squeezed(o.Text); a != b && o.Text != "" {
				same := 0
				for same < min(len(a), len(b)) && a[same] == b[same] {
					same++
				}
				from := max(0, same-100)
				t.Errorf("%s: as %s, from byte %d on, JupyterLab says\n%.300q\nand we say\n%.300q", o.where, o.MIME, from, a[from:], b[from:])
				continue
			}
			same++
			continue
		}
		if !isByDesign(l.MIME, o.MIME) {
			t.Errorf("%s: JupyterLab shows %q, we %q", o.where, l.MIME, o.MIME)
			continue
		}
		known[l.MIME+", we "+o.MIME]++
	}
	t.Logf("%d outputs: %d as in JupyterLab, and by design JupyterLab shows %v", len(ours), same, known)
}

// A chosen is the representation of an output that is shown, and what it says,
// "" where that is not compared.
type chosen struct {
	MIME, Text string
	where      string
}

// asLabReads is an output as a bundle: JupyterLab has types for prints and errors.
func asLabReads(o *notebook.Output) map[string]any {
	switch o.Type {
	case "stream":
		return map[string]any{"application/vnd.jupyter." + o.Name: o.Text}
	case "error":
		text := strings.Join(o.Traceback, "\n")
		if text == "" {
			text = o.Ename + ": " + o.Evalue
		}
		return map[string]any{"application/vnd.jupyter.stderr": text}
	}
	data := map[string]any{}
	for mime, raw := range o.Data {
		if text, ok := o.DataText(mime); ok {
			data[mime] = text
		} else {
			data[mime] = raw
		}
	}
	return data
}

func (d *Document) chosen(cell, i int, where string) chosen {
	o := &d.book.Cells[cell].Outputs[i]
	s := &sheet{d: d, cell: cell}
	got := chosen{where: where}
	switch o.Type {
	case "stream":
		got.MIME = "application/vnd.jupyter." + o.Name
		s.stream([]notebook.Output{*o})
	case "error":
		return chosen{MIME: "application/vnd.jupyter.stderr", where: where}
	default:
		forms := d.forms(o)
		if len(forms) == 0 {
			return got
		}
		got.MIME = forms[0].mime
		if got.MIME != "text/plain" && !d.isTable(o, got.MIME) {
			return got
		}
		s.inline(o, i, forms[0])
	}
	doc, err := html.Parse(strings.NewReader(s.String()))
	if err != nil {
		return got
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	got.Text = b.String()
	return got
}

// squeezed is a text without white space, which the two set differently.
func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u200b' {
			return -1
		}
		return r
	}, s)
}

// labScript bundles JupyterLab's renderers for a browser.
func labScript(t *testing.T) []byte {
	t.Helper()
	modules := os.Getenv("FANOUT_TEST_NODE_MODULES")
	if _, err := os.Stat(filepath.Join(modules, "@jupyterlab", "rendermime")); modules == "" || err != nil {
		t.Skip("FANOUT_TEST_NODE_MODULES has no @jupyterlab/rendermime")
	}
	cmd := exec.Command(filepath.Join(modules, ".bin", "esbuild"), "--bundle", "--format=iife", "--loader:.css=empty", "--loader:.svg=text", "--loader:.ttf=empty",
		"--loader:.woff=empty", "--loader:.woff2=empty", "--loader:.eot=empty", `--define:process.env.NODE_ENV="production"`, "--define:global=window", "--log-level=error")
	cmd.Dir = filepath.Dir(modules)
	cmd.Stdin = strings.NewReader(labEntry)
	var script, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &script, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("bundle JupyterLab's renderers: %v\n%s", err, words.String())
	}
	return script.Bytes()
}

func inLab(t *testing.T, browser context.Context, script []byte, bundles []map[string]any) (all []chosen) {
	t.Helper()
	body, err := json.Marshal(bundles)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string][]byte{"/": []byte(`<!doctype html><meta charset="utf-8"><body><script src="/lab.js"></script>`), "/lab.js": script, "/bundles": body}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers[r.URL.Path] == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", map[string]string{"/": "text/html", "/lab.js": "text/javascript"}[r.URL.Path])
		w.Write(answers[r.URL.Path])
	}))
	defer srv.Close()
	tab, end := chromedp.NewContext(browser)
	defer end()
	tab, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.Navigate(srv.URL+"/")); err != nil {
		t.Fatal(err)
	}
	all, err = chromedp.Run(tab, chromedp.Evaluate[[]chosen](`fetch("/bundles").then(r => r.json()).then(inLab)`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
