package notebook

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

// A rope is encoded text in pieces; the large ones belong to the document.
type rope struct {
	parts [][]byte
	size  int
}

// shared is the length from which a payload is shared and not copied.
const shared = 1 << 14

// A writer writes JSON as Python's json.dumps(indent=1, sort_keys=True,
// ensure_ascii=False) does.
type writer struct {
	rope
	buf []byte
}

func (w *writer) str(s string) { w.buf = append(w.buf, s...) }

func (w *writer) cut() {
	if len(w.buf) > 0 {
		w.parts, w.size = append(w.parts, w.buf), w.size+len(w.buf)
		w.buf = nil
	}
}

// bytes writes b, which must never change.
func (w *writer) bytes(b []byte) {
	if len(b) < shared {
		w.buf = append(w.buf, b...)
		return
	}
	w.cut()
	w.parts, w.size = append(w.parts, b), w.size+len(b)
}

func (w *writer) done() *rope {
	w.cut()
	return &w.rope
}

// join is the text in one piece.
func (r *rope) join() []byte {
	out := make([]byte, 0, r.size)
	for _, p := range r.parts {
		out = append(out, p...)
	}
	return out
}

func encodeValue(v any) []byte {
	w := &writer{}
	w.value(v, 0)
	return w.done().join()
}

func (w *writer) line(indent int) {
	w.buf = append(w.buf, '\n')
	for range indent {
		w.buf = append(w.buf, ' ')
	}
}

// A member is one member of an object, with how its value is written.
type member struct {
	key   string
	write func(indent int)
}

// object writes members in the order of their keys.
func (w *writer) object(members []member, indent int) {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	open := byte('{')
	for _, m := range members {
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		w.buf = append(value.AppendText(w.buf, m.key), ": "...)
		m.write(indent + 1)
	}
	w.close(open, '{', '}', indent)
}

// list writes n elements.
func (w *writer) list(n, indent int, write func(i, indent int)) {
	open := byte('[')
	for i := range n {
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		write(i, indent+1)
	}
	w.close(open, '[', ']', indent)
}

func (w *writer) close(last, first, end byte, indent int) {
	if last == first {
		w.buf = append(w.buf, first, end)
		return
	}
	w.line(indent)
	w.buf = append(w.buf, end)
}

func (w *writer) text(s string) { w.buf = value.AppendText(w.buf, s) }

// lines writes a text as the list of its lines.
func (w *writer) lines(s string, indent int) {
	open := byte('[')
	for s != "" {
		n := dialect.LineEnd(s)
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		w.text(s[:n])
		s = s[n:]
	}
	w.close(open, '[', ']', indent)
}

// value writes what Metadata may hold.
func (w *writer) value(v any, indent int) {
	switch v := v.(type) {
	case nil:
		w.str("null")
	case bool:
		w.buf = strconv.AppendBool(w.buf, v)
	case string:
		w.text(v)
	case json.Number:
		w.number(v)
	case int:
		w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	case int64:
		w.buf = strconv.AppendInt(w.buf, v, 10)
	case float64:
		w.str(value.FloatJSON(v))
	case *big.Int:
		w.str(v.String())
	case map[string]any:
		w.mapping(v, indent)
	case []any:
		w.list(len(v), indent, func(i, indent int) { w.value(v[i], indent) })
	case []string:
		w.list(len(v), indent, func(i, _ int) { w.text(v[i]) })
	case json.RawMessage:
		w.raw(v, indent)
	default:
		w.foreign(v, indent)
	}
}

func (w *writer) mapping(m map[string]any, indent int) {
	keys := slices.Sorted(maps.Keys(m))
	open := byte('{')
	for _, k := range keys {
		w.buf = append(w.buf, open)
		open = ','
		w.line(indent + 1)
		w.buf = append(value.AppendText(w.buf, k), ": "...)
		w.value(m[k], indent+1)
	}
	w.close(open, '{', '}', indent)
}

func (w *writer) number(n json.Number) {
	if value.IsNumber(string(n)) {
		w.str(string(n))
		return
	}
	w.text(string(n)) // only fanout creates such a Number
}

// foreign writes a value of any other type as encoding/json would.
func (w *writer) foreign(v any, indent int) {
	b, err := json.Marshal(v)
	if err != nil {
		w.text(fmt.Sprint(v))
		return
	}
	w.raw(b, indent)
}

// raw writes JSON text in this writer's form.
func (w *writer) raw(raw []byte, indent int) {
	s := newScanner(raw)
	if inner, escaped, err := s.Quoted(); err == nil && s.End() == nil {
		w.quoted(inner, escaped)
		return
	}
	v, err := value.Decode(raw)
	if err != nil {
		w.text(string(raw)) // not JSON: kept as what it is, a text
		return
	}
	w.value(v, indent)
}

// quoted writes the inside of a JSON string, shared when it is already in
// this writer's form.
func (w *writer) quoted(inner []byte, escaped bool) {
	if escaped && !canonical(inner) {
		w.text(value.Unescape(inner))
		return
	}
	if !utf8.Valid(inner) {
		inner = bytes.ToValidUTF8(inner, []byte("\ufffd"))
	}
	w.str(`"`)
	w.bytes(inner)
	w.str(`"`)
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
