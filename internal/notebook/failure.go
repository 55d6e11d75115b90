package notebook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// A Failure is where and how a notebook failed.
type Failure struct {
	Cell           int // index in Cells
	ExecutionCount *int
	Ename, Evalue  string
	Traceback      []string
}

// Failure returns the first error that no tag of its cell allows. SystemExit
// without a code, or with zero, is not an error. A cell that papermill's metadata
// marks as failed without an error output is one, named CellExecutionError.
func (n *Notebook) Failure() (Failure, bool) {
	for i, c := range n.Cells {
		if c.Type != "code" || c.HasTag(tagRaises) {
			continue
		}
		exited := false
		for _, o := range c.Outputs {
			if o.Type != "error" {
				continue
			}
			if o.exits() {
				exited = true
				continue
			}
			return Failure{i, clonePtr(c.ExecutionCount), o.Ename, o.Evalue, slices.Clone(o.Traceback)}, true
		}
		if record := c.papermill(); !exited && record["exception"] == true {
			return Failure{Cell: i, ExecutionCount: clonePtr(c.ExecutionCount), Ename: "CellExecutionError"}, true
		}
	}
	return Failure{}, false
}

// exits reports whether an error ends a notebook successfully.
func (o *Output) exits() bool {
	return o.Ename == "SystemExit" && (o.Evalue == "" || o.Evalue == "0" || o.Evalue == "None")
}

// papermill is papermill's metadata of the cell; nil when there is none.
func (c *Cell) papermill() map[string]any {
	m, _ := c.Metadata["papermill"].(map[string]any)
	return m
}

// exitCell is the cell that ended the notebook, successfully and on purpose, before
// its end; -1 if there is none.
func (n *Notebook) exitCell() int {
	return slices.IndexFunc(n.Cells, func(c *Cell) bool {
		return c.Type == "code" && (c.notes()[noteQuit] == true || !c.HasTag(tagRaises) &&
			slices.ContainsFunc(c.Outputs, func(o Output) bool { return o.Type == "error" && o.exits() }))
	})
}

// MarkFailure puts papermill's two banners into the notebook: one at its top,
// one before the cell that failed.
func (n *Notebook) MarkFailure(f Failure) {
	count := "None"
	if f.ExecutionCount != nil {
		count = strconv.Itoa(*f.ExecutionCount)
	}
	here := &Cell{Type: "markdown", Source: bannerHere, Metadata: map[string]any{"tags": []any{tagError}}, ID: n.newID(bannerHere)}
	n.Cells = slices.Insert(slices.Clone(n.Cells), min(max(f.Cell, 0), len(n.Cells)), here)
	top := &Cell{Type: "markdown", Source: fmt.Sprintf(bannerTop, count), Metadata: map[string]any{"tags": []any{tagError}}, ID: n.newID(bannerTop)}
	n.Cells = slices.Insert(n.Cells, 0, top)
}

// Verdict is how the notebook ended. Of the notebook of an attempt it is the
// recorded outcome, unless something has executed the notebook since.
//
// Otherwise it is derived from outputs, counts and times, and never from the
// mark "completed", which papermill also gives to cells that did not run. It
// then has a status (planned, succeeded, failed, timed_out or lost), and where
// they are known kind, reason, cell and exception; nothing else.
func (n *Notebook) Verdict() outcome.Outcome {
	if o, ok := n.recorded(); ok {
		return o
	}
	if f, failed := n.Failure(); failed {
		return n.failedVerdict(f)
	}
	if i := n.exitCell(); i >= 0 {
		return n.verdict(outcome.Succeeded, outcome.EarlyExit, i, outcome.EndedEarly)
	}
	record, _ := n.Metadata["papermill"].(map[string]any)
	if record["start_time"] == nil {
		return n.verdictByCounts()
	}
	if record["exception"] == true {
		return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Reason: outcome.Unexplained}
	}
	if i := n.unanswered(); i >= 0 {
		return n.verdict(outcome.Lost, outcome.Unfinished, i, outcome.Unanswered)
	}
	if record["end_time"] == nil {
		o := outcome.Outcome{Status: outcome.Lost, Kind: outcome.Unfinished, Reason: outcome.NeverEnded}
		if i := n.unended(); i >= 0 {
			o.Cell = n.CodeCell(i)
		}
		return o
	}
	if i := n.neverBegun(); i >= 0 {
		return n.verdict(outcome.Lost, outcome.Unfinished, i, outcome.NeverRan)
	}
	return outcome.Outcome{Status: outcome.Succeeded}
}

