package notebook

import (
	"encoding/json"
	"fmt"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/outcome"
)

const recordKey = "fanout" // in the metadata of the notebook, and of cells

// SetRecord stores v, which must marshal to a JSON object, in the notebook's
// metadata, replacing what SetRecord stored before.
func (n *Notebook) SetRecord(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("set notebook record: %w", err)
	}
	m, err := object(b)
	if err != nil {
		return fmt.Errorf("set notebook record: %w", err)
	}
	if n.Metadata == nil {
		n.Metadata = map[string]any{}
	}
	n.Metadata[recordKey] = m
	return nil
}

// Record reads what SetRecord stored into v; false when there is nothing.
func (n *Notebook) Record(v any) (bool, error) {
	m, ok := n.Metadata[recordKey].(map[string]any)
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(pyjson.Encode(m), v); err != nil {
		return true, fmt.Errorf("read notebook record: %w", err)
	}
	return true, nil
}

// recorded is how the attempt ended that made the notebook, as its record says.
// It counts for nothing if it is not how an attempt can end, or if the notebook
// was executed again since, by something that keeps what it does not know.
func (n *Notebook) recorded() (outcome.Outcome, bool) {
	var r struct {
		Outcome outcome.Outcome `json:"outcome"`
	}
	if ok, err := n.Record(&r); !ok || err != nil || !r.Outcome.Plausible() {
		return outcome.Outcome{}, false
	}
	start, _ := n.Times()
	return r.Outcome, !start.After(r.Outcome.End)
}

const (
	noteQuit  = "quit"       // the cell told the kernel to quit
	noteStart = "start_time" // of the execution that the notes are about
)

// Note keeps a JSON value in the metadata of a cell that was begun, about this
// execution of it: once another begins, it is forgotten.
func (c *Cell) Note(key string, v any) {
	notes := c.notes()
	if notes == nil {
		notes = map[string]any{noteStart: c.papermill()["start_time"]}
		c.Metadata[recordKey] = notes
	}
	notes[key] = v
	c.Touch()
}

// notes are what was noted about the execution that papermill's metadata tells
// of; nil when nothing was.
func (c *Cell) notes() map[string]any {
	notes, _ := c.Metadata[recordKey].(map[string]any)
	if start, ok := c.papermill()["start_time"].(string); !ok || notes[noteStart] != start {
		return nil
	}
	return notes
}
