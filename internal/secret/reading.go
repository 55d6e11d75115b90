package secret

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A reading is a text as somebody understands it: without what nobody sees, with
// all escapes decoded, however often they were escaped again, and without the
// backslashes and white space that programs add.
type reading struct {
	text     string
	from, to []int32 // of each byte, the part of the source that stands for it
	space    []gap   // before each byte
}

// A gap is the white space between two characters.
type gap byte

const (
	none gap = iota
	spaces
	lineEnd // whatever else is there
)

// mostLayers is how often a text may have been escaped, one escape in another.
const mostLayers = 8

// read reads s as somebody does who sees all of it but control characters.
func read(s string) reading { return whole(s).decoded().tightened() }

// readings are read, and what terminals show of the text or of what is escaped in
// it, if that is something else.
func readings(s string) []reading {
	w := whole(s)
	d := w.decoded()
	all := []reading{d.tightened()}
	if w.commands() {
		all = append(all, w.shown().decoded().tightened())
	}
	if d.commands() {
		all = append(all, d.shown().tightened())
	}
	return all
}

func whole(s string) reading {
	r := reading{text: s, from: make([]int32, len(s)), to: make([]int32, len(s))}
	for i := range len(s) {
		r.from[i], r.to[i] = int32(i), int32(i+1)
	}
	return r
}

// commands reports whether a terminal may show something else than the text.
func (r reading) commands() bool {
	return strings.IndexByte(r.text, colour[0]) >= 0 || strings.IndexByte(r.text, "\u0080"[0]) >= 0 || !utf8.ValidString(r.text)
}

// decoded is r without its escapes.
func (r reading) decoded() reading {
	for range mostLayers {
		if !strings.ContainsAny(r.text, `\%&`) || !r.decode() {
			break
		}
	}
	return r
}

// shown is what a terminal shows of r.
func (r reading) shown() reading {
	var s reading
	var text []byte
	for _, i := range unit.Shown(r.text) {
		text = append(text, r.text[i])
		s.from, s.to = append(s.from, r.from[i]), append(s.to, r.to[i])
	}
	s.text = string(text)
	return s
}

// decode decodes one layer of escapes, and reports whether there was any.
func (r *reading) decode() (any bool) {
	text, out := r.text, make([]byte, 0, len(r.text))
	from, to := make([]int32, 0, len(text)), make([]int32, 0, len(text))
	for i := 0; i < len(text); {
		n, decoded := escape(text[i:])
		if n == 0 {
			out = append(out, text[i])
			from, to = append(from, r.from[i]), append(to, r.to[i])
			i++
			continue
		}
		any = true
		for range len(decoded) {
			from, to = append(from, r.from[i]), append(to, r.to[i+n-1])
		}
		out = append(out, decoded...)
		i += n
	}
	r.text, r.from, r.to = string(out), from, to
	return any
}

