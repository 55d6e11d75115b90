package markup

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	ghtml "github.com/yuin/goldmark/renderer/html"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// foreign reads GitHub's dialect and keeps raw HTML, of which rebuild writes
// what a document needs.
var foreign = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList), goldmark.WithRendererOptions(ghtml.WithUnsafe()))
})

// own renders Markdown that fanout wrote. It leaves out raw HTML and links
// that could execute something, should any get so far.
var own = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
})

// Own renders Markdown of ours.
func Own(source string) ([]byte, error) {
	var out bytes.Buffer
	err := own().Convert([]byte(source), &out)
	return out.Bytes(), err
}

// maxMarkdown is how long a text may be that is read as Markdown; a longer one
// is shown as it is written.
const maxMarkdown = 1 << 20

// A Reader reads the Markdown of one document: no two headings get one id.
type Reader struct {
	Options
	Seen map[string]bool // the ids that are given away
}

// Markdown returns foreign Markdown as HTML of ours.
func (r *Reader) Markdown(source string) string {
	if r.Seen == nil {
		r.Seen = map[string]bool{}
	}
	if len(source) > maxMarkdown || overloaded(source) {
		return "<pre>" + html.EscapeString(source) + "</pre>"
	}
	text, formulas := takeMath(source)
	var out bytes.Buffer
	if err := foreign().Convert([]byte(text), &out); err == nil {
		b := rebuilder{Options: r.Options, formulas: formulas, ids: r.Seen}
		if done, ok := b.rebuild(out.String()); ok {
			return done
		}
	}
	return "<pre>" + html.EscapeString(source) + "</pre>"
}

// The parser of Markdown takes a step for each quote and list in each other, and
// for each pair of what begins links and emphasis in a paragraph. It makes the rows of a
// table as long as the first one.
const (
	maxPadding  = 2000 // cells that nobody wrote, and as many again as there are others
	maxDepth    = 100
	maxLinks    = 2000
	maxEmphasis = 10_000
)

var (
	markers = pattern.Of(`^(?:[ \t]*(?:>|[-*+][ \t]|[0-9]{1,9}[.)][ \t]))+`)
	breaks  = pattern.Of(`\n[ \t\r]*\n`)
)

// overloaded reports whether reading a text would take too long. Nobody writes one
// that does.
func overloaded(source string) bool {
	for line := range strings.Lines(source) {
		if opened := markers().FindString(line); len(opened) > maxDepth && strings.Count(opened, ">")+len(strings.Fields(opened)) > maxDepth {
			return true
		}
	}
	padding := 0
	for _, paragraph := range breaks().Split(source, -1) {
		padding += padded(paragraph)
		emphasis := strings.Count(paragraph, "*") + strings.Count(paragraph, "_") + strings.Count(paragraph, "~")
		if strings.Count(paragraph, "](") > maxLinks || emphasis > maxEmphasis {
			return true
		}
	}
	return padding > maxPadding+strings.Count(source, "|")
}

// padded is how many cells are added to the rows of a table.
func padded(paragraph string) int {
	columns, lines := 0, 0
	for line := range strings.Lines(paragraph) {
		lines++
		if n := strings.Count(line, "|"); n > columns && strings.Trim(line[len(markers().FindString(line)):], "|:- \t\r\n") == "" {
			columns = n
		}
	}
	return max(0, columns*lines-strings.Count(paragraph, "|"))
}

// A formula is taken out of a text before Markdown is read, and put back after.
type formula struct {
	source, tex string
	display     bool
}

const (
	opens  = "\ue000" // begins the number of a formula in a text
	closes = "\ue001"
)

var (
	placeholder = pattern.Of(`(?:` + opens + `|%EE%80%80)([0-9]+)(?:` + closes + `|%EE%80%81)`) // an address is encoded
	fence       = pattern.Of("^ {0,3}(```+|~~~+)")
	unused      = strings.NewReplacer(opens, "", closes, "")
)

// source puts the formulas of a text back as they were written.
func (r *rebuilder) source(text string) string {
	return placeholder().ReplaceAllStringFunc(text, func(found string) string {
		if f := r.formula(found); f != nil {
			return f.source
		}
		return ""
	})
}

func (r *rebuilder) formula(found string) *formula {
	i, err := strconv.Atoi(placeholder().FindStringSubmatch(found)[1])
	if err != nil || i >= len(r.formulas) {
		return nil
	}
	return &r.formulas[i]
}

// text writes a text, and its formulas as mathematics.
func (r *rebuilder) text(text string) {
	if r.verbatim > 0 || r.Math == nil {
		r.out.WriteString(html.EscapeString(r.source(text)))
		return
	}
	for {
		at := placeholder().FindStringIndex(text)
		if at == nil {
			r.out.WriteString(html.EscapeString(text))
			return
		}
		r.out.WriteString(html.EscapeString(text[:at[0]]))
		if f := r.formula(text[at[0]:at[1]]); f != nil {
			r.out.WriteString(r.Math(f.tex, f.display))
		}
		text = text[at[1]:]
	}
}

