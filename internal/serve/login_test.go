package serve

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
)

// Whoever has no cookie is asked for the token, on a page that is readable in both
// themes and that a keyboard alone gets past.
func TestLoginInABrowser(t *testing.T) {
	browser := browsertest.Chromium(t)
	s, _ := tides(t)
	tab, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	tab, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(cancel)
	must(t, chromedp.Do(tab, chromedp.Navigate(listening(t, s)+"/s/"+idOf(t, s))))
	for _, theme := range []string{"light", "dark"} {
		must(t, chromedp.Do(tab, seenAs("screen", theme)))
		for _, wrong := range browsertest.Unreadable(t, tab) {
			t.Errorf("%s: %s", theme, wrong)
		}
	}
	press := func(keys string) {
		t.Helper()
		_, err := chromedp.Run(tab, chromedp.KeyEvent(keys))
		must(t, err)
	}
	for range 20 {
		if evaluated[bool](t, tab, `document.activeElement.matches("input[name=token]")`) {
			break
		}
		press("\t")
	}
	press(testToken)
	press("\r")
	var at string
	for range 100 {
		if at = evaluated[string](t, tab, `document.readyState === "complete" ? document.title : ""`); at == "tides" || at == "tides · fanout" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("after the token the page is %q", at)
}
