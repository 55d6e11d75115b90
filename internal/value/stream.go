package value

import (
	"bytes"
	"io"
)

const (
	streamBuffer = 256 << 10 // bytes read at a time
	streamKeep   = 1 << 20   // what is longer is not kept
	longestKey   = 1 << 10   // longer ones are none of those looked for
)

// input is where the text of a stream comes from, and what of it must stay in
// the window.
type input struct {
	r     io.Reader
	err   error // the reader's last error
	mark  int64 // bytes from this offset on are kept while a key or value is passed; -1: none
	outer int64 // the same, for Keep
}

// A Stream walks JSON of any length without keeping it. It checks the grammar
// of all it passes, except for what is between the quotes of strings. A key
// that is badly escaped, or longer than a kilobyte, is reported as "".
//
// The zero Stream is ready for Reset.
type Stream struct{ walker }

// Reset makes the stream read from r; its memory is used again.
func (s *Stream) Reset(r io.Reader) {
	if s.buf == nil {
		s.buf = make([]byte, streamBuffer)
	}
	s.walker = walker{buf: s.buf[:0], lax: true, input: &input{r: r, mark: -1, outer: -1}}
}

// PassPrefix passes a prefix of the text, if it begins with it.
func (s *Stream) PassPrefix(prefix string) {
	if s.Peek(); bytes.HasPrefix(s.buf[s.pos:], []byte(prefix)) {
		s.pos += len(prefix)
	}
}

// Opens reports whether the next value begins with c; one that does not is
// passed.
func (s *Stream) Opens(c byte) (bool, error) {
	if s.Peek() != c {
		return false, s.Skip()
	}
	return true, nil
}

// A Span is a value's place in a stream and its bytes.
type Span struct {
	Start, End int64
	Raw        []byte // a copy; nil when it was too long
}

// Take passes a value and copies it, unless it is longer than limit or than a
// megabyte.
func (s *Stream) Take(limit int) (Span, error) {
	s.Peek()
	start := s.hold()
	err := s.Skip()
	raw, whole := s.release(start)
	span := Span{Start: start, End: s.Offset()}
	if err == nil && whole && len(raw) <= limit {
		span.Raw = bytes.Clone(raw)
	}
	return span, err
}

// Keep keeps what follows, up to a megabyte, until Kept is called.
func (s *Stream) Keep() { s.input.outer = s.Offset() }

// Kept returns what has been passed since Keep, and where that is; raw is nil
// when it was too long, and valid until the next call.
func (s *Stream) Kept() Span {
	start := s.input.outer
	s.input.outer = -1
	raw, _ := s.since(start)
	return Span{start, s.Offset(), raw}
}

// fill reads more and reports whether there was any.
func (w *walker) fill() bool {
	in, end := w.input, len(w.buf)
	keep := w.pos
	for _, from := range []int64{in.mark, in.outer} {
		if from >= w.base && w.base+int64(end)-from <= streamKeep {
			keep = min(keep, int(from-w.base))
		}
	}
	copy(w.buf, w.buf[keep:])
	w.base += int64(keep)
	w.pos -= keep
	end -= keep
	w.buf = w.buf[:end]
	if cap(w.buf)-end < streamBuffer/2 {
		w.buf = append(w.buf, make([]byte, cap(w.buf))...)[:end]
	}
	for tries := 0; in.err == nil && tries < 100; tries++ {
		n, err := in.r.Read(w.buf[end:cap(w.buf)])
		w.buf, in.err = w.buf[:end+n], err
		if n > 0 {
			return true
		}
	}
	if in.err == nil {
		in.err = io.ErrNoProgress
	}
	return false
}

// hold keeps what follows in the window until release.
func (w *walker) hold() int64 {
	start := w.Offset()
	if w.input != nil {
		w.input.mark = start
	}
	return start
}

// release returns what has been passed since hold, if it is still here.
func (w *walker) release(start int64) (passed []byte, whole bool) {
	if w.input != nil {
		w.input.mark = -1
	}
	return w.since(start)
}

func (w *walker) since(start int64) (passed []byte, whole bool) {
	if start < w.base {
		return nil, false
	}
	return w.buf[start-w.base : w.pos : w.pos], true
}

// keptKey passes a key.
func (w *walker) keptKey() (string, error) {
	start := w.hold()
	err := w.skipLax()
	raw, whole := w.release(start)
	switch {
	case err != nil, !whole, len(raw) > longestKey:
		return "", err
	case bytes.IndexByte(raw, '\\') < 0:
		return string(raw[1 : len(raw)-1]), nil
	}
	key, _ := NewScanner(raw).Text()
	return key, nil
}

// skipLax passes a string and looks for nothing but its end.
func (w *walker) skipLax() error {
	w.pos++
	odd := false // an odd number of backslashes ends what has been passed
	for {
		window := w.buf[w.pos:]
		i := bytes.IndexByte(window, '"')
		if i < 0 {
			odd = backslashed(window, odd)
			w.pos = len(w.buf)
			if !w.more() {
				return w.Errorf("")
			}
			continue
		}
		w.pos += i + 1
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
