package outcome

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/unit"
)

// The sentences of reasons. A cell in them is the number of a code cell among
// code cells, from 1, as in Outcome.Cell.

// The sentences that name no cell.
const (
	NeverExecuted = "the notebook was never executed"
	NeverEnded    = "the notebook's execution never ended: it is still running, or it was killed"
	Unexplained   = "the notebook is marked as failed and shows no error"
)

// Raised says that a cell raised an exception, with its first line.
func Raised(cell int, ename, evalue string) string {
	if evalue != "" {
		ename += ": " + evalue
	}
	return fmt.Sprintf("cell %d raised %s", cell, firstLine(ename))
}

// EndedEarly says that a cell ended the notebook, successfully.
func EndedEarly(cell int) string {
	return fmt.Sprintf("cell %d ended the notebook early, on purpose", cell)
}

// StoppedIn says that a run was stopped on request; cell is 0 before the first.
func StoppedIn(cell int) string {
	if cell == 0 {
		return "stopped before its first cell"
	}
	return fmt.Sprintf("stopped on request in cell %d", cell)
}

// CellTooLong says that a cell passed its limit.
func CellTooLong(cell int, limit time.Duration) string {
	return fmt.Sprintf("cell %d took longer than %s", cell, unit.AsWritten(limit))
}

// RunTooLong says that a run passed its limit.
func RunTooLong(cell int, limit time.Duration) string {
	return fmt.Sprintf("the run took longer than %s; it was in cell %d", unit.AsWritten(limit), cell)
}

// AskedForInput says that a cell waited for somebody to type.
func AskedForInput(cell int) string {
	return fmt.Sprintf("cell %d asked for input, and nobody can answer", cell)
}

// Died says that the kernel's process ended, and how.
func Died(cell int, how string) string {
	return fmt.Sprintf("the kernel died in cell %d: %s", cell, how)
}

// CutShort says that a cell was interrupted from outside.
func CutShort(cell int) string {
	return fmt.Sprintf("cell %d was interrupted, and not by an exception of its own", cell)
}

// Unanswered says that a cell began and nothing more is known.
func Unanswered(cell int) string {
	return fmt.Sprintf("cell %d began and the kernel never answered: it died or ran out of time", cell)
}

// NeverRan says that a cell should have been executed.
func NeverRan(cell int) string {
	return fmt.Sprintf("cell %d never ran, and no reason was recorded", cell)
}

// firstLine is the first line of s, or what of it is worth reading; a mark
// shows that there was more.
func firstLine(s string) string {
	most := 500
	line, rest, _ := strings.Cut(s, "\n")
	more := strings.TrimSpace(rest) != ""
	if len(line) > most {
		for !utf8.RuneStart(line[most]) {
			most--
		}
		line, more = line[:most], true
	}
	if line = strings.TrimSpace(line); more {
		line += " …"
	}
	return line
}
