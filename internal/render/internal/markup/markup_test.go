package markup

import (
	"runtime"
	"strings"
	"testing"
)

func TestMarkdown(t *testing.T) {
	o := Options{Anchor: "h-", Math: func(tex string, display bool) string {
		if display {
			return "{{" + tex + "}}"
		}
		return "{" + tex + "}"
	}}
	for _, c := range []struct{ source, want string }{
		{"a **b** _c_ ~~d~~", "<p>a <strong>b</strong> <em>c</em> <del>d</del></p>\n"},
		{"# Two words", `<h1 id="h-Two-words">Two words</h1>` + "\n"},
		{"[to](#Two-words)", `<p><a href="#h-Two-words">to</a></p>` + "\n"},
		{"- [x] done\n- [ ] not", "<ul>\n<li><span class=\"task\">☑</span>  done</li>\n<li><span class=\"task\">☐</span>  not</li>\n</ul>\n"},
		{"https://example.org", `<p><a href="https://example.org" rel="noopener noreferrer nofollow">https://example.org</a></p>` + "\n"},
		// Formulas, and what is none.
		{"$a_1*b*c$", "<p>{a_1*b*c}</p>\n"},
		{"$$\nx\n$$", "<p>{{\nx\n}}</p>\n"},
		{`\\(x\\) and \\[y\\]`, "<p>{x} and {{y}}</p>\n"},
		{"\\begin{align}a\\\\b\\end{align}", "<p>{{\\begin{align}a\\\\b\\end{align}}}</p>\n"},
		{"$5 and $10", "<p>$5 and $10</p>\n"},
		{`\$a$`, "<p>$a$</p>\n"},
		{"`$a$` $b$", "<p><code>$a$</code> {b}</p>\n"},
		{"```\n$a$\n```", "<pre><code>$a$\n</code></pre>\n"},
		{"$a\n\nb$", "<p>$a</p>\n<p>b$</p>\n"},
		{"[$x$](https://example.org/$y$)", `<p><a href="https://example.org/$y$" rel="noopener noreferrer nofollow">{x}</a></p>` + "\n"},
		{"\ue0007\ue001 $a$", "<p>7 {a}</p>\n"},
		// HTML of a document stays, everything else goes.
		{`<center style="position:fixed;color:red">x</center>`, `<div style="color:red;text-align:center">x</div>`},
		{`<b onclick="x()" id="a" name="b" class="c">x</b>`, "<p><b>x</b></p>\n"},
		{"<script>x()</script>y", "y"},
		{"<form action=/x><input name=attributes><button>go</button></form>", "go"},
		{`<a href="java&#10;script:x()">l</a><a href="data:text/html,x">l</a><a href=" JAVASCRIPT:x">l</a><a href="//evil.test">l</a><a href="/x">l</a>`, "<p><a>l</a><a>l</a><a>l</a><a>l</a><a>l</a></p>\n"},
		{`<svg><a href="javascript:x"><text>t</text></a></svg><math><mtext></mtext></math>`, "<p></p>\n"},
		{"<img src=x onerror=x()>", `<a class="elsewhere" rel="noopener noreferrer nofollow" href="x">[image]</a>`},
		{"![a](data:image/png;base64,AAAA)", `<p><img src="data:image/png;base64,AAAA" alt="a"></p>` + "\n"},
		{"![a](data:text/html,x)", `<p><span class="elsewhere">[image: a]</span></p>` + "\n"},
		{"<style>*{}</style><iframe srcdoc=x></iframe>z", "z"},
	} {
		r := Reader{Options: o}
		if got := r.Markdown(c.source); strings.TrimSpace(got) != strings.TrimSpace(c.want) {
			t.Errorf("Markdown(%q)\n got %q\nwant %q", c.source, got, c.want)
		}
	}
}

func TestStyle(t *testing.T) {
	for _, c := range []struct{ style, want string }{
		{"color: red; background: url(x)", "color:red"},
		{"background-color:#000000", "background-color:#000000;color:#fff"},
		{"background-color:#ffffcc", "background-color:#ffffcc;color:#000"},
		{"COLOR: RGB(1, 2, 3) !important", "color:rgb(1, 2, 3)"},
		{"background: linear-gradient(90deg, #d65f5f 50.0%, transparent 50.0%)", "background:linear-gradient(90deg, #d65f5f 50.0%, transparent 50.0%);color:#000"},
		{"background: linear-gradient(90deg, url(x) 1%)", ""},
		{"position:fixed;width:expression(1);color:var(--x);font-weight:700", "font-weight:700"},
		{`color:red\65`, ""},
	} {
		if got := styleOf(c.style); got != c.want {
			t.Errorf("styleOf(%q) = %q, want %q", c.style, got, c.want)
		}
	}
}

