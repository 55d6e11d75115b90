package runner

import (
	"encoding/json"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// An outputWidget shows output inside a widget instead of below the cell.
type outputWidget struct {
	id      string // of its comm
	all     *widgets
	takes   string // message id whose output it takes
	outputs []json.RawMessage
	used    int64
	clear   bool             // before the next output
	name    string           // of the stream that the last output is
	text    *strings.Builder // its text; nil when the last output is not a stream
	unsaved bool             // the outputs have changed since they were last stored
	news    bool             // the kernel has not been told of the outputs
	older   json.RawMessage  // outputs that the kernel must be told of though it has replaced them since
}

// read takes the outputs that the kernel gives the widget.
func (o *outputWidget) read(raw json.RawMessage) {
	o.outputs, o.text = nil, nil
	_ = json.Unmarshal(raw, &o.outputs) // none, or foreign ones
	if n := len(o.outputs); n > 0 {
		o.continueStream(o.outputs[n-1])
	}
}

// continueStream lets more text be added to the last output, if it is a stream.
func (o *outputWidget) continueStream(last json.RawMessage) {
	var s struct {
		Type string `json:"output_type"`
		Name string `json:"name"`
		Text any    `json:"text"`
	}
	if json.Unmarshal(last, &s) != nil || s.Type != "stream" {
		return
	}
	if text, ok := s.Text.(string); ok {
		o.name, o.text = s.Name, &strings.Builder{}
		o.text.WriteString(text)
	}
}

// replace takes new outputs from the kernel and returns by how much they are
// larger. What the kernel does not know yet it is told nevertheless, as front
// ends do, whose message is on its way by then.
func (o *outputWidget) replace(raw json.RawMessage) (grown int64) {
	if o.news {
		o.older, o.news = o.state(), false
	}
	o.read(raw)
	o.unsaved = false // they are in the state already
	grown = int64(len(raw)) - o.used
	o.used += grown
	return grown
}

// empty removes the outputs and returns what they used.
func (o *outputWidget) empty() (used int64) {
	used, o.used = o.used, 0
	o.outputs, o.text = nil, nil
	o.touch()
	return used
}

// touch says that the outputs have changed, and not by the kernel.
func (o *outputWidget) touch() {
	o.unsaved, o.news, o.older, o.all.changed = true, true, nil, true
}

// output adds out, which uses n bytes. Text of one stream stays together.
func (o *outputWidget) output(out notebook.Output, n int64) {
	o.used += n
	o.touch()
	if out.Type == "stream" {
		o.stream(out)
		return
	}
	o.endStream()
	v := map[string]any{"output_type": out.Type}
	switch out.Type {
	case "error":
		v["ename"], v["evalue"], v["traceback"] = out.Ename, out.Evalue, out.Traceback
	case "execute_result":
		v["execution_count"] = out.ExecutionCount
		fallthrough
	default:
		v["data"], v["metadata"] = out.Data, out.Metadata
	}
	b, err := json.Marshal(v)
	if err != nil {
		b = json.RawMessage("{}") // foreign data that is no JSON
	}
	o.outputs = append(o.outputs, b)
}

func (o *outputWidget) stream(out notebook.Output) {
	if o.text == nil || o.name != out.Name {
		o.endStream()
		o.outputs = append(o.outputs, nil)
		o.name, o.text = out.Name, &strings.Builder{}
	}
	o.text.WriteString(out.Text)
}

// endStream writes the text of the last output, a stream, into it.
func (o *outputWidget) endStream() {
	if o.text != nil {
		o.outputs[len(o.outputs)-1] = encodedStream(o.name, o.all.mask.Text(o.text.String()))
		o.text = nil
	}
}

func encodedStream(name, text string) json.RawMessage {
	b, err := json.Marshal(map[string]string{"output_type": "stream", "name": name, "text": text})
	if err != nil {
		return json.RawMessage("{}")
	}
	return b
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

// untold is what the kernel has not been told, once; nil when there is nothing.
func (o *outputWidget) untold() json.RawMessage {
	told := o.older
	if o.news {
		told = o.state()
	}
	o.news, o.older = false, nil
	return told
}
