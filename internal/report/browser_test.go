package report

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
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
)

// used sorts the first table that sorts by its last column and filters by
// what no row has; it returns how many rows are left to see.
const used = `(() => {
  document.querySelector("th.sorts:last-child").click();
  const box = document.querySelector("#filter");
  box.value = "no row says this";
  box.dispatchEvent(new Event("input"));
  return [...document.querySelectorAll("tbody tr")].filter(r => !r.hidden).length;
})()`

// broken counts pictures that show nothing and elements that run over the
// page's side.
const broken = `[...document.images].filter(i => !i.naturalWidth || !i.alt).length + (document.documentElement.scrollWidth > innerWidth + 1)`

// A browser opens the page in both themes: it asks for nothing else, has no
// complaint and runs nothing from a value.
func TestInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	for name, in := range map[string]Input{
		"one":     inputOf(t, []string{"only"}, 6),
		"forty":   inputOf(t, numbered(40), 6),
		"scripts": inputOf(t, []string{"naïve", "Ωμέγα", "Привет", "漢字", "עברית", "😀", hostile, strings.Repeat("long", 50)}, 6),
		"days": wide(t, []string{"a", "b", "c"}, []string{"apac", "emea", "漢字"}, 40, func(v, r, d int) bool {
			return d == 7
		}),
	} {
		page, err := mustSummary(t, in).HTML()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(file, page, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, theme := range []string{"light", "dark"} {
			t.Run(name+" "+theme, func(t *testing.T) { look(t, browser, file, theme) })
		}
	}
}

// look opens a page in a tab of its own.
func look(t *testing.T, browser context.Context, file, theme string) {
	tab, end := chromedp.NewContext(browser)
	defer end()
	var mu sync.Mutex
	var complaints []string
	err := chromedp.Listen(tab, func(event any) {
		if text := complaint(event, file); text != "" {
			mu.Lock()
			defer mu.Unlock()
			complaints = append(complaints, text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	tab, cancel := context.WithTimeout(tab, 3*time.Minute)
	defer cancel()
	if err := chromedp.Do(tab, themed(theme), chromedp.Navigate("file://"+file)); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range browsertest.Unreadable(t, tab) {
		t.Error(wrong)
	}
	if n := evaluate[int](t, tab, broken); n != 0 {
		t.Errorf("%d pictures are empty or without words, or the page is too wide", n)
	}
	keepPicture(t, tab, filepath.Base(file)+"."+theme+".png")
	if n := evaluate[int](t, tab, used); n != 0 {
		t.Errorf("%d rows are shown by a filter that none passes", n)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, text := range complaints {
		t.Error(text)
	}
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

func evaluate[T any](t *testing.T, tab context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// complaint says what a page that is whole and alone does not do; empty for
// any other event.
func complaint(event any, file string) string {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		return fmt.Sprintf("the console says %s", e.Type)
	case *runtime.EventExceptionThrown:
		return "exception: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		return "the log says " + e.Entry.Text
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && u.Path != file {
			return fmt.Sprintf("the page asks for %.200s", e.Request.URL)
		}
	}
	return ""
}

// keepPicture leaves the page as it looks where FANOUT_TEST_KEEP says.
func keepPicture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("FANOUT_TEST_KEEP")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o666); err != nil {
		t.Fatal(err)
	}
}
