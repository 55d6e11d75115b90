// Package ansi turns what programs print for a terminal into HTML: colours and
// weights become spans with classes, \r overwrites its line, and \b takes a
// character back. Everything else a terminal would obey is left out.
//
// The classes are "a0" to "a15" for the colours of text, "ab0" to "ab15" for
// those behind it, and "bold", "italic", "faint", "under" and "strike"; other
// colours are written as styles of hexadecimal digits.
package ansi

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// colour is 0 for none, 1 to 16 for the palette, and over rgb for the rest.
type colour uint32

const rgb colour = 1 << 24

type style struct {
	fg, bg                                        colour
	bold, italic, faint, under, strike, inversion bool
}

// HTML returns text as HTML that stands within <pre>.
func HTML(text string) string {
	w := writer{}
	w.out.Grow(len(text) + len(text)/8)
	for line := range strings.Lines(text) {
		if body := strings.TrimRight(line, "\r\n"); strings.ContainsAny(body, "\r\b") {
			w.overwritten(body)
			w.text(line[len(body):])
			continue
		}
		w.plain(line)
	}
	w.become(style{})
	return w.out.String()
}

type writer struct {
	out   strings.Builder
	shown style // of the open span
	now   style // of what comes
}

// plain writes a line that overwrites nothing.
func (w *writer) plain(line string) {
	for line != "" {
		at := strings.IndexByte(line, '\x1b')
		if at < 0 {
			w.text(line)
			return
		}
		w.text(line[:at])
		n, codes := sequence(line[at:])
		w.now.apply(codes)
		line = line[at+n:]
	}
}

// overwritten writes what is left to see of a line whose start is written
// again.
func (w *writer) overwritten(line string) {
	type cell struct {
		r rune
		s style
	}
	var cells []cell
	at := 0
	for line != "" {
		if line[0] == '\x1b' {
			n, codes := sequence(line)
			w.now.apply(codes)
			line = line[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(line)
		line = line[n:]
		switch {
		case r == '\r':
			at = 0
		case r == '\b':
			at = max(at-1, 0)
		case at < len(cells):
			cells[at] = cell{r, w.now}
			at++
		default:
			cells = append(cells, cell{r, w.now})
			at++
		}
	}
	after := w.now
	var buf [utf8.UTFMax]byte
	for _, c := range cells {
		w.now = c.s
		w.text(string(buf[:utf8.EncodeRune(buf[:], c.r)]))
	}
	w.now = after
}

// text writes text in the current style, escaped.
func (w *writer) text(text string) {
	if text == "" {
		return
	}
	w.become(w.now)
	from := 0
	for i := 0; i < len(text); i++ {
		var escape string
		switch c := text[i]; {
		case c == '<':
			escape = "&lt;"
		case c == '>':
			escape = "&gt;"
		case c == '&':
			escape = "&amp;"
		case c == '"':
			escape = "&#34;"
		case c < ' ' && c != '\n' && c != '\t' || c == 0x7f:
		default:
			continue
		}
		w.out.WriteString(text[from:i])
		w.out.WriteString(escape)
		from = i + 1
	}
	w.out.WriteString(text[from:])
}

// become ends the open span and opens one of style s.
func (w *writer) become(s style) {
	if s == w.shown {
		return
	}
	if w.shown != (style{}) {
		w.out.WriteString("</span>")
	}
	if s != (style{}) {
		w.out.WriteString(s.span())
	}
	w.shown = s
}

func (s style) span() string {
	var classes, styles []string
	fg, bg := s.fg, s.bg
	if s.bold && fg >= 1 && fg <= 8 {
		fg += 8
	}
	if s.inversion {
		fg, bg = bg, fg
		if fg == 0 && bg == 0 {
			classes = append(classes, "inverse")
		}
	}
	name := func(c colour, class, property string) {
		switch {
		case c >= rgb:
			styles = append(styles, fmt.Sprintf("%s:#%06x", property, uint32(c-rgb)))
		case c > 0:
			classes = append(classes, class+strconv.Itoa(int(c-1)))
		}
	}
	name(fg, "a", "color")
	name(bg, "ab", "background-color")
	for _, c := range []struct {
		is   bool
		name string
	}{{s.bold, "bold"}, {s.italic, "italic"}, {s.faint, "faint"}, {s.under, "under"}, {s.strike, "strike"}} {
		if c.is {
			classes = append(classes, c.name)
		}
	}
	span := "<span"
	if len(classes) > 0 {
		span += ` class="` + strings.Join(classes, " ") + `"`
	}
	if len(styles) > 0 {
		span += ` style="` + strings.Join(styles, ";") + `"`
	}
	return span + ">"
}

// longest is how far the end of a sequence is looked for.
const longest = 4096

// sequence returns the length of the escape sequence that text begins with, and
// its codes if it sets a style.
func sequence(text string) (n int, codes []int) {
	if len(text) < 2 {
		return len(text), nil
	}
	head := text[:min(len(text), longest)]
	switch text[1] {
	case '[':
		for i := 2; i < len(head); i++ {
			if c := head[i]; c >= 0x40 && c <= 0x7e {
				if c == 'm' {
					return i + 1, parse(head[2:i])
				}
				return i + 1, nil
			}
		}
		return 2, nil
	case ']': // ends with BEL or ESC \
		if i := strings.IndexAny(head[2:], "\a\x1b"); i >= 0 {
			if head[2+i] == '\x1b' && 3+i < len(head) && head[3+i] == '\\' {
				return i + 4, nil
			}
			return i + 3, nil
		}
		return 2, nil
	}
	_, size := utf8.DecodeRuneInString(text[1:])
	return 1 + size, nil
}

// parse reads the numbers of a sequence; a missing one is 0.
func parse(text string) []int {
	var codes []int
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ':' }) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return []int{}
		}
		codes = append(codes, n)
	}
	if text == "" {
		return []int{0}
	}
	return codes
}