// verdict blames cell i.
func (n *Notebook) verdict(s outcome.Status, k outcome.Kind, i int, sentence func(cell int) string) outcome.Outcome {
	cell := n.CodeCell(i)
	return outcome.Outcome{Status: s, Kind: k, Reason: sentence(cell), Cell: cell}
}

// failedVerdict distinguishes a time limit from an exception: papermill interrupts a
// kernel that ran out of time and does not record that as an exception.
func (n *Notebook) failedVerdict(f Failure) outcome.Outcome {
	var o outcome.Outcome
	if record := n.Cells[f.Cell].papermill(); f.Ename == "KeyboardInterrupt" && record["status"] == "completed" && record["exception"] != true {
		o = n.verdict(outcome.TimedOut, outcome.CellTimeout, f.Cell, outcome.CutShort)
	} else {
		o = n.verdict(outcome.Failed, outcome.Exception, f.Cell, func(cell int) string { return outcome.Raised(cell, f.Ename, f.Evalue) })
	}
	o.Ename, o.Evalue = f.Ename, f.Evalue
	return o
}

// runs reports whether executing the notebook executes the cell.
func (c *Cell) runs() bool {
	return c.Type == "code" && strings.TrimSpace(c.Source) != "" && !c.HasTag(tagSkip)
}

// verdictByCounts judges a notebook that papermill did not execute.
func (n *Notebook) verdictByCounts() outcome.Outcome {
	ran, not := 0, -1
	for i, c := range n.Cells {
		switch {
		case !c.runs():
		case c.ExecutionCount != nil || len(c.Outputs) > 0:
			ran++
		case not < 0:
			not = i
		}
	}
	switch {
	case ran == 0 && not >= 0:
		return outcome.Outcome{Status: outcome.Planned, Reason: outcome.NeverExecuted}
	case not >= 0:
		return n.verdict(outcome.Lost, outcome.Unfinished, not, outcome.NeverRan)
	}
	return outcome.Outcome{Status: outcome.Succeeded}
}

// unanswered is the cell whose messages nbclient began to time and whose
// reply it never saw; otherwise the last cell that began before cells that
// are marked as completed and never began.
func (n *Notebook) unanswered() int {
	for i, c := range n.Cells {
		times, _ := c.Metadata["execution"].(map[string]any)
		if _, replied := times["shell.execute_reply"]; c.runs() && len(times) > 0 && !replied && c.papermill()["start_time"] != nil {
			return i
		}
	}
	last := -1
	for i, c := range n.Cells {
		record := c.papermill()
		if record["start_time"] != nil && c.runs() {
			last = i
		}
		if record["status"] == "completed" && record["start_time"] == nil {
			return max(last, 0)
		}
	}
	return -1
}

// unended is the cell that is marked as running, -1 if there is none.
func (n *Notebook) unended() int {
	return slices.IndexFunc(n.Cells, func(c *Cell) bool { return c.papermill()["status"] == "running" })
}

// neverBegun is the first cell that should have run and has no start.
func (n *Notebook) neverBegun() int {
	return slices.IndexFunc(n.Cells, func(c *Cell) bool { return c.runs() && c.papermill() != nil && c.papermill()["start_time"] == nil })
}
