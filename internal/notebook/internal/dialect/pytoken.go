package dialect

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type pyKind uint8

const (
	pyName pyKind = iota
	pyNumber
	pyString
	pyOp
	pyComment
	pyMagic // a line, or the rest of one, that IPython and not Python reads
)

// A pyToken is a token of Python and its position in the source.
type pyToken struct {
	kind       pyKind
	text       string
	start, end int
}

// A pyLine is a logical line: its tokens without comments, the comment at its
// end, its indentation.
type pyLine struct {
	tokens  []pyToken
	comment string // without the #
	indent  int
	line    int // of its first token, from 1
}

// pyLines splits Python source, as IPython takes it, into logical lines.
// Statements joined by semicolons are separate lines. The error, if any,
// names the line from which on the source could not be read; the lines before
// it are returned.
func pyLines(src string) ([]pyLine, error) {
	l := &pyLexer{src: src}
	for l.i < len(l.src) {
		if err := l.logicalLine(); err != nil {
			return l.lines, fmt.Errorf("line %d: %w", l.lineAt(l.start), err)
		}
	}
	return l.lines, nil
}

type pyLexer struct {
	src   string
	i     int
	start int // of the logical line that is read
	lines []pyLine

	counted, newlines int // newlines before the offset counted
}

// lineAt is the number of the line that holds an offset. Offsets only grow.
func (l *pyLexer) lineAt(offset int) int {
	offset = max(min(offset, len(l.src)), l.counted)
	l.newlines += strings.Count(l.src[l.counted:offset], "\n")
	l.counted = offset
	return 1 + l.newlines
}

// logicalLine reads up to the newline that ends a statement.
func (l *pyLexer) logicalLine() error {
	indent := l.indentation()
	l.start = l.i
	cur := pyLine{indent: indent}
	first := len(l.lines)
	var open []byte // brackets
	for {
		t, end, err := l.token(cur.last())
		if err != nil {
			return err
		}
		if end == '\n' && len(open) > 0 && l.i < len(l.src) {
			continue
		}
		if end != 0 {
			if len(open) > 0 {
				return fmt.Errorf("%q is not closed", open[len(open)-1])
			}
			l.finish(cur)
			if end == ';' {
				cur = pyLine{indent: indent}
				continue
			}
			l.shareComment(first)
			return nil
		}
		if t.kind == pyComment {
			cur.comment = t.text
			continue
		}
		if cur.comment = ""; t.kind == pyOp {
			switch t.text {
			case "(", "[", "{":
				open = append(open, t.text[0])
			case ")", "]", "}":
				if len(open) == 0 {
					return fmt.Errorf("%q closes nothing", t.text)
				}
				open = open[:len(open)-1]
			}
		}
		cur.tokens = append(cur.tokens, t)
	}
}

func (l *pyLexer) indentation() int {
	n := 0
	for ; l.i < len(l.src); l.i++ {
		switch l.src[l.i] {
		case ' ', '\f':
			n++
		case '\t':
			n = (n/8 + 1) * 8
		default:
			return n
		}
	}
	return n
}

func (l *pyLexer) finish(cur pyLine) {
	if len(cur.tokens) > 0 {
		cur.line = l.lineAt(cur.tokens[0].start)
		l.lines = append(l.lines, cur)
	}
}

// shareComment gives the comment behind joined statements to the last one; it
// is there already, unless the line ended with a semicolon.
func (l *pyLexer) shareComment(first int) {
	for i := first; i+1 < len(l.lines); i++ {
		l.lines[i].comment = ""
	}
}

// last is the text of the last token, "" when there is none yet.
func (l pyLine) last() string {
	if len(l.tokens) == 0 {
		return ""
	}
	return l.tokens[len(l.tokens)-1].text
}

// token reads the next token, which follows the text last. end is '\n' or ';' where a statement may end
// instead, '\n' also at the end of the source.
func (l *pyLexer) token(last string) (t pyToken, end byte, err error) {
	for l.i < len(l.src) && (l.src[l.i] == ' ' || l.src[l.i] == '\t' || l.src[l.i] == '\f') {
		l.i++
	}
	if l.i >= len(l.src) {
		return t, '\n', nil
	}
	start := l.i
	done := func(kind pyKind, end int) (pyToken, byte, error) {
		l.i = end
		return pyToken{kind, l.src[start:end], start, end}, 0, nil
	}
	rest := l.src[start:]
	switch c := rest[0]; {
	case c == '\n' || c == ';':
		l.i++
		return t, c, nil
	case strings.HasPrefix(rest, "\\\n"):
		l.i += 2
		return l.token(last)
	case c == '#':
		return done(pyComment, start+lineLen(rest))
	case last == "" && (c == '%' || c == '!' || c == '?'), last == "=" && c == '%', c == '!' && !strings.HasPrefix(rest, "!="):
		return done(pyMagic, start+lineLen(rest))
	case c >= '0' && c <= '9', c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		return done(pyNumber, start+numberLen(rest))
	}
	if n := stringPrefix(rest); n >= 0 {
		size, err := stringLen(rest[n:], strings.ContainsAny(rest[:n], "fFtT"))
		if err != nil {
			return t, 0, err
		}
		return done(pyString, start+n+size)
	}
	if n := nameLen(rest); n > 0 {
		return done(pyName, start+n)
	}
	for _, op := range pyOps {
		if strings.HasPrefix(rest, op) {
			return done(pyOp, start+len(op))
		}
	}
	_, n := utf8.DecodeRuneInString(rest)
	return done(pyOp, start+n)
}

