// Package notebook reads, writes and understands Jupyter notebooks.
//
// Bytes go in through [Decode] (nbformat 3 and 4, upgraded to 4.5) and come
// out through [Notebook.Encode], written as papermill writes them, to the
// byte. Between the two a notebook can be given parameters
// ([Notebook.Prepare]), asked what parameters it declares
// ([Notebook.Parameters]), which scraps it recorded ([Notebook.Scraps]), how
// it ended ([Notebook.Failure], [Notebook.Verdict]) and what code it holds
// ([Notebook.CodeDigest], [Notebook.Imports]).
//
// It promises that fields it does not know survive a round trip, that numbers
// stay as they were written, that encoding is deterministic, and that no
// value of a parameter can become code in the injected cell.
//
// It executes nothing, opens no file, and knows neither kernels nor sweeps. A
// notebook is used by one goroutine at a time; clones are independent.
package notebook

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Notebook is an nbformat 4 document.
//
// Metadata values are nil, bool, string, json.Number (as written; also NaN,
// Infinity and -Infinity), []any and map[string]any after Decode. Other Go
// values may be stored too: float64 is written as Python writes a float (1 as
// 1.0), integers as integers, anything else as encoding/json renders it.
type Notebook struct {
	Metadata map[string]any
	Cells    []*Cell
	Minor    int            // nbformat_minor, 5 or newer
	Extra    map[string]any // top-level fields that nbformat does not name
}

// A Cell is one cell. After changing a cell that was encoded before, call
// Touch: its encoded form is kept.
type Cell struct {
	Type           string // "code", "markdown" or "raw"
	ID             string
	Source         string
	Metadata       map[string]any
	Outputs        []Output // of a code cell
	ExecutionCount *int     // of a code cell; nil is null
	// Attachments are mime bundles by file name; nil when there are none.
	Attachments map[string]map[string]json.RawMessage
	Extra       map[string]any // fields that nbformat does not name

	encoded *pyjson.Rope // nil when it must be encoded again
}

// An Output is one output of a code cell.
//
// The values of Data are JSON; texts that the file splits into lines are one
// JSON string. They may share memory with what Decode was given.
type Output struct {
	Type           string                     // "stream", "display_data", "execute_result", "error"
	Name, Text     string                     // stream
	Data           map[string]json.RawMessage // display_data, execute_result: by MIME type
	Metadata       map[string]any             // display_data, execute_result
	ExecutionCount *int                       // execute_result
	Ename, Evalue  string                     // error
	Traceback      []string                   // error
	Extra          map[string]any             // all other fields
}

// Touch says that the cell has changed since it was last encoded.
func (c *Cell) Touch() { c.encoded = nil }

// CodeCell is the number that people know the cell with index i by: among code
// cells, from 1. For a cell that holds no code it is the number of the next that
// does. Banners of an earlier failure do not count, whatever their type.
//
// Outcomes, logs, problems and messages all number cells so, and nothing else
// does.
func (n *Notebook) CodeCell(i int) int {
	number := 1
	for _, c := range n.Cells[:i] {
		if c.isCode() {
			number++
		}
	}
	return number
}

// CodeNumbers is CodeCell of every cell.
func (n *Notebook) CodeNumbers() []int {
	numbers, next := make([]int, len(n.Cells)), 1
	for i, c := range n.Cells {
		if numbers[i] = next; c.isCode() {
			next++
		}
	}
	return numbers
}

// CodeCells is how many code cells there are.
func (n *Notebook) CodeCells() int { return n.CodeCell(len(n.Cells)) - 1 }

// isCode reports whether the cell counts as a code cell.
func (c *Cell) isCode() bool { return c.Type == "code" && !isBanner(c) }

// HasTag reports whether the cell carries a tag.
func (c *Cell) HasTag(tag string) bool {
	switch tags := c.Metadata["tags"].(type) {
	case []any:
		return slices.Contains(tags, any(tag))
	case []string:
		return slices.Contains(tags, tag)
	}
	return false
}

// TextJSON is s as a JSON string, for Output.Data and Cell.Attachments.
func TextJSON(s string) json.RawMessage { return value.AppendText(nil, s) }

// DataText returns the text of one MIME type of an output, and whether there
// is any.
func (o *Output) DataText(mime string) (string, bool) {
	raw, ok := o.Data[mime]
	if !ok {
		return "", false
	}
	v, err := value.Decode(raw)
	s, isText := v.(string)
	return s, err == nil && isText
}

// Kernel returns the name of the notebook's kernelspec and its language, as
// papermill looks them up; "" where the notebook does not say.
func (n *Notebook) Kernel() (name, language string) {
	spec, _ := n.Metadata["kernelspec"].(map[string]any)
	info, _ := n.Metadata["language_info"].(map[string]any)
	name, _ = spec["name"].(string)
	if language, _ = info["name"].(string); language == "" {
		language, _ = spec["language"].(string)
	}
	return name, language
}

// Clone returns a copy that shares nothing that can be changed; the bytes of
// Data and Attachments, never changed in place, are shared.
func (n *Notebook) Clone() *Notebook {
	c := &Notebook{Metadata: cloneMap(n.Metadata), Minor: n.Minor, Extra: cloneMap(n.Extra), Cells: make([]*Cell, len(n.Cells))}
	for i, cell := range n.Cells {
		c.Cells[i] = cell.clone()
	}
	return c
}

func (c *Cell) clone() *Cell {
	d := *c
	d.encoded = nil
	d.Metadata, d.Extra, d.ExecutionCount = cloneMap(c.Metadata), cloneMap(c.Extra), clonePtr(c.ExecutionCount)
	if c.Attachments != nil {
		d.Attachments = make(map[string]map[string]json.RawMessage, len(c.Attachments))
		for name, bundle := range c.Attachments {
			d.Attachments[name] = maps.Clone(bundle)
		}
	}
	d.Outputs = slices.Clone(c.Outputs)
	for i := range d.Outputs {
		o := &d.Outputs[i]
		o.Data, o.Metadata, o.Extra = maps.Clone(o.Data), cloneMap(o.Metadata), cloneMap(o.Extra)
		o.ExecutionCount, o.Traceback = clonePtr(o.ExecutionCount), slices.Clone(o.Traceback)
	}
	return &d
}

func clonePtr(p *int) *int {
	if p == nil {
		return nil
	}
	n := *p
	return &n
}

func cloneMap(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	c := make(map[string]any, len(m))
	for k, v := range m {
		c[k] = cloneValue(v)
	}
	return c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneMap(v)
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = cloneValue(e)
		}
		return c
	case []string:
		return slices.Clone(v)
	}
	return v
}
