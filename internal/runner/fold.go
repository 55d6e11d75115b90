package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A fold turns the messages of a kernel into the outputs of a document, as
// nbclient does. It depends on nothing but the messages: no clock, no kernel,
// no file. Where it differs from nbclient, on purpose:
//
//   - output that arrives after its cell has ended goes to that cell; nbclient
//     drops it;
//   - from the thousandth output of a cell on, a stream's text is appended to
//     the output before it if that is the same stream;
//   - scraps are kept, whatever becomes of the output that holds them;
//   - what the kernel sets an Output widget's outputs to, as append_stdout does,
//     is what it shows from then on; nbclient forgets it with the next output;
//   - secrets are masked, and output beyond the caps is cut, with a mark.
type fold struct {
	doc     *notebook.Notebook
	mask    *secret.Mask
	caps    caps
	cells   map[string]*cellFold // by the message id of the request
	cause   map[string]*cellFold // by the id of a message that told the kernel something
	byIndex map[int]*cellFold
	current *cellFold
	places  map[string][]place // of outputs with a display_id
	widgets widgets
	used    int64
	kept    int64     // bytes of scraps that are not among outputs
	printed []printed // since it was last taken
	changed bool      // the document, since then
}

// caps are how many bytes of output are kept at most.
type caps struct{ cell, run int64 }

// printed is text for the log.
type printed struct{ stream, text string }

// A place is an output of a cell.
type place struct {
	cell *cellFold
	out  int
}

// A cellFold is one executed cell.
type cellFold struct {
	*notebook.Cell
	fold    *fold
	id      string // message id of the request, once known
	clear   bool   // before the next output
	used    int64
	cut     bool
	tail    []byte            // text of the last output, when it is a stream being appended to
	held    map[string]string // by stream, its end where that may be the beginning of a secret
	errored bool              // an error output has come
	kept    kept              // scraps that are not among the outputs
}

const (
	separate    = 1000     // outputs of a cell before streams are joined
	perOutput   = 64       // bytes an output costs beside its content
	maxTrace    = 64 << 10 // bytes of a traceback kept beyond the caps
	logStdout   = "stdout"
	logStderr   = "stderr"
	logDisplay  = "display"
	displayText = "text/plain"
)

func newFold(doc *notebook.Notebook, m *secret.Mask, c caps) *fold {
	return &fold{
		doc: doc, mask: m, caps: c, cells: map[string]*cellFold{}, cause: map[string]*cellFold{}, byIndex: map[int]*cellFold{},
		places: map[string][]place{}, widgets: newWidgets(m),
	}
}

// told notes that the kernel was told something by a message with this id: what
// the kernel says about that belongs to the cell that caused it.
func (f *fold) told(id string) {
	if f.current != nil {
		f.cause[id] = f.current
	}
}

// begin makes a cell the current one. The first unknown parent among the messages
// is its request.
func (f *fold) begin(index int) *cellFold {
	c := &cellFold{Cell: f.doc.Cells[index], fold: f}
	c.Outputs = nil
	c.Touch()
	if c.Metadata == nil {
		c.Metadata = map[string]any{}
	}
	c.Metadata["execution"] = map[string]any{}
	f.current, f.byIndex[index] = c, c
	return c
}

// message folds one message in.
func (f *fold) message(m kernel.Message) {
	c, known := f.cellOf(m.Parent.MsgID)
	if c == nil || !known && (m.Header.MsgType == "status" || m.Header.MsgType == "execute_input") {
		return
	}
	if m.Channel == "shell" {
		if m.Header.MsgType == "execute_reply" {
			c.time("shell.execute_reply", m)
		}
		return
	}
	if m.Channel != "iopub" {
		return
	}
	content := m.Content
	if m.Header.MsgType != "stream" { // its pieces are joined first
		content = f.mask.JSON(content)
	}
	f.iopub(c, m, content)
}

// cellOf finds the cell a message belongs to. Output of a request that is not
// known, or of none, belongs to the cell that runs.
func (f *fold) cellOf(parent string) (c *cellFold, known bool) {
	if c := f.cells[parent]; c != nil {
		return c, true
	}
	if c := f.cause[parent]; c != nil {
		return c, false
	}
	if c := f.current; c != nil && c.id == "" && parent != "" {
		c.id, f.cells[parent] = parent, c
		return c, true
	}
	if len(f.cells) == 0 {
		return nil, false // sent while the kernel started
	}
	return f.current, false
}