// escape decodes the escape that s begins with, of which n bytes are read.
func escape(s string) (n int, decoded string) {
	switch s[0] {
	case '%':
		if b, ok := number(s[1:], 2, 16); ok {
			return 3, string([]byte{byte(b)})
		}
	case '&':
		if end := strings.IndexByte(s[:min(len(s), longestEntity)], ';'); end > 0 {
			if text := html.UnescapeString(s[:end+1]); text != s[:end+1] {
				return end + 1, text
			}
		}
	case '\\':
		rest := strings.TrimLeft(s, `\`)
		n, decoded := backslashed(rest)
		return len(s) - len(rest) + n, decoded
	}
	return 0, ""
}

// longestEntity is the length of the longest name of a character in HTML.
const longestEntity = 33

// backslashed decodes what follows a backslash. One before any other character
// stands for nothing.
func backslashed(s string) (n int, decoded string) {
	if s == "" {
		return 0, ""
	}
	switch s[0] {
	case 'n', 'r', 't':
		return 1, map[byte]string{'n': "\n", 'r': "\r", 't': "\t"}[s[0]]
	case 'x':
		if b, ok := number(s[1:], 2, 16); ok {
			return 3, string([]byte{byte(b)})
		}
	case 'U':
		if r, ok := number(s[1:], 8, 16); ok {
			return 9, string(rune(min(r, utf8.MaxRune)))
		}
	case 'u':
		r, ok := number(s[1:], 4, 16)
		if !ok {
			return 0, ""
		}
		if !utf16.IsSurrogate(rune(r)) {
			return 5, string(rune(r))
		}
		rest := strings.TrimLeft(s[5:], `\`)
		if low, ok := number(strings.TrimPrefix(rest, "u"), 4, 16); ok && strings.HasPrefix(rest, "u") {
			return len(s) - len(rest) + 5, string(utf16.DecodeRune(rune(r), rune(low)))
		}
		return 5, "" // what it is follows
	default:
		if b, ok := number(s, 3, 8); ok && b < 0x100 {
			return 3, string([]byte{byte(b)})
		}
	}
	return 0, ""
}

// number is the number that the first digits of s are.
func number(s string, digits, base int) (uint64, bool) {
	if len(s) < digits || s[0] == '+' || s[0] == '_' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:digits], base, 32)
	return n, err == nil
}

// tightened is r without white space and what nobody sees.
func (r reading) tightened() reading {
	if r.isTight() {
		r.space = make([]gap, len(r.text))
		return r
	}
	text, out := r.text, make([]byte, 0, len(r.text))
	t := reading{from: make([]int32, 0, len(text)), to: make([]int32, 0, len(text)), space: make([]gap, 0, len(text))}
	before := none
	for i := 0; i < len(text); {
		c, n := rune(text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(text[i:])
		}
		switch {
		case c == '\n':
			before = lineEnd
		case c == rune(colour[0]):
			n = coloured(text[i:])
		case c != '\t' && unit.Unseen(c):
		case unicode.IsSpace(c):
			before = max(before, spaces)
		default:
			out = append(out, text[i:i+n]...)
			t.from, t.to = append(t.from, r.from[i:i+n]...), append(t.to, r.to[i:i+n]...)
			for range n {
				t.space = append(t.space, before)
				before = none
			}
		}
		i += n
	}
	t.text = string(out)
	return t
}

// isTight reports whether there is nothing in r to leave out, as in base64.
func (r reading) isTight() bool {
	for i := range len(r.text) {
		if c := r.text[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// colour begins what colours text on a terminal; an m ends it.
const colour = "\x1b["

// coloured is the length of the sequence that changes the colour, or else of the
// one character, that s begins with.
func coloured(s string) int {
	if rest, ok := strings.CutPrefix(s, colour); ok {
		rest = strings.TrimLeft(rest, "0123456789;:")
		if rest == "" || rest[0] == 'm' { // the end of a piece, or of the sequence
			return len(s) - len(strings.TrimPrefix(rest, "m"))
		}
	}
	return 1
}

// words is what is left of r without anything but letters and digits.
func (r reading) words() reading {
	var w reading
	out := make([]byte, 0, len(r.text))
	w.from, w.to = make([]int32, 0, len(r.text)), make([]int32, 0, len(r.text))
	for i := 0; i < len(r.text); {
		c, n := rune(r.text[i]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(r.text[i:])
		}
		if c == utf8.RuneError || unicode.IsLetter(c) || unicode.IsNumber(c) {
			out = append(out, r.text[i:i+n]...)
			w.from, w.to = append(w.from, r.from[i:i+n]...), append(w.to, r.to[i:i+n]...)
		}
		i += n
	}
	w.text = string(out)
	return w
}

// broken reports whether there is white space within the bytes from first to last
// that is not around a line end.
func (r reading) broken(first, last int) bool {
	if r.space == nil {
		return false
	}
	for _, s := range r.space[first+1 : last] {
		if s == spaces {
			return true
		}
	}
	return false
}

// latin is s with each character of Latin-1 as one byte, which is what escapes of
// characters decode to where they look like those of bytes.
func latin(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 0x80 && r < 0x100 {
			b.WriteByte(byte(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unfinished is where an escape begins that the end of s cuts off; len(s) if none
// does.
func unfinished(s string) int {
	for i := len(s) - 1; i >= 0 && i >= len(s)-longestEntity; i-- {
		switch c := s[i]; {
		case c == '&' || c == '%' && i >= len(s)-2:
			return i
		case c == '\\':
			if n, decoded := backslashed(s[i+1:]); n > 0 && decoded != "" {
				return len(s)
			}
			return len(strings.TrimRight(s[:i], `\`))
		case c == ';' || c != '#' && !unicode.IsLetter(rune(c)) && !unicode.IsDigit(rune(c)):
			return len(s)
		}
	}
	return len(s)
}
