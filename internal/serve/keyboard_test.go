package serve

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
)

// Tab alone leads to every link, button, field and brush of the page of runs, each is
// outlined when it is reached, and Shift+Tab leads back.
func TestKeyboardAlone(t *testing.T) {
	s, _ := tides(t)
	tab, complaints := openTab(t, browsertest.Chromium(t), listening(t, s)+"/s/"+idOf(t, s)+"/runs", "light")
	const controls = `(() => {
		window.controls = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(e => e.checkVisibility() && !e.disabled && (!e.closest("details:not([open])") || e.matches("details > summary")));
		document.activeElement.blur();
		return window.controls.length;
	})()`
	const reached = `(() => {
		const e = document.activeElement, i = window.controls.indexOf(e);
		if (i < 0) return e === document.body ? "the page" : e.outerHTML.slice(0, 120);
		window.seen = (window.seen || new Set()).add(i);
		if (e.matches(".axis")) { // its line says that it has the focus
			const line = a => getComputedStyle(a.querySelector("line")), other = window.controls.find(a => a.matches(".axis") && a !== e);
			return parseFloat(line(e).strokeWidth) >= 3 && line(e).stroke !== line(other).stroke ? "" : "an axis with the focus looks as one without";
		}
		return getComputedStyle(e).outlineStyle === "none" ? "no outline: " + e.outerHTML.slice(0, 120) : "";
	})()`
	n := evaluated[int](t, tab, controls)
	if n < 20 {
		t.Fatalf("the page has %d controls", n)
	}
	press := func(keys ...chromedp.KeyOption) {
		t.Helper()
		_, err := chromedp.Run(tab, chromedp.KeyEvent("\t", keys...))
		must(t, err)
	}
	var wrong []string
	for range n + 10 {
		press()
		if what := evaluated[string](t, tab, reached); what == "the page" {
			break
		} else if what != "" && !slices.Contains(wrong, what) {
			wrong = append(wrong, what)
		}
	}
	for _, what := range wrong {
		t.Error(what)
	}
	if missed := evaluated[string](t, tab, `window.controls.filter((e, i) => !window.seen.has(i)).map(e => e.outerHTML.slice(0, 100)).join("\n")`); missed != "" {
		t.Errorf("Tab does not lead to\n%s", missed)
	}
	if brushes := evaluated[int](t, tab, `[...window.seen].filter(i => window.controls[i].matches(".axis")).length`); brushes < 2 {
		t.Errorf("Tab leads to %d brushes", brushes)
	}
	last := evaluated[string](t, tab, `document.activeElement.outerHTML`)
	press(chromedp.KeyModifiers(chromedp.ModifierShift))
	if evaluated[string](t, tab, `document.activeElement.outerHTML`) == last {
		t.Error("Shift+Tab does not lead back")
	}
	for _, text := range complaints() {
		if !strings.Contains(text, "axe-core") {
			t.Error(text)
		}
	}
}
