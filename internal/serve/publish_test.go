package serve

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/browsertest"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// published is the site of the sweep of twelve runs, one of them with hostile
// output and one with a frame that draws, and a file that would execute.
func published(t *testing.T) (site string) {
	t.Helper()
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "tides.sweep"))
	s := makeSweep(t, st, 6, mixed(6))
	last := s.Runs()[11].Run.ID
	doc, err := notebook.Decode([]byte(hostileNotebook))
	must(t, err)
	a, err := s.Lease().Begin(t.Context(), last, sweep.Began{Host: "here"})
	must(t, err)
	must(t, a.End(t.Context(), doc, outcome.Outcome{Status: outcome.Succeeded, Start: a.At, End: a.At, Fingerprint: s.Current(s.Runs()[11].Run)}, nil))
	must(t, st.Put(t.Context(), sweep.PrefixArtifacts+last+"/page.html", []byte("<script>alert(1)</script>"), store.Cached))
	must(t, s.Lease().Release())
	site = filepath.Join(dir, "out", "site")
	_, err = Publish(t.Context(), &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}, filepath.Join(dir, "tides.sweep"), site, Pages{})
	must(t, err)
	return site
}

// A sweep with more runs than a site has pages is refused before one is written.
func TestPublishTooMany(t *testing.T) {
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "tides.sweep"))
	must(t, makeSweep(t, st, 6, mixed(6)).Lease().Release())
	site := filepath.Join(dir, "site")
	_, err := Publish(t.Context(), &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}, filepath.Join(dir, "tides.sweep"), site, Pages{most: 11})
	if err == nil || !strings.Contains(err.Error(), "12 pages, and a site has at most 11") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("it left %v", left)
	}
}

var addressForm = regexp.MustCompile(`\b(?:href|src|action)="([^"]*)"`)

// Every address in a site leads to a file of it; none leads out of it.
func TestPublishedLinks(t *testing.T) {
	site := published(t)
	pages := 0
	must(t, filepath.WalkDir(site, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".html" {
			return err
		}
		pages++
		text, err := os.ReadFile(name)
		must(t, err)
		for _, m := range addressForm.FindAllStringSubmatch(string(text), -1) {
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil || u.Scheme == "data" || u.Path == "" && u.Fragment != "" || u.Path == "x" { // x is a picture that a notebook names
				continue
			}
			if u.IsAbs() || strings.HasPrefix(u.Path, "/") || u.RawQuery != "" {
				t.Errorf("%s leads to %s", name, m[1])
				continue
			}
			to := filepath.Join(filepath.Dir(name), filepath.FromSlash(u.Path))
			if info, err := os.Stat(to); err != nil || info.IsDir() || !strings.HasPrefix(to, site+"/") {
				t.Errorf("%s leads to %s, which is not there", name, m[1])
			}
		}
		return nil
	}))
	if pages < 12+5 {
		t.Errorf("%d pages", pages)
	}
	if found, _ := filepath.Glob(filepath.Join(site, "files", "artifacts", "*", "page.html")); found != nil {
		t.Errorf("a browser would execute %v", found)
	}
}

// A site works from a disk and from a host that only sends files: nothing is
// asked of others, no policy is broken, foreign output reads and changes nothing.
func TestPublishedInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	site := published(t)
	host := httptest.NewServer(http.StripPrefix("/deep/down", http.FileServer(http.Dir(site))))
	t.Cleanup(host.Close)
	hostile := ""
	runs, err := filepath.Glob(filepath.Join(site, "runs", "*.html"))
	must(t, err)
	for _, name := range runs {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), "Hostile") {
			hostile = "runs/" + filepath.Base(name)
		}
	}
	for _, origin := range []string{"file://" + site, host.URL + "/deep/down"} {
		for _, page := range []string{"index.html", "runs.html", "cells.html", "tables.html", hostile} {
			t.Run(origin[:4]+"/"+filepath.Base(page), func(t *testing.T) {
				tab, complaints := openFile(t, browser, origin, page)
				if title := evaluated[string](t, tab, `document.title`); title == "" || strings.Contains(title, "owned") {
					t.Errorf("the title is %q", title)
				}
				if n := evaluated[int](t, tab, `document.querySelectorAll("form, [data-live], [data-reload]").length`); n > 0 {
					t.Errorf("%d things ask a server", n)
				}
				if !evaluated[bool](t, tab, `getComputedStyle(document.querySelector("header.site")).display === "flex" && !document.querySelector("#theme").hidden`) {
					t.Error("the style sheet or the script was not loaded")
				}
				if page == "cells.html" {
					ways := evaluated[string](t, tab, `(() => {
						const pair = document.querySelector("[data-pictures]");
						document.querySelector(".ways").children[2].click();
						return [...pair.querySelectorAll("img")].map(i => { i.loading = "eager"; return i.src.slice(i.src.lastIndexOf(".")); }).join() + " " + pair.dataset.pictures;
					})()`)
					if ways != ".png,.png difference" || !loadedPictures(t, tab) {
						t.Errorf("pictures that differ: %s", ways)
					}
				}
				if page == hostile && !filledFrame(t, tab) {
					t.Error("the frame was not filled")
				}
				for _, text := range complaints() {
					if !strings.Contains(text, "asks for "+origin) && !strings.Contains(text, "data:") {
						t.Error(text)
					}
				}
			})
		}
	}
}

