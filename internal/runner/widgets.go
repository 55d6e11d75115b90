package runner

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
)

const widgetMime = "application/vnd.jupyter.widget-state+json"

// widgets is the state of the Jupyter widgets of a kernel, as a front end
// would know it from the comm messages.
type widgets struct {
	state   map[string]map[string]json.RawMessage // comm id → key → value
	buffers map[string][]widgetBuffer             // comm id → in order of appearance
	outputs map[string]*outputWidget              // comm id → output widgets
	hooks   map[string][]*outputWidget            // message id → those that take its output, innermost last
	changed bool
}

type widgetBuffer struct {
	Data     string          `json:"data"`
	Encoding string          `json:"encoding"`
	Path     json.RawMessage `json:"path"`
}

func newWidgets() widgets {
	return widgets{
		state: map[string]map[string]json.RawMessage{}, buffers: map[string][]widgetBuffer{},
		outputs: map[string]*outputWidget{}, hooks: map[string][]*outputWidget{},
	}
}

// comm folds a comm message in.
func (w *widgets) comm(msgType string, content json.RawMessage, buffers [][]byte) {
	var c struct {
		ID     string `json:"comm_id"`
		Target string `json:"target_name"`
		Data   struct {
			State       map[string]json.RawMessage `json:"state"`
			BufferPaths []json.RawMessage          `json:"buffer_paths"`
		} `json:"data"`
	}
	if json.Unmarshal(content, &c) != nil || c.Data.State == nil {
		return
	}
	w.changed = true
	if w.state[c.ID] == nil {
		w.state[c.ID] = map[string]json.RawMessage{}
	}
	for k, v := range c.Data.State {
		w.state[c.ID][k] = v
	}
	for i, path := range c.Data.BufferPaths {
		if i < len(buffers) {
			w.buffer(c.ID, path, buffers[i])
		}
	}
	switch msgType {
	case "comm_open":
		w.open(c.ID, c.Target, c.Data.State)
	case "comm_msg":
		if o := w.outputs[c.ID]; o != nil {
			w.redirect(o, c.Data.State)
		}
	}
}

func (w *widgets) buffer(id string, path json.RawMessage, data []byte) {
	b := widgetBuffer{base64.StdEncoding.EncodeToString(data), "base64", path}
	for i, old := range w.buffers[id] {
		if string(old.Path) == string(path) {
			w.buffers[id][i] = b
			return
		}
	}
	w.buffers[id] = append(w.buffers[id], b)
}

// open registers output widgets: they take the output of a cell while they have its
// message id.
func (w *widgets) open(id, target string, state map[string]json.RawMessage) {
	if target != "jupyter.widget" || str(state["_model_module"]) != "@jupyter-widgets/output" || str(state["_model_name"]) != "OutputModel" {
		return
	}
	o := &outputWidget{all: w}
	_ = json.Unmarshal(state["outputs"], &o.outputs) // none, or foreign ones
	w.outputs[id] = o
}

func (w *widgets) redirect(o *outputWidget, state map[string]json.RawMessage) {
	raw, found := state["msg_id"]
	if !found {
		return
	}
	if id := str(raw); id != "" {
		w.hooks[id] = append(w.hooks[id], o)
		o.takes = id
		return
	}
	if stack := w.hooks[o.takes]; len(stack) > 0 {
		w.hooks[o.takes] = stack[:len(stack)-1]
	}
	o.takes = ""
}

// hook is the widget that takes the output of a request, if one does.
func (w *widgets) hook(parent string) *outputWidget {
	stack := w.hooks[parent]
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

func str(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// store writes the state into the document's metadata.
func (w *widgets) store(doc *notebook.Notebook) {
	if !w.changed {
		return
	}
	w.changed = false
	for id, o := range w.outputs {
		if o.changed {
			o.changed = false
			w.state[id]["outputs"] = o.state()
		}
	}
	models := map[string]any{}
	for id, state := range w.state {
		name, ok := state["_model_name"]
		if !ok {
			continue
		}
		m := map[string]any{
			"model_name": name, "model_module": orNull(state["_model_module"]),
			"model_module_version": orNull(state["_model_module_version"]), "state": copyOf(state),
		}
		if b := w.buffers[id]; len(b) > 0 {
			m["buffers"] = append([]widgetBuffer(nil), b...)
		}
		models[id] = m
	}
	doc.Metadata["widgets"] = plainJSON(map[string]any{
		widgetMime: map[string]any{"state": models, "version_major": 2, "version_minor": 0},
	})
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

func copyOf(m map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// plainJSON turns v into maps, lists, strings and numbers, which is what a
// notebook's metadata holds.
func plainJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var out any
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

// An outputWidget shows output inside a widget instead of below the cell.
type outputWidget struct {
	all     *widgets
	takes   string // message id whose output it takes
	outputs []any
	used    int64
	clear   bool             // before the next output
	name    string           // of the stream that the last output is
	text    *strings.Builder // its text; nil when the last output is not a stream
	changed bool
}

// empty removes the outputs and returns what they used.
func (o *outputWidget) empty() (used int64) {
	used, o.used = o.used, 0
	o.outputs, o.text, o.changed, o.all.changed = nil, nil, true, true
	return used
}

// output adds out, which uses n bytes. Text of one stream stays together.
func (o *outputWidget) output(out notebook.Output, n int64) {
	o.used += n
	o.changed, o.all.changed = true, true
	if out.Type == "stream" && o.text != nil && o.name == out.Name {
		o.text.WriteString(out.Text)
		return
	}
	o.endStream()
	v := map[string]any{"output_type": out.Type}
	switch out.Type {
	case "stream":
		v["name"] = out.Name
		o.name, o.text = out.Name, &strings.Builder{}
		o.text.WriteString(out.Text)
	case "error":
		v["ename"], v["evalue"], v["traceback"] = out.Ename, out.Evalue, out.Traceback
	case "execute_result":
		v["execution_count"] = out.ExecutionCount
		fallthrough
	default:
		v["data"], v["metadata"] = out.Data, out.Metadata
	}
	o.outputs = append(o.outputs, v)
}

// endStream writes the text of the last output, a stream, into it.
func (o *outputWidget) endStream() {
	if o.text != nil {
		o.outputs[len(o.outputs)-1].(map[string]any)["text"] = o.text.String()
		o.text = nil
	}
}

// state is the outputs as the widget's state has them.
func (o *outputWidget) state() json.RawMessage {
	if text := o.text; text != nil {
		o.endStream()
		o.text = text // more may follow
	}
	if len(o.outputs) == 0 {
		return json.RawMessage("[]")
	}
	b, err := json.Marshal(o.outputs)
	if err != nil {
		return json.RawMessage("[]")
	}
	return b
}
