package tex

import (
	"strings"
	"testing"
	"time"
)

func TestMathML(t *testing.T) {
	for _, c := range []struct {
		tex     string
		display bool
		want    string
	}{
		{`\frac{a}{b}`, false, "<mfrac>"},
		{`\frac{a}{b}`, true, `display="block"`},
		{`\begin{pmatrix}1&2\\3&4\end{pmatrix}`, true, "<mtable"},
		{`\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt\pi}{2}`, true, "<msqrt>"},
		{`\text{<b>&}`, false, "&lt;b&gt;"},
		{`x`, false, `<annotation encoding="application/x-tex">x</annotation>`},
		// What is no formula stays as it is.
		{`\frac{`, false, `<code class="tex">\frac{</code>`},
		{`\nosuch<b>`, true, `<pre class="tex">\nosuch&lt;b&gt;</pre>`},
		{strings.Repeat("x", longest+1), false, `<code class="tex">xxx`},
	} {
		if got := MathML(c.tex, c.display); !strings.Contains(got, c.want) {
			t.Errorf("MathML(%.100q) = %.2000s, want %s in it", c.tex, got, c.want)
		}
	}
}

// Formulas neither execute nor link nor load anything.
func TestHostile(t *testing.T) {
	for _, tex := range []string{
		`\href{javascript:alert(1)}{x}`, `\url{javascript:alert(1)}`, `\includegraphics{https://evil.test/x.png}`, `\class{x" onclick="y}{z}`,
		`\style{position:fixed}{x}`, `\htmlStyle{position:fixed;background:url(x)}{x}`, `\data{x=y}{z}`, `\text{<img src=x onerror=y>}`, `\unicode{<script>}`,
		`\color{red;background:url(//evil.test)}x`, `\textcolor{#f00"onclick="}{x}`,
	} {
		got := MathML(tex, false)
		math, _, _ := strings.Cut(got, "<annotation")
		for _, bad := range []string{"href", "src=", "onclick=\"", "<img", "<script", "url(", "position"} {
			if strings.HasPrefix(got, "<math") && strings.Contains(math, bad) && !strings.Contains(math, "&lt;img") {
				t.Errorf("MathML(%q) = %s", tex, math)
			}
		}
	}
}

func TestEndless(t *testing.T) {
	began := time.Now()
	for _, tex := range []string{`\def\a{\a\a}\a`, strings.Repeat(`\frac{`, 3000), strings.Repeat("{", longest), strings.Repeat(`x^`, 5000)} {
		if got := MathML(tex, true); got == "" {
			t.Errorf("%.50q is empty", tex)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}
