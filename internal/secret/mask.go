package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A Mask finds secrets in the forms that programs give them. A nil Mask finds
// nothing.
type Mask struct {
	forms    []string        // longest first
	tight    []string        // the forms without white space, longest first
	loose    map[string]bool // tight forms that had some
	replacer *strings.Replacer
}

// New returns the mask of values, each of which Check accepts; nil if there are none.
func New(values []string) (*Mask, error) {
	if len(values) == 0 {
		return nil, nil
	}
	m := &Mask{}
	for _, v := range values {
		if err := Check(v); err != nil {
			return nil, err
		}
		m.forms = append(m.forms, forms(v)...)
		if t := strings.TrimSpace(v); t != v {
			m.forms = append(m.forms, forms(t)...)
		}
		m.forms = append(m.forms, ownLines(v)...)
	}
	m.loose = map[string]bool{}
	for _, f := range m.forms {
		t := unwrap(f).text
		if t == "" {
			continue
		}
		m.tight = append(m.tight, t)
		m.loose[t] = m.loose[t] || t != f
	}
	m.forms, m.tight = longestFirst(m.forms), longestFirst(m.tight)
	pairs := []string{Mark, Mark} // a value may be part of the mark itself
	for _, f := range m.forms {
		pairs = append(pairs, f, Mark)
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m, nil
}

// longLine is how many characters of a line of a secret are in no other text.
const longLine = 16

// ownLines are the lines of a value that has several, as a key in PEM: programs
// print, and errors quote, one of them alone. Its armour is no secret.
func ownLines(v string) (lines []string) {
	if !strings.Contains(strings.TrimSpace(v), "\n") {
		return nil
	}
	for line := range strings.Lines(v) {
		if line = strings.TrimSpace(line); len(line) >= longLine && !strings.HasPrefix(line, "-----") {
			lines = append(lines, line)
		}
	}
	return lines
}

func longestFirst(forms []string) []string {
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

// forms lists how v may look: itself, in JSON once and twice, as a Python
// literal, in a URL, in HTML, in base64 at every alignment, in hex, and spelled.
func forms(v string) []string {
	all := []string{v, hex.EncodeToString([]byte(v)), strings.ToUpper(hex.EncodeToString([]byte(v)))}
	for _, j := range []string{jsonEscape(v, false), jsonEscape(v, true), htmlJSON(v)} {
		all = append(all, j, jsonEscape(j, false))
	}
	for _, quote := range []rune{'\'', '"'} {
		all = append(all, pythonEscape(v, quote), pythonASCII(v, quote), pythonBytes(v, quote))
	}
	q := url.QueryEscape(v)
	spaced := strings.ReplaceAll(q, "+", "%20")
	for _, u := range []string{q, spaced, strings.ReplaceAll(spaced, "%2F", "/"), url.PathEscape(v)} {
		all = append(all, u, lowerHex(u))
	}
	all = append(all, html.EscapeString(v), strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(v),
		strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;").Replace(v))
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, e.EncodeToString([]byte(v)))
		for shift := range 3 {
			all = append(all, base64Core(e, v, shift))
		}
	}
	return append(all, spelled(v)...)
}

// base64Core is the part of the base64 text that depends only on v when shift
// bytes precede it.
func base64Core(e *base64.Encoding, v string, shift int) string {
	text := e.WithPadding(base64.NoPadding).EncodeToString(append(make([]byte, shift), v...))
	return text[(shift*8+5)/6 : (shift+len(v))*8/6]
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerHex(u string) string { return percent.ReplaceAllStringFunc(u, strings.ToLower) }

// jsonEscape is s inside a JSON string; ascii escapes all else.
func jsonEscape(s string, ascii bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return s
	}
	t := strings.TrimSuffix(b.String(), "\n")
	t = t[1 : len(t)-1]
	if !ascii {
		return t
	}
	var out strings.Builder
	for _, r := range t {
		switch {
		case r < 0x80:
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// htmlJSON is s inside a JSON string that is safe in HTML.
func htmlJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(b[1 : len(b)-1])
}

// pythonEscape is s inside a Python literal, as repr writes it.
func pythonEscape(s string, quote rune) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f || r > 0x7f && r < 0x100 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// pythonASCII is s inside a Python literal, as ascii writes it.
func pythonASCII(s string, quote rune) string {
	var b strings.Builder
	for _, r := range pythonEscape(s, quote) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// pythonBytes is s inside a literal of bytes, as repr writes its UTF-8.
func pythonBytes(s string, quote rune) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x80 {
			b.WriteString(pythonEscape(string(rune(c)), quote))
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// Text replaces the secrets in s, also where s is wrapped or coloured.
func (m *Mask) Text(s string) string {
	if m == nil {
		return s
	}
	return m.wrapped(m.replacer.Replace(s))
}

// An unwrapped text is one without white space and colours, and where its bytes
// were.
type unwrapped struct {
	text string
	at   []int // of each byte, and of the end
}

// unwrap takes white space out of s, the escapes of line ends and tabs, and what
// colours it on a terminal.
func unwrap(s string) unwrapped {
	var b strings.Builder
	at := make([]int, 0, len(s)+1)
	for i := 0; i < len(s); i++ {
		if n := blank(s[i:]); n > 0 {
			i += n - 1
			continue
		}
		b.WriteByte(s[i])
		at = append(at, i)
	}
	return unwrapped{b.String(), append(at, len(s))}
}

// blank is the length of the white space that s begins with, one character or
// its escape, or of a sequence that changes the colour.
func blank(s string) int {
	switch {
	case strings.IndexByte(" \n\r\t", s[0]) >= 0:
		return 1
	case len(s) > 1 && s[0] == '\\' && strings.IndexByte("nrt", s[1]) >= 0:
		return 2
	case strings.HasPrefix(s, colour):
		rest := strings.TrimLeft(s[len(colour):], "0123456789;:")
		if rest == "" || rest[0] == 'm' { // the end of a piece, or of the sequence
			return len(s) - len(strings.TrimPrefix(rest, "m"))
		}
	}
	return 0
}

// colour begins what colours text on a terminal; an m ends it.
const colour = "\x1b["

// wrapped replaces the secrets in s that are broken into lines, however these are
// indented, or parts of which have a colour.
func (m *Mask) wrapped(s string) string {
	if !strings.Contains(s, "\n") && !strings.Contains(s, `\n`) && !strings.Contains(s, colour) {
		return s
	}
	var found [][2]int // in s
	for from := 0; from < len(s); from += window {
		m.inWindow(s[from:min(len(s), from+2*window)], func(first, last int) {
			found = append(found, [2]int{from + first, from + last})
		})
	}
	return cover(s, found)
}

// window is how much of a text is unwrapped at once, twice: what lies across the
// end of one window is in the next.
const window = 1 << 20

func (m *Mask) inWindow(s string, found func(first, last int)) {
	u := unwrap(s)
	for _, form := range m.tight {
		for from := 0; ; {
			n := strings.Index(u.text[from:], form)
			if n < 0 {
				break
			}
			first, last := u.at[from+n], u.at[from+n+len(form)-1]+1
			if !inMark(s, first, last) && (m.loose[form] || onlyLineEnds(s[first:last])) {
				found(first, last)
			}
			from += n + 1
		}
	}
}

// inMark reports whether what was found is part of a mark.
func inMark(s string, first, last int) bool {
	return first > 0 && last-first < len(Mark) && strings.HasPrefix(s[first-1:], Mark)
}

// onlyLineEnds reports whether all white space in s is around line ends. Colours
// may be anywhere.
func onlyLineEnds(s string) bool {
	for i := 0; i < len(s); i++ {
		ends, spaces := false, false
		for i < len(s) {
			n := blank(s[i:])
			if n == 0 {
				break
			}
			if s[i] != colour[0] {
				spaces = true
				ends = ends || s[i] == '\n' || n == 2 && s[i+1] == 'n'
			}
			i += n
		}
		if spaces && !ends {
			return false
		}
	}
	return true
}

// cover replaces parts of s, which may overlap, by the mask.
func cover(s string, parts [][2]int) string {
	if len(parts) == 0 {
		return s
	}
	slices.SortFunc(parts, func(a, b [2]int) int { return a[0] - b[0] })
	var b strings.Builder
	end := 0
	for _, p := range parts {
		if p[0] >= end {
			b.WriteString(s[end:p[0]])
			b.WriteString(Mark)
		}
		end = max(end, p[1])
	}
	b.WriteString(s[end:])
	return b.String()
}

// fewBeforeWrap is how many characters of a secret before a line end are held
// back: fewer are in any text.
const fewBeforeWrap = 3

// Split masks a text of which more may come, and cuts it where what may become a
// secret with what follows begins: that is to be put before what follows.
func (m *Mask) Split(s string) (sure, open string) {
	s = m.Text(s)
	n := len(s) - m.open(s)
	return s[:n], s[n:]
}

// open is the length of the end of s that may become a secret with what
// follows.
func (m *Mask) open(s string) int {
	if m == nil {
		return 0
	}
	n := openEnd(s, m.forms, 1)
	tail := s[max(0, len(s)-4*len(m.forms[0])):]
	u := unwrap(tail)
	if t := openEnd(u.text, m.tight, fewBeforeWrap); t > 0 {
		first := u.at[len(u.text)-t]
		if w := tail[first:]; onlyLineEnds(w+"\n") && len(w) > n {
			n = len(w)
		}
	}
	return n
}

// openEnd is the length of the longest end of s, of least bytes or more, with
// which one of forms begins.
func openEnd(s string, forms []string, least int) int {
	var begins [256]bool
	for _, f := range forms {
		begins[f[0]] = true
	}
	for n := min(len(s), len(forms[0])-1); n >= least; n-- {
		end := s[len(s)-n:]
		if !begins[end[0]] {
			continue
		}
		for _, f := range forms {
			if len(f) <= n {
				break // shorter ones follow
			}
			if strings.HasPrefix(f, end) {
				return n
			}
		}
	}
	return 0
}

// JSON replaces the secrets in the strings and names of a JSON document, and
// the numbers that are one.
func (m *Mask) JSON(doc json.RawMessage) json.RawMessage {
	if m == nil || len(doc) == 0 {
		return doc
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return json.RawMessage(`"` + Mark + `"`) // never trust what cannot be read
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(m.value(v)) != nil {
		return json.RawMessage(`"` + Mark + `"`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (m *Mask) value(v any) any {
	switch v := v.(type) {
	case string:
		return m.Text(v)
	case json.Number:
		if m.Text(v.String()) == Mark {
			return Mark
		}
	case []any:
		if texts, ok := textsOf(v); ok {
			return m.list(texts)
		}
		for i := range v {
			v[i] = m.value(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[m.Text(k)] = m.value(x)
		}
		return out
	}
	return v
}

// textsOf is a list that holds only texts.
func textsOf(list []any) (texts []string, ok bool) {
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, len(texts) > 0
}

// list replaces the secrets in a list of texts, which readers join. If one goes
// from one text to the next, all that is left is one text.
func (m *Mask) list(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = m.Text(text)
	}
	joined := strings.Join(out, "\n")
	if whole := m.Text(joined); whole != joined {
		return []string{whole}
	}
	return out
}
