package render

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/notebook"
)

// drawn is a notebook with one output of every library that frames use.
func drawn(t *testing.T) *notebook.Notebook {
	chart := bundle{"data": bundle{"values": []any{bundle{"a": "A", "b": 28}, bundle{"a": "B", "b": 55}}}, "mark": "bar", "width": 200, "height": 150,
		"encoding": bundle{"x": bundle{"field": "a", "type": "nominal"}, "y": bundle{"field": "b", "type": "quantitative"}}}
	spec, err := json.Marshal(chart)
	if err != nil {
		t.Fatal(err)
	}
	state := bundle{"version_major": 2, "version_minor": 0, "state": bundle{
		"m": bundle{"model_name": "IntSliderModel", "model_module": "@jupyter-widgets/controls", "model_module_version": "2.0.0", "state": bundle{"value": 5, "layout": "IPY_MODEL_l", "style": "IPY_MODEL_s"}},
		"l": bundle{"model_name": "LayoutModel", "model_module": "@jupyter-widgets/base", "model_module_version": "2.0.0", "state": bundle{}},
		"s": bundle{"model_name": "SliderStyleModel", "model_module": "@jupyter-widgets/controls", "model_module_version": "2.0.0", "state": bundle{}}}}
	return book(t, bundle{"widgets": bundle{widgetInfo: state}},
		sketch{Outputs: []any{shows(bundle{typePlotly: bundle{"data": []any{bundle{"type": "scatter", "x": []any{1, 2}, "y": []any{3, 4}}}}})}},
		sketch{Outputs: []any{shows(bundle{"application/vnd.vegalite.v6.json": chart})}},
		sketch{Outputs: []any{shows(bundle{"text/html": `<div id="vis"></div><script>(() => { const s = document.createElement("script"); s.src = "https://cdn.jsdelivr.net/npm/vega-embed@7"; s.onload = () => vegaEmbed("#vis", ` + string(spec) + `); document.head.append(s) })()</script>`})}},
		sketch{Outputs: []any{shows(bundle{typeWidget: bundle{"model_id": "m", "version_major": 2, "version_minor": 0}})}},
		sketch{Outputs: []any{shows(bundle{"application/javascript": `element.innerHTML = "<div style='height: 77px'>x</div>"`})}},
		sketch{Outputs: []any{shows(bundle{"application/javascript": "window.Bokeh = {draw(e) { e.style.height = '66px' }}", bokehLoad: "window.Bokeh = {draw(e) { e.style.height = '66px' }}"})}},
		sketch{Outputs: []any{shows(bundle{"text/html": `<div data-root-id="p"></div>`}), shows(bundle{"application/javascript": `Bokeh.draw(document.querySelector("[data-root-id]"))`, typeBokeh: ""})}},
	)
}

// heights waits until every frame has said how tall it is.
const heights = `(async () => {
	const frames = [...document.querySelectorAll("iframe.frame")];
	for (const f of frames) f.scrollIntoView();
	for (let i = 0; i < 800 && !frames.every(f => parseFloat(f.style.height) > 20); i++) await new Promise(r => setTimeout(r, 100));
	return frames.map(f => parseFloat(f.style.height) || 0);
})()`

// What needs a library is drawn, from a file as from a server, and nobody else is
// asked for anything.
func TestLibrariesInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	n := drawn(t)
	least := []float64{300, 150, 150, 25, 77, 66}
	mux := http.NewServeMux()
	near := httptest.NewServer(mux)
	defer near.Close()
	serve(mux, near.URL, n)
	for name, address := range map[string]string{"file": "file://" + pageFile(t, n), "served": near.URL + "/page"} {
		t.Run(name, func(t *testing.T) {
			tab, end := chromedp.NewContext(browser)
			defer end()
			tab, cancel := context.WithTimeout(tab, 2*time.Minute)
			defer cancel()
			if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
				t.Fatal(err)
			}
			got, err := chromedp.Run(tab, chromedp.Evaluate[[]float64](heights, chromedp.EvalAwaitPromise))
			if err != nil || len(got) != len(least) {
				t.Fatalf("heights %v, %v", got, err)
			}
			for i := range least {
				if got[i] < least[i] {
					t.Errorf("frame %d is %v pixels tall, want %v: heights %v", i, got[i], least[i], got)
				}
			}
		})
	}
}

func pageFile(t *testing.T, n *notebook.Notebook, options ...Options) string {
	t.Helper()
	var page bytes.Buffer
	if err := WritePage(&page, "page", New(n, append(options, Options{})[0])); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, page.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// looks says what is wrong with how the page looks: what runs over the side,
// pictures without words.
const looks = `(() => {
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth + 1) wrong.push("it is " + document.documentElement.scrollWidth + " pixels wide");
  for (const i of document.images) if (!i.alt) wrong.push("a picture has no words");
  return wrong;
})()`

// A page with every kind of output reads well in both themes, on a phone and on a
// wide screen, with and without a failure.
func TestLooksInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	cells := []sketch{{Type: "markdown", Source: "# A report\n\nText with `code`, [a link](#x), $x^2$ and a\n\n|table|of|\n|-|-:|\n|a|1|\n\n> and words of others\n\n## Two\n## Three\n" + strings.Repeat("long", 100)}}
	for _, k := range kinds {
		cells = append(cells, sketch{Source: "show(" + strings.Repeat("x", 300) + ")  # " + k.name, Outputs: k.outputs})
	}
	ansi := ""
	for i := range 16 {
		ansi += fmt.Sprintf("\x1b[38;5;%dmtext\x1b[0m \x1b[48;5;%dmtext\x1b[0m ", i, i)
	}
	cells = append(cells, sketch{Source: "@d\ndef f(x: int) -> str:\n    return 'a' + str(len(1.5))  # why", Outputs: []any{prints("stdout", ansi+"\x1b[7minverse\x1b[0m \x1b[2mfaint\x1b[0m")}})
	file := pageFile(t, book(t, bundle{"kernelspec": bundle{"name": "python3", "language": "python"}, "papermill": bundle{"parameters": bundle{"region": "emea"}}}, cells...))
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1200, 1920} {
			t.Run(fmt.Sprint(theme, width), func(t *testing.T) {
				tab, end := chromedp.NewContext(browser)
				defer end()
				tab, cancel := context.WithTimeout(tab, 2*time.Minute)
				defer cancel()
				themed := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
					_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
					return err
				})
				if err := chromedp.Do(tab, chromedp.EmulateViewport(width, 900), themed, chromedp.Navigate("file://"+file+"#top")); err != nil {
					t.Fatal(err)
				}
				wrong, err := chromedp.Run(tab, chromedp.Evaluate[[]string](looks))
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range append(wrong, browsertest.Unreadable(t, tab)...) {
					t.Error(w)
				}
				keepPicture(t, tab, fmt.Sprintf("notebook.%s.%d.png", theme, width))
			})
		}
	}
}

// keepPicture leaves the page as it looks where FANOUT_TEST_KEEP says.
func keepPicture(t *testing.T, tab context.Context, name string) {
	dir := os.Getenv("FANOUT_TEST_KEEP")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), picture, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}
