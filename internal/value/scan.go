package value

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// A Scanner walks and reads JSON that is all in memory, and checks all of it.
type Scanner struct {
	walker
	left *int // how many values may still be read, by all sections together
}

// maxValues is how many values of one text are read: each takes some 50 bytes of
// memory, and perhaps two of the text.
var maxValues = 10_000_000

// NewScanner scans text, which must not change.
func NewScanner(text []byte) *Scanner {
	left := maxValues
	return &Scanner{walker{buf: text}, &left}
}

// Spend counts a value that is kept, as Any does by itself. It is an error if the
// text has too many.
func (s *Scanner) Spend() error {
	if *s.left--; *s.left < 0 {
		return &SyntaxError{s.Offset(), fmt.Sprintf("it has more than %d values", maxValues), false}
	}
	return nil
}

// Section is a scanner over the part of the text from one offset to another,
// whose errors have their place in the whole.
func (s *Scanner) Section(from, to int64) *Scanner {
	return &Scanner{walker{buf: s.buf[:to], pos: int(from), depth: s.depth}, s.left}
}

// Decode reads one JSON value with nothing after it, as Scanner.Any does.
func Decode(text []byte) (any, error) {
	s := NewScanner(text)
	v, err := s.Any()
	if err != nil {
		return nil, err
	}
	return v, s.End()
}

// Any reads a value as nil, a bool, a string, a json.Number as it is written
// (also NaN, Infinity and -Infinity), a []any or a map[string]any. Of members
// with the same name the last one counts.
func (s *Scanner) Any() (any, error) {
	if err := s.Spend(); err != nil {
		return nil, err
	}
	switch s.Peek() {
	case '{':
		return s.Map()
	case '[':
		list := []any{}
		err := s.Array(func() error {
			v, err := s.Any()
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return s.Text()
	}
	word, err := s.word()
	if err != nil {
		return nil, err
	}
	switch string(word) {
	case "null":
		return nil, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return json.Number(word), nil
}

// Map reads an object.
func (s *Scanner) Map() (map[string]any, error) {
	m := map[string]any{}
	err := s.Object(func(key string) error {
		v, err := s.Any()
		m[key] = v
		return err
	})
	return m, err
}

// Raw passes a value and returns its bytes, which it has checked. They share
// memory with the text.
func (s *Scanner) Raw() (json.RawMessage, error) {
	s.Peek()
	start := s.pos
	if err := s.Skip(); err != nil {
		return nil, err
	}
	return s.buf[start:s.pos:s.pos], nil
}

// Text reads a string. Half a surrogate pair becomes U+FFFD.
func (s *Scanner) Text() (string, error) {
	if s.Peek() != '"' {
		return "", s.Errorf("want a text, found %s", s.Found())
	}
	return s.text()
}

// Quoted reads and checks a string; it returns the text between its quotes, and
// whether that has escapes.
func (s *Scanner) Quoted() (inner []byte, escaped bool, err error) {
	if s.Peek() != '"' {
		return nil, false, s.Errorf("want a text, found %s", s.Found())
	}
	return s.quoted()
}

func (w *walker) text() (string, error) {
	inner, escaped, err := w.quoted()
	if err != nil {
		return "", err
	}
	if !escaped {
		return string(inner), nil
	}
	return Unescape(inner), nil
}

// quoted reads the string whose quote is next.
func (w *walker) quoted() (inner []byte, escaped bool, err error) {
	w.pos++
	start := w.pos
	for {
		w.pos = plainEnd(w.buf, w.pos)
		if w.pos >= len(w.buf) {
			return nil, false, w.Errorf("")
		}
		switch w.buf[w.pos] {
		case '"':
			w.pos++
			return w.buf[start : w.pos-1], escaped, nil
		case '\\':
			escaped = true
			if err := w.escape(); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, w.Errorf("a text holds the control character %#02x", w.buf[w.pos])
		}
	}
}

// escape passes one escape and checks it.
func (w *walker) escape() error {
	rest := w.buf[w.pos:]
	size := 2
	if len(rest) > 1 && rest[1] == 'u' {
		size = 6
	}
	if len(rest) < size {
		w.pos = len(w.buf)
		return w.Errorf("")
	}
	if _, ok := hex4(rest[2:]); size == 6 && ok || size == 2 && shortEscapes[rest[1]] != 0 {
		w.pos += size
		return nil
	}
	return w.Errorf("a text holds the escape %q, which JSON does not know", rest[:2])
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainEnd returns the first offset from i on that holds a quote, a
// backslash or a control character, eight bytes at a time.
func plainEnd(b []byte, i int) int {
	for ; i+16 <= len(b); i += 16 {
		if stops(binary.LittleEndian.Uint64(b[i:]))|stops(binary.LittleEndian.Uint64(b[i+8:])) != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if hit := stops(binary.LittleEndian.Uint64(b[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' || b[i] == '\\' || b[i] < 0x20 {
			break
		}
	}
	return i
}

// stops marks the bytes of w that end plain text. The lowest mark is a true
// one; a borrow may set wrong marks above it.
func stops(w uint64) uint64 {
	quoteOrControl := (w ^ lows*2) - lows*33 // '"'^2 is 32, and controls stay below it
	slash := (w ^ lows*'\\') - lows
	return (quoteOrControl | slash) &^ w & highs
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

var shortEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// Unescape resolves the escapes of what Quoted returned.
func Unescape(inner []byte) string {
	out := make([]byte, 0, len(inner))
	for {
		n := bytes.IndexByte(inner, '\\')
		if n < 0 {
			return string(append(out, inner...))
		}
		out = append(out, inner[:n]...)
		if inner = inner[n:]; inner[1] != 'u' {
			out = append(out, shortEscapes[inner[1]])
			inner = inner[2:]
			continue
		}
		r, _ := hex4(inner[2:])
		inner = inner[6:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(inner) >= 6 && inner[0] == '\\' && inner[1] == 'u' {
				low, _ = hex4(inner[2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				inner = inner[6:]
			}
		}
		out = utf8.AppendRune(out, r)
	}
}
