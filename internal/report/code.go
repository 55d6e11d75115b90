package report

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/templates"
)

// codeCells load the tables and make the main table again, with whichever
// library the kernel has.
func codeCells(in Input) []string {
	cells := []string{strings.TrimRight(string(templates.SummaryLoad), "\n")}
	for _, t := range in.Compare.Metrics {
		if len(t.Groups) == 0 {
			continue
		}
		call := fmt.Sprintf("by_variant(%s, by=%s)", pythonText(t.Name), pythonList(in.Compare.Rows))
		return append(cells, call)
	}
	return cells
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
