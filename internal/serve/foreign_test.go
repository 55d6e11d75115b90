package serve

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/notebook/zeppelin"
	"github.com/fanout-dev/fanout/internal/serve/internal/books"
)

// foreignPages are the addresses of the notebooks of other people in a folder that have
// frames; TestForeignNotebooks of package render looks at all others.
func foreignPages(t *testing.T, s *Server, dir string) (framed []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !books.IsNotebook(path) {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		address := string(s.linkPath("view", filepath.ToSlash(rel)))
		code, _, body := get(s, address)
		if code != 200 && code != 422 {
			t.Errorf("%s: %d", rel, code)
		}
		if strings.Contains(body, "<iframe") {
			framed = append(framed, address)
		}
		return nil
	}))
	return framed
}

// figures is how many cells of a notebook show a figure of data: other HTML may be a script
// that shows nothing.
func figures(t *testing.T, path string) (n int) {
	t.Helper()
	path, err := url.PathUnescape(path)
	must(t, err)
	b, err := os.ReadFile(path)
	must(t, err)
	doc, err := zeppelin.Read(path, b)
	must(t, err)
	for _, c := range doc.Cells {
		if slices.ContainsFunc(c.Outputs, func(o notebook.Output) bool {
			for mime := range o.Data {
				if strings.HasPrefix(mime, "application/vnd.plotly.") || strings.HasPrefix(mime, "application/vnd.vega") {
					return true
				}
			}
			return false
		}) {
			n++
		}
	}
	return n
}

// What other people's notebooks draw with libraries is drawn, or the page names the hosts
// that are asked for the library or the data, with the text beside it; nobody but this server
// is asked for anything, and nothing of ours fails.
func TestForeignInABrowser(t *testing.T) {
	list := os.Getenv("FANOUT_TEST_NOTEBOOKS")
	if list == "" {
		t.Skip("FANOUT_TEST_NOTEBOOKS names no folder with notebooks of other people, such as those of commuter and Altair; TestInABrowser has our own")
	}
	browser := browsertest.Chromium(t)
	frames, waiting := 0, 0
	for _, dir := range filepath.SplitList(list) {
		s := serverOf(t, Access{}, dir)
		origin := listening(t, s)
		for _, address := range foreignPages(t, s, dir) {
			tab, complaints := openTab(t, browser, origin+address, "light")
			type frame struct {
				Height float64
				Asks   bool
			}
			tall := 0
			for i, f := range evaluated[[]frame](t, tab, `(async () => {
				const all = [...document.querySelectorAll("iframe.frame")];
				for (const f of all) for (let d = f.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
				for (const f of all) {
					f.scrollIntoView();
					for (let i = 0; i < 100 && !(parseFloat(f.style.height) > 20); i++) await new Promise(r => setTimeout(r, 50));
				}
				return all.map(f => ({Height: parseFloat(f.style.height) || 0, Asks: f.parentElement.textContent.includes("Load them")}));
			})()`, chromedp.EvalAwaitPromise) {
				frames++
				if f.Asks {
					waiting++
				}
				if f.Asks || f.Height >= 20 {
					tall++
				}
				if f.Height == 0 {
					t.Errorf("%s: frame %d does not say how tall it is", address, i+1)
				}
			}
			if want := figures(t, filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(address, "/view/")))); tall < want {
				t.Errorf("%s: %d cells have figures, and %d frames show something", address, want, tall)
			}
			for _, text := range complaints() {
				if !strings.Contains(text, "404") { // a picture beside the notebook that is not there
					t.Errorf("%s: %s", address, text)
				}
			}
			chromedp.Cancel(tab)
		}
	}
	t.Logf("%d frames, %d of which name hosts that they would ask", frames, waiting)
}
