package render

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/notebook"
)

// mapped is a notebook with what folium writes: a page in a page, which loads a
// library and draws tiles with it.
func mapped(t *testing.T) *notebook.Notebook {
	page := `<script src="https://cdn.example/leaflet.js"></script><div id="map"></div><script>draw("https://tiles.example/1.png"); fetch("https://tiles.example/data.json")</script>`
	return book(t, nil, sketch{Outputs: []any{shows(bundle{"text/html": `<div style="height: 88px"><iframe srcdoc="` + html.EscapeString(page) + `" style="height: 60px"></iframe></div>`})}})
}

// far is every other host there is: it notes what it is asked for.
func far(t *testing.T) (*witness, string) {
	w := &witness{}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.ServeHTTP(rw, r)
		rw.Header().Set("Access-Control-Allow-Origin", "*")
		if r.URL.Path == "/leaflet.js" {
			rw.Header().Set("Content-Type", "text/javascript")
			rw.Write([]byte(`function draw(tile) { const i = new Image(); i.src = tile; document.body.append(i) }`))
		}
	}))
	t.Cleanup(srv.Close)
	return w, strings.TrimPrefix(srv.URL, "https://")
}

func (w *witness) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.asked))
}

// A map is drawn when its reader asks for that, without a script of ours, and
// without a cookie of ours leaving.
func TestOnlineInABrowser(t *testing.T) {
	others, at := far(t)
	browser := browsertest.Chromium(t, chromedp.Flag("host-resolver-rules", "MAP *.example "+at), chromedp.Flag("ignore-certificate-errors", true))
	n := mapped(t)
	mux := http.NewServeMux()
	near := httptest.NewServer(mux)
	defer near.Close()
	serve(mux, near.URL, n)
	tab, end := chromedp.NewContext(browser)
	defer end()
	tab, cancel := context.WithTimeout(tab, 2*time.Minute)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.Navigate(near.URL+"/page")); err != nil {
		t.Fatal(err)
	}
	if got, err := chromedp.Run(tab, chromedp.Evaluate[[]float64](heights, chromedp.EvalAwaitPromise)); err != nil || len(got) != 1 || got[0] < 88 {
		t.Fatalf("heights %v, %v", got, err)
	}
	others.none(t, "offline")
	if err := chromedp.Do(tab, chromedp.Click("a.online")); err != nil {
		t.Fatal(err)
	}
	loaded(t, tab, others)
	if where, err := chromedp.Run(tab, chromedp.Evaluate[string]("location.href")); err != nil || where != near.URL+"/page" {
		t.Errorf("the page is now %s, %v", where, err)
	}
}

// loaded waits until the map has asked for all that it needs.
func loaded(t *testing.T, tab context.Context, others *witness) {
	t.Helper()
	want := []string{"/1.png cookie=", "/data.json cookie=", "/leaflet.js cookie="}
	for tab.Err() == nil && len(others.all()) < len(want) {
		time.Sleep(50 * time.Millisecond)
	}
	if got := others.all(); !slices.Equal(got, want) {
		t.Errorf("others were asked for %v, want %v", got, want)
	}
}

// A file asks other hosts for something only if it was written to.
func TestOnlineFileInABrowser(t *testing.T) {
	others, at := far(t)
	browser := browsertest.Chromium(t, chromedp.Flag("host-resolver-rules", "MAP *.example "+at), chromedp.Flag("ignore-certificate-errors", true))
	for _, online := range []bool{false, true} {
		tab, end := chromedp.NewContext(browser)
		defer end()
		tab, cancel := context.WithTimeout(tab, 2*time.Minute)
		defer cancel()
		if err := chromedp.Do(tab, chromedp.Navigate("file://"+pageFile(t, mapped(t), Options{Online: online}))); err != nil {
			t.Fatal(err)
		}
		if got, err := chromedp.Run(tab, chromedp.Evaluate[[]float64](heights, chromedp.EvalAwaitPromise)); err != nil || len(got) != 1 || got[0] < 88 {
			t.Fatalf("heights %v, %v", got, err)
		}
		if !online {
			others.none(t, "offline")
			continue
		}
		loaded(t, tab, others)
	}
}
