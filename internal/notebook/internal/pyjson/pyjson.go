// Package pyjson writes JSON as Python's json.dumps(indent=1, sort_keys=True,
// ensure_ascii=False) does, to the byte. In go values as a notebook's metadata
// holds them, and text that is JSON already; out comes text in pieces, of which
// the large ones are shared with what went in. It never fails: what JSON cannot
// hold is written as text.
package pyjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Rope is encoded text in pieces; the large ones belong to the document.
type Rope struct {
	parts [][]byte
	size  int
}

// shared is the length from which a payload is shared and not copied.
const shared = 1 << 14

// A Writer writes one JSON value. Its methods write parts of it, at the
// indentation of what holds them.
type Writer struct {
	rope Rope
	buf  []byte
}

// Literal writes JSON as it is.
func (w *Writer) Literal(s string) { w.buf = append(w.buf, s...) }

func (w *Writer) cut() {
	if len(w.buf) > 0 {
		w.rope.add(w.buf)
		w.buf = nil
	}
}

// bytes writes b, which must never change.
func (w *Writer) bytes(b []byte) {
	if len(b) < shared {
		w.buf = append(w.buf, b...)
		return
	}
	w.cut()
	w.rope.add(b)
}

// Done ends the writing.
func (w *Writer) Done() *Rope {
	w.cut()
	return &w.rope
}

func (r *Rope) add(b []byte) { r.parts, r.size = append(r.parts, b), r.size+len(b) }

// Rope writes what another writer wrote; it is shared.
func (w *Writer) Rope(r *Rope) {
	w.cut()
	w.rope.parts, w.rope.size = append(w.rope.parts, r.parts...), w.rope.size+r.size
}

// Join is the text in one piece.
func (r *Rope) Join() []byte {
	out := make([]byte, 0, r.size)
	for _, p := range r.parts {
		out = append(out, p...)
	}
	return out
}

// Encode is what Value writes.
func Encode(v any) []byte {
	w := &Writer{}
	w.Value(v, 0)
	return w.Done().Join()
}

func (w *Writer) line(indent int) {
	w.buf = append(w.buf, '\n')
	for range indent {
		w.buf = append(w.buf, ' ')
	}
}

// A Member is one member of an object, with how its value is written.
type Member struct {
	Key   string
	Write func(indent int)
}

// Object writes members in the order of their keys.
func (w *Writer) Object(members []Member, indent int) {
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
	open := byte('{')
	for _, m := range members {
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		w.buf = append(value.AppendText(w.buf, m.Key), ": "...)
		m.Write(indent + 1)
	}
	w.close(open, '{', '}', indent)
}

// List writes n elements.
func (w *Writer) List(n, indent int, write func(i, indent int)) {
	open := byte('[')
	for i := range n {
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		write(i, indent+1)
	}
	w.close(open, '[', ']', indent)
}

func (w *Writer) close(last, first, end byte, indent int) {
	if last == first {
		w.buf = append(w.buf, first, end)
		return
	}
	w.line(indent)
	w.buf = append(w.buf, end)
}

// Text writes a text.
func (w *Writer) Text(s string) { w.buf = value.AppendText(w.buf, s) }

// Lines writes a text as the list of its lines.
func (w *Writer) Lines(s string, indent int) {
	open := byte('[')
	for s != "" {
		n := dialect.LineEnd(s)
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		w.Text(s[:n])
		s = s[n:]
	}
	w.close(open, '[', ']', indent)
}

// Value writes what a notebook's metadata may hold.
func (w *Writer) Value(v any, indent int) {
	switch v := v.(type) {
	case nil:
		w.Literal("null")
	case bool:
		w.buf = strconv.AppendBool(w.buf, v)
	case string:
		w.Text(v)
	case json.Number:
		w.number(v)
	case int:
		w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	case int64:
		w.buf = strconv.AppendInt(w.buf, v, 10)
	case float64:
		w.Literal(value.FloatJSON(v))
	case *big.Int:
		w.Literal(v.String())
	case map[string]any:
		w.Mapping(v, indent)
	case []any:
		w.List(len(v), indent, func(i, indent int) { w.Value(v[i], indent) })
	case []string:
		w.List(len(v), indent, func(i, _ int) { w.Text(v[i]) })
	case json.RawMessage:
		w.Raw(v, indent)
	default:
		w.foreign(v, indent)
	}
}

// Mapping writes an object in the order of its keys.
func (w *Writer) Mapping(m map[string]any, indent int) {
	keys := slices.Sorted(maps.Keys(m))
	open := byte('{')
	for _, k := range keys {
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		w.buf = append(value.AppendText(w.buf, k), ": "...)
		w.Value(m[k], indent+1)
	}
	w.close(open, '{', '}', indent)
}

func (w *Writer) number(n json.Number) {
	if value.IsNumber(string(n)) {
		w.Literal(string(n))
		return
	}
	w.Text(string(n)) // only fanout creates such a Number
}

// foreign writes a value of any other type as encoding/json would.
func (w *Writer) foreign(v any, indent int) {
	b, err := json.Marshal(v)
	if err != nil {
		w.Text(fmt.Sprint(v))
		return
	}
	w.Raw(b, indent)
}

// Raw writes JSON text in this writer's form.
func (w *Writer) Raw(raw []byte, indent int) {
	s := value.NewScanner(raw)
	if inner, escaped, err := s.Quoted(); err == nil && s.End() == nil {
		w.quoted(inner, escaped)
		return
	}
	v, err := value.Decode(raw)
	if err != nil {
		w.Text(string(raw)) // not JSON: kept as what it is, a text
		return
	}
	w.Value(v, indent)
}

// quoted writes the inside of a JSON string, shared when it is already in
// this writer's form.
func (w *Writer) quoted(inner []byte, escaped bool) {
	if escaped && !canonical(inner) {
		w.Text(value.Unescape(inner))
		return
	}
	if !utf8.Valid(inner) {
		inner = bytes.ToValidUTF8(inner, []byte("\ufffd"))
	}
	w.Literal(`"`)
	w.bytes(inner)
	w.Literal(`"`)
}

// canonical reports whether the escapes of inner are those Python writes.
func canonical(inner []byte) bool {
	for {
		n := bytes.IndexByte(inner, '\\')
		if n < 0 {
			return true
		}
		inner = inner[n+1:]
		if inner[0] == 'u' || inner[0] == '/' {
			return false
		}
		inner = inner[1:]
	}
}