func TestReadTable(t *testing.T) {
	for html, want := range map[string]bool{
		"<table><tr><td>1</td></tr></table>":                        true,
		"<div><p>2 rows</p><table><tr><td>1<br>2</td></tr></table>": true,
		"<table><tr><td><img src=x></td></tr></table>":              false,
		"<table><tr><td><table></table></td></tr></table>":          false,
		"<table></table><table></table>":                            false,
		"<table><tr><td>1</td></tr></table><script>x</script>":      false,
		"<table><tr><td><svg></svg></td></tr></table>":              false,
		"<table><tr><td><button>x</button></td></tr></table>":       false,
		"<p>no table</p>": false,
	} {
		if _, ok := ReadTable(html); ok != want {
			t.Errorf("ReadTable(%q) is %v, want %v", html, ok, want)
		}
	}
	table, _ := ReadTable(`<table><caption>c</caption><thead><tr><th colspan=2>ab</th></tr></thead><tr><td rowspan="99999">1</td><td>2</td></tr></table>`)
	want := `<caption>c</caption><thead><tr><th colspan="2">ab</th></tr></thead><tbody><tr><td rowspan="1000">1</td><td>2</td></tr></tbody>`
	if got := table.HTML(); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whatever Markdown comes in, the HTML that goes out has no script, no event and
// no address that executes.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"# a $x$", "<a href=javascript:x>", "<svg><style><img src=x onerror=x>", "![](x)", "<math><mi><script>", "`<b>`", "<table><a href=x><td>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		r := Reader{Options: Options{Math: func(tex string, _ bool) string { return "M" }}}
		b := rebuilder{}
		got := r.Markdown(source)
		if strings.HasPrefix(got, "<pre>") {
			return
		}
		again, ok := b.rebuild(got)
		if !ok {
			t.Skip()
		}
		b = rebuilder{}
		if third, _ := b.rebuild(again); third != again {
			t.Errorf("read again, %q is %q", again, third)
		}
		for _, bad := range []string{"<script", "<iframe", "<svg", "<style", "javascript:", " on"} {
			for tag := range tags(got) {
				if strings.Contains(strings.ToLower(tag), bad) && bad != "javascript:" || strings.HasPrefix(strings.ToLower(tag), "<a href=\"javascript:") {
					if bad == " on" && strings.Contains(tag, "title=") || strings.Contains(tag, "alt=") {
						continue
					}
					t.Errorf("%q becomes %q", source, got)
				}
			}
		}
	})
}

func tags(html string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for html != "" {
			i := strings.IndexByte(html, '<')
			if i < 0 {
				return
			}
			j := strings.IndexByte(html[i:], '>')
			if j < 0 || !yield(html[i:i+j+1]) {
				return
			}
			html = html[i+j+1:]
		}
	}
}

// TestOverloaded: what takes the parser minutes is shown as it is written, and what
// people write is not.
func TestOverloaded(t *testing.T) {
	for _, source := range []string{strings.Repeat(">", 100_000) + "a", strings.Repeat("- ", 50_000) + "a", strings.Repeat("1. > ", 5000) + "a",
		strings.Repeat("![a](", 50_000), "# t\n\n" + strings.Repeat("[a](<", 50_000), strings.Repeat("_a_ ~~b", 50_000)} {
		if got := (&Reader{}).Markdown(source); !strings.HasPrefix(got, "<pre>") {
			t.Errorf("%.20q is read", source)
		}
	}
	for _, source := range []string{strings.Repeat("> > - [a](https://b.example) *c* `d`\n\n", 3000), strings.Repeat("-", 5000), "a\n" + strings.Repeat("*", 300) + "\n", strings.Repeat("| a_b_c | 1 |\n", 2000)} {
		if got := (&Reader{}).Markdown(source); strings.HasPrefix(got, "<pre>") {
			t.Errorf("%.20q is not read", source)
		}
	}
}

// A table whose first row is long and whose others are short is shown as it is written:
// reading it would make a cell of each column for each row. Tables of people are read.
func TestTablesOfPadding(t *testing.T) {
	wide := func(columns, rows int, row string) string {
		return "|" + strings.Repeat("a|", columns) + "\n|" + strings.Repeat("-|", columns) + "\n" + strings.Repeat(row+"\n", rows)
	}
	for name, tt := range map[string]struct {
		text  string
		table bool
	}{
		"bomb":       {wide(4000, 4000, "|"), false},
		"in a quote": {"> " + strings.ReplaceAll(wide(1000, 1000, "|"), "\n", "\n> "), false},
		"in a list":  {"- " + strings.ReplaceAll(wide(1000, 1000, "|"), "\n", "\n  "), false},
		"many":       {strings.Repeat(wide(100, 100, "|")+"\n", 50), false},
		"full":       {wide(100, 1000, "|"+strings.Repeat("b|", 100)), true},
		"ragged":     {wide(20, 100, "|b|c|"), true},
		"a line":     {"a | b\n--|--\n1 | 2\n", true},
	} {
		r := Reader{}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := r.Markdown(tt.text)
		runtime.ReadMemStats(&after)
		if table := strings.Contains(got, "<table"); table != tt.table {
			t.Errorf("%s: is it a table? %v", name, table)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 500<<20 {
			t.Errorf("%s: allocated %d MB", name, used>>20)
		}
	}
}
