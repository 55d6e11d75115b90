package ansi

import (
	"strings"
	"testing"
)

func TestHTML(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"plain <b>&\"\n", "plain &lt;b&gt;&amp;&#34;\n"},
		{"\x1b[31mred\x1b[0m.", `<span class="a1">red</span>.`},
		{"\x1b[1;31mred\x1b[m", `<span class="a9 bold">red</span>`},
		{"\x1b[38;5;196mx", `<span style="color:#ff0000">x</span>`},
		{"\x1b[38;5;3mx", `<span class="a3">x</span>`},
		{"\x1b[48;2;1;2;300mx", `<span style="background-color:#0102ff">x</span>`},
		{"\x1b[7mx\x1b[27my", `<span class="inverse">x</span>y`},
		{"\x1b[7;32mx", `<span class="ab2">x</span>`},
		{"\x1b[4m\x1b[9mx", `<span class="under strike">x</span>`},
		// What stays of an overwritten line keeps its own colour.
		{"\r  0%\r 50%\r100%\n", "100%\n"},
		{"\x1b[32mabcdef\x1b[0m\rxy\n", "xy<span class=\"a2\">cdef</span>\n"},
		{"abc\b\bX\n", "aXc\n"},
		{"\b\bx", "x"},
		{"windows\r\nlines\r\n", "windows\nlines\n"},
		// Nothing else that a terminal would obey is left.
		{"\x1b[2J\x1b[Hx\x1b]0;title\ay\x1b]8;;http://evil.test\x1b\\link\x1b]8;;\x1b\\", "xylink"},
		{"\x1b[31", "31"},
		{"a\x00\x07\x7fb", "ab"},
		{"\x1b", ""},
		{"\x1b[38;5m\x1b[38mx", "x"},
	} {
		if got := HTML(c.text); got != c.want {
			t.Errorf("HTML(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

// Whatever is printed, no tag stands in the HTML but spans that are closed.
func FuzzHTML(f *testing.F) {
	for _, seed := range []string{"\x1b[31m<script>\r\x1b[0m", "a\b\r\n\x1b]8;;x\a", "\x1b[38;2;1;2;3mé\rx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := HTML(text)
		opened, closed := strings.Count(got, "<span"), strings.Count(got, "</span>")
		if opened != closed || strings.Count(got, "<") != opened+closed || strings.Contains(got, "\x1b") {
			t.Errorf("HTML(%q) = %q", text, got)
		}
	})
}
