package runner

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/secret"
)

const widgetMime = "application/vnd.jupyter.widget-state+json"

// widgets is the state of the Jupyter widgets of a kernel, as a front end
// would know it from the comm messages.
type widgets struct {
	mask    *secret.Mask
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

func newWidgets(m *secret.Mask) widgets {
	return widgets{
		mask:  m,
		state: map[string]map[string]json.RawMessage{}, buffers: map[string][]widgetBuffer{},
		outputs: map[string]*outputWidget{}, hooks: map[string][]*outputWidget{},
	}
}

// comm folds a comm message in, and returns by how much what Output widgets show
// has grown. An echo says what the kernel was told: that is known.
func (w *widgets) comm(msgType string, content json.RawMessage, buffers [][]byte) (grown int64) {
	var c struct {
		ID     string `json:"comm_id"`
		Target string `json:"target_name"`
		Data   struct {
			Method      string                     `json:"method"`
			State       map[string]json.RawMessage `json:"state"`
			BufferPaths []json.RawMessage          `json:"buffer_paths"`
		} `json:"data"`
	}
	if json.Unmarshal(content, &c) != nil || c.Data.Method == "echo_update" {
		return 0
	}
	if o := w.outputs[c.ID]; o != nil && msgType == "comm_close" {
		w.release(o)
		w.save(o)
		delete(w.outputs, c.ID) // its last state stays
	}
	if c.Data.State == nil {
		return 0
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
	switch o := w.outputs[c.ID]; {
	case msgType == "comm_open":
		w.open(c.ID, c.Target, c.Data.State)
	case msgType == "comm_msg" && o != nil:
		w.redirect(o, c.Data.State)
		if raw, found := c.Data.State["outputs"]; found {
			return o.replace(raw)
		}
	}
	return 0
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
	o := &outputWidget{id: id, all: w}
	o.read(state["outputs"])
	w.outputs[id] = o
}

func (w *widgets) redirect(o *outputWidget, state map[string]json.RawMessage) {
	raw, found := state["msg_id"]
	if !found {
		return
	}
	w.release(o)
	if o.takes = str(raw); o.takes != "" {
		w.hooks[o.takes] = append(w.hooks[o.takes], o)
	}
}

// release ends that a widget takes the output of a request. Widgets that were
// entered in different threads are left in any order.
func (w *widgets) release(o *outputWidget) {
	hooks := w.hooks[o.takes]
	for i := len(hooks) - 1; i >= 0; i-- {
		if hooks[i] == o {
			w.hooks[o.takes] = slices.Delete(hooks, i, i+1)
			break
		}
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

// An update is what an Output widget shows, for the kernel's side of it.
type update struct {
	comm  string
	state json.RawMessage
}

// updates are what the kernel must be told: a kernel learns only from its front
// end what an Output widget has taken. It is told once.
func (w *widgets) updates() (all []update) {
	for _, id := range slices.Sorted(maps.Keys(w.outputs)) {
		o := w.outputs[id]
		if outputs := o.untold(); outputs != nil {
			state := append(append(json.RawMessage(`{"outputs":`), outputs...), '}')
			all = append(all, update{id, state})
		}
	}
	return all
}

// store writes the state into the document's metadata.
func (w *widgets) store(doc *notebook.Notebook) {
	if !w.changed {
		return
	}
	w.changed = false
	for _, o := range w.outputs {
		w.save(o)
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

// save brings the state of an Output widget up to date.
func (w *widgets) save(o *outputWidget) {
	if o.unsaved {
		o.unsaved = false
		w.state[o.id]["outputs"] = o.state()
	}
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
