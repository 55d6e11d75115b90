package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	scanBuffer = 256 << 10 // bytes read at a time
	scanKeep   = 1 << 20   // an output longer than this is read again when wanted
	scanDepth  = 1000      // of nesting
	longestKey = 1 << 10   // longer ones are none of those looked for
)

// scanner walks JSON in a stream without keeping it. It checks the grammar of
// all it passes, except for what is between the quotes of strings that nobody
// asked for. NaN, Infinity and -Infinity, which Python writes, are values.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int   // the window not yet passed
	base     int64 // offset in the stream of buf[0]
	mark     int64 // bytes from this offset on are kept, while a key or a value is read; -1: none
	outer    int64 // the same, while the output around it is read
	err      error // what the reader said last
}

func (s *scanner) reset(r io.Reader) {
	if s.buf == nil {
		s.buf = make([]byte, scanBuffer)
	}
	s.r, s.pos, s.end, s.base, s.mark, s.outer, s.err = r, 0, 0, 0, -1, -1, nil
}

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

// fill reads more; the window must be used up. It reports whether there is
// more.
func (s *scanner) fill() bool {
	keep := s.end
	for _, from := range []int64{s.mark, s.outer} {
		if from >= s.base && s.base+int64(s.end)-from <= scanKeep {
			keep = min(keep, int(from-s.base))
		}
	}
	copy(s.buf, s.buf[keep:s.end])
	s.base += int64(keep)
	s.end -= keep
	s.pos = s.end
	if len(s.buf)-s.end < scanBuffer/2 {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for tries := 0; s.err == nil && tries < 100; tries++ {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.err = err
		if n > 0 {
			return true
		}
	}
	if s.err == nil {
		s.err = io.ErrNoProgress
	}
	return false
}

// ended is the error of a document that stops too early.
func (s *scanner) ended() error {
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return s.err
	}
	return fmt.Errorf("truncated: the JSON ends at byte %d in the middle of a value", s.offset())
}

func (s *scanner) wrong(want string) error {
	return fmt.Errorf("not JSON: byte %d is %q where %s should be", s.offset(), s.buf[s.pos], want)
}

// peek passes white space and gives the next byte without passing it.
func (s *scanner) peek() (byte, error) {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\n', '\t', '\r':
				s.pos++
			default:
				return c, nil
			}
		}
		if !s.fill() {
			return 0, s.ended()
		}
	}
}

func (s *scanner) expect(c byte, what string) error {
	got, err := s.peek()
	if err != nil {
		return err
	}
	if got != c {
		return s.wrong(what)
	}
	s.pos++
	return nil
}

// skipString passes a string whose opening quote has been passed.
func (s *scanner) skipString() error {
	odd := false // an odd number of backslashes ends what has been passed
	for {
		window := s.buf[s.pos:s.end]
		i := bytes.IndexByte(window, '"')
		if i < 0 {
			odd = backslashed(window, odd)
			s.pos = s.end
			if !s.fill() {
				return s.ended()
			}
			continue
		}
		s.pos += i + 1
		if !backslashed(window[:i], odd) {
			return nil
		}
		odd = false
	}
}

// backslashed reports whether b, before which there was an odd number of
// backslashes or not, ends in an odd number of them.
func backslashed(b []byte, odd bool) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	if n == len(b) && odd {
		n++
	}
	return n%2 == 1
}

// skip passes one value of any kind.
func (s *scanner) skip() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch c {
	case '"':
		s.pos++
		return s.skipString()
	case '{', '[':
		return s.skipNested()
	}
	return s.literal()
}

// skipNested passes an object or array. The kinds of those that are open are
// bits, so that the way back needs no calls.
func (s *scanner) skipNested() error {
	var open [scanDepth]bool // object?
	depth := 0
	for {
		c, err := s.peek()
		if err != nil {
			return err
		}
		nested := c == '{' || c == '['
		switch {
		case nested && depth == scanDepth:
			return fmt.Errorf("nested more than %d deep at byte %d", scanDepth, s.offset())
		case nested:
			open[depth] = c == '{'
			depth++
			s.pos++
			empty, err := s.closes(open[depth-1])
			if err != nil {
				return err
			}
			if !empty {
				if err := s.skipKey(open[depth-1]); err != nil {
					return err
				}
				continue
			}
			depth--
		case c == '"':
			s.pos++
			err = s.skipString()
		default:
			err = s.literal()
		}
		if err != nil {
			return err
		}
		for ; depth > 0; depth-- {
			closed, err := s.closes(open[depth-1])
			if err != nil {
				return err
			}
			if !closed {
				break
			}
		}
		if depth == 0 {
			return nil
		}
		if err := s.expect(',', "a comma or the end"); err != nil {
			return err
		}
		if err := s.skipKey(open[depth-1]); err != nil {
			return err
		}
	}
}

