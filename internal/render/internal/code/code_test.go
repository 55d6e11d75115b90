package code

import (
	"strings"
	"testing"
)

func TestHTML(t *testing.T) {
	for _, c := range []struct{ language, source, want string }{
		{"python", "def f(x):\n    return '<b>'  # é", `<span class="k">def</span> <span class="nf">f</span>(x):`},
		{"ipython3", "%matplotlib inline\nx = 1.5", `<span class="m">1.5</span>`},
		{"R", "x <- 1", `<span class="o">&lt;-</span> <span class="m">1</span>`},
		{"C++17", "int f() { return 1; }", `<span class="k">return</span>`},
		{"no such", "<script>", "&lt;script&gt;"},
		{"", "x & y", "x &amp; y"},
		{"python", strings.Repeat("x\n", Longest), "x\n"},
	} {
		got := HTML(c.language, c.source)
		if !strings.Contains(got, c.want) {
			t.Errorf("HTML(%q, %.50q) = %.200s", c.language, c.source, got)
		}
		if strings.Contains(got, "<b>") || strings.Contains(got, "<script>") {
			t.Errorf("HTML(%q, %.50q) lets a tag through: %.200s", c.language, c.source, got)
		}
	}
}

// Every grammar that is named is there and reads.
func TestGrammars(t *testing.T) {
	for language := range grammars {
		if got := HTML(language, "1"); !strings.Contains(got, "1") {
			t.Errorf("%s: %q", language, got)
		}
	}
}