var pyOps = []string{"**=", "//=", ">>=", "<<=", "...", "->", ":=", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", "**", "//", "<<", ">>"}

func lineLen(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

func nameLen(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || i > 0 && (unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)) {
			continue
		}
		return i
	}
	return len(s)
}

func numberLen(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		sign := (c == '+' || c == '-') && i > 0 && s[i-1]|0x20 == 'e' && !strings.HasPrefix(strings.ToLower(s), "0x")
		if c != '.' && c != '_' && !sign && !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return i
		}
	}
	return len(s)
}

// stringPrefix is the length of the letters before a text's quote, -1 when no
// text begins here.
func stringPrefix(s string) int {
	n := 0
	for n < len(s) && n < 3 && strings.IndexByte("rRbBuUfFtT", s[n]) >= 0 {
		n++
	}
	if n < len(s) && n < 3 && (s[n] == '"' || s[n] == '\'') {
		return n
	}
	return -1
}

// stringLen is the length of the text whose quote s begins with. In a
// formatted one, braces may hold texts with the same quotes.
func stringLen(s string, formatted bool) (int, error) {
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) {
		quote = s[:3]
	}
	braces := 0
	for i := len(quote); i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i += 2
		case s[i] == '\n' && len(quote) == 1 && braces == 0:
			return 0, fmt.Errorf("a text is not closed")
		case strings.HasPrefix(s[i:], quote) && (braces == 0 || !closesLater(s[i+len(quote):], quote)):
			return i + len(quote), nil
		case formatted && braces == 0 && strings.HasPrefix(s[i:], "{{"):
			i += 2
		case formatted && s[i] == '{':
			braces++
			i++
		case formatted && braces > 0 && s[i] == '}':
			braces--
			i++
		case braces > 0 && (s[i] == '"' || s[i] == '\''):
			n, err := stringLen(s[i:], false)
			if err != nil {
				return 0, err
			}
			i += n
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
		}
	}
	return 0, fmt.Errorf("a text is not closed")
}

// closesLater reports whether a quote inside a formatted text's braces opens
// a text that ends before the braces do: since Python 3.12 it may.
func closesLater(rest, quote string) bool {
	line := rest
	if len(quote) == 1 {
		line = rest[:lineLen(rest)]
	}
	end, brace := strings.Index(line, quote), strings.IndexByte(line, '}')
	return end >= 0 && brace > end
}

// isOp reports whether a token is an operator.
func (t pyToken) isOp(text string) bool { return t.kind == pyOp && t.text == text }

func (t pyToken) isName() bool {
	return t.kind == pyName && !strings.Contains(python.reserved, " "+t.text+" ")
}

// render writes tokens as they are in the source, on one line and without
// comments.
func render(src string, tokens []pyToken) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 {
			gap := src[tokens[i-1].end:t.start]
			if strings.ContainsAny(gap, "\n#") {
				gap = ""
				if apart(tokens[i-1], t) {
					gap = " "
				}
			}
			b.WriteString(gap)
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// apart reports whether two tokens from different lines want space between
// them.
func apart(a, b pyToken) bool {
	if a.kind == pyOp && !strings.Contains("([{,", a.text) {
		return !strings.Contains(")]},", b.text)
	}
	return wordy(a.text) && wordy(b.text) || b.kind == pyOp && !strings.Contains(")]},", b.text)
}

// wordy reports whether a token must not touch another one like it.
func wordy(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || r == '"' || r == '\''
}

// splitTop splits tokens at an operator outside all brackets.
func splitTop(tokens []pyToken, op string) [][]pyToken {
	var parts [][]pyToken
	depth, from := 0, 0
	for i, t := range tokens {
		switch {
		case t.kind != pyOp:
		case strings.Contains("([{", t.text):
			depth++
		case strings.Contains(")]}", t.text):
			depth--
		case depth == 0 && t.text == op:
			parts = append(parts, tokens[from:i])
			from = i + 1
		}
	}
	return append(parts, tokens[from:])
}

// blockWords begin a statement that owns the indented lines below it.
var blockWords = []string{"def", "class", "async"}

func (l pyLine) startsWith(words ...string) bool {
	return l.tokens[0].kind == pyName && slices.Contains(words, l.tokens[0].text)
}
