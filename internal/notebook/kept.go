package notebook

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/notebook/internal/scrap"
)

// A Kept is an output with scraps that a cell sent and that is not, or no
// longer, among its outputs: a widget shows it, it was cleared or replaced, or
// there was no room for it.
type Kept struct {
	Before int      // how many of the cell's outputs that hold scraps came before it
	Times  int      // how many such outputs with the same scraps came; this is the last
	Output Output   // of which Data and Metadata are kept
	Lost   string   // why they are not kept either, a sentence; else ""
	Names  []string // of the scraps that are lost
}

const noteScraps = "scraps"

// Keep stores outputs, in the order in which they came, in the metadata of a
// cell that is executed. It replaces what Keep stored before.
func (c *Cell) Keep(outputs []Kept) {
	list := make([]any, len(outputs))
	for i, k := range outputs {
		m := map[string]any{"before": k.Before, "times": k.Times}
		if k.Lost != "" {
			m["lost"], m["names"] = k.Lost, k.Names
		} else {
			m["data"], m["metadata"] = bundleOf(k.Output.Data), k.Output.Metadata
		}
		list[i] = m
	}
	c.Note(noteScraps, map[string]any{"executed": c.executed(), "outputs": list})
}

func bundleOf(data map[string]json.RawMessage) map[string]any {
	m := make(map[string]any, len(data))
	for mime, raw := range data {
		m[mime] = raw
	}
	return m
}

// executed is when the kernel began with the cell, as nbclient records it; nil
// where nothing does.
func (c *Cell) executed() any {
	times, _ := c.Metadata["execution"].(map[string]any)
	return times[StampInput]
}

// kept returns what Keep stored, if it is about the execution whose outputs the
// cell has. Whatever executes a cell anew leaves another time, or a count without
// a time; tools that strip notebooks take both.
func (c *Cell) kept() []Kept {
	note, _ := c.notes()[noteScraps].(map[string]any)
	if now := c.executed(); note == nil || now != note["executed"] && (now != nil || c.ExecutionCount != nil) {
		return nil
	}
	list, _ := note["outputs"].([]any)
	var outputs []Kept
	for _, entry := range list {
		if m, ok := entry.(map[string]any); ok {
			outputs = append(outputs, keptOf(m))
		}
	}
	return outputs
}

func keptOf(m map[string]any) Kept {
	k := Kept{Output: outputOf(m)}
	k.Before, _ = integer(m["before"])
	k.Times, _ = integer(m["times"])
	k.Lost, _ = m["lost"].(string)
	switch names := m["names"].(type) {
	case []string:
		k.Names = names
	case []any:
		for _, name := range names {
			if s, ok := name.(string); ok {
				k.Names = append(k.Names, s)
			}
		}
	}
	return k
}

// outputOf reads a display that metadata holds.
func outputOf(m map[string]any) Output {
	o := Output{Type: "display_data", Data: map[string]json.RawMessage{}}
	data, _ := m["data"].(map[string]any)
	for mime, v := range data {
		raw, ok := v.(json.RawMessage)
		if !ok {
			raw = pyjson.Encode(v)
		}
		if len(raw) > 0 && raw[0] == '[' && !isJSON(mime) {
			raw = joined(raw)
		}
		o.Data[mime] = raw
	}
	o.Metadata, _ = m["metadata"].(map[string]any)
	return o
}

// recorded returns the scraps of a code cell, with its number, in the order in
// which they came.
func (c *Cell) recorded(number int) (scraps []Scrap, problems []Problem) {
	r := &cellReader{number: number, kept: c.kept()}
	n := 0
	for _, o := range c.Outputs {
		if o.HoldsScraps() {
			r.passed(n)
			r.output(o, 1)
			n++
		}
	}
	r.passed(-1)
	return r.scraps, r.problems
}

type cellReader struct {
	number   int
	kept     []Kept
	scraps   []Scrap
	problems []Problem
}

// passed reads what came before output n of those that hold scraps; all that is
// left when n is negative.
func (r *cellReader) passed(n int) {
	for len(r.kept) > 0 && (n < 0 || r.kept[0].Before <= n) {
		k := r.kept[0]
		r.kept = r.kept[1:]
		for _, name := range k.Names {
			r.problems = append(r.problems, Problem{Kind: "lost_scrap", Name: name, Detail: k.Lost, Cell: r.number})
		}
		r.output(k.Output, k.Times)
	}
}

func (r *cellReader) output(o Output, times int) {
	scraps, problems := scrapsOf(r.number, times, o)
	r.scraps, r.problems = append(r.scraps, scraps...), append(r.problems, problems...)
}

const widgetState = "application/vnd.jupyter.widget-state+json"

// inWidgets returns the scraps that the document holds in Output widgets, as
// front ends save them. That says neither which cell recorded a scrap, nor in
// which order widgets got theirs.
func (n *Notebook) inWidgets() ([]Scrap, []Problem) {
	widgets, _ := n.Metadata["widgets"].(map[string]any)
	all, _ := widgets[widgetState].(map[string]any)
	models, _ := all["state"].(map[string]any)
	var scraps []Scrap
	var problems []Problem
	shown := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(models)) {
		own, ps := scrapsOfModel(models[id])
		problems = append(problems, ps...)
		for _, s := range own {
			if shown[s.Name] {
				problems = append(problems, Problem{Kind: "duplicate_scrap", Name: s.Name, Detail: "several Output widgets hold it, in an order that is not known; the value of one of them counts"})
				continue
			}
			shown[s.Name] = true
			scraps = append(scraps, s)
		}
	}
	return scraps, problems
}

func scrapsOfModel(model any) ([]Scrap, []Problem) {
	m, _ := model.(map[string]any)
	if m["model_name"] != "OutputModel" {
		return nil, nil
	}
	state, _ := m["state"].(map[string]any)
	list, _ := state["outputs"].([]any)
	r := &cellReader{}
	for _, entry := range list {
		if o, ok := entry.(map[string]any); ok {
			r.output(outputOf(o), 1)
		}
	}
	scraps, problems := scrap.Merge(r.scraps)
	return scraps, append(r.problems, problems...)
}
