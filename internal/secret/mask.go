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
	forms    []string // longest first, as are the others
	replacer *strings.Replacer
	tight    []string        // what is read where a form stands
	loose    map[string]bool // of these, those with white space in the form
	words    []string        // letters and digits alone, of those that have many
	own      []string        // of tight, the values
	ownWords []string        // of words, the values

	inTight, inWords *finder
}

// manyWords is how many letters and digits of a secret are no other text, whatever
// else is between them.
const manyWords = 12

// New returns the mask of values, each of which Check accepts; nil if there are none.
func New(values []string) (*Mask, error) {
	if len(values) == 0 {
		return nil, nil
	}
	m := &Mask{loose: map[string]bool{}}
	for _, v := range values {
		if err := Check(v); err != nil {
			return nil, err
		}
		m.forms = append(m.forms, forms(v)...)
		for _, part := range parts(v) {
			m.forms = append(m.forms, forms(part)...)
		}
		m.read(v, &m.own, &m.ownWords)
		m.read(latin(v), &m.own, &m.ownWords)
	}
	for _, f := range m.forms {
		m.read(f, &m.tight, &m.words)
	}
	m.tight, m.words = append(m.tight, m.own...), append(m.words, m.ownWords...)
	for _, list := range []*[]string{&m.forms, &m.tight, &m.words, &m.own, &m.ownWords} {
		*list = longestFirst(*list)
	}
	m.inTight, m.inWords = newFinder(m.tight), newFinder(m.words)
	pairs := []string{Mark, Mark} // a value may be part of the mark itself
	for _, f := range m.forms {
		pairs = append(pairs, f, Mark)
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m, nil
}

// read adds what is read where a form stands.
func (m *Mask) read(form string, tight, words *[]string) {
	r := read(form)
	if len(r.text) >= shortest {
		*tight = append(*tight, r.text)
		m.loose[r.text] = m.loose[r.text] || slices.ContainsFunc(r.space, func(s gap) bool { return s != none })
	}
	asIs := reading{text: form, from: make([]int32, len(form)), to: make([]int32, len(form))}
	for _, w := range []string{r.words().text, asIs.words().text} {
		if len(w) >= manyWords {
			*words = append(*words, w)
		}
	}
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
	for _, j := range []string{jsonEscape(v, false), jsonEscape(v, true)} { // in JSON that was encoded
		if j != v {
			for shift := range 3 {
				all = append(all, base64Core(base64.StdEncoding, j, shift))
			}
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

// Text replaces the secrets in s, however they are escaped, wrapped or coloured.
func (m *Mask) Text(s string) string {
	if m == nil {
		return s
	}
	s = m.replacer.Replace(s)
	var found [][2]int // in s
	for from := 0; from < len(s); from += window {
		m.inWindow(s[from:min(len(s), from+window+across)], func(first, last int) {
			found = append(found, [2]int{from + first, from + last})
		})
		if from+window+across >= len(s) {
			break
		}
	}
	return cover(s, found)
}

// window is how much of a text is read at once, and across how much more, so that
// what lies across the end of a window is found.
const window, across = 1 << 20, 1 << 17

func (m *Mask) inWindow(s string, found func(first, last int)) {
	for _, r := range readings(s) {
		m.inTight.find(r.text, func(first, last int) {
			if from, to := r.from[first], r.to[last-1]; !inMark(s, int(from), int(to)) && (m.loose[r.text[first:last]] || !r.broken(first, last)) {
				found(int(from), int(to))
			}
		})
		if len(m.words) > 0 {
			w := r.words()
			m.inWords.find(w.text, func(first, last int) { found(int(w.from[first]), int(w.to[last-1])) })
		}
	}
}

// A finder finds any of many forms in one walk through a text.
type finder struct {
	begins [1 << 10]uint64             // a bit for each two bytes that a form begins with
	forms  map[[shortest]byte][]string // by their first bytes
}

func newFinder(forms []string) *finder {
	f := &finder{forms: map[[shortest]byte][]string{}}
	for _, form := range forms {
		f.begins[int(form[0])<<2|int(form[1]>>6)] |= 1 << (form[1] & 63)
		key := [shortest]byte([]byte(form))
		f.forms[key] = append(f.forms[key], form)
	}
	return f
}

// find says where each of the forms is.
func (f *finder) find(text string, found func(first, last int)) {
	for i := 0; i+shortest <= len(text); i++ {
		if f.begins[int(text[i])<<2|int(text[i+1]>>6)]>>(text[i+1]&63)&1 == 0 {
			continue
		}
		for _, form := range f.forms[[shortest]byte([]byte(text[i:i+shortest]))] {
			if strings.HasPrefix(text[i:], form) {
				found(i, i+len(form))
			}
		}
	}
}

// inMark reports whether what was found is part of a mark.
func inMark(s string, first, last int) bool {
	return first > 0 && last-first < len(Mark) && strings.HasPrefix(s[first-1:], Mark)
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

// fewBeforeWrap is how many characters of an encoded secret are held back where it
// is wrapped or escaped: fewer are in any text. Of the secret itself it is one.
const fewBeforeWrap = 3

// Split masks a text of which more may come, and cuts it where what may become a
// secret with what follows begins: that is to be put before what follows.
func (m *Mask) Split(s string) (sure, open string) {
	s = m.Text(s)
	n := len(s) - m.open(s)
	for at := max(0, n-len(Mark)+1); at < n && at+len(Mark) <= len(s); at++ {
		if s[at:at+len(Mark)] == Mark { // it is no part of what may become a secret
			n = at + len(Mark)
		}
	}
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
	for _, cut := range []int{len(tail), unfinished(tail)} {
		for _, r := range readings(tail[:cut]) {
			w := r.words()
			n = max(n, len(tail)-r.open(m.tight, fewBeforeWrap, len(tail)), len(tail)-r.open(m.own, 1, len(tail)),
				len(tail)-w.open(m.words, fewBeforeWrap, len(tail)), len(tail)-w.open(m.ownWords, 1, len(tail)))
		}
	}
	return n
}

// open is where the end of what was read begins that may become one of forms, and
// otherwise the given place.
func (r reading) open(forms []string, least, otherwise int) int {
	if len(forms) == 0 {
		return otherwise
	}
	t := openEnd(r.text, forms, least)
	if t == 0 || r.broken(len(r.text)-t, len(r.text)) {
		return otherwise
	}
	return int(r.from[len(r.text)-t])
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
		if m.Text(strings.TrimSuffix(v.String(), ".0")) == Mark {
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
