package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// hostileNotebook shows what advisories of other viewers were about: scripts that
// read cookies, call the API, change the page and navigate it away.
const hostileNotebook = `{"cells": [
 {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Hostile <script>document.title='owned'</script>\n\n<img src=x onerror=\"document.title='owned'\">\n\n[click](javascript:alert(1)) <form action=/login><input name=token></form>"},
 {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": 1, "source": "1", "outputs": [
  {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>const say = t => document.body.append(t + ';'); say('ran'); try { say('cookie ' + document.cookie) } catch { say('no cookie') } try { localStorage.x = 1; say('storage') } catch { say('no storage') } try { parent.document.title = 'owned'; say('parent') } catch { say('no parent') } if (top !== self) try { top.location = '/view/' } catch { say('no navigation') } fetch('/api/v1/').then(r => say('api ' + r.status)).catch(() => say('no api'));</script>"}},
  {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='document.title=1'><script>parent.document.title='owned'</script><circle r='9'/></svg>"}},
  {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": "document.body.append('js;')"}},
  {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<table class='dataframe'><thead><tr><th></th><th>x</th></tr></thead><tbody><tr><th>0</th><td>1.5</td></tr></tbody></table>"}},
  {"output_type": "stream", "name": "stdout", "text": "<script>document.title='owned'</script>\u001b]8;;javascript:alert(1)\u0007x"}]}
], "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}, "nbformat": 4, "nbformat_minor": 5}`

// A browser that is logged in looks at every page in both themes: nothing is
// asked of others, no policy is broken, no script complains, nothing runs over
// the side, and text is readable.
func TestInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	s, dir := tides(t)
	must(t, os.WriteFile(filepath.Join(dir, "hostile.ipynb"), []byte(hostileNotebook), 0o666))
	withTable(t, filepath.Join(dir, "table.ipynb"), 450)
	origin := listening(t, s)
	id, run := idOf(t, s), firstRun(t, s)
	_, _, list := get(s, "/api/v1/s/"+id+"/runs?where=run_status+==+%22failed%22")
	var failed struct{ Runs []struct{ ID string } }
	must(t, json.Unmarshal([]byte(list), &failed))
	lookAt(t, browser, origin, []string{"/?q=tides", "/s/" + id, "/s/" + id + "/runs?group=region", "/s/" + id + "/runs?plot=dots", "/s/" + id + "/runs/" + run, "/s/" + id + "/runs/" + run + "/1", "/s/" + id + "/runs/" + failed.Runs[0].ID,
		"/s/" + id + "/cells", "/s/" + id + "/tables", "/s/" + id + "/tables/runs?color=region&f.x=%3E3&x=x&y=mean+loss", "/view/", "/view/hostile.ipynb", "/table/0-0-table/table.ipynb?color=port&x=index&y=tide", "/nowhere"})
}

// So it is with a catalogue, what can be launched, nights and steps.
func TestMoreInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	p := newPortal(t, Access{}, true)
	nightly(t, store.Dir(filepath.Join(p.dir, "nightly.sweep")))
	chain := makeSweepOf(t, store.Dir(filepath.Join(p.dir, "chain.sweep")), stepsFile, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{Status: outcome.Succeeded} })
	must(t, chain.Lease().Release())
	files, err := p.roots.Files(t.Context())
	must(t, err)
	paths := []string{"/", "/?q=state%3Afailed", "/launch"}
	for _, f := range files {
		if f.Name == "t.ipynb" || f.Name == "sweep.yaml" {
			paths = append(paths, "/launch/"+f.ID)
		}
	}
	all, err := p.roots.Sweeps(t.Context())
	must(t, err)
	for _, s := range all.Sweeps {
		switch s.Name {
		case "nightly":
			paths = append(paths, "/s/"+s.ID, "/s/"+s.ID+"/nights", "/s/"+s.ID+"/schedule")
		case "chain":
			paths = append(paths, "/s/"+s.ID, "/s/"+s.ID+"/runs", "/s/"+s.ID+"/runs/"+chain.Runs()[2].Run.ID)
		default:
			paths = append(paths, "/s/"+s.ID)
		}
	}
	if len(paths) != 12 {
		t.Errorf("pages: %q", paths)
	}
	lookAt(t, browser, listening(t, p.Server), paths)
}

