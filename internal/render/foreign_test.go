package render

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

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