// closes passes the end of an object or array, if it is next.
func (s *scanner) closes(object bool) (bool, error) {
	c, err := s.peek()
	if err != nil {
		return false, err
	}
	if object && c == '}' || !object && c == ']' {
		s.pos++
		return true, nil
	}
	return false, nil
}

func (s *scanner) skipKey(object bool) error {
	if !object {
		return nil
	}
	if err := s.expect('"', "a key"); err != nil {
		return err
	}
	if err := s.skipString(); err != nil {
		return err
	}
	return s.expect(':', "a colon")
}

// literal passes a number, true, false, null or one of Python's.
func (s *scanner) literal() error {
	var token [64]byte
	start, n := s.offset(), 0
	for long := false; ; {
		for s.pos < s.end && isWord(s.buf[s.pos]) {
			if n < len(token) {
				token[n] = s.buf[s.pos]
				n++
			} else {
				long = true
			}
			s.pos++
		}
		if s.pos == s.end && s.fill() {
			continue
		}
		if n == 0 {
			if s.pos == s.end {
				return s.ended()
			}
			return s.wrong("a value")
		}
		if long && longNumber(token[:n]) || validLiteral(token[:n]) {
			return nil
		}
		return fmt.Errorf("not JSON: %q at byte %d is no value", token[:n], start)
	}
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

func validLiteral(t []byte) bool {
	switch string(t) {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return true
	}
	return (t[0] == '-' || t[0] >= '0' && t[0] <= '9') && json.Valid(t)
}

// longNumber trusts that what begins as a number is one.
func longNumber(t []byte) bool {
	return t[0] == '-' || t[0] >= '0' && t[0] <= '9'
}

// opens reports whether the next value begins with c; one that does not is
// passed.
func (s *scanner) opens(c byte) (bool, error) {
	next, err := s.peek()
	if err == nil && next != c {
		return false, s.skip()
	}
	return err == nil, err
}

// object passes an object and calls on for every member, with the key; on must
// pass the value. The key is valid until then.
func (s *scanner) object(on func(key []byte) error) error {
	if err := s.expect('{', "an object"); err != nil {
		return err
	}
	if empty, err := s.closes(true); empty || err != nil {
		return err
	}
	for {
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := on(key); err != nil {
			return err
		}
		if closed, err := s.closes(true); closed || err != nil {
			return err
		}
		if err := s.expect(',', "a comma or a closing brace"); err != nil {
			return err
		}
	}
}

// array passes an array and calls on before every element; on must pass it.
func (s *scanner) array(on func() error) error {
	if err := s.expect('[', "an array"); err != nil {
		return err
	}
	if empty, err := s.closes(false); empty || err != nil {
		return err
	}
	for {
		if err := on(); err != nil {
			return err
		}
		if closed, err := s.closes(false); closed || err != nil {
			return err
		}
		if err := s.expect(',', "a comma or a closing bracket"); err != nil {
			return err
		}
	}
}

// key passes a key and its colon, and gives the key unescaped.
func (s *scanner) key() ([]byte, error) {
	if err := s.expect('"', "a key"); err != nil {
		return nil, err
	}
	s.mark = s.offset()
	err := s.skipString()
	raw, whole := s.since(s.mark)
	s.mark = -1
	if err != nil {
		return nil, err
	}
	var key []byte
	if whole && len(raw) <= longestKey {
		key = unescape(raw[:len(raw)-1])
	}
	return key, s.expect(':', "a colon")
}

// unescape copies a key. One that is badly escaped is nobody's.
func unescape(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return append([]byte(nil), raw...)
	}
	var key string
	quoted := append(append([]byte{'"'}, raw...), '"')
	if json.Unmarshal(quoted, &key) != nil {
		return nil
	}
	return []byte(key)
}

// since gives what has been passed since an offset, if it is still here.
func (s *scanner) since(start int64) (passed []byte, whole bool) {
	if start < s.base {
		return nil, false
	}
	return s.buf[start-s.base : s.pos], true
}

// span is a value's place in the stream and its bytes, when they were kept.
type span struct {
	start, end int64
	raw        []byte // a copy; nil when it was too long
}

// take passes a value and copies it, unless it is longer than limit.
func (s *scanner) take(limit int) (span, error) {
	if _, err := s.peek(); err != nil {
		return span{}, err
	}
	v := span{start: s.offset()}
	s.mark = v.start
	err := s.skip()
	v.end = s.offset()
	if raw, whole := s.since(v.start); err == nil && whole && len(raw) <= limit {
		v.raw = bytes.Clone(raw)
	}
	s.mark = -1
	return v, err
}

// finish checks that nothing but white space follows.
func (s *scanner) finish() error {
	for {
		if s.pos == s.end && !s.fill() {
			if errors.Is(s.err, io.EOF) {
				return nil
			}
			return s.err
		}
		if c := s.buf[s.pos]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return s.wrong("the end")
		}
		s.pos++
	}
}