// takeMath replaces the formulas of a Markdown text by placeholders. Fenced code
// and code spans hold none; a formula ends before a blank line.
func takeMath(source string) (string, []formula) {
	t := mathTaker{left: maxSearch}
	var block strings.Builder
	flush := func() {
		t.block(block.String())
		block.Reset()
	}
	end := "" // of the fenced code that is open
	for line := range strings.Lines(unused.Replace(source)) {
		mark := fence().FindStringSubmatch(line)
		switch {
		case end != "":
			t.out.WriteString(line)
			if mark != nil && strings.HasPrefix(mark[1], end) && strings.Trim(strings.TrimSpace(line), end[:1]) == "" {
				end = ""
			}
		case mark != nil || strings.TrimSpace(line) == "":
			flush()
			t.out.WriteString(line)
			if mark != nil {
				end = mark[1]
			}
		default:
			block.WriteString(line)
		}
	}
	flush()
	return t.out.String(), t.formulas
}

// Limits to the search for the end of a formula: of one, and of all in a text,
// so that a text of dollars alone costs no more than its length.
const (
	maxFormula = 20_000
	maxSearch  = 8 << 20
)

type mathTaker struct {
	out      strings.Builder
	formulas []formula
	left     int // bytes that may still be searched
}

// block takes the formulas out of lines without a blank one among them.
func (t *mathTaker) block(s string) {
	for s != "" {
		i := strings.IndexAny(s, "`$\\")
		if i < 0 {
			t.out.WriteString(s)
			return
		}
		t.out.WriteString(s[:i])
		s = s[i:]
		n := 1
		switch s[0] {
		case '`':
			n = t.codeSpan(s)
		default:
			if f, length := t.formula(s); length > 0 {
				t.out.WriteString(opens + strconv.Itoa(len(t.formulas)) + closes)
				f.source = s[:length]
				t.formulas = append(t.formulas, f)
				s = s[length:]
				continue
			}
			if s[0] == '\\' {
				n = min(2, len(s))
			}
		}
		t.out.WriteString(s[:n])
		s = s[n:]
	}
}

// codeSpan is the length of the code span that s begins with, or of its
// backticks if it does not end.
func codeSpan(s string) int {
	n := len(s) - len(strings.TrimLeft(s, "`"))
	for at := n; at < len(s); {
		i := strings.IndexByte(s[at:], '`')
		if i < 0 {
			break
		}
		at += i
		run := len(s[at:]) - len(strings.TrimLeft(s[at:], "`"))
		if at += run; run == n {
			return at
		}
	}
	return n
}

var environment = pattern.Of(`^\\begin\{([a-zA-Z]+\*?)\}`)

// formulaAt reads the formula that s begins with; its length is 0 if there is
// none.
func formulaAt(s string) (formula, int) {
	between := func(open, close string, display bool) (formula, int) {
		end := strings.Index(s[len(open):], close)
		if end <= 0 || strings.TrimSpace(s[len(open):len(open)+end]) == "" {
			return formula{}, 0
		}
		return formula{tex: s[len(open) : len(open)+end], display: display}, len(open) + end + len(close)
	}
	switch {
	case strings.HasPrefix(s, "$$"):
		return between("$$", "$$", true)
	case s[0] == '$':
		return dollars(s)
	case strings.HasPrefix(s, `\\(`):
		return between(`\\(`, `\\)`, false)
	case strings.HasPrefix(s, `\\[`):
		return between(`\\[`, `\\]`, true)
	}
	if env := environment().FindStringSubmatch(s); env != nil {
		f, n := between(env[0], `\end{`+env[1]+`}`, true)
		if n > 0 {
			f.tex = s[:n]
		}
		return f, n
	}
	return formula{}, 0
}

// dollars reads $…$. Braces balance, and what looks like two prices is none.
func dollars(s string) (formula, int) {
	depth := 0
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		case '$':
			if depth != 0 {
				continue
			}
			priced := i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9'
			if priced || strings.TrimSpace(s[1:i]) == "" {
				return formula{}, 0
			}
			return formula{tex: s[1:i]}, i + 1
		}
	}
	return formula{}, 0
}

// window is what may be searched from the start of s.
func (t *mathTaker) window(s string) string { return s[:min(len(s), maxFormula, t.left)] }

func (t *mathTaker) formula(s string) (formula, int) {
	w := t.window(s)
	if len(w) < 3 {
		return formula{}, 0
	}
	f, n := formulaAt(w)
	if n == 0 {
		t.left -= len(w)
	}
	return f, n
}

func (t *mathTaker) codeSpan(s string) int {
	run := len(s) - len(strings.TrimLeft(s, "`"))
	n := codeSpan(t.window(s))
	if n <= run {
		t.left -= len(t.window(s))
		return run
	}
	return n
}
