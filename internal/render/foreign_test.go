package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/notebook/zeppelin"
)

// FANOUT_TEST_NOTEBOOKS lists folders of notebooks that other people wrote.
// None is kept here; kinds is what always runs.
func foreignNotebooks(t *testing.T) map[string][]byte {
	t.Helper()
	list := os.Getenv("FANOUT_TEST_NOTEBOOKS")
	if list == "" {
		t.Skip("FANOUT_TEST_NOTEBOOKS names no folder with notebooks of other people, such as those of JupyterLab, nbconvert, nbdime and Altair")
	}
	all := map[string][]byte{}
	for _, dir := range filepath.SplitList(list) {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".ipynb" && !zeppelin.IsNote(path) {
				return err
			}
			b, err := os.ReadFile(path)
			if len(bytes.TrimSpace(b)) > 0 {
				all[path] = b
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no notebooks", list)
	}
	return all
}

// Notebooks of other people are shown, and nothing in their pages executes,
// loads or leads anywhere by itself except what is in frames.
func TestForeignNotebooks(t *testing.T) {
	all := foreignNotebooks(t)
	for name, b := range all {
		n, err := zeppelin.Read(name, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var page bytes.Buffer
		if err := WritePage(&page, name, New(n, Options{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, wrong := range inert(t, page.Bytes()) {
			t.Errorf("%s: %s", name, wrong)
		}
		want := 0
		for _, c := range n.Cells {
			if !c.HasTag("papermill-error-cell-tag") { // the failure is shown otherwise
				want++
			}
		}
		if cells := bytes.Count(page.Bytes(), []byte(`id="cell-`)); cells != want {
			t.Errorf("%s: %d cells of %d are shown", name, cells, want)
		}
	}
	t.Logf("%d notebooks", len(all))
}

// The pictures that other people attached to their text are shown, and pictures are as
// wide as their metadata says. TestAttachments and TestKinds have our own.
func TestForeignPictures(t *testing.T) {
	attachments, widths := 0, 0
	for name, b := range foreignNotebooks(t) {
		n, err := zeppelin.Read(name, b)
		if err != nil {
			continue // TestForeignNotebooks says so
		}
		d := New(n, Options{})
		for i, c := range n.Cells {
			shown, _ := d.Cell(i)
			for file := range c.Attachments {
				if picture := attached(c, file); picture != "" && strings.Contains(c.Source, "](attachment:"+file+")") {
					attachments++
					if !strings.Contains(string(shown.HTML), html.EscapeString(picture)) {
						t.Errorf("%s, cell %d: %s is not shown", name, i+1, file)
					}
				}
			}
			for j := range c.Outputs {
				forms := d.forms(&c.Outputs[j])
				if len(forms) == 0 || !rasterType().MatchString(forms[0].mime) {
					continue
				}
				m, _ := c.Outputs[j].Metadata[forms[0].mime].(map[string]any)
				if w, ok := m["width"].(json.Number); ok {
					widths++
					if !strings.Contains(string(shown.HTML), fmt.Sprintf(` width="%s"`, w)) {
						t.Errorf("%s, cell %d: a picture is not %s pixels wide", name, i+1, w)
					}
				}
			}
		}
	}
	t.Logf("%d attachments, %d widths", attachments, widths)
}

// Of notebooks that papermill prepares in its report mode every code is hidden: its own,
// and those of scrapbook, where FANOUT_TEST_NOTEBOOKS has them. TestHiddenCode has ours.
func TestReportModeOfPapermill(t *testing.T) {
	python := os.Getenv("FANOUT_TEST_PYTHON")
	if python == "" || exec.Command(python, "-c", "import papermill").Run() != nil {
		t.Skip("FANOUT_TEST_PYTHON names no Python with papermill")
	}
	const prepare = `
import json, sys, papermill
for i, path in enumerate(json.load(sys.stdin)):
    papermill.execute_notebook(path, "%s/%d.ipynb" % (sys.argv[1], i), prepare_only=True, report_mode=True, kernel_name="python3")
`
	var paths []string
	for path := range foreignNotebooks(t) {
		if folder := filepath.ToSlash(filepath.Dir(path)); strings.HasSuffix(folder, "papermill/tests/notebooks") || strings.HasSuffix(folder, "scrapbook/tests/notebooks") {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		t.Skip("FANOUT_TEST_NOTEBOOKS names no checkout of papermill")
	}
	dir := t.TempDir()
	list, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-W", "ignore", "-c", prepare, dir)
	cmd.Stdin = bytes.NewReader(list)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hidden := 0
	for i, path := range paths {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.ipynb", i)))
		if err != nil {
			t.Fatal(err)
		}
		n, err := notebook.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		page := rendered(n, Options{})
		hidden += strings.Count(page, `<details class="source">`)
		if strings.Contains(page, `<details class="source" open`) {
			t.Errorf("%s: some code is not hidden", path)
		}
	}
	t.Logf("%d notebooks, %d codes hidden", len(paths), hidden)
}

// The same holds for every kind of output and every attack of ours.
func TestPagesAreInert(t *testing.T) {
	var cells []sketch
	for _, k := range kinds {
		cells = append(cells, sketch{Source: k.name, Outputs: k.outputs})
	}
	for _, a := range attacks() {
		cells = append(cells, a)
	}
	var page bytes.Buffer
	if err := WritePage(&page, "all", New(book(t, nil, cells...), Options{})); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range inert(t, page.Bytes()) {
		t.Error(wrong)
	}
}

// elementsThatLoad never stand in a page of ours.
var elementsThatLoad = []string{"object", "embed", "link", "base", "form", "video", "audio", "source", "applet", "foreignobject"}

// inert says what of a page could execute or load something.
func inert(t *testing.T, page []byte) (wrong []string) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains(elementsThatLoad, strings.ToLower(n.Data)) {
			wrong = append(wrong, "an element "+n.Data)
		}
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[strings.ToLower(a.Key)] = a.Val
		}
		if n.Data == "script" && attributes["type"] != "application/gzip" && (n.NextSibling != nil && n.NextSibling.Type == html.ElementNode || n.Parent.Data != "body") {
			wrong = append(wrong, "a script within the notebook")
		}
		if n.Data == "iframe" && (attributes["sandbox"] != "allow-scripts" || attributes["src"] != "" || attributes["srcdoc"] != "") {
			wrong = append(wrong, "a frame that is not empty, or not of an origin of its own")
		}
		for name, v := range attributes {
			low := strings.ToLower(strings.TrimSpace(v))
			switch {
			case strings.HasPrefix(name, "on"), name == "ping", name == "background", name == "srcset", name == "formaction", name == "poster":
				wrong = append(wrong, "an attribute "+name)
			case name == "src" && !strings.HasPrefix(low, "data:image/"):
				wrong = append(wrong, "it loads "+v)
			case name == "style" && (strings.Contains(low, "url(") || strings.Contains(low, "expression(") || strings.Contains(low, "position")):
				wrong = append(wrong, "a style "+v)
			case strings.HasSuffix(name, "href") && (strings.HasPrefix(low, "javascript:") || strings.HasPrefix(low, "data:") && attributes["download"] == "" || strings.HasPrefix(low, "vbscript:")):
				wrong = append(wrong, "a link to "+v)
			}
		}
	}
	return wrong
}