// lookAt looks at pages in both themes, on a screen, on a phone and on paper.
func lookAt(t *testing.T, browser context.Context, origin string, paths []string) {
	t.Helper()
	const over = `(() => {
		const wide = document.documentElement.clientWidth + 1;
		return document.documentElement.scrollWidth > wide ? [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > wide && !e.closest(".scroll, pre")).map(e => e.outerHTML.slice(0, 120)).slice(0, 3).join(" ") || "?" : "";
	})()`
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			tab, complaints := openTab(t, browser, origin+path, "light")
			for _, theme := range []string{"light", "dark"} {
				must(t, chromedp.Do(tab, seenAs("screen", theme)))
				for _, wrong := range browsertest.Unreadable(t, tab) {
					t.Errorf("%s: %s", theme, wrong)
				}
			}
			const small = `[...document.querySelectorAll(".plot")].filter(p => p.getBoundingClientRect().width < .75 * p.viewBox.baseVal.width).length`
			for _, wide := range []int64{1920, 1200} {
				_, err := chromedp.Run(tab, chromedp.EmulateViewport(wide, 1000))
				must(t, err)
				if what := evaluated[string](t, tab, over); what != "" {
					t.Errorf("the page runs over the side of %d pixels: %s", wide, what)
				}
				if n := evaluated[int](t, tab, small); n > 0 {
					t.Errorf("%d plots are drawn too small to be read on %d pixels", n, wide)
				}
			}
			if _, err := chromedp.Run(tab, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile)); err != nil {
				t.Fatal(err)
			}
			if what := evaluated[string](t, tab, over); what != "" {
				t.Errorf("the page runs over the side of a phone: %s", what)
			}
			if n := evaluated[int](t, tab, small); n > 0 {
				t.Errorf("%d plots are drawn too small to be read on a phone", n)
			}
			takePictures(t, tab, path)
			must(t, chromedp.Do(tab, seenAs("print", "dark")))
			if paper := evaluated[string](t, tab, `getComputedStyle(document.body).backgroundColor`); paper != "rgb(255, 255, 255)" {
				t.Errorf("it is printed on %s", paper)
			}
			if evaluated[bool](t, tab, `[...document.querySelectorAll("form.ask, form.search, .tabs, .filters")].some(e => e.getClientRects().length)`) {
				t.Error("what only a screen has a use for is printed")
			}
			if evaluated[bool](t, tab, `[...document.querySelectorAll("table.data")].some(e => !e.getClientRects().length && !e.closest("details:not([open])"))`) {
				t.Error("a table is not printed")
			}
			if n := evaluated[int](t, tab, `document.querySelectorAll(".notebook td.n").length`); n == 0 && strings.HasSuffix(path, "hostile.ipynb") {
				t.Error("there is no table with numbers")
			}
			if left := evaluated[bool](t, tab, `[...document.querySelectorAll(".notebook td.n")].some(e => getComputedStyle(e).textAlign !== "right")`); left {
				t.Error("numbers of a notebook's table are not on the right")
			}
			if title := evaluated[string](t, tab, `document.title`); strings.Contains(title, "owned") {
				t.Error("foreign output changed the page")
			}
			if at := evaluated[string](t, tab, `location.pathname + location.search`); at != path {
				t.Errorf("the page went to %s", at)
			}
			if n := evaluated[int](t, tab, `[...document.querySelectorAll("button, input, select, a")].filter(e => !e.hidden && !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.querySelector("img")) && e.type !== "hidden").length`); n > 0 {
				t.Errorf("%d controls have no name", n)
			}
			for _, text := range complaints() {
				missing := strings.HasSuffix(path, "nowhere") || strings.HasSuffix(path, "hostile.ipynb") // whose picture is not there
				if !missing || !strings.Contains(text, "404") {
					t.Error(text)
				}
			}
		})
	}
}

