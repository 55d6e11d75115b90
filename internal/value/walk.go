package value

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deeply values may nest; Python's reader gives up near it.
const maxDepth = 900

// A SyntaxError is a place where a text is not JSON.
type SyntaxError struct {
	At   int64  // byte offset
	Msg  string // what is wrong there
	Ends bool   // the text ends too early
}

func (e *SyntaxError) Error() string { return e.Msg }

// A walker passes over JSON as Python's json module reads it: RFC 8259 and the
// numbers NaN, Infinity and -Infinity.
//
// Note: encoding/json and jsontext know no NaN, which papermill itself writes
// into metadata.
type walker struct {
	buf   []byte // the text, or a window of it
	pos   int    // of the next byte in buf
	base  int64  // offset in the text of buf[0]
	depth int
	lax   bool   // what is between the quotes of strings is not checked
	input *input // nil: the text is all in buf
}

// Offset is how many bytes have been passed.
func (w *walker) Offset() int64 { return w.base + int64(w.pos) }

// more reads on once the window is used up.
func (w *walker) more() bool { return w.input != nil && w.fill() }

// Errorf returns an error about the text at this position, or about its end.
func (w *walker) Errorf(format string, args ...any) error {
	if w.pos < len(w.buf) {
		return &SyntaxError{w.Offset(), fmt.Sprintf(format, args...), false}
	}
	if err := w.broken(); err != nil {
		return err
	}
	return &SyntaxError{w.Offset(), "the text ends in the middle", true}
}

// Peek returns the next byte that is not space, without passing it; 0 at the
// end.
func (w *walker) Peek() byte {
	for {
		for w.pos < len(w.buf) {
			switch c := w.buf[w.pos]; c {
			case ' ', '\n', '\r', '\t':
				w.pos++
			default:
				return c
			}
		}
		if !w.more() {
			return 0
		}
	}
}

// Found describes the text at this position, for errors.
func (w *walker) Found() string {
	c := w.Peek()
	switch {
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a text"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	case w.pos == len(w.buf):
		return "the end"
	}
	r, _ := utf8.DecodeRune(w.buf[w.pos:])
	return fmt.Sprintf("%q", r)
}

// Object calls member for each member, standing before its value, which
// member must pass.
func (w *walker) Object(member func(key string) error) error {
	if w.Peek() != '{' {
		return w.Errorf("want an object, found %s", w.Found())
	}
	if empty, err := w.enter('}'); empty || err != nil {
		return err
	}
	for {
		key, err := w.key()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
		if done, err := w.next('}'); done || err != nil {
			return err
		}
	}
}

// Array calls element for each element, standing before it; element must pass
// it.
func (w *walker) Array(element func() error) error {
	if w.Peek() != '[' {
		return w.Errorf("want a list, found %s", w.Found())
	}
	if empty, err := w.enter(']'); empty || err != nil {
		return err
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if done, err := w.next(']'); done || err != nil {
			return err
		}
	}
}

// enter passes the opening bracket, and the closing one of an empty composite.
func (w *walker) enter(end byte) (empty bool, err error) {
	if w.depth++; w.depth > maxDepth {
		return false, w.Errorf("values are nested more than %d deep", maxDepth)
	}
	w.pos++
	if w.Peek() != end {
		return false, nil
	}
	w.pos++
	w.depth--
	return true, nil
}

// next passes the comma before another member, or the end of the composite.
func (w *walker) next(end byte) (done bool, err error) {
	switch w.Peek() {
	case ',':
		w.pos++
		return false, nil
	case end:
		w.pos++
		w.depth--
		return true, nil
	}
	return false, w.Errorf("want a comma or %q, found %s", end, w.Found())
}

// key passes a name and its colon.
func (w *walker) key() (key string, err error) {
	if w.Peek() != '"' {
		return "", w.Errorf("want a name in quotes, found %s", w.Found())
	}
	if w.lax {
		key, err = w.keptKey()
	} else {
		key, err = w.text()
	}
	if err == nil {
		err = w.colon()
	}
	return key, err
}

func (w *walker) colon() error {
	if w.Peek() != ':' {
		return w.Errorf("want a colon, found %s", w.Found())
	}
	w.pos++
	return nil
}

// Skip passes one value of any kind.
func (w *walker) Skip() error {
	switch w.Peek() {
	case '{', '[':
		return w.skipNested()
	case '"':
		return w.skipText()
	}
	_, err := w.word()
	return err
}

func (w *walker) skipText() error {
	if w.lax {
		return w.skipLax()
	}
	_, _, err := w.quoted()
	return err
}

// skipNested passes an object or array. It keeps the kinds of those that are
// open itself, so that depth costs no calls.
func (w *walker) skipNested() error {
	outside := w.depth
	var ends [maxDepth + 1]byte
	for {
		opens := w.Peek()
		switch opens {
		case '{', '[':
			end := opens + 2 // in ASCII, both
			empty, err := w.enter(end)
			if err != nil {
				return err
			}
			if !empty {
				ends[w.depth] = end
				if err := w.skipKey(end); err != nil {
					return err
				}
				continue
			}
		case '"':
			if err := w.skipText(); err != nil {
				return err
			}
		default:
			if _, err := w.word(); err != nil {
				return err
			}
		}
		for done := true; done && w.depth > outside; {
			var err error
			end := ends[w.depth]
			if done, err = w.next(end); err != nil {
				return err
			}
			if !done {
				if err := w.skipKey(end); err != nil {
					return err
				}
			}
		}
		if w.depth == outside {
			return nil
		}
	}
}

// skipKey passes a name and its colon, in an object.
func (w *walker) skipKey(end byte) error {
	if end != '}' {
		return nil
	}
	if w.Peek() != '"' {
		return w.Errorf("want a name in quotes, found %s", w.Found())
	}
	if err := w.skipText(); err != nil {
		return err
	}
	return w.colon()
}

// word passes null, a boolean or a number, and returns it; it is valid until
// the next call.
func (w *walker) word() ([]byte, error) {
	first := w.Peek()
	start := w.hold()
	for {
		for w.pos < len(w.buf) && isWord(w.buf[w.pos]) {
			w.pos++
		}
		if w.pos < len(w.buf) || !w.more() {
			break
		}
	}
	word, whole := w.release(start)
	switch {
	case whole && (isName(word) || isNumber(string(word))):
		return word, nil
	case !whole && (first == '-' || first >= '0' && first <= '9'):
		return nil, nil // more digits than anybody keeps
	case w.pos == len(w.buf): // possibly cut in the middle of it
		return nil, w.Errorf("")
	case len(word) == 0:
		return nil, w.Errorf("want a value, found %s", w.Found())
	}
	w.pos -= len(word)
	return nil, w.Errorf("%.20q is not JSON", word)
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '+' || c == '.'
}

func isName(word []byte) bool {
	switch string(word) {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}

// IsNumber reports whether s is a JSON number, or one of Python's: NaN,
// Infinity, -Infinity.
func IsNumber(s string) bool {
	switch s {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return isNumber(s)
}

// isNumber reports whether s is a number of RFC 8259.
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

// End checks that nothing but white space follows.
func (w *walker) End() error {
	if w.Peek(); w.pos < len(w.buf) {
		return w.Errorf("more text follows the end")
	}
	return w.broken()
}

// broken is why a stream could not be read to its end.
func (w *walker) broken() error {
	if w.input == nil || errors.Is(w.input.err, io.EOF) {
		return nil
	}
	return w.input.err
}
