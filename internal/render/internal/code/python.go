package code

import (
	"html"
	"strings"
	"unicode/utf8"
)

// isPython are the names of the one language that nearly every notebook is
// written in. Its colours are found here, some fifty times faster than by
// chroma's expressions.
var isPython = set("python ipython ipython3 python3 py sage sagemath")

var keywords = set(`False None True and as assert async await break class continue def del elif else except finally for from global if
	import in is lambda nonlocal not or pass raise return try while with yield match case type`)

// soft are keywords that are names, too: they count where a statement begins.
var soft = set("match case type")

var builtins = set(`abs all any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex delattr dict dir divmod
	enumerate eval exec filter float format frozenset getattr globals hasattr hash help hex id input int isinstance issubclass iter len
	list locals map max memoryview min next object oct open ord pow print property range repr reversed round set setattr slice sorted
	staticmethod str sum super tuple type vars zip self cls display Exception ValueError KeyError TypeError`)

func set(words string) map[string]bool {
	all := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		all[w] = true
	}
	return all
}

// python writes Python, and the magics of IPython, with colours.
func python(source string) string {
	p := pythonWriter{source: source, begins: true}
	p.out.Grow(2 * len(source))
	for p.at < len(source) {
		p.token()
	}
	return p.out.String()
}

type pythonWriter struct {
	out    strings.Builder
	source string
	at     int
	begins bool // nothing but space stands before in the line
	names  bool // the next word is a name that is defined
}

// write takes n bytes as one token; class "" has no colour.
func (p *pythonWriter) write(n int, class string) {
	text := p.source[p.at : p.at+n]
	p.at += n
	if class == "" {
		p.out.WriteString(html.EscapeString(text))
		return
	}
	p.out.WriteString(`<span class="` + class + `">` + html.EscapeString(text) + `</span>`)
}

func (p *pythonWriter) token() {
	rest := p.source[p.at:]
	begins := p.begins
	switch c := rest[0]; {
	case c == '\n':
		p.begins = true
		p.write(1, "")
		return
	case c == ' ' || c == '\t':
		p.write(len(rest)-len(strings.TrimLeft(rest, " \t")), "")
		return
	case c == '#':
		p.write(lineEnd(rest), "c")
	case begins && (c == '@' || c == '%' || c == '!'):
		p.write(1+wordEnd(strings.TrimLeft(rest[1:], "%"))+len(rest[1:])-len(strings.TrimLeft(rest[1:], "%")), "nd")
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		p.write(numberEnd(rest), "m")
	case quoteAt(rest) >= 0:
		p.write(stringEnd(rest, quoteAt(rest)), "s")
	case isWord(c):
		p.word(rest, begins)
	default:
		p.write(1, "")
	}
	p.begins = false
}

func (p *pythonWriter) word(rest string, begins bool) {
	n := 0
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	word, defined := rest[:n], p.names
	attribute := p.at > 0 && p.source[p.at-1] == '.'
	p.names = false
	switch {
	case attribute:
		p.write(n, "")
	case keywords[word] && (!soft[word] || begins && n < len(rest) && rest[n] == ' ' && !strings.HasPrefix(rest[n:], " =")):
		p.names = word == "def" || word == "class"
		p.write(n, "k")
	case defined:
		p.write(n, "nf")
	case builtins[word]:
		p.write(n, "nb")
	default:
		p.write(n, "")
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// wordEnd is the length of the dotted name that s begins with.
func wordEnd(s string) int {
	n := 0
	for n < len(s) && (isWord(s[n]) || s[n] == '.') {
		n++
	}
	return n
}

func numberEnd(s string) int {
	n := 1
	for n < len(s) && (isWord(s[n]) || s[n] == '.' || (s[n] == '+' || s[n] == '-') && (s[n-1] == 'e' || s[n-1] == 'E') && !strings.HasPrefix(s, "0x")) {
		n++
	}
	return n
}

// quoteAt is where the quote of a string stands, after at most two letters; -1
// if s begins with none.
func quoteAt(s string) int {
	for i := range min(3, len(s)) {
		switch {
		case s[i] == '"' || s[i] == '\'':
			return i
		case !strings.ContainsRune("rRbBfFuUtT", rune(s[i])):
			return -1
		}
	}
	return -1
}

// stringEnd is the length of the string whose quote stands at i. One that does
// not end takes its line, or all if its quotes are three.
func stringEnd(s string, i int) int {
	quote := s[i : i+1]
	if strings.HasPrefix(s[i:], strings.Repeat(quote, 3)) {
		quote = s[i : i+3]
	}
	for n := i + len(quote); n < len(s); n++ {
		switch {
		case s[n] == '\\':
			n++
		case strings.HasPrefix(s[n:], quote):
			return n + len(quote)
		case s[n] == '\n' && len(quote) == 1:
			return n
		}
	}
	return len(s)
}
