package code

import (
	"html"
	"regexp"
	"testing"
)

func TestPython(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"x = f'a\\'{b}' + 'open\ny", `x = <span class="s">f&#39;a\&#39;{b}&#39;</span> + <span class="s">&#39;open</span>` + "\ny"},
		{"\"\"\"long\n'\"\"\" # c", `<span class="s">&#34;&#34;&#34;long` + "\n" + `&#39;&#34;&#34;&#34;</span> <span class="c"># c</span>`},
		{"@app.get(1)\nclass Größe(int):\n  a @ b; x.print(0x1F, 1e-5, ...)", `<span class="nd">@app.get</span>(<span class="m">1</span>)` + "\n" +
			`<span class="k">class</span> <span class="nf">Größe</span>(<span class="nb">int</span>):` + "\n" + `  a @ b; x.print(<span class="m">0x1F</span>, <span class="m">1e-5</span>, ...)`},
		{"%%time\n%matplotlib inline\n!ls", `<span class="nd">%%time</span>` + "\n" + `<span class="nd">%matplotlib</span> inline` + "\n" + `<span class="nd">!ls</span>`},
		{"match x:\n  case 1: pass\ntype = match", `<span class="k">match</span> x:` + "\n" + `  <span class="k">case</span> <span class="m">1</span>: <span class="k">pass</span>` + "\n" + `<span class="nb">type</span> = match`},
		{"'''", "<span class=\"s\">&#39;&#39;&#39;</span>"},
	} {
		if got := python(c.source); got != c.want {
			t.Errorf("python(%q)\n got %s\nwant %s", c.source, got, c.want)
		}
	}
}

// Colours change no character, whatever the source.
func FuzzPython(f *testing.F) {
	for _, seed := range []string{"def f(): return '<'", "'''", "\\", "rb'\\'", "%%", "@", "é = 1.e5", "\r\n\x00"} {
		f.Add(seed)
	}
	tag := regexp.MustCompile(`</?span[^>]*>`)
	f.Fuzz(func(t *testing.T, source string) {
		if got := tag.ReplaceAllString(python(source), ""); got != html.EscapeString(source) {
			t.Errorf("python(%q) says %q", source, got)
		}
	})
}
