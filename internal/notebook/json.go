package notebook

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deeply values may nest; Python's reader gives up near it.
const maxDepth = 900

// A scanner reads JSON as Python's json module does: RFC 8259 and the numbers
// NaN, Infinity and -Infinity. Of duplicate names the last one wins.
//
// Note: encoding/json and jsontext know no NaN, which papermill itself writes
// into metadata.
type scanner struct {
	b     []byte
	i     int
	depth int
}

// A syntaxError is a place where the text is not JSON.
type syntaxError struct {
	at   int // byte offset
	msg  string
	ends bool // the text ended too early
}

func (e *syntaxError) Error() string { return e.msg }

func (s *scanner) fail(format string, args ...any) error {
	if s.i >= len(s.b) {
		return &syntaxError{len(s.b), "the text ends in the middle", true}
	}
	return &syntaxError{s.i, fmt.Sprintf(format, args...), false}
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is not space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > maxDepth {
		return s.fail("values nest more than %d deep", maxDepth)
	}
	s.i++
	return nil
}

// object calls member for each member, standing before its value, which
// member must read.
func (s *scanner) object(member func(key string) error) error {
	if s.peek() != '{' {
		return s.fail("want an object, found %s", s.found())
	}
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.i++
		s.depth--
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("want a name in quotes, found %s", s.found())
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.fail("want a colon, found %s", s.found())
		}
		s.i++
		if err := member(key); err != nil {
			return err
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

// array calls element for each element, standing before it.
func (s *scanner) array(element func() error) error {
	if s.peek() != '[' {
		return s.fail("want a list, found %s", s.found())
	}
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.i++
		s.depth--
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

// next reads the comma before another member, or the end of the composite.
func (s *scanner) next(end byte) (done bool, err error) {
	switch s.peek() {
	case ',':
		s.i++
		return false, nil
	case end:
		s.i++
		s.depth--
		return true, nil
	}
	return false, s.fail("want a comma or %q, found %s", end, s.found())
}

// found names what stands here, for errors.
func (s *scanner) found() string {
	c := s.peek()
	switch {
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a text"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	case c == 0:
		return "the end"
	}
	r, _ := utf8.DecodeRune(s.b[s.i:])
	return fmt.Sprintf("%q", r)
}

// raw skips a value and returns its bytes, which it has checked.
func (s *scanner) raw() (json.RawMessage, error) {
	s.space()
	start := s.i
	if err := s.skip(); err != nil {
		return nil, err
	}
	return s.b[start:s.i:s.i], nil
}

func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.array(s.skip)
	case '"':
		_, _, err := s.quoted()
		return err
	}
	_, err := s.atom()
	return err
}

// value reads a value into Go's terms; see Notebook.
func (s *scanner) value() (any, error) {
	switch s.peek() {
	case '{':
		return s.mapping()
	case '[':
		list := []any{}
		err := s.array(func() error {
			v, err := s.value()
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return s.text()
	}
	return s.atom()
}

func (s *scanner) mapping() (map[string]any, error) {
	m := map[string]any{}
	err := s.object(func(key string) error {
		v, err := s.value()
		m[key] = v
		return err
	})
	return m, err
}

var atoms = map[string]any{"null": nil, "true": true, "false": false,
	"NaN": json.Number("NaN"), "Infinity": json.Number("Infinity"), "-Infinity": json.Number("-Infinity")}

// atom reads null, a boolean or a number.
func (s *scanner) atom() (any, error) {
	s.space()
	j := s.i
	for j < len(s.b) && (s.b[j] == '+' || s.b[j] == '-' || s.b[j] == '.' || s.b[j] >= '0' && s.b[j] <= '9' || s.b[j]|0x20 >= 'a' && s.b[j]|0x20 <= 'z') {
		j++
	}
	word := string(s.b[s.i:j])
	if v, ok := atoms[word]; ok {
		s.i = j
		return v, nil
	}
	if isNumber(word) {
		s.i = j
		return json.Number(word), nil
	}
	if j == len(s.b) {
		s.i = j // cut in the middle of it, as far as one can tell
	}
	if word == "" {
		return nil, s.fail("want a value, found %s", s.found())
	}
	return nil, s.fail("%.20q is not JSON", word)
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	digits := func() bool {
		n := len(s)
		s = strings.TrimLeft(s, "0123456789")
		return len(s) < n
	}
	s = strings.TrimPrefix(s, "-")
	if zero, ok := strings.CutPrefix(s, "0"); ok {
		s = zero
	} else if !digits() {
		return false
	}
	if frac, ok := strings.CutPrefix(s, "."); ok {
		if s = frac; !digits() {
			return false
		}
	}
	if s != "" && s[0]|0x20 == 'e' {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// text reads a string.
func (s *scanner) text() (string, error) {
	inner, escaped, err := s.quoted()
	if err != nil {
		return "", err
	}
	if !escaped {
		return string(inner), nil
	}
	return unescape(inner), nil
}

// quoted reads a string and returns what stands between its quotes, and
// whether that has escapes.
func (s *scanner) quoted() (inner []byte, escaped bool, err error) {
	s.space()
	s.i++ // the quote
	start := s.i
	for {
		s.i = plainEnd(s.b, s.i)
		if s.i >= len(s.b) {
			return nil, false, s.fail("")
		}
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.b[start : s.i-1], escaped, nil
		case '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, s.fail("a text holds the control character %#02x", s.b[s.i])
		}
	}
}

// escape skips one escape and checks it.
func (s *scanner) escape() error {
	if s.i+1 >= len(s.b) {
		s.i = len(s.b)
		return s.fail("")
	}
	switch s.b[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
		return nil
	case 'u':
		if s.i+6 > len(s.b) {
			s.i = len(s.b)
			return s.fail("")
		}
		if _, ok := hex4(s.b[s.i+2:]); ok {
			s.i += 6
			return nil
		}
	}
	return s.fail("a text holds the escape %q, which JSON does not know", s.b[s.i:s.i+2])
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

// unescape resolves the escapes of a string that quoted has checked. Half a
// surrogate pair becomes U+FFFD.
func unescape(in []byte) string {
	out := make([]byte, 0, len(in))
	for {
		n := bytes.IndexByte(in, '\\')
		if n < 0 {
			return string(append(out, in...))
		}
		out = append(out, in[:n]...)
		if in = in[n:]; in[1] != 'u' {
			out = append(out, shortEscapes[in[1]])
			in = in[2:]
			continue
		}
		r, _ := hex4(in[2:])
		in = in[6:]
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(in) >= 6 && in[0] == '\\' && in[1] == 'u' {
				low, _ = hex4(in[2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				in = in[6:]
			}
		}
		out = utf8.AppendRune(out, r)
	}
}

// parseValue reads one JSON value with nothing after it.
func parseValue(b []byte) (any, error) {
	s := &scanner{b: b}
	v, err := s.value()
	if err != nil {
		return nil, err
	}
	return v, s.end()
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		return s.fail("more text follows the end")
	}
	return nil
}