// takePictures writes how a page looks into the folder that FANOUT_TEST_PICTURES
// names: somebody has to like it.
func takePictures(t *testing.T, tab context.Context, path string) {
	t.Helper()
	folder := os.Getenv("FANOUT_TEST_PICTURES")
	if folder == "" {
		return
	}
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(path, "-"), "-")
	for _, theme := range []string{"light", "dark"} {
		must(t, chromedp.Do(tab, seenAs("screen", theme)))
		for _, wide := range []int64{390, 1200, 1920} {
			_, err := chromedp.Run(tab, chromedp.EmulateViewport(wide, 1000))
			must(t, err)
			picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, wide, theme)), picture, 0o666))
		}
	}
}

// seenAs has the tab show a page on a screen or on paper, in a theme.
func seenAs(medium, theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	})
}

// Pictures that differ stand side by side, over each other, or as their difference.
func TestPicturesOfACell(t *testing.T) {
	s, _ := tides(t)
	id := idOf(t, s)
	_, _, page := get(s, "/s/"+id+"/cells")
	shown := regexp.MustCompile(`<img(?: loading="lazy")? width="[1-9]\d*" height="[1-9]\d*" src="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(shown) < 4 || len(shown)%2 != 0 {
		t.Fatalf("%d pictures", len(shown))
	}
	var files []string
	for _, m := range shown[:4] {
		status, header, file := get(s, html.UnescapeString(m[1]))
		if status != http.StatusOK || header.Get("Content-Type") != "image/png" {
			t.Errorf("%s: %d %s", m[1], status, header.Get("Content-Type"))
		}
		files = append(files, file)
	}
	if files[0] == files[1] || files[0] != files[2] || files[1] == files[3] {
		t.Error("they are not the reference's, beside those of two groups")
	}

	tab, complaints := openTab(t, browsertest.Chromium(t), listening(t, s)+"/s/"+id+"/cells", "light")
	place := func(way int) string {
		return evaluated[string](t, tab, fmt.Sprintf(`(() => {
			document.querySelectorAll(".ways")[0].children[%d].click();
			const [a, b] = [...document.querySelector(".pictures").querySelectorAll("img")].map(e => e.getBoundingClientRect());
			const [style, border] = [getComputedStyle(document.querySelector(".pictures figure:last-child")), document.querySelector(".pictures + input")];
			return [a.left === b.left ? "over" : "beside", style.mixBlendMode, border.checkVisibility() ? "border" : "no border"].join(" ");
		})()`, way))
	}
	for way, want := range []string{"beside normal no border", "over normal border", "over difference no border"} {
		if got := place(way); got != want {
			t.Errorf("way %d: %s, want %s", way, got, want)
		}
	}
	for _, wrong := range append(browsertest.Unreadable(t, tab), complaints()...) {
		t.Error(wrong)
	}
}

// A part of an axis that is chosen becomes a condition, whatever the column is
// called, and the runs that are left are those that it is true of.
func TestBrush(t *testing.T) {
	s, _ := tides(t)
	tab, complaints := openTab(t, browsertest.Chromium(t), listening(t, s)+"/s/"+idOf(t, s)+"/runs", "light")
	where := evaluated[string](t, tab, `(async () => {
		const axis = [...document.querySelectorAll(".axis")].find(a => a.ariaLabel.startsWith("mean loss"));
		const press = (key, shiftKey) => axis.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }));
		for (let i = 0; i < 10; i++) press("ArrowUp", false);
		press("Enter", false);
		return document.querySelector("[name=where]").value;
	})()`, chromedp.EvalAwaitPromise)
	if where != `column("mean loss") >= 6.5` {
		t.Fatalf("the condition is %s", where)
	}
	for range 100 {
		lead, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.readyState === "complete" ? document.querySelector(".lead").textContent : ""`))
		if err == nil && lead == "5 of 12 runs" { // an error is that the page was left meanwhile
			if n := evaluated[int](t, tab, `document.querySelectorAll("tr[data-run]").length`); n != 5 {
				t.Errorf("%d rows", n)
			}
			for _, text := range complaints() {
				t.Error(text)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("the page says %q", evaluated[string](t, tab, `document.querySelector(".lead").textContent`))
}

// A frame is of no origin, in the page and when it is opened by its address:
// with a cookie at hand it reads none, and calls nothing.
func TestFramesAreOfNoOrigin(t *testing.T) {
	browser := browsertest.Chromium(t)
	s, dir := tides(t)
	must(t, os.WriteFile(filepath.Join(dir, "hostile.ipynb"), []byte(hostileNotebook), 0o666))
	origin := listening(t, s)
	openTab(t, browser, origin+"/view/", "light") // logs in
	tab, _ := openTab(t, browser, origin+"/part/1-0-html/hostile.ipynb", "light")
	var text string
	for range 50 {
		if text = evaluated[string](t, tab, `document.body.innerText`); strings.Contains(text, "api") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, want := range []string{"ran;", "no cookie;", "no storage;", "no api;"} {
		if !strings.Contains(text, want) {
			t.Errorf("the frame says %q, without %q", text, want)
		}
	}
	if at := evaluated[string](t, tab, `self.origin`); at != "null" {
		t.Errorf("the frame's origin is %s", at)
	}
	_, h, _ := get(s, "/part/1-0-html/hostile.ipynb")
	if p := h.Get("Content-Security-Policy"); !strings.HasPrefix(p, "sandbox allow-scripts;") || strings.Contains(p, "allow-same-origin") || !strings.Contains(p, "connect-src 'none'") {
		t.Errorf("policy %s", p)
	}
}

// The page of a running sweep follows, and without scripts every page reads.
func TestLivePage(t *testing.T) {
	browser := browsertest.Chromium(t)
	dir := t.TempDir()
	sw := makeSweep(t, store.Dir(filepath.Join(dir, "a.sweep")), 3, firstOnly)
	makeSweep(t, store.Dir(filepath.Join(dir, "b.sweep")), 1, firstOnly)
	s := serverOf(t, Access{}, dir)
	origin := listening(t, s)
	all, err := s.roots.Sweeps(t.Context())
	must(t, err)
	tab, _ := openTab(t, browser, origin+"/s/"+all.Sweeps[0].ID, "light")
	before := evaluated[string](t, tab, `document.querySelector(".lead").textContent`)
	if !strings.Contains(before, "1 succeeded, 5 planned") {
		t.Fatalf("the page begins with %q", before)
	}
	for i, st := range sw.Runs() {
		if i > 0 {
			endRun(t, sw, st, outcome.Outcome{Status: outcome.Succeeded})
		}
	}
	for range 100 {
		if after := evaluated[string](t, tab, `document.querySelector(".lead").textContent`); after == "6 runs: 6 succeeded" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("the page still says %q", evaluated[string](t, tab, `document.querySelector(".lead").textContent`))
}

// firstOnly ends the first run and leaves the others planned.
func firstOnly(i int, _ sweep.RunState) outcome.Outcome {
	if i == 0 {
		return outcome.Outcome{Status: outcome.Succeeded}
	}
	return outcome.Outcome{}
}

// listening serves on a port of this machine; it ends with the test.
func listening(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := httptest.NewUnstartedServer(s)
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv.URL
}

// openTab opens a page with the token, which the server turns into a cookie.
// complaints are what the browser has to say about it.
func openTab(t *testing.T, browser context.Context, url, theme string) (context.Context, func() []string) {
	t.Helper()
	tab, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	var mu sync.Mutex
	var all []string
	origin := url[:strings.Index(url[8:], "/")+8]
	must(t, chromedp.Listen(tab, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			all = append(all, "exception: "+e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" {
				all = append(all, "console: "+e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, origin+"/") && !strings.HasPrefix(u, "data:") {
				all = append(all, "asks for "+u)
			}
		}
	}))
	tab, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(cancel)
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	must(t, chromedp.Do(tab, themed(theme), chromedp.Navigate(url+sep+"token="+strings.ReplaceAll(testToken, " ", "+"))))
	return tab, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), all...)
	}
}

func evaluated[T any](t *testing.T, tab context.Context, script string, how ...chromedp.EvaluateOption) T {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[T](script, how...))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// themed has the tab tell what it hears and prefer a theme.
func themed(theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err1 := cdp.Call(ctx, tab, log.Enable, cdp.Empty{})
		_, err2 := cdp.Call(ctx, tab, runtime.Enable, cdp.Empty{})
		_, err3 := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		_, err4 := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return errors.Join(err1, err2, err3, err4)
	})
}