// loadedPictures waits for the first two pictures of a page.
func loadedPictures(t *testing.T, tab context.Context) bool {
	t.Helper()
	for range 200 {
		if evaluated[bool](t, tab, `[...document.querySelectorAll("[data-pictures] img")].slice(0, 2).every(i => i.complete && i.naturalWidth === 200)`) {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// filledFrame waits for the first frame to say how tall it is.
func filledFrame(t *testing.T, tab context.Context) bool {
	t.Helper()
	for range 200 {
		if evaluated[bool](t, tab, `(() => { const frame = document.querySelector("iframe.frame"); frame.scrollIntoView(); return parseFloat(frame.style.height) > 0; })()`) {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

func openFile(t *testing.T, browser context.Context, origin, page string) (context.Context, func() []string) {
	t.Helper()
	tab, complaints := openTab(t, browser, origin+"/"+page, "light")
	if n, err := chromedp.Run(tab, chromedp.Evaluate[int](`document.body.children.length`)); err != nil || n == 0 {
		t.Fatalf("%s: %v", page, err)
	}
	return tab, complaints
}

// A sweep of which nothing has run has pages, too.
func TestPublishedBeforeAnythingRan(t *testing.T) {
	dir := t.TempDir()
	s := makeSweep(t, store.Dir(filepath.Join(dir, "new.sweep")), 2, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{} })
	must(t, s.Lease().Release())
	done, err := Publish(t.Context(), &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}, filepath.Join(dir, "new.sweep"), filepath.Join(dir, "site"), Pages{})
	if err != nil || done.Pages != 6+4 {
		t.Errorf("%d pages, %v", done.Pages, err)
	}
}

// A site that cannot be written whole leaves the one before it, also when the
// process died between the two.
func TestPublishKeepsTheSiteBefore(t *testing.T) {
	site := published(t)
	dir := filepath.Dir(filepath.Dir(site))
	a := &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Publish(ctx, a, filepath.Join(dir, "tides.sweep"), site, Pages{}); err == nil {
		t.Error("it was written after the end")
	}
	// As a process that died leaves them: the site before, and what it had written.
	must(t, os.Rename(site, filepath.Join(filepath.Dir(site), ".fanout-before-site")))
	begun := filepath.Join(filepath.Dir(site), ".fanout-site-1")
	must(t, os.MkdirAll(filepath.Join(begun, "site"), 0o755))
	must(t, os.WriteFile(filepath.Join(begun, ".owner"), nil, 0o600))
	if _, err := Publish(t.Context(), a, filepath.Join(dir, "none.sweep"), site, Pages{}); err == nil {
		t.Error("there is no such sweep")
	}
	_, err := Publish(t.Context(), a, filepath.Join(dir, "tides.sweep"), site, Pages{NoCode: true})
	must(t, err)
	entries, err := os.ReadDir(filepath.Dir(site))
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "site" {
		t.Errorf("beside the site: %v", entries)
	}
}

// The pages of a run with very many attempts list the last of them: a site would have as
// many pages as attempts, each with a line for each attempt.
func TestPublishManyAttempts(t *testing.T) {
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "tides.sweep"))
	s := makeSweep(t, st, 6, mixed(6))
	must(t, s.Lease().Release())
	var id string
	for _, st := range s.Runs() {
		if st.Best == 1 && st.Attempts == 1 {
			id = st.Run.ID
		}
	}
	text, err := st.Get(t.Context(), sweep.AttemptKey(id, 1))
	must(t, err)
	for n := 2; n <= manyAttempts+50; n++ {
		must(t, st.Put(t.Context(), sweep.AttemptKey(id, n), text, store.Cached))
	}
	site := filepath.Join(dir, "site")
	_, err = Publish(t.Context(), &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}, filepath.Join(dir, "tides.sweep"), site, Pages{})
	must(t, err)
	pages := map[string]string{}
	must(t, filepath.WalkDir(site, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, id) && strings.HasSuffix(path, ".html") {
			b, err := os.ReadFile(path)
			pages[path] = string(b)
			return err
		}
		return err
	}))
	if n := len(pages); n < manyAttempts || n > manyAttempts+3 {
		t.Errorf("%d pages of the run", n)
	}
	for path, text := range pages {
		if !strings.Contains(text, "50 earlier attempts are not listed") {
			t.Errorf("%s does not say that there are more", path)
		}
	}
}
