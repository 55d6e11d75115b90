package report

import (
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/render"
)

// No foreign text is a formula, for those who look for one in the source (two
// backslashes and a bracket, dollars) or in the page (one).
func TestForeignTextIsNoFormula(t *testing.T) {
	for _, text := range []string{`\(x\)`, `\[x\]`, `\\(x\\)`, `$x$`, `$$x$$`, `\begin{align}x\end{align}`, `a\b`} {
		for name, clean := range map[string]func(string) string{"safe": safe, "sentence": sentence} {
			source := clean(text)
			for _, mark := range []string{`\\`, `\begin`, `\end`, `\(`, `\)`} {
				if strings.Contains(source, mark) {
					t.Errorf("%s(%q) is %q, which holds %q", name, text, source, mark)
				}
			}
			if strings.Contains(strings.ReplaceAll(source, `\$`, ""), "$") {
				t.Errorf("%s(%q) is %q, with a dollar", name, text, source)
			}
			page, err := render.Markdown(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, mark := range []string{`\(`, `\[`, `\begin`} {
				if strings.Contains(string(page), mark) {
					t.Errorf("the page of %q is %q, which holds %q", text, string(page), mark)
				}
			}
			if got := strings.ReplaceAll(string(page), "\u2060", ""); !strings.Contains(got, text) {
				t.Errorf("the page of %q is %q", text, got)
			}
		}
	}
}
