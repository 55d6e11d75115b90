// Package listing writes runs, one after the other: as a table for people, as CSV,
// or as lines of JSON.
//
// In go runs and a form; out comes text, the first of it with the first run. It
// chooses no run and knows no command.
package listing

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Form is how runs are written.
type Form int

// The forms.
const (
	Table Form = iota // for people
	CSV               // safe for spreadsheets
	JSON              // one object a line
)

// A List writes runs until Flush.
type List struct {
	Reasons bool // runs have a column that says why they did not succeed

	lines      *json.Encoder // nil for rows
	write      func(fields []string) error
	flush      func() error
	replicates bool
	begun      bool     // the head of the table is written
	later      [][]cell // rows that wait for the columns of others
}

// New is a list to be written to out; axes are those of the sweep.
func New(out unit.Printer, form Form, axes []grid.Axis) *List {
	l := &List{replicates: slices.ContainsFunc(axes, func(a grid.Axis) bool { return a.Name == query.Replicate })}
	switch form {
	case JSON:
		l.lines = json.NewEncoder(out.Data())
		l.lines.SetEscapeHTML(false)
		l.flush = func() error { return nil }
	case CSV:
		w := csv.NewWriter(out.Data())
		l.write = func(fields []string) error { return w.Write(mapped(fields, unit.Cell)) }
		l.flush = func() error { w.Flush(); return w.Error() }
	default:
		clean := newCleaner(out.Data())
		w := tabwriter.NewWriter(clean, 0, 0, 2, ' ', 0)
		l.write = func(fields []string) error {
			_, err := fmt.Fprintln(w, strings.Join(mapped(fields, func(f string) string { return unit.Cut(f, maxColumn) }), "\t"))
			return err
		}
		l.flush = func() error { return errors.Join(w.Flush(), clean.Flush()) }
	}
	return l
}

// maxColumn is how many characters of one value are worth a column.
const maxColumn = 60

func mapped(fields []string, f func(string) string) []string {
	for i := range fields {
		fields[i] = f(fields[i])
	}
	return fields
}

// Flush writes what is left.
func (l *List) Flush() error {
	if err := l.writeLater(); err != nil {
		return err
	}
	return l.flush()
}

// Due adds a run with the reason why it is due, and the parts in which it is stale.
func (l *List) Due(r sweep.Run, why string, stale []string) error {
	if l.lines == nil {
		return l.row(r, cell{"run_due", why})
	}
	o := given(r)
	o.Set("due", why)
	if len(stale) > 0 {
		o.Set("stale", stale)
	}
	return l.lines.Encode(o)
}

// Run adds a run with how it went.
func (l *List) Run(r query.Run) error {
	if l.lines != nil {
		return l.lines.Encode(Of(r))
	}
	took := "-"
	if r.Last != nil {
		took = unit.Duration(r.Outcome.Duration())
	}
	cells := []cell{{"status", Status(r)}, {"took", took}}
	if l.Reasons {
		cells = append(cells, cell{"reason", r.Reason()})
	}
	return l.row(r.Run, cells...)
}

// Leaders adds the first n leaders.
func (l *List) Leaders(leaders query.Leaders, n int) error {
	running := slices.ContainsFunc(leaders.Runs, func(l query.Leader) bool { return l.Status == outcome.Running })
	for i, leader := range leaders.Runs {
		if i == n {
			break
		}
		cells := []cell{{leaders.By, fmt.Sprintf("%.6g", leader.Value)}}
		if running {
			cells = append(cells, cell{"run_status", string(leader.Status)})
		}
		if err := l.row(leader.RunState.Run, cells...); err != nil {
			return err
		}
	}
	return nil
}

// Status is the status of a run for people, and what makes a success stale.
func Status(r query.Run) string {
	text := r.Status.Words()
	if len(r.Stale) > 0 {
		text += ", stale (" + strings.Join(r.Stale, ", ") + ")"
	}
	if r.Run.Unplanned {
		text += ", no longer planned"
	}
	return text
}

// Usage is what the attempt took that the status is about: ", took 3 s, …".
func Usage(r query.Run) string {
	o := r.Outcome
	if r.Last == nil {
		return ""
	}
	text := ", took " + unit.Duration(o.Duration())
	if o.KernelStart > 0 {
		text += fmt.Sprintf(", %s kernel in %s", o.Kernel, unit.Duration(o.KernelStart))
	}
	if o.CPU > 0 {
		text += ", CPU " + unit.Duration(o.CPU)
	}
	if o.PeakRSS > 0 {
		text += ", peak memory " + unit.Bytes(o.PeakRSS)
	}
	return text
}

// staleWhy describes a differing part of a fingerprint.
var staleWhy = map[string]string{
	"code":        "the template's code cells changed since",
	"text":        "the template's text changed since",
	"files":       "the files frozen with the sweep, or the modules the template imports, changed since",
	"inputs":      "the inputs it reads changed since",
	"environment": "the kernel's environment changed since",
}

// StaleWhy says of a part of a fingerprint that it differs.
func StaleWhy(part string) string { return staleWhy[part] }

// A cell is what a row says in one column.
type cell struct{ column, text string }

// row writes a row: the id of a run, more, and what it is given. The first comes
// with the names of the columns. Runs of several steps are given different things:
// their rows wait until all columns are known.
func (l *List) row(r sweep.Run, more ...cell) error {
	cells := append([]cell{{"run_id", r.ID}}, more...)
	step := r.Step()
	switch {
	case step != "":
		cells = append(cells, cell{query.Step, step})
	case r.Template != "":
		cells = append(cells, cell{"template", r.Template})
	}
	for _, b := range slices.Concat(r.Labels, r.Params) {
		cells = append(cells, cell{b.Name, b.Value.Text()})
	}
	if l.replicates {
		cells = append(cells, cell{query.Replicate, strconv.Itoa(r.Replicate)})
	}
	for i := range cells {
		cells[i].text = unit.Line(cells[i].text)
	}
	if step != "" {
		l.later = append(l.later, cells)
		return nil
	}
	var names, texts []string
	for _, c := range cells {
		names, texts = append(names, c.column), append(texts, c.text)
	}
	if !l.begun {
		l.begun = true
		if err := l.write(names); err != nil {
			return err
		}
	}
	return l.write(texts)
}

// writeLater writes the rows that waited, with a column for all that any of them
// has.
func (l *List) writeLater() error {
	if len(l.later) == 0 {
		return nil
	}
	var names []string
	place := map[string]int{}
	for _, cells := range l.later {
		for _, c := range cells {
			if _, has := place[c.column]; !has {
				place[c.column] = len(names)
				names = append(names, c.column)
			}
		}
	}
	rows := l.later
	l.later = nil
	if err := l.write(names); err != nil {
		return err
	}
	for _, cells := range rows {
		texts := make([]string, len(place))
		for _, c := range cells {
			texts[place[c.column]] = c.text
		}
		if err := l.write(texts); err != nil {
			return err
		}
	}
	return nil
}