func (f *fold) iopub(c *cellFold, m kernel.Message, content json.RawMessage) {
	switch m.Header.MsgType {
	case "status":
		f.status(c, m, content)
	case "execute_input":
		c.time("iopub.execute_input", m)
		c.count(content)
	case "stream":
		f.stream(c, m.Parent.MsgID, content)
	case "display_data", "execute_result", "update_display_data":
		f.display(c, m.Header.MsgType, m.Parent.MsgID, content)
	case "error":
		f.failed(c, m.Parent.MsgID, content)
	case "clear_output":
		f.clear(c, m.Parent.MsgID, content)
	case "comm_open", "comm_msg", "comm_close":
		f.comm(c, m, content)
	}
}

func (f *fold) status(c *cellFold, m kernel.Message, content json.RawMessage) {
	var s struct {
		State string `json:"execution_state"`
	}
	if json.Unmarshal(content, &s) != nil {
		return
	}
	switch s.State {
	case "busy":
		c.time("iopub.status.busy", m)
	case "idle":
		c.time("iopub.status.idle", m)
		f.release(c)
	}
}

func (f *fold) stream(c *cellFold, parent string, content json.RawMessage) {
	var s struct{ Name, Text string }
	if json.Unmarshal(content, &s) != nil {
		return
	}
	if w := f.widgets.hook(parent); w != nil {
		f.show(w, c, streamOutput(s.Name, s.Text)) // which masks what it joins
		return
	}
	s.Name = f.mask.Text(s.Name)
	text, open := f.mask.Split(c.held[s.Name] + s.Text)
	if c.held == nil && open != "" {
		c.held = map[string]string{}
	}
	if c.held != nil {
		c.held[s.Name] = open
	}
	if text != "" || open == "" {
		f.write(c, s.Name, text)
	}
}

// release writes what was held back.
func (f *fold) release(c *cellFold) {
	for _, name := range slices.Sorted(maps.Keys(c.held)) {
		text := c.held[name]
		delete(c.held, name)
		if text != "" {
			f.write(c, name, text)
		}
	}
}

// write adds text of a stream to a cell.
func (f *fold) write(c *cellFold, name, text string) {
	f.clearIfDue(c)
	room, whole := f.room(c, int64(len(text)+perOutput))
	if !whole {
		text = prefix(text, int(room)-perOutput)
		if text == "" {
			f.cutMark(c)
			return
		}
	}
	f.spend(c, int64(len(text)+perOutput))
	if n := len(c.Outputs); n >= separate && c.Outputs[n-1].Type == "stream" && c.Outputs[n-1].Name == name {
		if c.tail == nil {
			c.tail = []byte(c.Outputs[n-1].Text)
		}
		c.tail = append(c.tail, text...)
	} else {
		c.settle()
		c.Outputs = append(c.Outputs, streamOutput(name, text))
	}
	c.Touch()
	f.printed = append(f.printed, printed{name, text})
	if !whole {
		f.cutMark(c)
	}
}

func streamOutput(name, text string) notebook.Output {
	return notebook.Output{Type: "stream", Name: name, Text: text}
}

// settle moves collected text into its output.
func (c *cellFold) settle() {
	if c.tail != nil {
		c.Outputs[len(c.Outputs)-1].Text = string(c.tail)
		c.tail = nil
	}
}

// settle brings the document up to date with all that was folded in.
func (f *fold) settle() {
	for _, c := range f.byIndex {
		c.storeKept()
		if c.tail != nil {
			text := c.tail
			c.settle()
			c.tail = text // more may follow
		}
	}
	f.widgets.store(f.doc)
}

// A bundle is the content of the three messages that show something.
type bundle struct {
	Data      map[string]json.RawMessage `json:"data"`
	Metadata  json.RawMessage            `json:"metadata"`
	Transient struct {
		DisplayID string `json:"display_id"`
	} `json:"transient"`
	Count *int `json:"execution_count"`
}

