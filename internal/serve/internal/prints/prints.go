// Package prints is what running runs print.
//
// In go an opened sweep and the id of a run; out comes the end of what its
// notebook printed, as far as it was saved. It promises to read a notebook only
// when it was saved again, and that what comes out is text which a terminal would
// obey nothing of.
package prints

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

const (
	maxPrinted = 8 << 10 // bytes of what a run printed last
	maxPart    = 64 << 20
)

// A State is what a run printed so far.
type State struct {
	ID      string         `json:"id"`
	Status  outcome.Status `json:"status"`
	Attempt int            `json:"attempt"`
	Cell    int            `json:"cell,omitempty"`
	Cells   int            `json:"cells,omitempty"`
	Text    string         `json:"text"` // its end
	Cut     bool           `json:"cut,omitempty"`
}

// Prints is what the runs of one sweep printed.
type Prints struct {
	mu  sync.Mutex
	all map[string]*prints // by run
}

// New knows nothing yet.
func New() *Prints { return &Prints{all: map[string]*prints{}} }

// prints is how far a run's notebook was read.
type prints struct {
	attempt int
	known   store.Object
	state   State
}

// Of is what a run printed; nil when there is no such run.
func (all *Prints) Of(ctx context.Context, o *opened.Sweep, id string) (*State, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	st, ok := o.Run(id)
	if !ok {
		return nil, nil
	}
	p := all.all[id]
	if p == nil || p.attempt != st.Attempts {
		p = &prints{attempt: st.Attempts}
		all.all[id] = p
	}
	p.state.ID, p.state.Status, p.state.Attempt = id, st.Status, st.Attempts
	if st.Attempts > 0 {
		if err := p.read(ctx, o, id); err != nil {
			return nil, err
		}
	}
	state := p.state
	return &state, nil
}

func (p *prints) read(ctx context.Context, o *opened.Sweep, id string) error {
	saved, err := o.Saved(ctx, id, p.attempt, p.known)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has just begun
	}
	if err != nil || saved.Text == nil {
		return err
	}
	p.known = saved.Object
	if len(saved.Text) > maxPart {
		p.state.Text, p.state.Cut = "The notebook is too large to be followed here.", true
		return nil
	}
	doc, err := notebook.Decode(saved.Text)
	if err != nil {
		return nil // of whoever is writing it: the next one will be whole
	}
	p.state.Cell, p.state.Cells = progress(doc), doc.CodeCells()
	p.state.Text, p.state.Cut = lastLines(doc)
	return nil
}

// progress is the number of the last code cell that has begun.
func progress(doc *notebook.Notebook) (cell int) {
	numbers := doc.CodeNumbers()
	for i, c := range doc.Cells {
		record, _ := c.Metadata["papermill"].(map[string]any)
		if status, _ := record["status"].(string); c.Type == "code" && status != "" && status != "pending" {
			cell = numbers[i]
		}
	}
	return cell
}

// lastLines is the end of what the cells printed, without what a terminal would
// obey.
func lastLines(doc *notebook.Notebook) (text string, cut bool) {
	var lines []string
	for _, p := range doc.Prints(true) {
		for line := range strings.Lines(p.Text) {
			line = strings.TrimRight(line, "\r\n")
			lines = append(lines, unit.Line(line[strings.LastIndexByte(line, '\r')+1:]))
		}
	}
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if size += len(lines[i]) + 1; size > maxPrinted {
			return strings.Join(lines[i+1:], "\n"), true
		}
	}
	return strings.Join(lines, "\n"), false
}
