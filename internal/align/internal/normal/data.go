package normal

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/value"
)

const (
	widgetView = "application/vnd.jupyter.widget-view+json"
	maxDepth   = 100  // of JSON, and ten times as deep as widgets in widgets
	maxWidgets = 1000 // in one output
)

// data is JSON in canonical form: keys sorted, texts normalised, widgets as
// what they show.
func (n normalizer) data(mime string, raw json.RawMessage) string {
	v, err := value.Decode(raw)
	if err != nil {
		return normalised(string(raw))
	}
	if text, isText := v.(string); isText { // as some programs write it
		if inner, err := value.Decode([]byte(text)); err == nil {
			v = inner
		}
	}
	if m, ok := v.(map[string]any); ok && mime == widgetView {
		id, _ := m["model_id"].(string)
		v = n.widget(id, 0)
	}
	var b strings.Builder
	write(&b, v, 0)
	text := numberedIDs(b.String())
	if strings.Contains(mime, "bokeh") {
		text = renumbered(text)
	}
	return text
}

// widget is the state of a widget, with those of the widgets in it.
func (n normalizer) widget(id string, depth int) any {
	m, _ := n.widgets[id].(map[string]any)
	state, ok := m["state"].(map[string]any)
	if *n.visited++; !ok || depth > maxDepth/10 || *n.visited > maxWidgets {
		return "a widget"
	}
	shown := map[string]any{"model": m["model_name"]}
	for key, v := range state {
		if !strings.HasPrefix(key, "_") {
			shown[key] = n.inWidget(v, depth)
		}
	}
	return shown
}

func (n normalizer) inWidget(v any, depth int) any {
	switch v := v.(type) {
	case string:
		if id, isWidget := strings.CutPrefix(v, "IPY_MODEL_"); isWidget {
			return n.widget(id, depth+1)
		}
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = n.inWidget(e, depth)
		}
		return list
	}
	return v
}

func write(b *strings.Builder, v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		if depth > maxDepth {
			b.WriteString(`"…"`)
			return
		}
		if list, ok := numbersIn(v); ok {
			write(b, list, depth)
			return
		}
		b.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(value.AppendText(nil, key))
			b.WriteByte(':')
			write(b, v[key], depth+1)
		}
		b.WriteByte('}')
	case []any:
		if depth > maxDepth {
			b.WriteString(`"…"`)
			return
		}
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, e, depth+1)
		}
		b.WriteByte(']')
	case string:
		b.Write(value.AppendText(nil, inData(v)))
	case json.Number:
		b.WriteString(string(v))
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("null")
		}
		b.Write(text)
	}
}

// inData normalises a text in JSON; most are names and labels.
func inData(s string) string {
	if len(s) < 8 {
		return s
	}
	if len(s) < maxMarkup && strings.Contains(s, "</") {
		return markup(s)
	}
	return normalised(s)
}

// numbersIn reads an array that plotly or Bokeh packed as base64.
func numbersIn(m map[string]any) ([]any, bool) {
	kind, _ := m["dtype"].(string)
	packed, ok := m["bdata"].(string)
	if inner, isBokeh := m["array"].(map[string]any); isBokeh && !ok {
		packed, ok = inner["data"].(string)
	}
	if !ok || kind == "" {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		return nil, false
	}
	size, read := reader(kind)
	if size == 0 || len(b)%size != 0 {
		return nil, false
	}
	list := make([]any, 0, len(b)/size)
	for ; len(b) > 0; b = b[size:] {
		list = append(list, json.Number(read(b)))
	}
	return list, true
}

// reader reads one little-endian number of a NumPy type.
func reader(kind string) (size int, read func([]byte) string) {
	le := binary.LittleEndian
	switch kind {
	case "f8", "float64":
		return 8, func(b []byte) string { return floatText(le.Uint64(b)) }
	case "f4", "float32":
		return 4, func(b []byte) string { return float32Text(le.Uint32(b)) }
	case "i8", "int64":
		return 8, func(b []byte) string { return intText(int64(le.Uint64(b))) }
	case "i4", "int32":
		return 4, func(b []byte) string { return intText(int64(int32(le.Uint32(b)))) }
	case "i2", "int16":
		return 2, func(b []byte) string { return intText(int64(int16(le.Uint16(b)))) }
	case "i1", "int8":
		return 1, func(b []byte) string { return intText(int64(int8(b[0]))) }
	case "u4", "uint32":
		return 4, func(b []byte) string { return intText(int64(le.Uint32(b))) }
	case "u2", "uint16":
		return 2, func(b []byte) string { return intText(int64(le.Uint16(b))) }
	case "u1", "uint8":
		return 1, func(b []byte) string { return intText(int64(b[0])) }
	}
	return 0, nil
}