// lenient accepts what encoding/json does, in a fraction of its time: pictures
// are large.
var lenient = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func (f *fold) display(c *cellFold, msgType, parent string, content json.RawMessage) {
	var b bundle
	if jsonv2.Unmarshal(content, &b, lenient) != nil {
		return
	}
	out := notebook.Output{Type: msgType, Data: b.Data, Metadata: object(b.Metadata)}
	placed := false
	if id := b.Transient.DisplayID; id != "" {
		placed = f.update(id, out)
	}
	if msgType == "update_display_data" {
		if !placed {
			f.keep(c, out, len(c.Outputs))
		}
		return
	}
	if msgType == "execute_result" {
		out.ExecutionCount = b.Count
		c.count(content)
	}
	if w := f.widgets.hook(parent); w != nil {
		f.show(w, c, out)
		f.keep(c, out, len(c.Outputs))
		return
	}
	if !f.add(c, out) {
		f.keep(c, out, len(c.Outputs))
		return
	}
	if id := b.Transient.DisplayID; id != "" {
		f.places[id] = append(f.places[id], place{c, len(c.Outputs) - 1})
	}
	if text, ok := plain(b.Data[displayText]); ok {
		f.printed = append(f.printed, printed{logDisplay, text + "\n"})
	}
}

// plain is the text of a mime bundle's plain form.
func plain(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// object is a JSON object whose numbers stay as they were written.
func object(raw json.RawMessage) map[string]any {
	m := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&m) != nil || m == nil {
		return map[string]any{}
	}
	return m
}

// update gives all outputs with a display_id new content, and reports whether
// any of them has it.
func (f *fold) update(id string, now notebook.Output) (placed bool) {
	now = notebook.Output{Data: now.Data, Metadata: now.Metadata}
	for _, p := range f.places[id] {
		out := &p.cell.Outputs[p.out]
		more := size(now) - size(notebook.Output{Data: out.Data, Metadata: out.Metadata})
		if more > 0 && more > min(f.caps.cell-p.cell.used, f.caps.run-f.used) {
			f.cutMark(p.cell)
			continue
		}
		f.spend(p.cell, more)
		f.keepReplaced(p, *out, now)
		out.Data, out.Metadata = now.Data, now.Metadata
		p.cell.Touch()
		placed = true
	}
	return placed
}

func (f *fold) failed(c *cellFold, parent string, content json.RawMessage) {
	var e struct {
		Ename     string   `json:"ename"`
		Evalue    string   `json:"evalue"`
		Traceback []string `json:"traceback"`
	}
	if json.Unmarshal(content, &e) != nil {
		return
	}
	out := notebook.Output{Type: "error", Ename: e.Ename, Evalue: e.Evalue, Traceback: e.Traceback}
	if w := f.widgets.hook(parent); w != nil {
		f.show(w, c, out)
		return
	}
	f.fail(c, out)
}

// fail adds an error output, the kernel's or one of the runner's own. Caps never hide
// an error; they shorten it.
func (f *fold) fail(c *cellFold, out notebook.Output) {
	out = secret.Pass(f.mask, out)
	f.release(c)
	f.clearIfDue(c)
	if _, fits := f.room(c, size(out)); !fits {
		out.Evalue = prefix(out.Evalue, maxTrace)
		out.Traceback = shorten(out.Traceback, maxTrace)
	}
	f.append(c, out)
	c.errored = true
}

// shorten keeps the last lines: they show what happened.
func shorten(lines []string, most int) []string {
	for i := len(lines) - 1; i >= 0; i-- {
		if most -= len(lines[i]); most < 0 {
			return append([]string{"[traceback cut here]"}, lines[i+1:]...)
		}
	}
	return lines
}

func (f *fold) clear(c *cellFold, parent string, content json.RawMessage) {
	var s struct{ Wait bool }
	if json.Unmarshal(content, &s) != nil {
		return
	}
	if w := f.widgets.hook(parent); w != nil {
		if w.clear = s.Wait; !s.Wait {
			f.used -= w.empty()
		}
		return
	}
	f.release(c)
	if c.clear = s.Wait; !s.Wait {
		f.empty(c)
	}
}

// show puts an output into a widget.
func (f *fold) show(w *outputWidget, c *cellFold, out notebook.Output) {
	if w.clear {
		w.clear = false
		f.used -= w.empty()
	}
	n := size(out)
	if n > min(f.caps.cell-w.used, f.caps.run-f.used) {
		f.cutMark(c)
		return
	}
	f.used += n
	w.output(out, n)
}