func (s *style) apply(codes []int) {
	for i := 0; i < len(codes); i++ {
		switch c := codes[i]; {
		case c == 0:
			*s = style{}
		case c == 1 || c == 5:
			s.bold = true
		case c == 2:
			s.faint = true
		case c == 3:
			s.italic = true
		case c == 4:
			s.under = true
		case c == 7:
			s.inversion = true
		case c == 9:
			s.strike = true
		case c == 21 || c == 22:
			s.bold, s.faint = false, false
		case c == 23:
			s.italic = false
		case c == 24:
			s.under = false
		case c == 27:
			s.inversion = false
		case c == 29:
			s.strike = false
		case c >= 30 && c <= 37:
			s.fg = colour(c - 30 + 1)
		case c >= 40 && c <= 47:
			s.bg = colour(c - 40 + 1)
		case c >= 90 && c <= 97:
			s.fg = colour(c - 90 + 9)
		case c >= 100 && c <= 107:
			s.bg = colour(c - 100 + 9)
		case c == 39:
			s.fg = 0
		case c == 49:
			s.bg = 0
		case c == 38 || c == 48:
			chosen, n := extended(codes[i+1:])
			i += n
			if c == 38 {
				s.fg = chosen
			} else {
				s.bg = chosen
			}
		}
	}
}

// extended reads the colour after 38 or 48, and how many codes it takes.
func extended(codes []int) (colour, int) {
	byteOf := func(n int) colour { return colour(min(max(n, 0), 255)) }
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		return indexed(int(byteOf(codes[1]))), 2
	case len(codes) >= 4 && codes[0] == 2:
		return rgb + byteOf(codes[1])<<16 + byteOf(codes[2])<<8 + byteOf(codes[3]), 4
	}
	return 0, len(codes)
}

// indexed is colour n of 256: the palette, a cube of 6×6×6, greys.
func indexed(n int) colour {
	switch {
	case n < 16:
		return colour(n + 1)
	case n >= 232:
		grey := colour(8 + 10*(n-232))
		return rgb + grey<<16 + grey<<8 + grey
	}
	n -= 16
	level := func(i int) colour {
		if i == 0 {
			return 0
		}
		return colour(55 + 40*i)
	}
	return rgb + level(n/36)<<16 + level(n/6%6)<<8 + level(n%6)
}
