package report

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/templates"
)

// maxCode is how many metrics have a cell of their own; a reader writes more.
const maxCode = 6

// codeCells load the tables and make the main table of each metric again, with
// whichever library the kernel has.
func codeCells(in Input) []string {
	cells := []string{strings.TrimRight(string(templates.SummaryLoad), "\n")}
	if len(in.Steps) == 0 {
		cells = append(cells, metricCells(in.Compare, "")...)
	}
	for _, step := range in.Steps {
		if len(step.Compare.Rows) > 0 {
			cells = append(cells, metricCells(step.Compare, ", step="+pythonText(step.Name))...)
		}
	}
	return cells[:min(len(cells), 1+maxCode)]
}

func metricCells(r *compare.Report, more string) (cells []string) {
	for _, t := range r.Metrics {
		if len(t.Groups) > 0 {
			cells = append(cells, "by_variant("+pythonText(t.Name)+", by="+pythonList(r.Rows)+special(t.Metric)+more+")")
		}
	}
	return cells
}

// special is what a table has that is not of medians.
func special(m compare.Metric) string {
	switch {
	case m.Over() != "":
		return ", trials=" + pythonText(m.Over())
	case m.CentreName() != "median":
		return ", centre=" + pythonText(m.CentreName())
	}
	return ""
}

// pythonText is a Python string literal; JSON's escapes are Python's too.
func pythonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func pythonList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pythonText(n)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