// comm folds in the state of a widget. What a widget opens with counts as
// output; what it changes later replaces something.
func (f *fold) comm(c *cellFold, m kernel.Message, content json.RawMessage) {
	if m.Header.MsgType == "comm_open" {
		n := int64(len(content))
		if _, fits := f.room(c, n); !fits {
			f.cutMark(c)
			return
		}
		f.used += n
	}
	f.used += f.widgets.comm(m.Header.MsgType, content, secret.Pass(f.mask, m.Buffers))
}

func (f *fold) clearIfDue(c *cellFold) {
	if c.clear {
		c.clear = false
		f.empty(c)
	}
}

// empty removes a cell's outputs; their scraps are kept.
func (f *fold) empty(c *cellFold) {
	f.keepAll(c)
	f.used -= c.used
	c.Outputs, c.used, c.cut, c.tail, c.errored = nil, 0, false, nil, false
	for id, places := range f.places {
		kept := places[:0]
		for _, p := range places {
			if p.cell != c {
				kept = append(kept, p)
			}
		}
		f.places[id] = kept
	}
	c.Touch()
}

// add appends an output if the caps allow.
func (f *fold) add(c *cellFold, out notebook.Output) bool {
	f.clearIfDue(c)
	if _, fits := f.room(c, size(out)); !fits {
		f.cutMark(c)
		return false
	}
	f.append(c, out)
	return true
}

func (f *fold) append(c *cellFold, out notebook.Output) {
	c.settle()
	f.spend(c, size(out))
	c.Outputs = append(c.Outputs, out)
	c.Touch()
}

func (f *fold) spend(c *cellFold, n int64) { c.used += n; f.used += n }

// room is how many of n bytes the caps leave. A cell that was cut stays so.
func (f *fold) room(c *cellFold, n int64) (room int64, whole bool) {
	room = min(f.caps.cell-c.used, f.caps.run-f.used)
	if c.cut {
		room = 0
	}
	return max(room, 0), n <= room
}

// cutMark marks, once, that output is missing from here on.
func (f *fold) cutMark(c *cellFold) {
	if c.cut {
		return
	}
	c.cut = true
	text := fmt.Sprintf("[output cut here: the cell has more than %s of output]\n", unit.Bytes(f.caps.cell))
	if f.caps.run-f.used < f.caps.cell-c.used {
		text = fmt.Sprintf("[output cut here: the run has more than %s of output]\n", unit.Bytes(f.caps.run))
	}
	f.append(c, streamOutput(logStderr, text))
	f.printed = append(f.printed, printed{logStderr, text})
}

// size is what an output costs against the caps.
func size(o notebook.Output) int64 {
	n := perOutput + len(o.Text) + len(o.Ename) + len(o.Evalue)
	for k, v := range o.Data {
		n += len(k) + len(v)
	}
	for _, t := range o.Traceback {
		n += len(t)
	}
	if len(o.Metadata) > 0 {
		if b, err := json.Marshal(o.Metadata); err == nil {
			n += len(b)
		}
	}
	return int64(n)
}

// prefix is at most n bytes of s, whole characters.
func prefix(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// count takes the number of the cell's execution.
func (c *cellFold) count(content json.RawMessage) {
	var n struct {
		Count *int `json:"execution_count"`
	}
	if json.Unmarshal(content, &n) == nil && n.Count != nil {
		c.ExecutionCount = n.Count
		c.Touch()
	}
}

// time records when a message was sent, as nbclient does.
func (c *cellFold) time(key string, m kernel.Message) {
	t, err := time.Parse(time.RFC3339Nano, m.Header.Date)
	if err != nil {
		t = m.Received
	}
	c.StampExecution(key, t)
	c.Touch()
}

// take returns what was printed, and whether the document has changed, since the
// last call.
func (f *fold) take() (text []printed, changed bool) {
	text, changed = f.printed, f.changed || f.widgets.changed
	f.printed, f.changed = nil, false
	return text, changed
}

// Touch says that the cell has changed.
func (c *cellFold) Touch() {
	c.Cell.Touch()
	c.fold.changed = true
}

// finish ends the folding: what was held back is written.
func (f *fold) finish() {
	for _, c := range f.byIndex {
		f.release(c)
		f.noteCaptured(c)
	}
	f.settle()
}
