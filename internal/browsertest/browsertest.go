// Package browsertest starts a browser for tests that look at pages, and says what
// is wrong with how a page reads.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Chromium starts a browser; it ends with the test. A test is skipped where
// there is none, unless FANOUT_TEST_REQUIRE names chromium.
func Chromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "chromium") {
			t.Fatal(err)
		}
		t.Skip("chromium is not on PATH")
	}
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1200, 900)}, more)
	ctx, end := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(options...))
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// Unreadable says what of the page in a tab some people cannot read or use: text
// that is too faint, and what axe-core calls serious or critical, where
// FANOUT_TEST_NODE_MODULES has it.
func Unreadable(t *testing.T, tab context.Context) []string {
	t.Helper()
	wrong, err := chromedp.Run(tab, chromedp.Evaluate[[]string](faint))
	if err != nil {
		t.Fatal(err)
	}
	modules := os.Getenv("FANOUT_TEST_NODE_MODULES")
	if modules == "" {
		t.Log("without axe-core: FANOUT_TEST_NODE_MODULES is not set")
		return wrong
	}
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(tab, chromedp.Evaluate[int](string(axe)+"; 0")); err != nil {
		t.Fatal(err)
	}
	more, err := chromedp.Run(tab, chromedp.Evaluate[[]string](serious, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return append(wrong, more...)
}

// serious are axe-core's complaints; colours that a notebook chose are its own.
const serious = `axe.run({exclude: [["iframe"], [".styled"]]}, {iframes: false, runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then(r =>
  r.violations.filter(v => ["serious", "critical"].includes(v.impact)).map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join("; ")))`

// faint are texts whose contrast with what is behind them is less than 4.5, after
// the W3C's formula.
const faint = `(() => {
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] !== 0) return c; } return [255, 255, 255]; };
  const wrong = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest("script, style, noscript, annotation, title, .styled") || !e.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) wrong.push(e.tagName + "." + e.className + " has a contrast of " + contrast.toFixed(2) + ": " + e.textContent.slice(0, 40));
  }
  return wrong;
})()`
