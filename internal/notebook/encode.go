package notebook

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
)

// A writer writes the parts of a notebook.
type writer struct{ pyjson.Writer }

func member(key string, write func(indent int)) pyjson.Member {
	return pyjson.Member{Key: key, Write: write}
}

// Encode returns the notebook as papermill writes it: sorted keys, indented by
// one space, texts split into lines, no newline at the end. It never fails;
// what JSON cannot hold is written as text.
//
// Cells that were encoded before and not touched since are not encoded again.
func (n *Notebook) Encode() []byte {
	w := &writer{}
	members := w.members(n.Extra)
	members = append(members,
		member("cells", func(indent int) {
			w.List(len(n.Cells), indent, func(i, indent int) { w.cell(n.Cells[i], indent) })
		}),
		member("metadata", func(indent int) { w.Mapping(without(n.Metadata, transientOfNotebook...), indent) }),
		member("nbformat", func(int) { w.Literal("4") }),
		member("nbformat_minor", func(indent int) { w.Value(n.Minor, indent) }))
	w.Object(members, 0)
	return w.Done().Join()
}

// What tools keep in a notebook only while they hold it in memory.
var (
	transientOfNotebook = []string{"orig_nbformat", "orig_nbformat_minor", "signature"}
	transientOfCell     = []string{"trusted"}
)

// without is m, or a copy of it that lacks keys.
func without(m map[string]any, keys ...string) map[string]any {
	if !slices.ContainsFunc(keys, func(k string) bool { _, has := m[k]; return has }) {
		return m
	}
	m = maps.Clone(m)
	for _, k := range keys {
		delete(m, k)
	}
	return m
}

// cellIndent is the indentation of cells in a notebook.
const cellIndent = 2

// cell writes a cell, from memory when it can.
func (w *writer) cell(c *Cell, indent int) {
	if c.encoded == nil || indent != cellIndent {
		inner := &writer{}
		inner.newCell(c, indent)
		c.encoded = inner.Done()
	}
	w.Rope(c.encoded)
}

// members are the fields that nbformat does not name.
func (w *writer) members(extra map[string]any) []pyjson.Member {
	ms := make([]pyjson.Member, 0, len(extra)+6)
	for k, v := range extra {
		ms = append(ms, member(k, func(indent int) { w.Value(v, indent) }))
	}
	return ms
}

func (w *writer) newCell(c *Cell, indent int) {
	ms := w.members(c.Extra)
	ms = append(ms,
		member("cell_type", func(int) { w.Text(c.Type) }),
		member("id", func(int) { w.Text(c.ID) }),
		member("metadata", func(indent int) { w.Mapping(without(c.Metadata, transientOfCell...), indent) }),
		member("source", func(indent int) { w.Lines(c.Source, indent) }))
	if c.Type == "code" {
		ms = append(ms,
			member("execution_count", func(int) { w.count(c.ExecutionCount) }),
			member("outputs", func(indent int) {
				w.List(len(c.Outputs), indent, func(i, indent int) { w.output(&c.Outputs[i], indent) })
			}))
	}
	if c.Attachments != nil {
		ms = append(ms, member("attachments", func(indent int) { w.attachments(c.Attachments, indent) }))
	}
	w.Object(ms, indent)
}

func (w *writer) attachments(files map[string]map[string]json.RawMessage, indent int) {
	var ms []pyjson.Member
	for name, bundle := range files {
		ms = append(ms, member(name, func(indent int) { w.bundle(bundle, indent) }))
	}
	w.Object(ms, indent)
}

func (w *writer) output(o *Output, indent int) {
	ms := w.members(o.Extra)
	if o.Type != "" {
		ms = append(ms, member("output_type", func(int) { w.Text(o.Type) }))
	}
	switch o.Type {
	case "stream":
		ms = append(ms,
			member("name", func(int) { w.Text(o.Name) }),
			member("text", func(indent int) { w.Lines(o.Text, indent) }))
	case "error":
		ms = append(ms,
			member("ename", func(int) { w.Text(o.Ename) }),
			member("evalue", func(int) { w.Text(o.Evalue) }),
			member("traceback", func(indent int) {
				w.List(len(o.Traceback), indent, func(i, _ int) { w.Text(o.Traceback[i]) })
			}))
	case "execute_result":
		ms = append(ms, member("execution_count", func(int) { w.count(o.ExecutionCount) }))
		fallthrough
	case "display_data":
		ms = append(ms,
			member("data", func(indent int) { w.bundle(o.Data, indent) }),
			member("metadata", func(indent int) { w.Mapping(o.Metadata, indent) }))
	}
	w.Object(ms, indent)
}

func (w *writer) count(n *int) {
	if n == nil {
		w.Literal("null")
		return
	}
	w.Value(*n, 0)
}

func (w *writer) bundle(b map[string]json.RawMessage, indent int) {
	var ms []pyjson.Member
	for mime, raw := range b {
		ms = append(ms, member(mime, func(indent int) { w.payload(mime, raw, indent) }))
	}
	w.Object(ms, indent)
}

func (w *writer) payload(mime string, raw json.RawMessage, indent int) {
	if splits(mime) {
		s := newScanner(raw)
		if text, err := s.Text(); err == nil && s.End() == nil {
			w.Lines(text, indent)
			return
		}
	}
	w.Raw(raw, indent)
}

// splits reports whether texts of a MIME type are written line by line.
func splits(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml"
}

// isJSON reports whether the values of a MIME type are JSON and not text.
func isJSON(mime string) bool {
	return strings.HasPrefix(mime, "application/") && (strings.HasSuffix(mime, "+json") || mime == "application/json")
}
