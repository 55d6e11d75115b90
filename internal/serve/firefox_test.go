package serve

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/browsertest"
)

// Firefox shows pages as Chromium does: formulas as MathML, frames that say how tall
// they are and read nothing, scripts of ours and no others.
func TestInFirefox(t *testing.T) {
	f := browsertest.StartFirefox(t)
	s, dir := tides(t)
	book := strings.Replace(hostileNotebook, "# Hostile", `# Hostile $\\frac{a}{b_1}$ and\n\n$$\\sum_{i=1}^n i^2$$\n\n`, 1)
	must(t, os.WriteFile(filepath.Join(dir, "hostile.ipynb"), []byte(book), 0o666))
	origin := listening(t, s)
	f.Open(origin + "/view/hostile.ipynb?token=" + url.QueryEscape(testToken))
	var page struct {
		Title, At, Theme, Policy string
		Math, Fractions          int
		High, FrameHigh          float64
	}
	for range 200 {
		f.Evaluate(`
			const frame = document.querySelector("iframe.frame");
			frame.scrollIntoView();
			const high = e => e ? e.getBoundingClientRect().height : 0;
			return {title: document.title, at: location.pathname, theme: document.querySelector("#theme").textContent,
				math: document.querySelectorAll("math").length, fractions: document.querySelectorAll("mfrac").length, high: high(document.querySelector("mfrac")), frameHigh: high(frame),
				policy: [...document.querySelectorAll("iframe")].map(e => e.getAttribute("sandbox")).join()};`, &page)
		if page.FrameHigh > 0 && page.Theme != "" && page.Theme != "Theme" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if strings.Contains(page.Title, "owned") || page.At != "/view/hostile.ipynb" || strings.Trim(strings.ReplaceAll(page.Policy, "allow-scripts", ""), ",") != "" {
		t.Errorf("the page: %+v", page)
	}
	if page.Math != 2 || page.Fractions != 1 || page.High < 20 { // two lines, one over the other
		t.Errorf("formulas: %+v", page)
	}
	if page.Theme != "Dark" || page.FrameHigh <= 0 {
		t.Errorf("scripts of ours: %+v", page)
	}
	f.Frame("iframe.frame")
	var text string
	for range 200 {
		if f.Evaluate(`return document.body.innerText + " " + self.origin`, &text); strings.Contains(text, "api") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, want := range []string{"ran;", "no cookie;", "no storage;", "no parent;", "no api;", " null"} {
		if !strings.Contains(text, want) {
			t.Errorf("the frame says %q, without %q", text, want)
		}
	}
	f.Frame("")
	f.Open(origin + "/part/1-0-html/hostile.ipynb") // by its address, with a cookie at hand
	for range 200 {
		if f.Evaluate(`return document.body.innerText + " " + self.origin`, &text); strings.Contains(text, "api") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, want := range []string{"ran;", "no cookie;", "no storage;", "no api;", " null"} {
		if !strings.Contains(text, want) {
			t.Errorf("opened by its address, the frame says %q, without %q", text, want)
		}
	}
	f.Open(origin + "/s/" + idOf(t, s) + "/runs?plot=lines")
	var runs struct{ Rows, Lines, Brushes int }
	f.Evaluate(`return {rows: document.querySelectorAll("tr[data-run]").length, lines: document.querySelectorAll("svg.lines path[data-run]").length, brushes: document.querySelectorAll(".axis[tabindex]").length}`, &runs)
	if runs.Rows != 12 || runs.Lines != 12 || runs.Brushes < 3 {
		t.Errorf("runs: %+v", runs)
	}
}
